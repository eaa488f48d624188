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

"""Depth and its standard deviation as colors."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from zeroco_ros.media.images import RGB

Floats = npt.NDArray[np.floating]

# Relative sigma at the two ends of its colors.
SIGMA_LOW, SIGMA_HIGH = 0.005, 0.5
_TURBO = (0.06, 0.95)  # of the map: its very ends are nearly black
_TILE = 8  # pixels of a square of the pattern that says "unknown"
_GRAYS = (58, 84)  # neither map has a gray


@dataclass(frozen=True)
class DepthRange:
    """
    The depths at the two ends of the colors, 0 < near < far, and their unit.

    metric: meters; otherwise relative units, which a picture must not call meters.
    """

    near: float
    far: float
    metric: bool

    @property
    def unit(self) -> str:
        """Return what stands behind the numbers of a scale bar."""
        return "m" if self.metric else "relative"


def depth_to_color(depth: Floats, shown: DepthRange) -> RGB:
    """
    Color (H, W) depth from red (near) over green to blue (far) by OpenCV's turbo map.

    Equal steps of color are equal ratios of depth. What is outside of `shown` has the color of
    its end; what is not finite or not above 0 is unknown and gets a gray checkerboard.

    Returns (H, W, 3) uint8 RGB.
    """
    known = np.isfinite(depth) & (depth > 0)
    level = _level(np.where(known, depth, shown.near), shown.near, shown.far)
    warm = _TURBO[0] + (_TURBO[1] - _TURBO[0]) * (1 - level)
    return _with_unknown(_mapped(warm, cv2.COLORMAP_TURBO), known)


def sigma_to_color(depth: Floats, sigma: Floats) -> RGB:
    """
    Color sigma / depth, both (H, W) of one unit, from dark (0.5 %) to bright (50 %).

    On a logarithmic scale by OpenCV's inferno map; unknown as in `depth_to_color`, also where
    sigma is not finite. Returns (H, W, 3) uint8 RGB.
    """
    known = np.isfinite(depth) & (depth > 0) & np.isfinite(sigma) & (sigma >= 0)
    relative = np.where(known, sigma, 0) / np.where(known, depth, 1)
    level = _level(np.maximum(relative, SIGMA_LOW), SIGMA_LOW, SIGMA_HIGH)
    return _with_unknown(_mapped(level, cv2.COLORMAP_INFERNO), known)


def typical_range(depth: Floats, metric: bool) -> DepthRange:
    """
    From the 2nd to the 98th percentile of the known depths, and a factor of 1.5 at least.

    With nothing known 1 to 10: a picture without any color has no use for it.
    """
    step = 1 + max(depth.shape) // 512  # a sample is enough for large images
    sample = depth[tuple(slice(None, None, step) for _ in depth.shape)]
    sample = sample[np.isfinite(sample) & (sample > 0)]
    if sample.size == 0:
        return DepthRange(1.0, 10.0, metric)
    near, far = (float(value) for value in np.percentile(sample, (2, 98)))
    if far < 1.5 * near:
        middle = float(np.sqrt(near * far))
        near, far = middle / np.sqrt(1.5), middle * np.sqrt(1.5)
    return DepthRange(float(near), float(far), metric)


def _level(values: Floats, low: float, high: float) -> npt.NDArray[np.float64]:
    """Where values lie between the ends, 0 to 1 on a logarithmic scale."""
    return np.asarray(np.clip(np.log(values / low) / np.log(high / low), 0, 1), dtype=np.float64)


def _mapped(level: Floats, colors: int) -> RGB:
    gray = (level * 255 + 0.5).astype(np.uint8)
    return np.asarray(cv2.cvtColor(cv2.applyColorMap(gray, colors), cv2.COLOR_BGR2RGB), np.uint8)


def _with_unknown(picture: RGB, known: npt.NDArray[np.bool_]) -> RGB:
    height, width = known.shape
    row, column = np.arange(height)[:, None], np.arange(width)
    light = (row // _TILE + column // _TILE) % 2
    pattern = np.where(light, _GRAYS[1], _GRAYS[0]).astype(np.uint8)
    return np.where(known[..., None], picture, pattern[..., None])
