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

"""Tables, JSON, medians and spreads from fixed numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from zeroco_ros.bench.measure import interleaved, Spread, Timing
from zeroco_ros.bench.node import MemoryCourse
from zeroco_ros.bench.record import BenchRecord, Column, Section, spread_cells, spread_columns
from zeroco_ros.bench.stages import StageClock


def section() -> Section:
    timing = Timing((0.010, 0.030, 0.020, 0.040, 0.020))
    rows = (
        {"name": "plain", **spread_cells("ms", Spread(80.0, 70.0, 90.0)), "speed": 1.0},
        {"name": "ours", **spread_cells("ms", timing.spread, 1e3), "speed": None},
    )
    columns = (Column("name", "step"), *spread_columns("ms", "ms"), Column("speed", "x", 2))
    return Section("step", "A step", columns, rows, ("A note.",), ("five times",))


def test_table():
    assert section().lines() == [
        "step     ms  25 %  75 %     x",
        "plain  80.0  70.0  90.0  1.00",
        "ours   20.0  20.0  30.0     -",
        "  A note.",
        "  NOT SHOWN: five times",
    ]
    assert section().lines(markdown=True)[:3] == [
        "| step | ms | 25 % | 75 % | x |",
        "| --- | ---: | ---: | ---: | ---: |",
        "| plain | 80.0 | 70.0 | 90.0 | 1.00 |",
    ]


def test_json_round_trip(tmp_path: Path):
    record = BenchRecord("zeroco bench", "now", {"cores": 2}, {"rounds": 5}, (section(),))
    record.save(tmp_path / "bench.json")
    again = BenchRecord.load(tmp_path / "bench.json")
    assert again == record
    assert again.failed == ["five times"] and again.section("node") is None
    assert "cores: 2" in again.text() and "## A step" in again.text(markdown=True)
    (tmp_path / "other.json").write_text("[]")
    with pytest.raises(ValueError, match="no zeroco_bench_1"):
        BenchRecord.load(tmp_path / "other.json")


def test_rounds_are_interleaved_and_compared_within_a_round():
    now = iter(range(1000))
    order: list[str] = []
    ticks = [0.0]

    def clock() -> float:
        next(now)
        return ticks[0]

    def case(name: str, seconds: float):
        def run() -> None:
            order.append(name)
            # the machine is three times slower in the second measured round
            ticks[0] += seconds * (3 if order.count(name) == 3 else 1)

        return run

    timings = interleaved(
        {"slow": case("slow", 4.0), "fast": case("fast", 1.0)}, 3, warm_up=1, clock=clock
    )
    assert order == ["slow", "fast"] * 4
    assert timings["fast"].seconds == (1.0, 3.0, 1.0)
    ratio = timings["fast"].times_faster_than(timings["slow"])
    assert ratio == Spread(4.0, 4.0, 4.0)


def test_stages_count_their_own_time():
    ticks = [0.0]
    clock = StageClock(lambda: ticks[0])

    def wait(seconds: float) -> None:
        ticks[0] += seconds

    inner = clock.wrap("inner", wait)
    with clock.stage("outer"):
        wait(1.0)
        inner(5.0)
        wait(2.0)
    assert dict(clock.seconds) == {"outer": 3.0, "inner": 5.0}


def test_growth_of_memory_leaves_the_start_out():
    warming = [100.0, 150.0, *[200.0] * 18]
    assert MemoryCourse(2000, tuple(warming)).growth == 0.0
    leaking = tuple(200.0 + number for number in range(100))
    assert MemoryCourse(2000, leaking).growth == pytest.approx(80, abs=1)
    assert "+80" in MemoryCourse(2000, leaking).note()
