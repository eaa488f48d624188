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

"""Animated pictures for pages and reports."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zeroco_ros.errors import ImageError
from zeroco_ros.media.atomic import atomic_write
from zeroco_ros.media.images import RGB

# Pillow 9.0, which ROS 2 Humble's Ubuntu has, keeps these names in the module itself
_DITHER: Any = getattr(Image, "Dither", Image)
_QUANTIZE: Any = getattr(Image, "Quantize", Image)
_RESAMPLING: Any = getattr(Image, "Resampling", Image)
_PALETTE_PIXELS = 400_000  # enough to choose 256 colors from, few enough to be fast


def write_animation(
    path: str | Path,
    frames: Iterable[RGB],
    fps: float = 10.0,
    *,
    max_width: int = 640,
    colors: int = 256,
    loop: bool = True,
) -> None:
    """
    Write (H, W, 3) uint8 RGB frames of one size as an animated GIF, atomically.

    Frames wider than `max_width` pixels are reduced. One palette of `colors` entries serves all
    frames, so nothing flickers, and no dithering is used: it would triple the size. GIF counts in
    hundredths of a second, so `fps` is met to that precision and is at most 50.

    Raises ImageError without frames, for frames of different size, for another extension than
    .gif or for an unwritable folder.
    """
    path = Path(path)
    if path.suffix.lower() != ".gif":
        raise ImageError(f"cannot write {path}: an animation's extension is .gif")
    if not 0 < fps <= 50 or not 2 <= colors <= 256:
        raise ImageError(f"cannot write {path}: fps must be in (0, 50] and colors in 2..256")
    pictures = [_reduced(frame, max_width) for frame in frames]
    if not pictures:
        raise ImageError(f"cannot write {path}: there is no frame")
    if len({picture.size for picture in pictures}) > 1:
        raise ImageError(f"cannot write {path}: the frames differ in size")
    palette = _shared_palette(pictures, colors)
    indexed = [picture.quantize(palette=palette, dither=_DITHER.NONE) for picture in pictures]
    with atomic_write(path) as handle:
        indexed[0].save(
            handle,
            format="GIF",
            save_all=True,
            append_images=indexed[1:],
            duration=round(100 / fps) * 10,
            optimize=False,
            **({"loop": 0} if loop else {}),
        )


def _reduced(frame: RGB, max_width: int) -> Image.Image:
    picture = Image.fromarray(np.ascontiguousarray(frame))
    if picture.width <= max_width:
        return picture
    height = max(1, round(picture.height * max_width / picture.width))
    return picture.resize((max_width, height), _RESAMPLING.BOX)


def _shared_palette(pictures: list[Image.Image], colors: int) -> Image.Image:
    """Return a palette image chosen from pixels of frames spread over the whole animation."""
    chosen = pictures[:: max(1, len(pictures) // 12)]
    pixels = np.concatenate([np.asarray(picture).reshape(-1, 3) for picture in chosen])
    pixels = pixels[:: max(1, len(pixels) // _PALETTE_PIXELS)]
    strip = Image.fromarray(np.ascontiguousarray(pixels[None]))
    return strip.quantize(colors=colors, method=_QUANTIZE.MEDIANCUT)
