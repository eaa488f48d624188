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

"""TemporalPairer: every way in which stamps go wrong, one by one and in random mixtures."""

from __future__ import annotations

import itertools
import math
import random

import pytest

from zeroco_ros.errors import ConfigError
from zeroco_ros.stream import Pair, TemporalPairer

MS = 1_000_000
START = 1_700_000_000_000 * MS


def feed(pairer: TemporalPairer[int], milliseconds: list[int], start: int = START) -> list[tuple]:
    """Push frames at these times; returns (previous, current) times of the pairs."""
    pairs = [pairer.push(start + t * MS, t, (4, 6)) for t in milliseconds]
    return [(pair.previous, pair.current) for pair in pairs if pair is not None]


class Events(list):
    """Collects what a pairer tells."""

    def __call__(self, kind: str, text: str) -> None:
        self.append((kind, text))

    def kinds(self) -> list[str]:
        return [kind for kind, _text in self]


def test_neighbors_pair_and_stamps_come_along() -> None:
    pairer: TemporalPairer[str] = TemporalPairer()
    assert pairer.push(START, "a") is None
    assert pairer.push(START + 33 * MS, "b") == Pair("a", "b", START, START + 33 * MS)
    assert pairer.push(START + 66 * MS, "c") == Pair("b", "c", START + 33 * MS, START + 66 * MS)


def test_stride_reaches_over_that_many_frames() -> None:
    pairer: TemporalPairer[int] = TemporalPairer(stride=3)
    assert feed(pairer, [0, 10, 20, 30, 40]) == [(0, 30), (10, 40)]
    assert pairer.waiting == 3


def test_frames_closer_than_min_dt_are_dropped_and_the_partner_stays() -> None:
    pairer: TemporalPairer[int] = TemporalPairer(min_dt=0.05)
    assert feed(pairer, [0, 20, 40, 60, 80, 100, 120]) == [(0, 60), (60, 120)]
    assert pairer.counters.too_close == 4


def test_gap_starts_again_and_is_told() -> None:
    events = Events()
    pairer: TemporalPairer[int] = TemporalPairer(max_dt=0.2, on_event=events)
    assert feed(pairer, [0, 100, 400, 500, 700]) == [(0, 100), (400, 500), (500, 700)]
    assert pairer.counters.gaps == 1
    assert events == [("gap", "0.300 s between frames, more than 0.2 s")]


def test_gap_while_a_long_stride_still_waits_for_frames() -> None:
    pairer: TemporalPairer[int] = TemporalPairer(stride=2, max_dt=0.2)
    assert feed(pairer, [0, 500, 600, 700]) == [(500, 700)]
    assert pairer.counters.gaps == 1


def test_late_frame_is_dropped_and_the_stream_goes_on() -> None:
    pairer: TemporalPairer[int] = TemporalPairer()
    assert feed(pairer, [0, 100, 300, 200, 400]) == [(0, 100), (100, 300), (300, 400)]
    assert pairer.counters.out_of_order == 1
    assert pairer.counters.jumps == 0


def test_late_frame_of_a_slow_camera_is_no_jump() -> None:
    pairer: TemporalPairer[int] = TemporalPairer(max_dt=2.5)
    assert feed(pairer, [0, 1000, 3000, 2000, 4000]) == [(0, 1000), (1000, 3000), (3000, 4000)]
    assert (pairer.counters.out_of_order, pairer.counters.jumps) == (1, 0)


def test_duplicates_are_dropped() -> None:
    pairer: TemporalPairer[int] = TemporalPairer()
    assert feed(pairer, [0, 0, 100, 100, 100, 200]) == [(0, 100), (100, 200)]
    assert pairer.counters.duplicates == 3


@pytest.mark.parametrize("length", [10, 60])
def test_jump_back_clears_once_and_pairs_after_two_frames(length: int) -> None:
    events = Events()
    pairer: TemporalPairer[int] = TemporalPairer(on_event=events)
    times = [33 * k for k in range(length)]
    expected = list(itertools.pairwise(times))
    assert feed(pairer, times * 3) == expected * 3
    assert pairer.counters.jumps == 2
    assert events.kinds() == ["jump", "jump"]


def test_loop_shorter_than_the_late_limit_is_heard_again() -> None:
    pairer: TemporalPairer[int] = TemporalPairer()
    times = list(range(0, 200, 10))
    first = feed(pairer, times)
    again = feed(pairer, times)
    assert len(first) == 19
    assert again == first[-len(again) :]
    assert len(again) >= 15
    assert pairer.counters.jumps == 1


def test_one_stamp_from_the_future_costs_two_restarts_only() -> None:
    pairer: TemporalPairer[int] = TemporalPairer()
    assert feed(pairer, [0, 100, 99_000, 200, 300]) == [(0, 100), (200, 300)]
    assert (pairer.counters.gaps, pairer.counters.jumps) == (1, 1)


def test_zero_stamps_pair_in_arrival_order_and_warn_once() -> None:
    events = Events()
    pairer: TemporalPairer[str] = TemporalPairer(min_dt=0.01, on_event=events)
    assert [pairer.push(0, name) for name in "abc"] == [
        None,
        Pair("a", "b", 0, 0),
        Pair("b", "c", 0, 0),
    ]
    assert pairer.counters.zero_stamps == 3
    pairer.clear()
    pairer.push(0, "d")
    assert events.kinds() == ["zero_stamp"]


