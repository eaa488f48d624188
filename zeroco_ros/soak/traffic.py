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
Hostile traffic from a seed: what a bad day brings, act after act. No ROS in here.

The same seed gives the same steps; those of fewer images are the beginning of those of more, so
that `zeroco soak --seed S --frames N` comes by the step that failed again.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from zeroco_ros.soak.acts import Act, ACTS
from zeroco_ros.soak.steps import Audience, Calibration, Picture, SECOND, Settle, Step
from zeroco_ros.soak.subject import Subject

BASE = 1_000 * SECOND
ACTS_BETWEEN_SETTLING = 6


class Traffic:
    """
    Steps without end; `frames` cuts them off after so many images.

    size: (height, width) of most images.
    """

    def __init__(self, subject: Subject, seed: int, size: tuple[int, int] = (96, 128)) -> None:
        self.subject = subject
        self.random = np.random.default_rng(seed)
        self.size = size
        self.encoding = "rgb8"
        self.now = BASE
        self.epoch = self.number = 0
        self.audience: tuple[str, ...] = subject.outputs
        self._order = self._acts()

    def frames(self, count: int) -> Iterator[tuple[str, Step]]:
        """Yield (name of the act, step) until `count` images were among them, then a Settle."""
        yield "start", Audience(self.audience)
        yield "start", Calibration("good")
        for index in range(2**62):
            name, act = next(self._order)
            for step in act(self):
                yield name, step
                if self.number >= count:
                    yield name, Settle()
                    return
            if index % ACTS_BETWEEN_SETTLING == ACTS_BETWEEN_SETTLING - 1:
                yield name, Settle()

    def _acts(self) -> Iterator[tuple[str, Act]]:
        """Yield every act once in a random order, then in another one, and so on."""
        acts = [(name, act) for name, act in ACTS.items() if self._fits(name)]
        while True:
            for index in self.random.permutation(len(acts)):
                yield acts[index]

    def _fits(self, name: str) -> bool:
        return name != "calibrations" or self.subject.calibrated

    def below(self, limit: int, start: int = 0) -> int:
        """Return a random whole number from `start` to `limit` - 1."""
        return int(self.random.integers(start, limit))

    def wait(self, least: int = 30, most: int = 100) -> None:
        """Let the camera's clock go on by milliseconds."""
        self.now += self.below(most, least) * SECOND // 1000

    def start_over(self) -> None:
        """Let the camera's clock go back to where it was at first."""
        self.now = BASE
        self.epoch += 1

    def jump_back(self, nanoseconds: int) -> None:
        """Let the camera's clock go back."""
        self.now = max(self.now - nanoseconds, SECOND)
        self.epoch += 1

    def picture(
        self,
        *,
        late: int = 0,
        size: tuple[int, int] | None = None,
        encoding: str | None = None,
        look: str = "texture",
        broken: str = "",
        stamp: int | None = None,
    ) -> Picture:
        """Return the next image. late: ns that it is older than the camera's clock."""
        self.number += 1
        return Picture(
            number=self.number - 1,
            stamp=self.now - late if stamp is None else stamp,
            size=size or self.size,
            encoding=encoding or self.encoding,
            epoch=self.epoch,
            look=look,
            broken=broken,
        )
