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
What a node does about a network that fails: go on, exchange it, stop, or end the process.

Everything here is called on the worker's thread; the node acts on the executor's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from zeroco_ros.errors import ZerocoError
from zeroco_ros.ros.journal import Journal
from zeroco_ros.ros.metrics import Metrics
from zeroco_ros.ros.model import free_memory, RunningModel

Result = TypeVar("Result")


class Keeper(Protocol):
    """The node, as its parts may call for it from any thread."""

    def progress(self, line: str) -> None:
        """Say what takes long while configuring."""

    def give_up(self, reason: str) -> None:
        """Deactivate soon, and say why on /diagnostics until activated again."""

    def die(self, reason: str) -> None:
        """End the process soon, with an exit code that makes a launch file start it again."""


class Recovery:
    """
    Watches the worker's attempts.

    A result that is not finite: after `max_non_finite` in a row, what `on_non_finite` says.
    Out of memory: the cache is freed and the image tried once more, then the node deactivates.
    A GPU that is lost for the process: the process ends. All else leaves, for the worker to count.

    renewed: called after the model's estimator was exchanged.
    """

    def __init__(
        self,
        model: RunningModel[Any],
        journal: Journal,
        metrics: Metrics,
        values: Callable[[], Mapping[str, Any]],
        keeper: Keeper,
        renewed: Callable[[], None],
    ) -> None:
        self._model, self._journal, self._metrics = model, journal, metrics
        self._values, self._keeper, self._renewed = values, keeper, renewed
        self._in_a_row = 0

    def run(self, attempt: Callable[[], Result | None]) -> Result | None:
        """
        Return what an attempt at one image returns; None where it has no result.

        A void result is told by the attempt to the journal. An attempt that ran out of memory is
        made a second time.
        """
        voids = self._journal.voids
        try:
            result = attempt()
        except Exception as error:
            result = self._after(error, attempt)
        if self._journal.voids > voids:
            self._in_a_row += 1
            if self._in_a_row >= int(self._values()["max_non_finite"]):
                self._in_a_row = 0
                self._act(f"{self._model.backend} gave {self._limit} in a row that are not finite")
        elif result is not None:
            self._in_a_row = 0
        return result

    @property
    def _limit(self) -> str:
        count = int(self._values()["max_non_finite"])
        return "a result" if count == 1 else f"{count} results"

    def _act(self, reason: str) -> None:
        """Too many void results."""
        if self._values()["on_non_finite"] == "fallback":
            try:
                exchanged = self._model.fall_back(reason)
            except ZerocoError as error:
                reason, exchanged = f"{reason}, and PyTorch in fp32: {error}", False
            if exchanged:
                self._metrics.add("recovered")
                self._journal.error("fallback", f"{reason}: PyTorch in fp32 serves from now on")
                self._renewed()
                free_memory()
                return
        self._keeper.give_up(reason)

    def _after(self, error: Exception, attempt: Callable[[], Result | None]) -> Result | None:
        """After an exception: the second attempt's result, or the exception leaves."""
        from zeroco_ros.engine.failures import is_out_of_memory, is_sticky

        if is_sticky(error):
            self._keeper.die(f"the GPU is lost for this process: {_first_line(error)}")
        if not is_out_of_memory(error):
            raise error
        # What the first attempt held, its traceback above all, must be gone before the second.
        self._journal.error("memory", f"out of memory, trying again: {self._memory(error)}")
        error.__traceback__ = None
        free_memory()
        try:
            result = attempt()
        except Exception as second:
            if is_out_of_memory(second):
                reason = f"out of memory twice: {self._memory(second)}"
                second.__traceback__ = None
                free_memory()
                self._keeper.give_up(reason)
            elif is_sticky(second):
                self._keeper.die(f"the GPU is lost for this process: {_first_line(second)}")
            raise second
        self._metrics.add("recovered")
        return result

    def _memory(self, error: Exception) -> str:
        from zeroco_ros.engine.failures import memory_words

        return f"{memory_words(None, self._model.facts['device'])} ({_first_line(error)})"


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
