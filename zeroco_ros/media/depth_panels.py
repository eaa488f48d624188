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

"""Depth and sigma as panels with their scale, and strips of several frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from zeroco_ros.media.depth_color import (
    depth_to_color,
    DepthRange,
    SIGMA_HIGH,
    SIGMA_LOW,
    sigma_to_color,
)
from zeroco_ros.media.images import RGB
from zeroco_ros.media.panels import put_text, side_by_side, text_scale

Floats = npt.NDArray[np.floating]


def depth_panel(depth: Floats, shown: DepthRange) -> RGB:
    """
    Color (H, W) depth, with a bar from the nearest to the farthest color in a corner.

    The bar ends in "m" for meters and "relative" where the scale is not known.
    """
    ramp = np.geomspace(shown.near, shown.far, 256)[None]
    picture = depth_to_color(depth, shown)
    ends = f"{shown.near:.3g}", f"{shown.far:.3g} {shown.unit}"
    return _with_bar(picture, depth_to_color(ramp, shown), *ends)


def sigma_panel(depth: Floats, sigma: Floats) -> RGB:
    """Color the relative standard deviation sigma / depth, with its bar in a corner."""
    ramp = np.geomspace(SIGMA_LOW, SIGMA_HIGH, 256)[None]
    bar = sigma_to_color(np.ones_like(ramp), ramp)
    ends = f"{100 * SIGMA_LOW:g}", f"{100 * SIGMA_HIGH:g} % of the depth"
    return _with_bar(sigma_to_color(depth, sigma), bar, *ends)


def depth_row(
    image: RGB, depth: Floats, sigma: Floats, shown: DepthRange, note: str = ""
) -> list[tuple[str, RGB]]:
    """
    Return the three labeled panels of one frame: picture, depth, standard deviation.

    image: (H, W, 3) uint8; note: stands behind the first label.
    """
    return [
        (f"image {note}".strip(), image),
        ("depth" if shown.metric else "depth, scale unknown", depth_panel(depth, shown)),
        ("standard deviation", sigma_panel(depth, sigma)),
    ]


def depth_strip(rows: Sequence[Sequence[tuple[str, RGB]]]) -> RGB:
    """Rows of `depth_row` below each other; every row has the same number of panels."""
    if not rows or any(len(row) != len(rows[0]) for row in rows):
        raise ValueError("depth_strip needs rows of equal length")
    return side_by_side([panel for row in rows for panel in row], columns=len(rows[0]))


def _with_bar(picture: RGB, ramp: RGB, low: str, high: str) -> RGB:
    """Draw a scale bar into the lower left corner, where there is room for one."""
    height, width = picture.shape[:2]
    long, thick = min(160, width // 3), min(12, height // 12)
    if long < 24 or thick < 4:
        return picture
    scale = text_scale(picture)
    letter = 19 * scale  # pixels, widely enough
    left, top = round(8 + letter * len(low)), height - thick - 6
    columns = (np.arange(long) * ramp.shape[1]) // long
    picture[top - 1 : top + thick + 1, left - 1 : left + long + 1] = 255
    picture[top : top + thick, left : left + long] = ramp[:, columns]
    put_text(picture, low, (4, height - 6), scale)
    put_text(picture, high, (left + long + 5, height - 6), scale)
    return picture
