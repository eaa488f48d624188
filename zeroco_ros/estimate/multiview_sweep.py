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
Plane sweep: how well the views' pictures agree with the reference at each inverse depth.

Collins, "A Space-Sweep Approach to True Multi-Image Matching" (CVPR 1996). Pictures are compared
after a local normalization of mean and contrast (the idea of normalized correlation, at the cost
of absolute differences), because exposure changes between views.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
Matrix = npt.NDArray[np.float64]

# Pixels around which mean and contrast are normalized, and over which differences are averaged.
NORMAL_SIDE, MATCH_SIDE = 7, 5
# Gray levels that noise makes: contrast below it is not amplified.
NOISE = 3.0
# Normalized difference from which on a pixel just does not fit.
WORST = 1.5
OUTSIDE = 100.0


@dataclass(frozen=True)
class SweepView:
    """
    A view at the sweep's resolution.

    gray: (h, w) float32, 0..255; K: (3, 3); T_view_from_ref: (4, 4); weight: above 0, how much the
    view counts beside the others.
    """

    gray: FloatArray
    K: Matrix
    T_view_from_ref: Matrix
    weight: float = 1.0


def normalized(gray: FloatArray) -> FloatArray:
    """Local mean off, local contrast 1: (h, w) float32; near 0 where there is no texture."""
    side = (NORMAL_SIDE, NORMAL_SIDE)
    mean = cv2.blur(gray, side)
    variance = np.maximum(cv2.blur(gray * gray, side) - mean * mean, 0)
    return np.asarray((gray - mean) / np.sqrt(variance + NOISE**2), dtype=np.float32)


def sweep(
    gray: FloatArray, K: Matrix, views: Sequence[SweepView], levels: FloatArray
) -> Iterator[tuple[FloatArray, BoolArray]]:
    """
    Yield for each of the inverse depths (D,) its cost and where it is seen.

    The cost (h, w) in [0, `WORST`] at every pixel, and where (h, w) no view would see it, with
    cost 0.

    gray: (h, w) float32 of the reference, K: (3, 3) of it. The weighted mean over the views that a
    point would be seen in; where it is hidden in some, `WORST` bounds what they add.
    """
    size = gray.shape[0], gray.shape[1]
    own, inverse = normalized(gray), np.asarray(np.linalg.inv(K), dtype=np.float64)
    others = [normalized(view.gray) for view in views]
    for level in levels:
        total, count = np.zeros((2, *size), dtype=np.float32)
        for view, other in zip(views, others, strict=True):
            warped, hidden = _seen_on_plane(other, view, inverse, float(level), size)
            np.subtract(warped, own, out=warped)
            np.abs(warped, out=warped)
            np.minimum(warped, np.float32(WORST), out=warped)
            cost = np.asarray(cv2.blur(warped, (MATCH_SIDE, MATCH_SIDE)), dtype=np.float32)
            cost *= np.float32(view.weight)
            cost[hidden] = 0
            total += cost
            count += np.float32(view.weight) * ~hidden
        unseen = np.asarray(count == 0)
        count[unseen] = 1
        total /= count
        yield total, unseen


def _seen_on_plane(
    picture: FloatArray, view: SweepView, inverse: Matrix, level: float, size: tuple[int, int]
) -> tuple[FloatArray, BoolArray]:
    """Give view's picture as if all lay at one inverse depth of the reference; where it is not."""
    pose = view.T_view_from_ref
    plane = pose[:3, :3] + level * np.outer(pose[:3, 3], (0.0, 0.0, 1.0))
    homography = view.K @ plane @ inverse
    height, width = size
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = np.asarray(
        cv2.warpPerspective(
            picture,
            homography,
            (width, height),
            flags=flags,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=OUTSIDE,
        ),
        dtype=np.float32,
    )
    hidden = warped > 0.2 * OUTSIDE
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]])
    if (corners @ homography[2] <= 0).any():
        x = homography[2, 0] * np.arange(width)
        y = homography[2, 1] * np.arange(height) + homography[2, 2]
        hidden |= x + y[:, None] <= 0
    return warped, hidden
