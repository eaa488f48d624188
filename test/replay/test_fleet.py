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

"""Several bags: in processes, one of them broken; done ones are kept; merged into one record."""

from __future__ import annotations

from collections.abc import Callable
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zeroco_ros.replay.fleet import unique_names
from zeroco_ros.replay.job import Job
from zeroco_ros.replay.local import in_processes
from zeroco_ros.replay.record import METRICS, ReplayRun
from zeroco_ros.replay.work import Order

OPTIONS = ("--task", "flow", "--no-report", "--reference", "auto")


@pytest.fixture(scope="module")
def fleet(
    bag: Path,
    broken_bag: Path,
    other_bag: Path,
    replay: Callable[..., Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, Any]:
    """Return a run of three bags in two processes."""
    out = tmp_path_factory.mktemp("fleet")
    ran = replay(bag, broken_bag, other_bag, "-o", out, "--jobs", 2, *OPTIONS)
    return out, ran


def test_a_failed_bag_is_reported_and_not_fatal(fleet: tuple[Path, Any]) -> None:
    out, ran = fleet
    assert ran.code == 1
    assert "1 of 3 bags failed" in ran.err and ran.err.count("\n") == 1
    assert "broken: failed: " in ran.out
    record = ReplayRun.load(out).metrics
    assert [bag.name for bag in record.bags] == ["drive", "broken", "short"]
    assert [bag.status for bag in record.bags] == ["ok", "failed", "ok"]
    assert "broken_0.mcap" in str(record.bags[1].error)
    assert (out / "output_bag" / "short").is_dir()


def test_the_summary_is_that_of_all_frames(fleet: tuple[Path, Any]) -> None:
    run = ReplayRun.load(fleet[0])
    record = run.metrics
    columns = [bag.frames.values["epe"] for bag in run.ok]
    values = [value for column in columns for value in column if value is not None]
    assert len(values) == 5 + 3
    assert record.summary["epe"] == pytest.approx(np.mean(values), rel=1e-12)
    assert record.counters["flow_in"] == 6 + 4
    assert record.summary["flow_answered"] == 8 / 10
    pixels = [sum(bag.histograms["epe"].counts) for bag in run.ok]
    assert sum(record.histograms["epe"].counts) == sum(pixels)
    assert record.calibration.confidence is not None


def test_one_process_gives_the_same_bytes_and_what_is_done_is_kept(
    bag: Path,
    broken_bag: Path,
    other_bag: Path,
    fleet: tuple[Path, Any],
    replay: Callable[..., Any],
) -> None:
    """Resumed after a bag's part was lost, as by an interruption."""
    out, _ = fleet
    before = (out / METRICS).read_bytes()
    parts = {name: out / "parts" / f"{name}.json" for name in ("drive", "short")}
    kept = parts["drive"].stat().st_mtime_ns
    parts["short"].unlink()
    ran = replay(bag, broken_bag, other_bag, "-o", out, *OPTIONS)
    assert ran.code == 1
    assert "drive: kept from the run before" in ran.out and "short: 4 frames" in ran.out
    assert parts["drive"].stat().st_mtime_ns == kept
    assert (out / METRICS).read_bytes() == before
    timing = ReplayRun.load(out).timing
    assert timing is not None and [bag.reused for bag in timing.bags] == [True, False, False]


def test_another_parameter_or_force_does_it_again(
    bag: Path, replay: Callable[..., Any], tmp_path: Path
) -> None:
    options = bag, "-o", tmp_path, "--task", "flow", "--no-report", "--no-bag"
    assert "6 frames" in replay(*options).out
    assert "kept" in replay(*options).out
    assert "6 frames" in replay(*options, "-p", "stride:=2").out
    assert "6 frames" in replay(*options, "-p", "stride:=2", "--force").out
    (tmp_path / "frames" / "extra.png").touch()
    next(iter((tmp_path / "frames").glob("drive*.png"))).unlink()
    assert "6 frames" in replay(*options, "-p", "stride:=2").out  # a picture is missing


def test_nothing_of_an_earlier_run_is_left_and_no_input_is_overwritten(
    bag: Path, replay: Callable[..., Any], tmp_path: Path
) -> None:
    stale = tmp_path / "frames" / "drive_000001_epe.png"
    other = tmp_path / "frames" / "drive_2_000001_epe.png"  # another bag's
    stale.parent.mkdir()
    for path in (stale, other, tmp_path / "report.html"):
        path.touch()
    options = "--task", "flow", "--no-report"
    assert replay(bag, "-o", tmp_path, *options).code == 0
    assert not stale.exists() and other.exists() and not (tmp_path / "report.html").exists()
    result = tmp_path / "output_bag" / "drive"
    ran = replay(result, "-o", tmp_path, *options)
    assert ran.code == 2 and "give another folder with -o" in ran.err
    assert result.is_dir() and (tmp_path / METRICS).is_file()


def test_a_process_that_dies_takes_only_its_bag_along(bag: Path, tmp_path: Path) -> None:
    """The stand-in ends at once, without a part."""
    orders = [
        Order(Job(bag, name, tmp_path, {"flow": {"threads": 1}}), "key", "0") for name in "ab"
    ]
    said: list[str] = []
    parts = in_processes(orders, 2, said.append, target=os.fspath)  # refuses what is no path
    assert {part.record.status for part in parts.values()} == {"failed"}
    assert "its process ended with code 1 before it was done" in str(parts["a"].record.error)
    assert sorted(line[:9] for line in said) == ["a: failed", "b: failed"]


def test_names_of_bags_are_unique() -> None:
    paths = [Path("/x/run"), Path("/y/run"), Path("/z/run.mcap"), Path("/z/other.db3.zstd")]
    assert unique_names(paths) == ["run", "run_2", "run_3", "other"]