def test_a_clock_that_starts_late_and_one_that_restarts_at_zero() -> None:
    pairer: TemporalPairer[str] = TemporalPairer()
    stamps = [0, 0, START, START + 30 * MS, 0, 30 * MS]
    pairs = [pairer.push(stamp, "frame") for stamp in stamps]
    assert [pair is not None for pair in pairs] == [False, True, False, True, False, True]
    assert (pairer.counters.gaps, pairer.counters.jumps) == (1, 1)


def test_resolution_change_starts_again() -> None:
    events = Events()
    pairer: TemporalPairer[str] = TemporalPairer(on_event=events)
    shapes = [(4, 6), (4, 6), (8, 6), (8, 6)]
    pairs = [pairer.push(START + k * 30 * MS, str(k), shape) for k, shape in enumerate(shapes)]
    assert [pair and (pair.previous, pair.current) for pair in pairs] == [
        None,
        ("0", "1"),
        None,
        ("2", "3"),
    ]
    assert pairer.counters.resolution_changes == 1
    assert events == [("resolution", "image size changed from (4, 6) to (8, 6)")]


def test_clear_forgets_frames_but_not_counters() -> None:
    pairer: TemporalPairer[int] = TemporalPairer()
    feed(pairer, [0, 30])
    pairer.clear()
    assert pairer.waiting == 0
    assert feed(pairer, [0, 30]) == [(0, 30)]
    assert pairer.counters.jumps == 0
    assert pairer.counters.received == 4


@pytest.mark.parametrize(
    "arguments",
    [
        {"stride": 0},
        {"min_dt": -0.1},
        {"min_dt": 2.0, "max_dt": 1.0},
        {"max_dt": math.nan},
        {"min_dt": math.nan},
    ],
)
def test_nonsense_is_refused(arguments: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        TemporalPairer(**arguments)


def broken_stream(rng: random.Random, length: int) -> list[tuple[int, tuple[int, int]]]:
    """Return a camera with every fault at random: (stamp in ns, shape)."""
    period = rng.choice([5, 33, 50]) * MS
    now, shape, frames = START, (4, 6), []
    for _ in range(length):
        now += period
        fault = rng.random()
        stamp = now
        if fault < 0.05:
            stamp = now - rng.randrange(1, 4 * period)  # late
        elif fault < 0.10 and frames:
            stamp = frames[-1][0]  # again
        elif fault < 0.13:
            now -= rng.randrange(10**12)  # the clock goes back
        elif fault < 0.16:
            now += rng.randrange(10**12)  # and forth
        elif fault < 0.19:
            stamp = 0
        elif fault < 0.22:
            shape = rng.choice([(4, 6), (8, 6)])
        elif fault < 0.27:
            now += rng.randrange(5) * period  # lost frames
        frames.append((max(stamp, 0), shape))
    return frames


@pytest.mark.parametrize("seed", range(150))
def test_whatever_the_stream_the_promises_hold(seed: int) -> None:
    rng = random.Random(seed)
    stride = rng.choice([1, 1, 2, 5])
    min_dt, max_dt = rng.choice([(0.0, 1.0), (0.05, 0.3), (0.0, math.inf)])
    events = Events()
    pairer: TemporalPairer[int] = TemporalPairer(stride, min_dt, max_dt, on_event=events)
    stream = broken_stream(rng, 300)
    newest = -1
    jumps = 0
    for index, (stamp, shape) in enumerate(stream):
        pair = pairer.push(stamp, index, shape)
        if pairer.counters.jumps > jumps:  # a new beginning: stamps may be smaller from here on
            jumps, newest = pairer.counters.jumps, -1
            assert pair is None
        assert pairer.waiting <= stride
        if pair is None:
            continue
        assert pair.current == index
        assert pair.previous <= index - stride
        assert (pair.previous_stamp, pair.current_stamp) == (stream[pair.previous][0], stamp)
        assert stream[pair.previous][1] == shape
        assert pair.current_stamp >= newest
        newest = pair.current_stamp
        if (pair.previous_stamp, pair.current_stamp) != (0, 0):
            assert min_dt - 1e-9 <= (stamp - pair.previous_stamp) / 1e9 <= max_dt + 1e-9
    counters = pairer.counters
    assert counters.received == len(stream)
    assert counters.received == counters.paired + counters.started + counters.refused
    restarts = counters.gaps + counters.jumps + counters.resolution_changes
    assert counters.started <= stride * (restarts + 1)
    assert counters.zero_stamps == sum(stamp == 0 for stamp, _shape in stream)
    assert len(events) == restarts + min(1, counters.zero_stamps)
    assert counters.paired > 0


@pytest.mark.parametrize("seed", range(30))
def test_a_clean_stretch_pairs_every_frame_again_whatever_came_before(seed: int) -> None:
    rng = random.Random(seed)
    pairer: TemporalPairer[int] = TemporalPairer()
    for index, (stamp, shape) in enumerate(broken_stream(rng, 50)):
        pairer.push(stamp, index, shape)
    begin = rng.randrange(2 * START)
    paired = [pairer.push(begin + k * 33 * MS, k, (4, 6)) is not None for k in range(20)]
    assert all(paired[5:])  # at most RECENT_STAMPS late frames and a beginning before
