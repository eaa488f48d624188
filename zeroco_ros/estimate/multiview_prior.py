"""What is known before matching: depth carried over from another frame, and its fusion."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from zeroco_ros.estimate.posed_view import DepthMap, pixel_rays

FloatArray = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]

# The same pictures and poses were used for the other frame, so its errors are not independent.
SHARED = 1.5
# Values further apart than this many of their joint deviations are not of the same thing.
APART = 3.0


@dataclass(frozen=True)
class InverseDepthPrior:
    """What is known of a frame beforehand: value (H, W) float32, 1 / depth, NaN unknown; sigma
    (H, W) float32 of it.
    """

    value: FloatArray
    sigma: FloatArray


def warp_prior(
    found: DepthMap, K: Matrix, T_new_from_old: Matrix, K_new: Matrix | None = None
) -> InverseDepthPrior:
    """Depth of an old frame as the prior of a new one of the same size.

    K: (3, 3) of the old frame, and of the new one if K_new is None; T_new_from_old: (4, 4). Points
    are splatted to the nearest pixel, the nearest of them wins; holes of one pixel are filled.
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


def fused(
    value: FloatArray, sigma: FloatArray, prior: InverseDepthPrior
) -> tuple[FloatArray, FloatArray]:
    """Means by inverse variance of a measurement (H, W) with its sigma and a prior.

    Where they contradict each other the surer one is taken, with twice its sigma.
    """
    known = np.isfinite(prior.value) & np.isfinite(prior.sigma)
    other = np.where(known, prior.value, value)
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.where(np.isfinite(sigma), 1 / sigma**2, 0)
        extra = np.where(known, 1 / prior.sigma**2, 0)
        total = weight + extra
        mean = np.where(total > 0, (weight * value + extra * other) / total, value)
        away = np.abs(value - other)
        agree = away**2 <= APART**2 * (1 / weight + 1 / extra)
        spread = 1 / np.sqrt(total)
    first = weight >= extra
    best = np.where(first, value, other)
    least = np.where(first, sigma, np.where(known, prior.sigma, sigma))
    clash = known & ~agree & (weight > 0)
    mean = np.where(clash, best, mean)
    spread = np.where(clash, 2 * least, spread)
    return (
        np.where(known, mean, value).astype(np.float32),
        np.where(known, spread, sigma).astype(np.float32),
    )
