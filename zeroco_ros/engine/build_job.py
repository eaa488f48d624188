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
Work in a thread of its own that can be given up: a build sits minutes in a library's C++.

The caller's thread waits in short naps, so that signal handlers run, progress is told and a
request to stop is seen at once.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread
import time
from typing import Generic, TypeVar

from zeroco_ros.errors import BackendError

T = TypeVar("T")
NAP = 0.05  # seconds between two looks
PATIENCE = 1.0  # seconds that work has to stop when it is told to
_abandoned: list[Thread] = []


class BuildCancelled(BackendError):  # noqa: N818 - it names what happened
    """The caller asked to stop; nothing was left half-done."""


class Job(Generic[T]):
    """`work` in a thread; it is given `cancelled`, which it has to look at now and then."""

    def __init__(self, work: Callable[[Callable[[], bool]], T]) -> None:
        self._work = work
        self._done, self._stop = Event(), Event()
        self._result: T | None = None
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, name="engine build", daemon=True)

    def _run(self) -> None:
        try:
            self._result = self._work(self._stop.is_set)
        except BaseException as error:
            self._error = error
        finally:
            self._done.set()

    def wait(self, look: Callable[[], None]) -> T:
        """
        Start, call `look` at once and in every nap; return or raise what the work does.

        Whatever `look` raises, or a signal handler meanwhile, stops the work and is raised; work
        that does not stop within `PATIENCE` is left behind (see `abandoned`).
        """
        self._thread.start()
        try:
            look()
            while not self._done.wait(NAP):
                look()
        except BaseException:
            self._stop.set()
            if not self._done.wait(PATIENCE):
                _abandoned.append(self._thread)
            raise
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]


def abandoned() -> bool:
    """
    Whether work that was told to stop still runs.

    The process should end without its exit handlers (os._exit), which would take the library away
    under its feet.
    """
    return any(thread.is_alive() for thread in _abandoned)


def nap_until(ready: Callable[[], bool], look: Callable[[], None]) -> None:
    """Wait in short naps until `ready()`; `look` may raise to give up."""
    while not ready():
        look()
        time.sleep(NAP)
