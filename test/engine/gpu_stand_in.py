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
A stand-in for the GPU of zeroco_ros.engine.device, on the CPU, and what goes wrong on it.

No stream, event or CUDA graph is run by it: work is done when it is given.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from threading import Semaphore
from typing import Any


@dataclass
class Faults:
    """What goes wrong, and what machine this is."""

    version: str = "10.3.0"
    device: str = "stand-in GPU"
    capability: tuple[int, int] = (8, 7)
    parse_error: str = ""
    build_error: str = ""
    step_seconds: float = 0.0
    gate: Semaphore | None = None  # each step of a build waits for a release, or to be stopped
    deaf: bool = False  # steps are not heard: the build cannot be stopped
    deserialize_error: str = ""
    no_context: str = ""
    free: int = 8 << 30
    no_cuda: bool = False
    execute_fails: bool = False
    words: str = ""  # what is logged then
    scale: float = 1.0  # of every output: a wrong engine
    non_finite: bool = False
    capture_error: str = ""
    replay_shift: float = 0.0  # a CUDA graph that gives something else
    executed: int = 0
    replayed: int = 0
    built: int = 0
    timing_given: int = 0


class StandInLane:
    """A stream on the CPU: work is done when it is given."""

    handle = 7

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def run(self, work: Any) -> None:
        work()

    def capture(self, work: Any) -> Any:
        """Record without running anything; replaying runs what was recorded."""
        if self._faults.capture_error:
            raise RuntimeError(self._faults.capture_error)

        def replay() -> None:
            self._faults.replayed += 1
            before, self._faults.scale = (
                self._faults.scale,
                self._faults.scale + self._faults.replay_shift,
            )
            work()
            self._faults.scale = before

        return replay


class StandInDevice:
    """A GPU on the CPU; see zeroco_ros.engine.device.Device."""

    def __init__(self, faults: Faults, index: int = 0) -> None:
        self._faults = faults
        self.index, self.name, self.capability = index, faults.device, faults.capability

    def active(self) -> Any:
        return nullcontext()

    def memory(self) -> Any:
        from zeroco_ros.engine.device import Memory

        return Memory(self._faults.free, 8 << 30)

    def empty(self, shape: tuple[int, ...]) -> Any:
        import torch

        return torch.empty(shape, dtype=torch.float32)

    def lane(self) -> StandInLane:
        return StandInLane(self._faults)
