# Copyright 2026 zeroco_ros developers
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""
The height of a camera above the ground, from its depth image: a scale where nothing else is.

A camera at a known height sees a ground plane below it; the height in the units of an estimated
depth over the known one is the unit of length (Song and Chandraker, CVPR 2014). The plane is found
by random sampling and refined by weighted least squares on its inliers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zeroco_ros.estimate.posed_view import DepthMap, pixel_rays

Array = npt.NDArray[np.float64]

COLUMNS = 100  # pixels looked at, per row
DRAWS = 300
TILT = np.radians(25.0)  # the ground's normal against the picture's vertical
UNEVEN = 0.02  # of a point's inverse depth, beside its sigma
AGREES = 2.0  # standard deviations
FEWEST = 100
SHARE = 0.3  # of the points below the optical axis
PRECISE = 0.15  # points with a larger sigma, as a share of their depth, are left out


@dataclass(frozen=True)
class Ground:
    """
    The ground plane as the camera sees it.

    height: of the camera over the plane, in the depth's unit; normal: (3,) unit vector from the
    plane to the camera, in the camera's axes; share: of the points below the camera that lie on
    it.
    """

    height: float
    normal: Array
    share: float


def find_ground(depth: DepthMap, K: Array) -> Ground | None:
    """
    Return the plane below an upright camera; None where none is seen clearly. Deterministic.

    A plane n X + h = 0 has the inverse depth -(n / h) ray: linear in its three unknowns and in
    what is measured, so the fit by least squares is not biased by the noise of far points.
    """
    rays, value, sigma = _below(depth, K)
    if len(rays) < FEWEST:
        return None
    picks = np.random.default_rng(0).integers(0, len(rays), (DRAWS, 3))
    sound = np.abs(np.linalg.det(rays[picks])) > 1e-6
    if not sound.any():
        return None
    planes = np.linalg.solve(rays[picks[sound]], value[picks[sound]][..., None])[..., 0]
    planes = planes[[_upright(plane) for plane in planes]]
    if not len(planes):
        return None
    near = np.abs(value[:, None] - rays @ planes.T) < AGREES * sigma[:, None]
    plane = planes[int(np.argmax(near.sum(0)))]
    for _ in range(4):
        near = np.abs(value - rays @ plane) < AGREES * sigma
        if near.sum() < FEWEST:
            return None
        A, b = rays[near] / sigma[near, None], value[near] / sigma[near]
        plane = np.linalg.lstsq(A, b, rcond=None)[0]
    share = float(near.mean())
    if not _upright(plane) or share < SHARE:
        return None
    height = 1 / float(np.linalg.norm(plane))
    return Ground(height, np.asarray(-plane * height, dtype=np.float64), share)


def _upright(plane: Array) -> bool:
    """plane: (3,) inverse depth per ray, down the normal; whether that is down in the picture."""
    length = float(np.linalg.norm(plane))
    return length > 1e-12 and plane[1] > np.cos(TILT) * length


def _below(depth: DepthMap, K: Array) -> tuple[Array, Array, Array]:
    """Rays (N, 3), inverse depths and their deviations (N,) of what may be ground."""
    size = depth.depth.shape
    some = (slice(None, None, max(1, size[1] // COLUMNS)),) * 2
    rays = pixel_rays(K, (size[0], size[1]))[some].reshape(-1, 3)
    z = depth.depth[some].astype(np.float64).ravel()
    sigma = depth.sigma[some].astype(np.float64).ravel()
    with np.errstate(invalid="ignore"):
        good = (rays[:, 1] > 0.05) & (sigma < PRECISE * z)
    z, sigma = z[good], sigma[good]
    return rays[good], 1 / z, np.hypot(sigma / z, UNEVEN) / z
