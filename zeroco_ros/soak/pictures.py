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

"""The pixels of a soak's images, in every layout that a camera may send. No ROS in here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[Any]

# Encodings that the nodes convert; yuv422 needs an even width.
ENCODINGS = (
    *("rgb8", "bgr8", "mono8", "mono16", "rgba8", "bgra8", "yuv422", "yuv422_yuy2"),
    *(
        f"bayer_{pattern}{bits}"
        for pattern in ("rggb", "bggr", "gbrg", "grbg")
        for bits in (8, 16)
    ),
)
LOOKS = ("texture", "still", "black", "white", "gray", "noise", "half")
BLOCK = 5  # pixels of a texture's grain
SHIFT = 3  # pixels that the texture moves per image


class Painter:
    """Paints images of one fixed texture, a little further to the left in each."""

    def __init__(self, seed: int, side: int = 512) -> None:
        random = np.random.default_rng(seed)
        grain = random.integers(0, 256, (side // BLOCK, side // BLOCK, 3), dtype=np.uint8)
        self._texture = cv2.resize(grain, (side, side), interpolation=cv2.INTER_CUBIC)

    def paint(self, number: int, size: tuple[int, int], look: str) -> Pixels:
        """Return (H, W, 3) uint8 RGB of image `number`; look: one of LOOKS."""
        height, width = size
        if look in ("black", "white", "gray"):
            level = {"black": 0, "white": 255, "gray": 128}[look]
            return np.full((height, width, 3), level, np.uint8)
        if look == "noise":
            random = np.random.default_rng(number)
            return random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        side = self._texture.shape[0]
        start = 0 if look == "still" else number * SHIFT
        rows = np.arange(height) % side
        columns = (start + np.arange(width)) % side
        pixels = self._texture[np.ix_(rows, columns)]
        if look == "half":  # the sun: one half saturated
            pixels[:, width // 2 :] = 255
        return pixels


def laid_out(rgb: Pixels, encoding: str) -> Pixels:
    """Return the image as `encoding` has it in memory, rows first. KeyError where unknown."""
    gray = np.ascontiguousarray(rgb[..., 1])
    chroma = np.full_like(gray, 128)
    alpha = np.full((*gray.shape, 1), 255, np.uint8)
    if encoding.startswith("bayer_"):
        return gray.astype(np.uint16) * 257 if encoding.endswith("16") else gray
    layouts: dict[str, Callable[[], Pixels]] = {
        "rgb8": lambda: rgb,
        "bgr8": lambda: rgb[..., ::-1],
        "mono8": lambda: gray,
        "mono16": lambda: gray.astype(np.uint16) * 257,
        "rgba8": lambda: np.concatenate([rgb, alpha], axis=2),
        "bgra8": lambda: np.concatenate([rgb[..., ::-1], alpha], axis=2),
        "yuv422": lambda: np.dstack([chroma, gray]),
        "yuv422_yuy2": lambda: np.dstack([gray, chroma]),
    }
    return np.ascontiguousarray(layouts[encoding]())
