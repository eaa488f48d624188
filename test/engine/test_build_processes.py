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

"""Builds in processes of their own: two at once, a signal, kill -9. TensorRT is a stand-in."""

from __future__ import annotations

import json
from pathlib import Path
import subprocess
import sys
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from tensorrt_stand_in import install

from zeroco_ros.engine.build import build_engine, cached
from zeroco_ros.engine.bundle import MANIFEST
from zeroco_ros.engine.cache import PlanCache

PROGRAM = Path(__file__).parent / "tensorrt_stand_in.py"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def start(cache: Path, tiny_engine: Path, **faults: Any) -> subprocess.Popen[str]:
    """`zeroco build` in a process of its own, with the stand-in."""
    command = [sys.executable, str(PROGRAM), json.dumps(faults)]
    return subprocess.Popen(
        [*command, "build", str(tiny_engine), "--cache", str(cache), "--no-check"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def first_line(child: subprocess.Popen[str]) -> str:
    assert child.stderr is not None
    return child.stderr.readline()


def none_half_done(cache: Path) -> None:
    """Every plan that counts is whole."""
    kept = PlanCache(cache)
    for _path, record in kept.records():
        kept.load(record.ingredients)


@pytest.mark.fault(20, "two builders at once: one builds, both have it", nodes="shared")
def test_two_processes_build_at_once(tiny_engine: Path, cache: Path):
    children = [start(cache, tiny_engine, step_seconds=0.02) for _ in range(2)]
    outputs = [child.communicate(timeout=100) for child in children]
    assert [child.returncode for child in children] == [0, 0], outputs
    told = "".join(out for out, _err in outputs)
    for name in json.loads((tiny_engine / MANIFEST).read_text())["graphs"]:
        lines = [line for line in told.splitlines() if line.startswith(f"{name} ")]
        assert len(lines) == 2
        assert sum("built in" in line for line in lines) == 1, lines
    none_half_done(cache)


@pytest.mark.fault(25, "SIGTERM ends a build, nothing half-written", nodes="shared")
def test_a_signal_ends_a_build(tiny_engine: Path, cache: Path):
    child = start(cache, tiny_engine, step_seconds=3600)  # a step that does not end by itself
    assert first_line(child).startswith("building encoder (1 of ")
    child.terminate()
    _out, told = child.communicate(timeout=100)
    assert child.returncode == 130 and told.endswith("zeroco build: interrupted\n")
    none_half_done(cache)
    assert not list(cache.rglob("*.plan"))


@pytest.mark.fault(20, "after a kill -9 during a build the next one works", nodes="shared")
def test_a_killed_build_leaves_nothing_that_counts(
    tiny_engine: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
):
    child = start(cache, tiny_engine, step_seconds=3600)
    assert first_line(child).startswith("building encoder (1 of ")
    child.kill()
    child.communicate(timeout=100)
    none_half_done(cache)
    install(monkeypatch)
    built = build_engine(tiny_engine, cache=cache)
    assert all(plan.fresh for plan in built.plans.values())
    assert cached(tiny_engine, cache=cache)
