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

"""Work that can be given up, and the percentage of nested phases."""

from __future__ import annotations

from collections.abc import Callable
import threading

import pytest

from zeroco_ros.engine import build_job
from zeroco_ros.engine.build_job import abandoned, Job
from zeroco_ros.engine.build_progress import BuildProgress, PhaseTree


def look() -> None:
    """Nothing to see."""


def test_a_job_returns_what_its_work_returned():
    assert Job(lambda cancelled: 3).wait(look) == 3


def test_an_error_of_the_work_is_the_callers():
    def work(_cancelled: Callable[[], bool]) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        Job(work).wait(look)


def test_an_interrupt_stops_the_work():
    stopped = threading.Event()

    def work(cancelled: Callable[[], bool]) -> None:
        while not cancelled():
            stopped.wait(0.01)
        stopped.set()

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Job(work).wait(interrupt)
    assert stopped.wait(100)
    for thread in build_job._abandoned:  # on a machine so slow that it was given up
        thread.join(100)
    assert not abandoned()


def test_work_that_does_not_stop_is_left_behind(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(build_job, "PATIENCE", 0.01)
    end, ended = threading.Event(), threading.Event()

    def deaf(_cancelled: Callable[[], bool]) -> None:
        end.wait(100)
        ended.set()

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Job(deaf).wait(interrupt)
    assert abandoned()
    end.set()
    assert ended.wait(100)
    for thread in build_job._abandoned:
        thread.join(100)
    assert not abandoned()


def test_nested_phases_are_one_percentage():
    tree = PhaseTree()
    assert tree.state() == ("starting", 0)
    tree.start("outer", None, 4)
    assert tree.state() == ("outer", 0)
    tree.start("inner", "outer", 2)
    tree.step("inner", 0)
    assert tree.state() == ("inner", 12)  # half of a quarter
    tree.step("inner", 1)
    tree.finish("inner")
    tree.step("outer", 0)
    assert tree.state() == ("outer", 25)
    tree.step("outer", 2)
    assert tree.state() == ("outer", 75)
    tree.finish("outer")
    assert tree.state() == ("finishing", 100)


def test_the_percentage_never_falls_nor_passes_100():
    tree = PhaseTree()
    tree.start("first", None, 0)
    tree.step("first", 7)
    assert tree.state()[1] == 100
    tree.finish("first")
    tree.start("second", None, 10)
    tree.step("unknown", 1)
    tree.finish("unknown")
    assert tree.state() == ("second", 100)


def test_progress_is_a_line():
    step = BuildProgress("encoder", 1, 4, "Timing graph nodes", 37, 40.2)
    assert str(step) == "building encoder (1 of 4): 37 %, Timing graph nodes, 40 s"
    waiting = BuildProgress("encoder", 1, 4, "waiting for process 12", None, 1.0)
    assert str(waiting) == "building encoder (1 of 4): waiting for process 12, 1 s"
