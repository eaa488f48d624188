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

"""One camera message on its way to a result, and two of them as a pair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
import time
from typing import Any

import numpy as np
import numpy.typing as npt

from zeroco_ros.errors import ImageError
from zeroco_ros.online.image_messages import image_size, to_array

NANOSECONDS = 1_000_000_000


class Frame:
    """
    A message that is decoded once and encoded once, each when first needed.

    header: the message's, unchanged. stamp: its stamp in ns. arrival: seconds, by the monotonic
    clock where not given.
    unusable: decoding or encoding has refused it before.
    """

    def __init__(
        self,
        message: Any,
        topic: str,
        max_pixels: int,
        significant_bits: int = 16,
        arrival: float | None = None,
    ) -> None:
        self.header: Any = message.header
        self.topic = topic
        self.stamp = message.header.stamp.sec * NANOSECONDS + message.header.stamp.nanosec
        self.arrival = time.monotonic() if arrival is None else arrival
        self._message: Any = message
        self._max_pixels = max_pixels
        self._significant_bits = significant_bits
        self._pixels: npt.NDArray[np.uint8] | None = None
        self._encoded: Any = None
        self._encoder: Any = None
        self.unusable = False

    def decode(self) -> npt.NDArray[np.uint8]:
        """(H, W, 3) RGB or (H, W) gray. Raises ImageError that says what does not fit."""
        if self._pixels is None:
            self._bound(image_size(self._message))
            pixels = to_array(self._message, significant_bits=self._significant_bits)
            self._bound(pixels.shape[:2])
            self._pixels = pixels
            self._message = None
        return self._pixels

    def encoded(self, encode: Callable[[npt.NDArray[np.uint8]], Any]) -> Any:
        """Return what `encode` (FlowEstimator.encode) makes of the pixels. Raises ImageError."""
        if self._encoded is None:
            try:
                self._encoded, self._encoder = encode(self.decode()), encode
            except ImageError:
                self.unusable = True
                raise
            self._pixels = None
        return self._encoded

    def stale(self, encode: Callable[[npt.NDArray[np.uint8]], Any]) -> bool:
        """Whether another estimator than that of `encode` has encoded it."""
        return self._encoded is not None and self._encoder != encode

    def _bound(self, size: tuple[int, ...] | None) -> None:
        if size is not None and size[0] * size[1] > self._max_pixels:
            raise ImageError(
                f"{size[1]}x{size[0]} = {size[0] * size[1]} pixels is more than the parameter "
                f"max_pixels ({self._max_pixels}): raise it, or reduce the image before"
            )


@dataclass(frozen=True)
class FramePair:
    """`first` is the previous or left frame, `second` the current or right one."""

    first: Frame
    second: Frame
