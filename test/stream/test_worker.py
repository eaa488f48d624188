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

"""LatestWorker: newest first, nothing lost silently, always stoppable."""

from __future__ import annotations

from collections.abc import Iterator
import threading

import pytest

from zeroco_ros.stream import LatestWorker

PATIENCE = 10.0


class Job:
    """A job that reports when it begins and goes on when it is let."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.go = threading.Semaphore(0)
        self.items: list[object] = []

    def __call__(self, item: object) -> None:
        self.items.append(item)
        self.begun.release()
        assert self.go.acquire(timeout=PATIENCE)
        if isinstance(item, BaseException):
            raise item


@pytest.fixture
def job() -> Job:
    return Job()


@pytest.fixture
def errors() -> list[BaseException]:
    return []


@pytest.fixture
def worker(job: Job, errors: list[BaseException]) -> Iterator[LatestWorker[object]]:
    worker: LatestWorker[object] = LatestWorker(job, on_error=errors.append)
    worker.start()
    yield worker
    for _ in range(100):
        job.go.release()
    assert worker.stop(PATIENCE)


def test_latest_item_wins_and_the_others_are_counted(worker: LatestWorker, job: Job) -> None:
    worker.submit(0)
    assert job.begun.acquire(timeout=PATIENCE)
    assert (worker.waiting, worker.pending) == (0, 1)
    for item in (1, 2, 3):
        assert worker.submit(item)
    assert (worker.waiting, worker.pending) == (1, 2)
    job.go.release(2)
    assert worker.wait_idle(PATIENCE)
    assert (worker.waiting, worker.pending) == (0, 0)
    assert job.items == [0, 3]
    assert (worker.done, worker.dropped, worker.failed) == (2, 2, 0)


def test_none_is_an_item(worker: LatestWorker, job: Job) -> None:
    job.go.release()
    worker.submit(None)
    assert job.begun.acquire(timeout=PATIENCE)
    assert worker.wait_idle(PATIENCE)
    assert job.items == [None]


@pytest.mark.parametrize("error", [ValueError("broken"), SystemExit(3), KeyboardInterrupt()])
def test_errors_are_reported_and_the_worker_goes_on(
    worker: LatestWorker, job: Job, errors: list[BaseException], error: BaseException
) -> None:
    job.go.release(2)
    worker.submit(error)
    assert worker.wait_idle(PATIENCE)
    worker.submit("next")
    assert worker.wait_idle(PATIENCE)
    assert errors == [error]
    assert job.items == [error, "next"]
    assert (worker.done, worker.failed) == (1, 1)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_broken_error_callback_does_not_end_the_worker() -> None:
    done: list[str] = []

    def job(item: str) -> None:
        if item == "bad":
            raise ValueError(item)
        done.append(item)

    def on_error(error: BaseException) -> None:
        raise RuntimeError("the callback is broken too")

    worker = LatestWorker(job, on_error=on_error)
    worker.start()
    worker.submit("bad")
    assert worker.wait_idle(PATIENCE)
    worker.submit("good")
    assert worker.wait_idle(PATIENCE)
    assert done == ["good"]
    assert worker.stop()


def test_stop_throws_the_waiting_item_away(worker: LatestWorker, job: Job) -> None:
    worker.submit("running")
    assert job.begun.acquire(timeout=PATIENCE)
    worker.submit("waiting")
    assert not worker.stop(timeout=0.01)  # the job is still at work
    assert worker.dropped == 1
    assert not worker.submit("too late")
    assert worker.dropped == 2
    job.go.release()
    assert worker.wait_idle(PATIENCE)
    assert job.items == ["running"]


def test_start_after_a_stop_that_timed_out_never_runs_two_jobs(
    worker: LatestWorker, job: Job
) -> None:
    worker.submit("old")
    assert job.begun.acquire(timeout=PATIENCE)
    assert not worker.stop(timeout=0.01)
    worker.start()
    worker.submit("new")
    assert not job.begun.acquire(timeout=0.1)  # waits for the old job
    job.go.release(2)
    assert worker.wait_idle(PATIENCE)
    assert job.items == ["old", "new"]


def test_stop_and_start_many_times(worker: LatestWorker, job: Job) -> None:
    before = threading.active_count()
    for round_number in range(50):
        job.go.release()
        worker.submit(round_number)
        assert worker.wait_idle(PATIENCE)
        assert worker.stop(PATIENCE)
        assert worker.stop(PATIENCE)
        worker.start()
        worker.start()
    assert job.items == list(range(50))
    assert threading.active_count() <= before  # threads of other tests may end meanwhile


def test_stop_from_within_the_job_does_not_deadlock() -> None:
    answers: list[bool] = []
    worker: LatestWorker[int] = LatestWorker(
        lambda _item: answers.append(worker.stop()), on_error=lambda error: None
    )
    worker.start()
    worker.submit(1)
    assert worker.wait_idle(PATIENCE)
    assert answers == [False]
    assert not worker.running


def test_items_are_let_go_of(worker: LatestWorker, job: Job) -> None:
    """A frame must not stay in memory while the worker waits for the next one."""
    import gc
    import weakref

    class Frame:
        pass

    frame = Frame()
    alive = weakref.ref(frame)
    job.go.release()
    worker.submit(frame)
    assert job.begun.acquire(timeout=PATIENCE)
    assert worker.wait_idle(PATIENCE)
    job.items.clear()
    del frame
    gc.collect()
    assert alive() is None
