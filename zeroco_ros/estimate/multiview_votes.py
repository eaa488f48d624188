"""What flow says of inverse depth: per view a value with its spread, and a robust cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]

# Confidence is the probability that a vector ends within this share of the longer side.
RIGHT_WITHIN = 1 / 200
# The tails are longer than a Gaussian's: exponent fitted on flows with known truth.
TAIL = 0.7
SURELY = 1e-4
# A match is never known better than this, as a share of the longer side (0.3 pixels at 640).
FINEST = 0.3 / 640
# Deviations from which on a view's word just does not count.
FAR = 3.0


@dataclass(frozen=True)
class Vote:
    """One view's inverse depth: value and sigma (h, w) float32; sigma is inf where it has none."""

    value: FloatArray
    sigma: FloatArray


def match_sigma(confidence: FloatArray, longer: float) -> FloatArray:
    """Standard deviation of a match in pixels, (h, w), from its calibrated confidence.

    The confidence is P(error < r) with r = `RIGHT_WITHIN` of the longer side in pixels; a
    two-dimensional Gaussian would have sigma = r / sqrt(-2 log(1 - confidence)). inf at 0.
    """
    sure = np.clip(confidence, 0, 1 - SURELY)
    with np.errstate(divide="ignore"):
        spread = RIGHT_WITHIN * longer * (-2 * np.log1p(-sure)) ** -TAIL
    spread = np.where(sure > SURELY, spread, np.inf)
    return np.maximum(spread, np.float32(FINEST * longer)).astype(np.float32)


def vote(
    flow: FloatArray, sigma: FloatArray, K: Matrix, K_view: Matrix, T_view_from_ref: Matrix
) -> Vote:
    """Inverse depth from one view's flow (h, w, 2) with sigma (h, w), both in pixels.

    A point at inverse depth d is seen at (a + d b) / (a_z + d b_z), a = K_view R K^-1 p and
    b = K_view t: the match is projected on that line (Hartley and Zisserman, 12.2). A match off
    the line by more than its sigma is as much less sure.
    """
    height, width = flow.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    A = (K_view @ T_view_from_ref[:3, :3] @ np.linalg.inv(K)).astype(np.float32)
    b = (K_view @ T_view_from_ref[:3, 3]).astype(np.float32)
    a = [A[k, 0] * x + A[k, 1] * y + A[k, 2] for k in range(3)]
    u, v = x + flow[..., 0], y + flow[..., 1]
    gain_u, gain_v = b[0] - u * b[2], b[1] - v * b[2]
    right_u, right_v = u * a[2] - a[0], v * a[2] - a[1]
    length = np.hypot(gain_u, gain_v)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = (gain_u * right_u + gain_v * right_v) / length**2
        depth = a[2] + value * b[2]
        aside = np.abs(gain_u * right_v - gain_v * right_u) / (length * depth)
        spread = np.hypot(sigma, aside) * depth / length
    good = np.isfinite(value) & np.isfinite(spread) & (depth > 1e-3)
    return Vote(
        np.where(good, value, 0).astype(np.float32),
        np.where(good, spread, np.inf).astype(np.float32),
    )


def parallax(value: FloatArray, K: Matrix, K_view: Matrix, T_view_from_ref: Matrix) -> FloatArray:
    """Pixels that a point moves in a view per unit of inverse depth: (h, w), at `value`."""
    height, width = value.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    A = (K_view @ T_view_from_ref[:3, :3] @ np.linalg.inv(K)).astype(np.float32)
    b = (K_view @ T_view_from_ref[:3, 3]).astype(np.float32)
    at = [A[k, 0] * x + A[k, 1] * y + A[k, 2] + b[k] * value for k in range(3)]
    depth = np.maximum(at[2], np.float32(1e-3))
    u, v = at[0] / depth, at[1] / depth
    return np.asarray(np.hypot(b[0] - u * b[2], b[1] - v * b[2]) / depth, dtype=np.float32)


class VoteCost:
    """Mean over the views of half the squared deviations, at most `FAR`, from an inverse depth.

    A mean, not a sum, because the views' flows err together.
    """

    def __init__(self, votes: Sequence[Vote]) -> None:
        self._inverse = [1 / one.sigma for one in votes]
        self._start = [one.value / one.sigma for one in votes]

    def at(self, level: float) -> FloatArray:
        """The cost (h, w) of this inverse depth at every pixel."""
        total = np.zeros_like(self._start[0])
        away = np.empty_like(total)
        for inverse, start in zip(self._inverse, self._start, strict=True):
            np.multiply(inverse, np.float32(level), out=away)
            away -= start
            np.multiply(away, away, out=away)
            np.minimum(away, np.float32(FAR**2), out=away)
            total += away
        total *= np.float32(0.5 / len(self._start))
        return total
