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

"""Several pictures in one: labeled panels side by side, with legends."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from zeroco_ros.media.color import (
    confidence_to_color,
    flow_to_color,
    typical_magnitude,
    wheel_legend,
)
from zeroco_ros.media.images import RGB

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_GAP = 4  # white pixels between panels


def side_by_side(panels: Sequence[tuple[str, RGB]], columns: int | None = None) -> RGB:
    """
    Lay (label, (H, W, 3) uint8 RGB) panels out in rows of `columns` (None: one row).

    Panels are brought to the first one's height, keeping their shape; in a grid every cell is as
    wide as the widest. Each label stands on a dark bar above its panel.
    """
    if not panels:
        raise ValueError("side_by_side needs at least one panel")
    height = panels[0][1].shape[0]
    cells = [_labeled(label, _to_height(image, height)) for label, image in panels]
    columns = columns or len(cells)
    if len(cells) > columns:
        width = max(cell.shape[1] for cell in cells)
        cells = [_padded(cell, width) for cell in cells]
    rows = [_joined(cells[start : start + columns], 1) for start in range(0, len(cells), columns)]
    total = max(row.shape[1] for row in rows)
    return _joined([_padded(row, total) for row in rows], 0)


def flow_panel(flow: npt.NDArray[np.floating], max_magnitude: float | None = None) -> RGB:
    """Color (H, W, 2) pixels of flow with the color wheel and its radius in a corner."""
    if max_magnitude is None:
        max_magnitude = typical_magnitude(flow)
    picture = flow_to_color(flow, max_magnitude)
    size = min(64, min(picture.shape[:2]) // 4)
    if size >= 16:
        wheel = wheel_legend(size)
        corner = picture[-size - 4 : -4, 4 : 4 + size]
        inside = wheel.any(axis=-1, keepdims=True)
        corner[:] = np.where(inside, wheel, (corner * 0.35).astype(np.uint8))
        text = f"{max_magnitude:.3g} px"
        put_text(picture, text, (8 + size, picture.shape[0] - 10), text_scale(picture))
    return picture


def confidence_panel(confidence: npt.NDArray[np.floating]) -> RGB:
    """Color (H, W) confidence in [0, 1] with a scale from 0 to 1 in a corner."""
    picture = confidence_to_color(confidence)
    height, width = picture.shape[:2]
    long, thick = min(96, width // 3), min(10, height // 12)
    if long >= 24 and thick >= 4:
        ramp = np.tile(np.linspace(0, 1, long), (thick, 1))
        top, left, scale = height - thick - 6, 22, text_scale(picture)
        picture[top : top + thick, left : left + long] = confidence_to_color(ramp)
        put_text(picture, "0", (4, height - 6), scale)
        put_text(picture, "1", (left + long + 4, height - 6), scale)
    return picture


def warped(source: RGB, flow: npt.NDArray[np.floating]) -> RGB:
    """
    Pull the source image onto the target's pixels by flow (H, W, 2); black where it points out.

    source: (Hs, Ws, 3) uint8. Equal to the target where the flow is right and nothing is occluded.
    """
    height, width = flow.shape[:2]
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    at = np.stack([x, y], axis=-1) + np.where(np.isfinite(flow), flow, -1e6)
    at = np.clip(at, -1e6, 1e6).astype(np.float32)
    pulled = cv2.remap(
        source, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
    )
    return np.asarray(pulled, dtype=np.uint8)


def _labeled(label: str, image: RGB) -> RGB:
    scale = text_scale(image)
    bar = np.full((round(34 * scale) + 6, image.shape[1], 3), 32, dtype=np.uint8)
    put_text(bar, label, (5, bar.shape[0] - round(8 * scale) - 3), scale)
    return np.concatenate([bar, image])


def text_scale(image: RGB) -> float:
    """Size of letters that fit a picture, for OpenCV."""
    return float(np.clip(min(image.shape[:2]) / 700, 0.38, 0.8))


def put_text(image: RGB, text: str, origin: tuple[int, int], scale: float) -> None:
    """White text with a dark rim, readable on any picture."""
    # copies around it, because a thicker pen moves the letters of OpenCV 5's fonts
    around = [(dx, dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1) if dx or dy]
    for dx, dy in [*around, (0, 0)]:
        at = (origin[0] + dx, origin[1] + dy)
        color = (0, 0, 0) if dx or dy else (255, 255, 255)
        cv2.putText(image, text, at, _FONT, scale, color, 1, cv2.LINE_AA)


def _to_height(image: RGB, height: int) -> RGB:
    if image.shape[0] == height:
        return image
    width = max(1, round(image.shape[1] * height / image.shape[0]))
    shrinking = height < image.shape[0]
    mode = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=mode), dtype=np.uint8)


def _padded(image: RGB, width: int) -> RGB:
    missing = width - image.shape[1]
    return np.pad(image, ((0, 0), (0, missing), (0, 0)), constant_values=255)


def _joined(images: list[RGB], axis: int) -> RGB:
    """Concatenate along an axis with white gaps between."""
    parts: list[RGB] = []
    for image in images:
        if parts:
            shape = list(image.shape)
            shape[axis] = _GAP
            parts.append(np.full(shape, 255, dtype=np.uint8))
        parts.append(image)
    return np.concatenate(parts, axis=axis)
