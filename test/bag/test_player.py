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

"""Pacing, with a clock that only moves when somebody sleeps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zeroco_ros.bag.player import Pace, play, Playback
from zeroco_ros.bag.reader import BagReader
from zeroco_ros.bag.records import BagMessage
from zeroco_ros.bag.writer import BagWriter
from zeroco_ros.errors import BagError, ConfigError

STEP_NS = 100_000_000
START_NS = 1_700_000_000_000_000_000


class Stage:
    """A sink and its own time; publishing takes `cost` seconds."""

    def __init__(self, cost: float = 0.0, stop_after: int | None = None) -> None:
        self.now = 50.0
        self.cost = cost
        self.stop_after = stop_after
        self.heard: list[tuple[float, str, int]] = []
        self.naps: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds

    def clock(self, stamp_ns: int) -> None:
        self.heard.append((self.now - 50.0, "clock", stamp_ns))

    def publish(self, message: BagMessage) -> None:
        self.heard.append((self.now - 50.0, message.topic, message.stamp_ns))
        self.now += self.cost

    def stopped(self) -> bool:
        return self.stop_after is not None and len(self.of("/image")) >= self.stop_after

    def of(self, topic: str) -> list[tuple[float, int]]:
        return [(when, stamp) for when, name, stamp in self.heard if name == topic]

    def play(self, path: Path, *, topics: Any = None, **pace: Any) -> Playback:
        with BagReader(path) as reader:
            return play(
                reader,
                self,
                Pace(**pace),
                topics=topics,
                clock=lambda: self.now,
                sleep=self.sleep,
                stopped=self.stopped,
            )


@pytest.mark.parametrize("rate", [0.5, 1.0, 4.0])
def test_each_message_at_its_time(make_bag: Callable[..., Path], rate: float) -> None:
    stage = Stage()
    done = stage.play(make_bag(), rate=rate)
    assert done.counts == {"/image": 10, "/text": 10}
    assert done.total == 20
    assert done.seconds == pytest.approx(0.95 / rate)
    assert done.late == pytest.approx(0, abs=1e-9)
    for when, stamp in stage.of("/image"):
        assert when == pytest.approx((stamp - START_NS) / 1e9 / rate)
    # whoever waits can be stopped within 50 ms
    assert max(stage.naps) <= 0.05 + 1e-9


def test_the_clock_comes_before_each_message(make_bag: Callable[..., Path]) -> None:
    stage = Stage()
    stage.play(make_bag())
    names = [name for _, name, _ in stage.heard]
    assert names[::2] == ["clock"] * 20
    assert all(a[2] == b[2] for a, b in zip(stage.heard[::2], stage.heard[1::2], strict=True))


def test_start_duration_and_topics(make_bag: Callable[..., Path]) -> None:
    stage = Stage()
    done = stage.play(make_bag(), topics=["/image"], start=0.25, duration=0.4)
    assert done.counts == {"/image": 4}
    assert [stamp - START_NS for _, stamp in stage.of("/image")] == [
        index * STEP_NS for index in (3, 4, 5, 6)
    ]
    assert stage.of("/image")[0][0] == 0


def test_a_slow_sink_is_caught_up_with(make_bag: Callable[..., Path]) -> None:
    """One slow message delays those behind it, but the schedule is kept."""
    stage = Stage(cost=0.12)
    done = stage.play(make_bag(), topics=["/image"])
    assert done.late == pytest.approx(9 * 0.02)
    stage = Stage(cost=0.01)
    assert stage.play(make_bag("again"), topics=["/image"]).late == pytest.approx(0, abs=1e-9)
    assert stage.of("/image")[-1][0] == pytest.approx(0.9)


def test_without_waiting(make_bag: Callable[..., Path]) -> None:
    stage = Stage()
    done = stage.play(make_bag(), rate=float("inf"))
    assert (done.total, stage.naps) == (20, [])


def test_loop_until_stopped(make_bag: Callable[..., Path]) -> None:
    stage = Stage(stop_after=25)
    done = stage.play(make_bag(), topics=["/image"], loop=True)
    assert done.counts == {"/image": 25}
    assert done.passes == 3
    stamps = [stamp for _, stamp in stage.of("/image")]
    assert stamps[10] == stamps[0] == START_NS
    once = Stage()
    assert once.play(make_bag("again")).passes == 1


def test_nothing_to_play(make_bag: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(BagError, match="no message from 7 s on; it is"):
        Stage().play(make_bag(), start=7.0, loop=True)
    with BagWriter(tmp_path / "empty"):
        pass
    with pytest.raises(BagError, match="holds no messages"):
        Stage().play(tmp_path / "empty", loop=True)


@pytest.mark.parametrize(
    "pace",
    [
        {"rate": 0.0},
        {"rate": -1.0},
        {"rate": float("nan")},
        {"start": -0.1},
        {"start": float("inf")},
        {"duration": 0.0},
        {"duration": float("nan")},
    ],
)
def test_nonsense_is_refused(pace: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(pace))):
        Pace(**pace)
