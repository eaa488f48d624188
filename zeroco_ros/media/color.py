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

"""Flow and confidence as colors."""

from __future__ import annotations

import functools

import cv2
import numpy as np
import numpy.typing as npt

from zeroco_ros.media.images import RGB

# Transitions of the color circle and the number of hues in each, finer where the eye is.
_HUES = (
    ((255, 0, 0), 15),  # red to yellow
    ((255, 255, 0), 6),  # yellow to green
    ((0, 255, 0), 4),  # green to cyan
    ((0, 255, 255), 11),  # cyan to blue
    ((0, 0, 255), 13),  # blue to magenta
    ((255, 0, 255), 6),  # magenta to red
)
UNKNOWN = 1e9  # from here on a flow component says "unknown" (Middlebury)


def flow_to_color(flow: npt.NDArray[np.floating], max_magnitude: float | None = None) -> RGB:
    """
    Color a flow field by the Middlebury color code (Baker et al., IJCV 2011).

    flow: (H, W, 2) pixels, x right and y down. The hue is the direction (red: to the right,
    yellow: down, cyan: to the left, violet: up), the saturation the length:
    white is no motion, a full color `max_magnitude` pixels, longer vectors are darkened.
    Pixels that are not finite or at least 1e9 are unknown and black.
    max_magnitude None takes the 99th percentile of the known lengths, so that a few outliers do
    not bleach the picture.

    Returns (H, W, 3) uint8 RGB.
    """
    known = known_flow(flow)
    field = np.where(known[..., None], flow, 0).astype(np.float32)
    if max_magnitude is None:
        max_magnitude = typical_magnitude(flow)
    x, y = np.ascontiguousarray(-field[..., 0]), np.ascontiguousarray(-field[..., 1])
    length, angle = cv2.cartToPolar(x, y)  # the angle is that of the opposite direction
    fine = _fine_wheel()
    turn = (np.asarray(angle) * (len(fine) / (2 * np.pi)) + len(fine) / 2).astype(np.intp)
    hue = fine[turn % len(fine)]
    radius = (np.asarray(length) / max(float(max_magnitude), 1e-9))[..., None]
    color = np.where(radius <= 1, 255 - radius * (255 - hue), hue * 0.75)
    return np.where(known[..., None], color, 0).astype(np.uint8)


def known_flow(flow: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
    """(H, W) bool: where both components are finite and below the 1e9 that means unknown."""
    finite = np.isfinite(flow).all(axis=-1)
    small = np.abs(np.where(finite[..., None], flow, 0)).max(axis=-1) < UNKNOWN
    return np.asarray(finite & small)


def typical_magnitude(flow: npt.NDArray[np.floating]) -> float:
    """99th percentile of the known vectors' lengths in pixels; 1e-3 if none is longer or known."""
    step = 1 + max(flow.shape[:2]) // 512  # a sample is enough for large images
    flow = flow[::step, ::step]
    known = flow[known_flow(flow)]
    if known.size == 0:
        return 1e-3
    return max(float(np.percentile(np.hypot(known[:, 0], known[:, 1]), 99)), 1e-3)


def confidence_to_color(confidence: npt.NDArray[np.floating]) -> RGB:
    """
    Color (H, W) values in [0, 1] from dark violet (0) over green to yellow (1); NaN is black.

    Returns (H, W, 3) uint8 RGB, by OpenCV's viridis map.
    """
    finite = np.isfinite(confidence)
    level = np.clip(np.where(finite, confidence, 0) * 255 + 0.5, 0, 255).astype(np.uint8)
    colored = cv2.cvtColor(cv2.applyColorMap(level, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB)
    return np.where(finite[..., None], colored, 0).astype(np.uint8)


@functools.lru_cache(maxsize=1)
def color_wheel() -> npt.NDArray[np.float64]:
    """(55, 3) RGB in [0, 1]: the hues around the circle of Baker et al."""
    rows = []
    for index, (start, count) in enumerate(_HUES):
        stop = np.asarray(_HUES[(index + 1) % len(_HUES)][0], dtype=np.float64)
        step = np.arange(count)[:, None] / count
        # whole levels of 255, as the original code has them
        ramp = np.floor(255 * step)
        start_row = np.asarray(start, dtype=np.float64)
        rows.append(start_row + np.sign(stop - start_row) * ramp)
    return np.concatenate(rows) / 255


@functools.lru_cache(maxsize=1)
def _fine_wheel() -> npt.NDArray[np.float32]:
    """(54 * 128, 3) levels: the 55 hues interpolated over the full turn, as the original does."""
    wheel = color_wheel() * 255
    at = np.arange((len(wheel) - 1) * 128) / 128
    low = at.astype(np.intp)
    part = (at - low)[:, None]
    return np.asarray((1 - part) * wheel[low] + part * wheel[low + 1], dtype=np.float32)


def wheel_legend(size: int) -> RGB:
    """(size, size, 3) uint8 RGB: the color code as a disk on black, max_magnitude at its rim."""
    axis = (np.arange(size) - (size - 1) / 2) / (size / 2)
    x, y = np.meshgrid(axis, axis)
    field = np.stack([x, y], axis=-1)
    field[np.hypot(x, y) > 1] = np.nan
    return flow_to_color(field, max_magnitude=1.0)
