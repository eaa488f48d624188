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

"""Small bags, and `zeroco replay` on them with a network of milliseconds."""

from __future__ import annotations

from collections.abc import Callable
import contextlib
from dataclasses import dataclass
import io
from pathlib import Path
import sys

import pytest

from zeroco_ros.cli import main
from zeroco_ros.demo.synthetic import write_synthetic_bag
from zeroco_ros.replay.record import ReplayRun

sys.path.insert(0, str(Path(__file__).parents[1] / "ros"))
import ros_harness

ros_harness.isolate()  # one test starts live nodes

FRAMES = 6
SIZE = (96, 128)


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a drive with exact truth: /camera/image_raw, flow_truth, depth, camera_info, pose."""
    path = tmp_path_factory.mktemp("replay") / "drive"
    write_synthetic_bag(path, frames=FRAMES, size=SIZE, progress=False)
    return path


@pytest.fixture(scope="session")
def other_bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another one."""
    path = tmp_path_factory.mktemp("replay") / "short"
    write_synthetic_bag(path, frames=4, size=SIZE, seed=3, progress=False)
    return path


@pytest.fixture(scope="session")
def broken_bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder whose storage file is not one."""
    path = tmp_path_factory.mktemp("replay") / "broken"
    path.mkdir()
    (path / "broken_0.mcap").write_bytes(b"not a bag at all")
    return path


@pytest.fixture(scope="session")
def replay(tiny_weights: Path) -> Callable[..., Ran]:
    """Run the command in this process."""

    def run(*arguments: object) -> Ran:
        own = ["--weights", tiny_weights, "--threads", 1, "-p", "preset:=fast"]
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = main([str(a) for a in ("replay", *arguments, *own)])
            except SystemExit as leaving:
                code = int(leaving.code or 0)
        return Ran(code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture(scope="session")
def first_run(
    bag: Path, replay: Callable[..., Ran], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return the folder of a run of both tasks with all truth there is."""
    out = tmp_path_factory.mktemp("runs") / "first"
    ran = replay(bag, "-o", out, "--reference", "auto")
    assert ran.code == 0, ran.err
    return out


@pytest.fixture(scope="session")
def record(first_run: Path) -> ReplayRun:
    """Its record."""
    return ReplayRun.load(first_run)
