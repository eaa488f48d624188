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

"""What the tasks of one bag share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from zeroco_ros.replay.events import EventLog
from zeroco_ros.replay.inputs import ReplayFrame
from zeroco_ros.replay.messages import ResultBag
from zeroco_ros.replay.pool import Pool
from zeroco_ros.replay.reference import Reference
from zeroco_ros.replay.rows import Clock, Rows, WorstFrames


@dataclass
class Stage:
    """Where results go and truth comes from. bag: the output bag; now: seconds of bag time."""

    bag: ResultBag
    reference: Reference
    rows: Rows = field(default_factory=Rows)
    pool: Pool = field(default_factory=Pool)
    worst: WorstFrames = field(default_factory=WorstFrames)
    clock: Clock = field(default_factory=Clock)
    now: float = 0.0


class Task(Protocol):
    """FlowTask or DepthTask."""

    log: EventLog

    def take(self, frame: ReplayFrame, shape: tuple[int, ...] | None, side: int) -> None:
        """Take the next image of a camera."""

    def take_message(self, topic: str, message: Any) -> None:
        """Take another message."""

    def finish(self) -> None:
        """End."""

    @property
    def counters(self) -> dict[str, int]:
        """All counters of the node."""
