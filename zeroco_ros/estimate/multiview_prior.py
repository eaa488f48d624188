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

"""What is known before matching: depth carried over from another frame, and its fusion."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from zeroco_ros.estimate.multiview_aggregate import reduced
from zeroco_ros.estimate.multiview_votes import Vote
from zeroco_ros.estimate.posed_view import DepthMap, pixel_rays

FloatArray = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]

# The same pictures and poses were used for the other frame, so its errors are not independent:
# its sigma counts as this many times larger.
SHARED = 3.0
# Values further apart than this many of their joint deviations are not of the same thing.
APART = 3.0


@dataclass(frozen=True)
class InverseDepthPrior:
    """
    What is known of a frame beforehand: value (H, W) float32, 1 / depth, NaN unknown.

    sigma (H, W) float32 of it.
    """

    value: FloatArray
    sigma: FloatArray


def warp_prior(
    found: DepthMap, K: Matrix, T_new_from_old: Matrix, K_new: Matrix | None = None
) -> InverseDepthPrior:
    """
    Depth of an old frame as the prior of a new one of the same size.

    K: (3, 3) of the old frame, and of the new one if K_new is None; T_new_from_old: (4, 4). Points
    are splatted to the nearest pixel, the nearest of them wins; holes of one pixel are filled.
    sigma is `SHARED` times that of the old frame.
    """
    size = found.depth.shape[0], found.depth.shape[1]
    K_new = K if K_new is None else K_new
    good = np.isfinite(found.depth) & np.isfinite(found.sigma)
    old = found.depth[good].astype(np.float64)
    points = pixel_rays(K, size)[good] * old[:, None]
    points = points @ T_new_from_old[:3, :3].T + T_new_from_old[:3, 3]
    ahead = points[:, 2] > 1e-6
    points, sigma = points[ahead], found.sigma[good][ahead]
    place = np.rint((points @ K_new.T)[:, :2] / points[:, 2:])
    inside = ((place >= 0) & (place < (size[1], size[0]))).all(1)
    points, sigma = points[inside], sigma[inside]
    x, y = place[inside].astype(int).T
    value = np.zeros(size, dtype=np.float32)
    spread = np.zeros(size, dtype=np.float32)
    order = np.argsort(-points[:, 2])
    x, y, nearer = x[order], y[order], 1 / points[order, 2]
    value[y, x] = nearer
    spread[y, x] = SHARED * sigma[order] * nearer**2
    return _closed(value, spread)


def _closed(value: FloatArray, spread: FloatArray) -> InverseDepthPrior:
    """Holes (value 0) of a pixel get the mean of what surrounds them, if that is most of it."""
    known = (value > 0).astype(np.float32)
    around = cv2.blur(known, (3, 3))
    fill = (known == 0) & (around > 0.5)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(fill, cv2.blur(value, (3, 3)) / around, value)
        spread = np.where(fill, cv2.blur(spread, (3, 3)) / around, spread)
    there = value > 0
    return InverseDepthPrior(
        np.where(there, value, np.nan).astype(np.float32),
        np.where(there, spread, np.nan).astype(np.float32),
    )


def reduced_prior(prior: InverseDepthPrior, size: tuple[int, int]) -> Vote:
    """Return the prior as a vote at a smaller size: cells of which it knows the larger part."""
    good = np.isfinite(prior.value) & np.isfinite(prior.sigma)
    share = reduced(good.astype(np.float32), size)
    value = reduced(np.where(good, prior.value, 0).astype(np.float32), size)
    sigma = reduced(np.where(good, prior.sigma, 0).astype(np.float32), size)
    known = share > 0.5
    whole = np.where(known, share, 1)
    return Vote(
        np.where(known, value / whole, 0).astype(np.float32),
        np.where(known, sigma / whole, np.inf).astype(np.float32),
    )


def fused(value: FloatArray, sigma: FloatArray, prior: Vote) -> tuple[FloatArray, FloatArray]:
    """
    Means by inverse variance of a measurement (h, w) with its sigma and a prior.

    Where they contradict each other the surer one is taken, with twice its sigma.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ours, theirs = 1 / sigma**2, 1 / prior.sigma**2
        total = ours + theirs
        mean = np.where(total > 0, (ours * value + theirs * prior.value) / total, value)
        spread = np.where(total > 0, 1 / np.sqrt(total), np.inf)
        away = np.abs(value - prior.value)
        clash = (theirs > 0) & (ours > 0) & (away > APART * np.hypot(sigma, prior.sigma))
    surer = ours >= theirs
    mean = np.where(clash, np.where(surer, value, prior.value), mean)
    spread = np.where(clash, 2 * np.minimum(sigma, prior.sigma), spread)
    return mean.astype(np.float32), spread.astype(np.float32)
