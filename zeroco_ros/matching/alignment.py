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
Poses of the source image: turned and squeezed copies, and the way back from their pixels.

A transformer that saw mostly upright pairs matches a turned image once it is turned back. Trying
the source in several poses and keeping the one that agrees best is the test-time pose alignment of
GeoAware-SC (Zhang et al., CVPR 2024); the squeezed poses stand for oblique views, as in ASIFT
(Morel and Yu, 2009).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

ByteArray = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]

TURNS = (45.0, 90.0, 135.0, 180.0, 225.0, 270.0, 315.0)
SQUEEZES = ((0.5, 1.0), (1.0, 0.5))
SMALLEST = 16  # pixels, of a side


@dataclass(frozen=True)
class Pose:
    """Turn about the center by `angle` degrees (x toward y), then stretch along x and y."""

    angle: float = 0.0
    stretch: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True)
class PosedImage:
    """
    A posed image.

    image: (h, w, 3) uint8, the whole source in its pose, black around it; matrix: (2, 3), from the
    source's pixels to those of `image`.
    """

    image: ByteArray
    matrix: npt.NDArray[np.float64]

    def to_source(self, points: FloatArray) -> FloatArray:
        """Positions (..., 2) as (x, y) in `image` to positions in the source."""
        inverse = cv2.invertAffineTransform(self.matrix)
        return np.asarray(points @ inverse[:, :2].T + inverse[:, 2], dtype=np.float32)

    def flow_to_source(self, flow: FloatArray) -> FloatArray:
        """Flow (H, W, 2) of a target to `image` as flow to the source, in pixels."""
        height, width = flow.shape[:2]
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        here = np.stack([x, y], axis=-1)
        return np.asarray(self.to_source(here + flow) - here, dtype=np.float32)


def posed(image: ByteArray, pose: Pose) -> PosedImage:
    """Bring an image (H, W, 3) into a pose; the canvas grows so that nothing is cut off."""
    height, width = image.shape[:2]
    angle = np.radians(pose.angle)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    corners = np.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]])
    places = (corners - middle) @ turn.T
    low = places.min(axis=0)
    # Rounding keeps quarter turns on the pixel grid.
    columns, rows = (int(extent) + 1 for extent in np.ceil(np.round(np.ptp(places, axis=0), 6)))
    matrix = np.concatenate([turn, (-turn @ middle - low)[:, None]], axis=1)
    size = max(columns, SMALLEST), max(rows, SMALLEST)
    moved = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR)
    squeezed = tuple(
        max(SMALLEST, round(side * factor))
        for side, factor in zip(size, pose.stretch, strict=True)
    )
    if squeezed != size:
        moved = cv2.resize(moved, squeezed, interpolation=cv2.INTER_AREA)
        factor = np.array(squeezed) / np.array(size)
        matrix = np.diag(factor) @ matrix
        matrix[:, 2] += (factor - 1) / 2  # pixel centers: x -> (x + 0.5) f - 0.5
    return PosedImage(np.asarray(moved, dtype=np.uint8), matrix)
