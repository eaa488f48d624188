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

"""One image as the estimator keeps it: checked, resized, encoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from zeroco_ros.croco.model import Encoding
from zeroco_ros.errors import ImageError
from zeroco_ros.estimate.config import FlowConfig, Resample
from zeroco_ros.heads.features import Level
from zeroco_ros.matching.confidence import texture
from zeroco_ros.matching.flow import fit_letterbox, Letterbox

ByteArray = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]

MIN_SIDE = 16
MAX_SIDE = 32_000  # OpenCV's remap addresses pixels with 16 bits
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class HeadFrame:
    """
    What a flow head keeps of one image.

    image: (H, W) of the image; size: (h, w) of the head's input, to which the image was stretched;
    levels: features at 1/4 and 1/8 of that.
    """

    image: tuple[int, int]
    size: tuple[int, int]
    levels: tuple[Level, Level]

    @property
    def scale(self) -> FloatArray:
        """Head pixels per image pixel, (x, y)."""
        ratios = (self.size[1] / self.image[1], self.size[0] / self.image[0])
        return np.array(ratios, dtype=np.float32)

    @property
    def stretch(self) -> FloatArray:
        """Image pixels per head pixel, (x, y)."""
        return np.asarray(1 / self.scale, dtype=np.float32)


@dataclass(frozen=True)
class VolumeFrame:
    """
    What a head on the backbone's volume keeps of one image.

    letterbox: how the image lies in the network's input; features: those that it compares itself
    (batch 1), None if it has none.
    """

    letterbox: Letterbox
    features: Tensor | None


@dataclass(frozen=True)
class EncodedFrame:
    """
    An image after everything that depends on it alone; reused for every pair it is in.

    encoding: tokens of this one image (batch 1). letterbox: how the image lies in the network's
    input. image: (H, W, 3) uint8 RGB as given, gray: (H, W) uint8, texture: (h, w) in [0, 1] on
    the valid tokens; head: the flow head's features, None without one.
    """

    encoding: Encoding
    letterbox: Letterbox
    image: ByteArray
    gray: ByteArray
    texture: FloatArray
    head: HeadFrame | VolumeFrame | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the image in pixels."""
        return self.letterbox.image


def check_image(image: Any, max_pixels: int) -> ByteArray:
    """Return (H, W, 3) uint8 RGB of a uint8 RGB or gray image; raises ImageError otherwise."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        kind = image.dtype if isinstance(image, np.ndarray) else type(image).__name__
        raise ImageError(f"an image of type {kind}: give a uint8 array, (H, W, 3) RGB or (H, W)")
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise ImageError(f"an image of shape {image.shape}: give (H, W, 3) RGB or (H, W) gray")
    height, width = image.shape[:2]
    if height < MIN_SIDE or width < MIN_SIDE:
        raise ImageError(
            f"an image of {width}x{height} pixels: at least {MIN_SIDE}x{MIN_SIDE} are needed"
        )
    if max(height, width) > MAX_SIDE:
        raise ImageError(f"an image of {width}x{height} pixels: a side of at most {MAX_SIDE}")
    if height * width > max_pixels:
        raise ImageError(
            f"an image of {width}x{height} pixels exceeds max_pixels {max_pixels}: reduce it first"
        )
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=2)
    return np.ascontiguousarray(image)


def letterbox_of(image: ByteArray, config: FlowConfig) -> Letterbox:
    """How `config` puts an image into the network's input."""
    return fit_letterbox(
        (image.shape[0], image.shape[1]),
        size=config.size,
        max_side=config.max_side,
        keep_aspect=config.resize == "letterbox",
    )


def normalize(image: ByteArray) -> Tensor:
    """(H, W, 3) uint8 RGB to (1, 3, H, W) float32 with ImageNet's mean and deviation."""
    mean = torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
    std = torch.tensor(IMAGENET_STD).view(1, 3, 1, 1)
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float()
    return (pixels / 255 - mean) / std


def network_input(image: ByteArray, letterbox: Letterbox, resample: Resample) -> Tensor:
    """Resize into the letterbox and normalize: (1, 3, h, w) float32, padding is 0 (the mean)."""
    height, width = letterbox.content
    if resample == "area":
        content = normalize(reduce_image(image, letterbox.content))
    else:
        content = functional.interpolate(
            normalize(image),
            size=(height, width),
            mode="bilinear",
            align_corners=False,
            antialias=resample == "antialias",
        )
    if letterbox.content == letterbox.model:
        return content
    below, right = letterbox.model[0] - height, letterbox.model[1] - width
    return functional.pad(content, (0, right, 0, below))


def reduce_image(image: ByteArray, size: tuple[int, int]) -> ByteArray:
    """Resize uint8 pixels to (h, w): by area where it shrinks, bilinear where it grows."""
    if image.shape[:2] == size:
        return image
    shrinks = size[0] <= image.shape[0] and size[1] <= image.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (size[1], size[0]), interpolation=how), dtype=np.uint8)


def frame_texture(gray: ByteArray, letterbox: Letterbox) -> FloatArray:
    """Texture in [0, 1] on the letterbox's valid tokens."""
    rows, columns = letterbox.valid
    height, width = letterbox.content
    reduced = reduce_image(gray, letterbox.content)
    below, right = max(0, rows * 16 - height), max(0, columns * 16 - width)
    padded = cv2.copyMakeBorder(reduced, 0, below, 0, right, cv2.BORDER_REPLICATE)
    return texture(np.asarray(padded, dtype=np.uint8), (rows, columns))
