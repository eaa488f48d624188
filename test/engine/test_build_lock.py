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

"""One builder at a time, in threads and processes; a dead one holds nobody up."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
import subprocess
import sys
import threading

import pytest

from zeroco_ros.engine.bundle import sha256
from zeroco_ros.engine.cache import Ingredients, PlanCache, PlanRecord

BASE = Ingredients("encoder", "a" * 64, "10.3.0", "Orin", "8.7", {})


def record_of(ingredients: Ingredients) -> PlanRecord:
    when = "2026-11-21T20:00:00.000+00:00"
    return PlanRecord(ingredients, sha256(b"plan"), 4, "/robot/vga", when, 61.5)


def ignore(_reason: str) -> None:
    """Wait on."""


@pytest.mark.fault(20, "the second builder waits and uses the first one's plan", nodes="shared")
def test_one_builds_and_the_other_waits(tmp_path: Path):
    first, second = PlanCache(tmp_path), PlanCache(tmp_path)
    waited, entered = threading.Event(), threading.Event()
    reasons: list[str] = []

    def wait() -> None:
        def look(reason: str) -> None:
            reasons.append(reason)
            waited.set()

        with second.lock(BASE, look):
            assert second.load(BASE)[0] == b"plan"
            entered.set()

    thread = threading.Thread(target=wait)
    with first.lock(BASE, ignore):
        thread.start()
        assert waited.wait(100)
        first.store(b"plan", record_of(BASE))
        assert not entered.is_set()
    thread.join(100)
    assert entered.is_set()
    assert reasons[0] == f"waiting for process {os.getpid()}, which builds it"


def test_another_plan_is_not_waited_for(tmp_path: Path):
    cache = PlanCache(tmp_path)

    def never(_reason: str) -> None:
        raise AssertionError("waited")

    with cache.lock(BASE, never), cache.lock(dataclasses.replace(BASE, graph="matcher"), never):
        pass


def test_a_lock_of_a_dead_process_is_none(tmp_path: Path):
    code = (
        "import fcntl, os, sys\n"
        f"handle = open({str(tmp_path / 'tensorrt' / (BASE.stem() + '.lock'))!r}, 'a+')\n"
        "fcntl.flock(handle, fcntl.LOCK_EX)\n"
        "handle.write(str(os.getpid())); handle.flush()\n"
        "print('locked', flush=True)\n"
        "sys.stdin.read()\n"
    )
    (tmp_path / "tensorrt").mkdir()
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None and child.stdout.readline() == "locked\n"
    reasons: list[str] = []

    def look(reason: str) -> None:
        reasons.append(reason)
        child.kill()

    with PlanCache(tmp_path).lock(BASE, look):
        assert reasons[0] == f"waiting for process {child.pid}, which builds it"
    child.communicate()


def test_waiting_can_be_given_up(tmp_path: Path):
    cache = PlanCache(tmp_path)

    def give_up(_reason: str) -> None:
        raise KeyboardInterrupt

    with cache.lock(BASE, ignore), pytest.raises(KeyboardInterrupt), cache.lock(BASE, give_up):
        raise AssertionError("entered")
    with cache.lock(BASE, give_up):
        pass
