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

"""Stamped poses of a short while, to look up the pose of an image between them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from zeroco_ros.geometry.transforms import interpolate
from zeroco_ros.stream.pairing import LATE_NS, NANOSECONDS

Pose = npt.NDArray[np.float64]

MOST = 2000  # poses kept: ten seconds of odometry at 200 Hz


class PoseBuffer:
    """
    The newest poses by stamp, at most MOST. Not thread-safe.

    A pose a little older than the newest is sorted in; one that is more than LATE_NS older means
    that the clock went back, and what came before is forgotten.
    """

    def __init__(self) -> None:
        self._stamps: list[int] = []
        self._poses: list[Pose] = []

    def __len__(self) -> int:
        return len(self._stamps)

    def __iter__(self) -> Iterator[int]:
        return iter(self._stamps)

    def add(self, stamp: int, pose: Pose) -> None:
        """Keep a pose (4, 4); of two with the same stamp (ns) the later one counts."""
        if self._stamps and stamp < self._stamps[-1] - LATE_NS:
            self.clear()
        place = bisect_left(self._stamps, stamp)
        if place < len(self._stamps) and self._stamps[place] == stamp:
            self._poses[place] = pose
            return
        self._stamps.insert(place, stamp)
        self._poses.insert(place, pose)
        if len(self._stamps) > MOST:
            del self._stamps[0], self._poses[0]

    def at(self, stamp: int, max_gap: float) -> Pose | None:
        """
        Return pose at a stamp (ns), interpolated between neighbors at most max_gap seconds apart.

        None where there is none (yet): never extrapolated.
        """
        place = bisect_left(self._stamps, stamp)
        if place == len(self._stamps):
            return None
        if self._stamps[place] == stamp:
            return self._poses[place]
        if place == 0:
            return None
        pair = slice(place - 1, place + 1)
        first, second = self._stamps[pair]
        if second - first > max_gap * NANOSECONDS:
            return None
        share = np.array([0, second - first]), np.stack(self._poses[pair])
        return np.asarray(interpolate(*share, stamp - first))

    def forget_after(self, stamp: int) -> None:
        """Forget poses from well after `stamp`: the images' clock went back."""
        place = bisect_right(self._stamps, stamp + LATE_NS)
        del self._stamps[place:], self._poses[place:]

    def clear(self) -> None:
        """Forget all."""
        self._stamps.clear()
        self._poses.clear()
