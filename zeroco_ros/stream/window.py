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
The key frames that a moving camera is measured against: few, far enough apart, bounded.

A frame becomes a key frame by parallax, not by count: a standing robot adds nothing however long
it stands, a fast one adds every frame (Klein and Murray, ISMAR 2007; Engel et al., DSO, 2018).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
import math
from typing import Generic, TypeVar

from zeroco_ros.errors import ConfigError

Frame = TypeVar("Frame")


class KeyframeWindow(Generic[Frame]):
    """
    The last `size` key frames of one camera, oldest first.

    size          frames kept, 2 to 32; the oldest makes room for the newest.
    min_parallax  median parallax (pixels, the rotation taken off) against the newest key frame
                  from which on a frame becomes one itself, > 0.
    min_overlap   share of the pixels, 0 to 1, that must still be matched with the newest key
                  frame; below it a frame becomes one with `weak_parallax` already.
    weak_parallax pixels, 0 to min_parallax: below it a frame never becomes a key frame.

    Not thread-safe: push from one thread. Raises ConfigError for values outside their range.
    """

    def __init__(
        self,
        size: int = 5,
        min_parallax: float = 12.0,
        min_overlap: float = 0.5,
        weak_parallax: float = 1.5,
    ) -> None:
        if isinstance(size, bool) or not isinstance(size, int) or not 2 <= size <= 32:
            raise ConfigError(f"window size is {size!r}: give a whole number from 2 to 32")
        if not (math.isfinite(min_parallax) and min_parallax > 0):
            raise ConfigError(f"min_parallax is {min_parallax}: give pixels above 0")
        if not 0 <= min_overlap <= 1:
            raise ConfigError(f"min_overlap is {min_overlap}: give a share from 0 to 1")
        if not 0 <= weak_parallax <= min_parallax:
            raise ConfigError(
                f"weak_parallax is {weak_parallax}: give pixels from 0 to min_parallax"
            )
        self.min_parallax = min_parallax
        self.min_overlap = min_overlap
        self.weak_parallax = weak_parallax
        self._frames: deque[Frame] = deque(maxlen=size)
        self._added = 0

    @property
    def size(self) -> int:
        """Key frames kept at most."""
        return self._frames.maxlen or 0

    @property
    def added(self) -> int:
        """Key frames taken in since the window was made; `clear` does not reset it."""
        return self._added

    @property
    def newest(self) -> Frame | None:
        """Return the key frame added last, None in an empty window."""
        return self._frames[-1] if self._frames else None

    @property
    def frames(self) -> tuple[Frame, ...]:
        """All key frames, oldest first."""
        return tuple(self._frames)

    def __len__(self) -> int:
        return len(self._frames)

    def __iter__(self) -> Iterator[Frame]:
        return iter(tuple(self._frames))

    def wants(self, parallax: float, overlap: float = 1.0) -> bool:
        """
        Whether a frame with this parallax (pixels) and overlap (share) is a key frame.

        Both against the newest key frame; NaN counts as no parallax and as no overlap. The first
        frame of an empty window always is one.
        """
        if not self._frames:
            return True
        if not parallax > self.weak_parallax:
            return False
        return parallax >= self.min_parallax or not overlap >= self.min_overlap

    def push(self, frame: Frame, parallax: float, overlap: float = 1.0) -> bool:
        """Take the frame in if `wants` says so; returns whether it became a key frame."""
        if not self.wants(parallax, overlap):
            return False
        self.add(frame)
        return True

    def add(self, frame: Frame) -> None:
        """Take the frame in whatever its parallax; the oldest leaves when the window is full."""
        self._frames.append(frame)
        self._added += 1

    def clear(self) -> None:
        """Forget all key frames (a jump in time, another camera): the next frame starts anew."""
        self._frames.clear()
