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
Poses that come with a recording: where the camera was at each frame, in meters.

A pose is camera to world (4, 4) float64 with OpenCV's axes: x right, y down, z forward.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from zeroco_ros.geometry.transforms import interpolate
from zeroco_ros.sequence.frames import Frame, NANOSECONDS

Array = npt.NDArray[np.float64]

# Between poses further apart than this nothing is known about a hand or a drone.
MAX_GAP = 1.0  # seconds
# A frame may be this much before the first pose or behind the last one: clocks round.
MARGIN = 0.002  # seconds


class Poses(Protocol):
    """Where the camera was."""

    @property
    def words(self) -> str:
        """Where that is known from, for a person."""
        ...

    def at(self, frame: Frame) -> Array | None:
        """Return the camera's pose c2w (4, 4) at a frame, None where it is not known."""
        ...


class StampedPoses:
    """
    Poses with stamps, interpolated between neighbors at most MAX_GAP seconds apart.

    stamps: nanoseconds in any order, of equal ones the first counts; matrices: (4, 4) each.
    """

    def __init__(self, stamps: Iterable[int], matrices: Iterable[Array], words: str) -> None:
        track = dict(reversed(list(zip(stamps, matrices, strict=True))))
        self.words = words
        self.stamps = np.array(sorted(track), dtype=np.int64)
        self.matrices = np.array([track[stamp] for stamp in self.stamps.tolist()])

    def at(self, frame: Frame) -> Array | None:
        """As Poses.at, by the frame's stamp."""
        return self.at_stamp(frame.stamp_ns)

    def at_stamp(self, stamp_ns: int) -> Array | None:
        """Return pose at a time in nanoseconds, None outside of the poses and in large gaps."""
        if not len(self.stamps):
            return None
        first, last = int(self.stamps[0]), int(self.stamps[-1])
        margin = round(MARGIN * NANOSECONDS)
        if not first - margin <= stamp_ns <= last + margin:
            return None
        stamp = min(max(stamp_ns, first), last)
        after = int(np.searchsorted(self.stamps, stamp))
        if self.stamps[after] != stamp:
            gap = int(self.stamps[after]) - int(self.stamps[after - 1])
            if gap > MAX_GAP * NANOSECONDS:
                return None
        return np.asarray(interpolate(self.stamps, self.matrices, stamp), dtype=np.float64)


@dataclass(frozen=True)
class NumberedPoses:
    """One pose per frame, by the frame's place in the recording."""

    matrices: Array
    words: str

    def at(self, frame: Frame) -> Array | None:
        """As Poses.at."""
        pose = self.matrices[frame.index]
        return pose if np.isfinite(pose).all() else None


@dataclass(frozen=True)
class NamedPoses:
    """Poses by the names of the frames."""

    matrices: dict[str, Array]
    words: str

    def at(self, frame: Frame) -> Array | None:
        """As Poses.at."""
        return self.matrices.get(frame.name)
