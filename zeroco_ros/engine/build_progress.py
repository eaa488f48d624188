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
How far a build is: TensorRT's nested phases as one percentage.

A build takes minutes and looks dead without it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorrt as trt


@dataclass(frozen=True)
class BuildProgress:
    """
    Where a build is; as text, a line for a log.

    graph: its name; number, count: this graph among those of the bundle, from 1; phase: in
    TensorRT's words, or ours ("waiting for process 12"); percent: of this graph, 0 to 100, None
    where nothing is known; seconds: since this graph was begun.
    """

    graph: str
    number: int
    count: int
    phase: str
    percent: int | None
    seconds: float

    def __str__(self) -> str:
        share = "" if self.percent is None else f" {self.percent} %,"
        return (
            f"building {self.graph} ({self.number} of {self.count}):{share} {self.phase}, "
            f"{self.seconds:.0f} s"
        )


Report = Callable[[BuildProgress], None]


@dataclass
class _Phase:
    name: str
    parent: str | None
    steps: int
    done: int = 0


class PhaseTree:
    """
    The open phases of a build, by the calls of IProgressMonitor; safe to call from any thread.

    A phase runs within one step of its parent, so the share of the whole is a nested fraction.
    """

    def __init__(self) -> None:
        self._open: dict[str, _Phase] = {}
        self._lock = Lock()
        self._most = 0.0
        self._begun = False

    def start(self, name: str, parent: str | None, steps: int) -> None:
        """Begin a phase of `steps` steps, within a step of `parent` or outermost (None)."""
        with self._lock:
            self._begun = True
            self._open[name] = _Phase(name, parent, max(1, steps))

    def step(self, name: str, step: int) -> None:
        """Step number `step`, from 0, of a phase is done."""
        with self._lock:
            if name in self._open:
                self._open[name].done = max(self._open[name].done, step + 1)

    def finish(self, name: str) -> None:
        """End a phase, maybe before all of its steps."""
        with self._lock:
            phase = self._open.pop(name, None)
            if phase is not None and phase.parent is None:
                self._most = 1.0

    def state(self) -> tuple[str, int]:
        """Return the innermost open phase and the percentage, which never falls."""
        with self._lock:
            outer = [phase for phase in self._open.values() if phase.parent not in self._open]
            if outer:
                self._most = max(self._most, min(1.0, self._share(outer[0])))
            name = next(reversed(self._open), "finishing" if self._begun else "starting")
            return name, int(100 * self._most)

    def _share(self, phase: _Phase) -> float:
        inside = [
            self._share(child) for child in self._open.values() if child.parent == phase.name
        ]
        return min(phase.steps, phase.done + max(inside, default=0.0)) / phase.steps


def progress_monitor(tree: PhaseTree, cancelled: Callable[[], bool]) -> trt.IProgressMonitor:
    """
    Return a monitor that keeps `tree` up to date and stops the build once `cancelled()` is true.

    Keep it until the build is over.
    """
    import tensorrt as trt

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        """Called by TensorRT from its threads; must not raise."""

        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            """Note that a phase begins."""
            tree.start(phase_name, parent_phase, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            """Take down that a step is done; False ends the build."""
            tree.step(phase_name, step)
            return not cancelled()

        def phase_finish(self, phase_name: str) -> None:
            """Note that a phase is over."""
            tree.finish(phase_name)

    return Monitor()
