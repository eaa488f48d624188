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

"""One thread that works on the newest item; what it has no time for is dropped, and counted."""

from __future__ import annotations

from collections.abc import Callable
import threading
from typing import Generic, TypeVar

Item = TypeVar("Item")


class LatestWorker(Generic[Item]):
    """
    Runs `job(item)` on its own thread, one at a time, always on the newest item submitted.

    There is one waiting place. An item submitted while another one waits replaces it, and the
    replaced one is counted in `dropped`; so an item waits for at most one job and the age of a
    result is at most two jobs, however fast items come in. An exception in the job ends that job
    only: it is counted in `failed` and handed to `on_error` (on the worker thread).

    `start` and `stop` may be called any number of times, in turn.
    """

    def __init__(
        self,
        job: Callable[[Item], None],
        *,
        on_error: Callable[[BaseException], None],
        name: str = "latest-worker",
    ) -> None:
        self._job = job
        self._on_error = on_error
        self._name = name
        self._wake = threading.Condition()
        self._slot: list[Item] = []  # empty or one item; a list, since None is a valid item
        self._thread: threading.Thread | None = None
        self._busy = False
        self._dropped = self._done = self._failed = 0

    @property
    def dropped(self) -> int:
        """Items replaced by a newer one, thrown away by stop, or submitted while stopped."""
        return self._dropped

    @property
    def done(self) -> int:
        """Jobs that ended without an exception."""
        return self._done

    @property
    def failed(self) -> int:
        """Jobs that ended with an exception."""
        return self._failed

    @property
    def waiting(self) -> int:
        """Items that wait: 0 or 1."""
        return len(self._slot)

    @property
    def pending(self) -> int:
        """Items that wait or are worked on: 0 to 2."""
        with self._wake:
            return len(self._slot) + self._busy

    @property
    def running(self) -> bool:
        """Return True between start and stop."""
        return self._thread is not None

    def start(self) -> None:
        """Start the thread; does nothing when it runs already."""
        with self._wake:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def submit(self, item: Item) -> bool:
        """Hand over the newest item without waiting; False when the worker is stopped."""
        with self._wake:
            if self._thread is None:
                self._dropped += 1
                return False
            self._dropped += len(self._slot)
            self._slot = [item]
            self._wake.notify_all()
            return True

    def wait_idle(self, timeout: float) -> bool:
        """Wait until nothing waits and no job runs; False after `timeout` seconds."""
        with self._wake:
            return self._wake.wait_for(lambda: not self._slot and not self._busy, timeout)

    def stop(self, timeout: float = 2.0) -> bool:
        """
        Throw the waiting item away and end the thread after the job it is working on.

        Returns False when that job is still running after `timeout` seconds, or when called from
        the job itself: the (daemon) thread then ends as soon as the job does.
        """
        with self._wake:
            thread, self._thread = self._thread, None
            self._dropped += len(self._slot)
            self._slot = []
            self._wake.notify_all()
        if thread is None:
            return True
        if thread is threading.current_thread():
            return False
        thread.join(timeout)
        return not thread.is_alive()

    def _run(self) -> None:
        me = threading.current_thread()
        while True:
            with self._wake:
                # A restart after a stop that timed out must not leave two threads at work.
                self._wake.wait_for(
                    lambda: self._thread is not me or (self._slot and not self._busy)
                )
                if self._thread is not me:
                    return
                item = self._slot.pop()
                self._busy = True
            error = self._attempt(item)
            del item
            with self._wake:
                self._busy = False
                if error is None:
                    self._done += 1
                else:
                    self._failed += 1
                self._wake.notify_all()

    def _attempt(self, item: Item) -> BaseException | None:
        try:
            self._job(item)
        except BaseException as error:  # the thread must live, and the error must be heard
            try:
                self._on_error(error)
            except BaseException as second:
                threading.excepthook(
                    threading.ExceptHookArgs(
                        (type(second), second, second.__traceback__, threading.current_thread())
                    )
                )
            return error
        return None
