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

"""What a soak does to a node, one step at a time. No ROS in here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SECOND = 1_000_000_000


@dataclass(frozen=True)
class Picture:
    """
    One image message.

    number: counts all images, from 0. stamp: ns. size: (height, width) pixels. epoch: stamps rise
    within one; it changes where the clock goes back. broken: how it cannot be used, or empty.
    look: what it shows (see `pictures`).
    """

    number: int
    stamp: int
    size: tuple[int, int]
    encoding: str
    epoch: int
    look: str = "texture"
    broken: str = ""

    @property
    def frame_id(self) -> str:
        """Return the frame_id, by which its results are known again."""
        return f"eye_{self.number}"


@dataclass(frozen=True)
class Calibration:
    """One camera_info. kind: good, other, zero or binned."""

    kind: str


@dataclass(frozen=True)
class Setting:
    """One parameter to set. allowed: whether the node must take or refuse it."""

    name: str
    value: Any
    allowed: bool


@dataclass(frozen=True)
class Transition:
    """One lifecycle transition to ask for. allowed: whether the node must do or refuse it."""

    label: str
    allowed: bool


@dataclass(frozen=True)
class Audience:
    """Who listens from now on: names of outputs; without one the node must not listen either."""

    outputs: tuple[str, ...]


@dataclass(frozen=True)
class SlowConsumer:
    """A subscriber that never takes its messages comes or goes."""

    there: bool


@dataclass(frozen=True)
class Misfit:
    """A camera whose quality of service does not fit comes, or goes."""

    there: bool


@dataclass(frozen=True)
class Pause:
    """Nothing happens for so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Settle:
    """Wait until the node is done with all that was sent; its counters must then add up."""


Step = (
    Picture
    | Calibration
    | Setting
    | Transition
    | Audience
    | SlowConsumer
    | Misfit
    | Pause
    | Settle
)
