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
# A point this near to a view's image plane, over its depth in the reference, is not seen there.
NEAREST = 1e-3
# Deviations from which on a view's word just does not count.
FAR = 3.0
# Weight of agreeing votes when they sharpen what was aggregated.
VOTE_SHARE = 0.5
# They do so only where its sigma is below this share of the value: elsewhere nothing is found yet.
CLEAR = 0.1


@dataclass(frozen=True)
class Vote:
    """One view's inverse depth: value and sigma (h, w) float32; sigma is inf where it has none."""

    value: FloatArray
    sigma: FloatArray


def match_sigma(confidence: FloatArray, longer: float) -> FloatArray:
    """
    Return the standard deviation of a match in pixels, (h, w), from its calibrated confidence.

    The confidence is P(error < r) with r = `RIGHT_WITHIN` of the longer side in pixels; a
    two-dimensional Gaussian would have sigma = r / sqrt(-2 log(1 - confidence)). inf at 0.
    """
    sure = np.clip(confidence, 0, 1 - SURELY)
    with np.errstate(divide="ignore"):
        spread = RIGHT_WITHIN * longer * (-2 * np.log1p(-sure)) ** -TAIL
    spread = np.where(sure > SURELY, spread, np.inf)
    return np.maximum(spread, np.float32(FINEST * longer)).astype(np.float32)


@dataclass(frozen=True)
class _Line:
    """Where points (h, w) are seen by inverse depth d: (a + d b) / (a_z + d b_z)."""

    a: tuple[FloatArray, FloatArray, FloatArray]
    b: FloatArray
    x: FloatArray
    y: FloatArray


def _lines(size: tuple[int, int], K: Matrix, K_view: Matrix, T_view_from_ref: Matrix) -> _Line:
    """Give a = K_view R K^-1 p and b = K_view t of every pixel p (Hartley and Zisserman, 9.6)."""
    y = np.arange(size[0], dtype=np.float32)[:, None]
    x = np.arange(size[1], dtype=np.float32)[None]
    A = (K_view @ T_view_from_ref[:3, :3] @ np.linalg.inv(K)).astype(np.float32)
    b = (K_view @ T_view_from_ref[:3, 3]).astype(np.float32)
    first, second, third = (A[k, 0] * x + A[k, 1] * y + A[k, 2] for k in range(3))
    return _Line((first, second, third), b, x, y)


def vote(
    flow: FloatArray, sigma: FloatArray, K: Matrix, K_view: Matrix, T_view_from_ref: Matrix
) -> Vote:
    """
    Inverse depth from one view's flow (h, w, 2) with sigma (h, w), both in pixels.

    The match is projected on the epipolar line; one that is off the line by more than its sigma
    is as much less sure.
    """
    value, per_pixel, beside = _projected(flow, K, K_view, T_view_from_ref)
    with np.errstate(invalid="ignore"):
        spread = np.hypot(sigma, beside) * per_pixel
    good = np.isfinite(value) & np.isfinite(spread) & (per_pixel > 0)
    return Vote(
        np.where(good, value, 0).astype(np.float32),
        np.where(good, spread, np.inf).astype(np.float32),
    )


def off_line(flow: FloatArray, K: Matrix, K_view: Matrix, T_view_from_ref: Matrix) -> FloatArray:
    """Pixels (h, w) between each match and its epipolar line; NaN where there is no line."""
    return _projected(flow, K, K_view, T_view_from_ref)[2]


def _projected(
    flow: FloatArray, K: Matrix, K_view: Matrix, T_view_from_ref: Matrix
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Inverse depth, inverse depth per pixel, and pixels beside the line, (h, w) each."""
    line = _lines((flow.shape[0], flow.shape[1]), K, K_view, T_view_from_ref)
    a, b = line.a, line.b
    u, v = line.x + flow[..., 0], line.y + flow[..., 1]
    gain_u, gain_v = b[0] - u * b[2], b[1] - v * b[2]
    right_u, right_v = u * a[2] - a[0], v * a[2] - a[1]
    length = np.hypot(gain_u, gain_v)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = (gain_u * right_u + gain_v * right_v) / length**2
        depth = a[2] + value * b[2]
        depth = np.where(depth > NEAREST, depth, np.nan)
        beside = np.abs(gain_u * right_v - gain_v * right_u) / (length * depth)
        return value, depth / length, beside


def misfit(
    value: FloatArray,
    flow: FloatArray,
    sigma: FloatArray,
    K: Matrix,
    K_view: Matrix,
    T_view_from_ref: Matrix,
) -> FloatArray:
    """Squared distance, over sigma^2, between matches and where `value` puts them: (h, w)."""
    line = _lines((value.shape[0], value.shape[1]), K, K_view, T_view_from_ref)
    a, b = line.a, line.b
    depth = np.maximum(a[2] + b[2] * value, np.float32(NEAREST))
    u = (a[0] + b[0] * value) / depth - line.x - flow[..., 0]
    v = (a[1] + b[1] * value) / depth - line.y - flow[..., 1]
    return np.asarray((u * u + v * v) / (sigma * sigma), dtype=np.float32)


def parallax(value: FloatArray, K: Matrix, K_view: Matrix, T_view_from_ref: Matrix) -> FloatArray:
    """Pixels that a point moves in a view per unit of inverse depth: (h, w), at `value`."""
    line = _lines((value.shape[0], value.shape[1]), K, K_view, T_view_from_ref)
    a, b = line.a, line.b
    depth = np.maximum(a[2] + b[2] * value, np.float32(NEAREST))
    u, v = (a[0] + b[0] * value) / depth, (a[1] + b[1] * value) / depth
    return np.asarray(np.hypot(b[0] - u * b[2], b[1] - v * b[2]) / depth, dtype=np.float32)


class VoteCost:
    """
    Mean over the views of half the squared deviations, at most `FAR`, from an inverse depth.

    A mean, not a sum, because the views' flows err together.
    """

    def __init__(self, votes: Sequence[Vote]) -> None:
        self._inverse = [1 / one.sigma for one in votes]
        self._start = [one.value / one.sigma for one in votes]

    def at(self, level: float) -> FloatArray:
        """Return the cost (h, w) of this inverse depth at every pixel."""
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


def sharpened(
    value: FloatArray, sigma: FloatArray, votes: Sequence[Vote]
) -> tuple[FloatArray, FloatArray]:
    """
    Inverse depth and sigma (h, w), joined by inverse variance by the votes that agree with it.

    Aggregation finds the right surface, matches are finer than its levels. The views' flows err
    together: n votes weigh as sqrt(n) independent ones, and those half.
    """
    information = 1 / sigma**2
    total = information * value
    clear = sigma < CLEAR * value
    share = np.float32(VOTE_SHARE / np.sqrt(max(len(votes), 1)))
    for one in votes:
        near = np.abs(one.value - value) < FAR * np.hypot(one.sigma, sigma)
        with np.errstate(over="ignore"):
            weight = np.where(near & clear, share / one.sigma**2, 0)
        total += weight * one.value
        information = information + weight
    return (total / information).astype(np.float32), (1 / np.sqrt(information)).astype(np.float32)
