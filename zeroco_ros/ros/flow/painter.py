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

"""Flow as a color picture for a stream: fast, and with a scale that does not flicker."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from zeroco_ros.media.color import flow_to_color, typical_magnitude

SAMPLES = 1023  # of the color table along one axis; odd, so that zero motion is a sample
RIM = 1.02  # the table reaches a little beyond full saturation: longer vectors are darkened
SMALLEST = 2.0  # pixels: a scene that stands still must not be shown as if it moved
RISE, FALL = 0.5, 0.05  # how far the scale moves per picture towards the scene's motion


class FlowPainter:
    """
    Middlebury colors (see media.color) by table look-up.

    `max_magnitude` in pixels is shown at full saturation; 0 lets the scale follow the scene: fast
    when the motion grows, slowly when it fades, never below SMALLEST.
    """

    def __init__(self, max_magnitude: float = 0.0) -> None:
        self.max_magnitude = max_magnitude
        self._scale: float | None = None
        self._table: npt.NDArray[np.uint8] | None = None

    def paint(self, flow: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
        """(H, W, 2) finite flow in pixels -> (H, W, 3) uint8 BGR."""
        scaled = flow / np.float32(self._magnitude(flow))
        length = np.hypot(scaled[..., 0], scaled[..., 1])
        if length.max(initial=0.0) > RIM:
            scaled *= (RIM / np.maximum(length, RIM))[..., None]
        half = SAMPLES // 2
        index = np.rint(scaled * np.float32(half / RIM)).astype(np.int32)
        flat = (index[..., 1] + half) * SAMPLES + (index[..., 0] + half)
        return self._colors().take(flat, axis=0)

    def _magnitude(self, flow: npt.NDArray[np.float32]) -> float:
        if self.max_magnitude > 0:
            return self.max_magnitude
        seen = max(typical_magnitude(flow[::4, ::4]), SMALLEST)
        if self._scale is None:
            self._scale = seen
        else:
            step = RISE if seen > self._scale else FALL
            self._scale += step * (seen - self._scale)
        return self._scale

    def _colors(self) -> npt.NDArray[np.uint8]:
        if self._table is None:
            axis = np.linspace(-RIM, RIM, SAMPLES, dtype=np.float32)
            x, y = np.meshgrid(axis, axis)
            table = flow_to_color(np.stack([x, y], axis=-1), max_magnitude=1.0)
            self._table = np.ascontiguousarray(table[..., ::-1]).reshape(-1, 3)
        return self._table
