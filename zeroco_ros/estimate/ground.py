"""The height of a camera above the ground, from its depth image: a scale where nothing else is.

A camera at a known height sees a ground plane below it; the height in the units of an estimated
depth over the known one is the unit of length (Song and Chandraker, CVPR 2014; Zhou et al., IV
2019). The plane is found by random sampling and refined by least squares on its inliers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zeroco_ros.estimate.posed_view import DepthMap, pixel_rays

Array = npt.NDArray[np.float64]

COLUMNS = 100  # pixels looked at, per row
DRAWS = 200
TILT = np.radians(25.0)  # the ground's normal against the picture's vertical
FLAT = 0.025  # distance to the plane, as a share of the height, up to which a point lies on it
FEWEST = 60
SHARE = 0.25  # of the points below the horizon, nearer than FAR heights
FAR = 12.0
PRECISE = 0.25  # points with a larger sigma, as a share of their depth, are left out


@dataclass(frozen=True)
class Ground:
    """height: of the camera over the plane, in the depth's unit; normal: (3,) unit vector from the
    plane to the camera, in the camera's axes; share: of the points below the camera that lie on
    it.
    """

    height: float
    normal: Array
    share: float


def find_ground(depth: DepthMap, K: Array) -> Ground | None:
    """The plane below an upright camera; None where none is seen clearly. Deterministic."""
    points = _below(depth, K)
    if len(points) < FEWEST:
        return None
    random = np.random.default_rng(0)
    picks = random.integers(0, len(points), (DRAWS, 3))
    a, b, c = (points[picks[:, i]] for i in range(3))
    normals = np.cross(b - a, c - a)
    lengths = np.linalg.norm(normals, axis=1)
    normals = normals[lengths > 1e-12] / lengths[lengths > 1e-12, None]
    normals *= -np.sign(normals[:, 1:2])  # up is -y
    heights = -(normals * a[lengths > 1e-12]).sum(1)
    upright = (-normals[:, 1] > np.cos(TILT)) & (heights > 0)
    if not upright.any():
        return None
    normals, heights = normals[upright], heights[upright]
    off = np.abs(points @ normals.T + heights) / heights
    best = int(np.argmax((off < FLAT).sum(0)))
    return _refined(points, normals[best], float(heights[best]))


def _below(depth: DepthMap, K: Array) -> Array:
    """Points (N, 3) that may be ground: below the optical axis and not far away."""
    size = depth.depth.shape
    some = (slice(None, None, max(1, size[1] // COLUMNS)),) * 2
    rays = pixel_rays(K, (size[0], size[1]))[some].reshape(-1, 3)
    z = depth.depth[some].astype(np.float64).ravel()
    sigma = depth.sigma[some].astype(np.float64).ravel()
    with np.errstate(invalid="ignore"):
        good = (rays[:, 1] > 0.05) & (sigma < PRECISE * z)
    return np.asarray(rays[good] * z[good, None], dtype=np.float64)


def _refined(points: Array, normal: Array, height: float) -> Ground | None:
    for _ in range(3):
        near = np.abs(points @ normal + height) < FLAT * height
        if near.sum() < FEWEST:
            return None
        center = points[near].mean(0)
        normal = np.linalg.svd(points[near] - center, full_matrices=False)[2][2]
        normal = normal * -np.sign(normal[1])
        height = -float(center @ normal)
        if not (height > 0 and -normal[1] > np.cos(TILT)):
            return None
    close = np.linalg.norm(points, axis=1) < FAR * height
    share = float(near[close].mean()) if close.any() else 0.0
    return Ground(height, normal, share) if share >= SHARE else None
