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

"""Level and words of a diagnostics message: each reason, and as docs/DIAGNOSTICS.md has it."""

from __future__ import annotations

import re
from typing import Any

import pytest
import ros_harness

pytest.importorskip("rclpy", reason="rclpy is not importable: no ROS 2 here")

from zeroco_ros.ros.diagnostics import assess, Condition, ERROR, OK, WARN
from zeroco_ros.ros.metrics import Metrics

LEVELS = {OK: "OK", WARN: "WARN", ERROR: "ERROR"}
PAGE = (ros_harness.ROOT / "docs" / "DIAGNOSTICS.md").read_text(encoding="utf-8")


class Hand:
    """A clock set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def condition(**changes: Any) -> Condition:
    """Return a node at work, of which nothing is wrong."""
    well: dict[str, Any] = {
        "state": "active",
        "configure_error": "",
        "clock_silent": False,
        "input_timeout": 5.0,
        "incompatible": "",
        "topics": {"/cam/image": 1, "/cam/camera_info": 1},
        "cameras": {"/cam/image"},
        "listening_for": 1.0,
        "wanted": {"flow"},
        "queue": 0,
        "waiting": 0,
        "model": {"device": "cpu"},
    }
    return Condition(**{**well, **changes})


def metrics(**counts: int) -> Metrics:
    """Return what was counted lately; images come."""
    found = Metrics(clock=Hand())
    found.last_error = "the last words"
    found.input_rate.tick()
    for name, count in counts.items():
        found.add("in" if name == "in_" else name, count)
    return found


CASES = [
    (condition(), metrics(in_=9, out=8), OK, "running"),
    (condition(listening_for=None), metrics(), OK, "idle: nobody subscribes to an output"),
    (condition(state="inactive"), metrics(failed=3), OK, "inactive"),
    (condition(state="unconfigured"), metrics(), WARN, "unconfigured"),
    (condition(state="unconfigured", doing="x"), metrics(), WARN, "configuring: x"),
    (condition(state="unconfigured", configure_error="x"), metrics(), ERROR, "not configured: x"),
    (condition(clock_silent=True), metrics(), WARN, "use_sim_time is set and /clock is silent"),
    (
        condition(listening_for=7.0),
        Metrics(clock=Hand()),
        WARN,
        "no image for 7 s on /cam/image (1 publishers)",
    ),
    (condition(incompatible="x"), metrics(incompatible_qos=1), WARN, "incompatible QoS: x"),
    (
        condition(),
        metrics(in_=90, paired=80, out=30, dropped=50),
        WARN,
        "too slow for the input: 50 of 80 frames dropped",
    ),
    (
        condition(),
        metrics(in_=9, refused=4),
        WARN,
        "4 of 9 images refused lately: the last words",
    ),
    (
        condition(),
        metrics(in_=9, refused=9),
        ERROR,
        "9 of 9 images refused lately: the last words",
    ),
    (
        condition(),
        metrics(non_finite=2, failed=1),
        ERROR,
        "3 results failed lately: the last words",
    ),
    (condition(), metrics(faults=1), ERROR, "1 unexpected errors lately: the last words"),
    (condition(state="inactive", gave_up="x"), metrics(), ERROR, "deactivated: x"),
    (condition(trouble="the engine is damaged"), metrics(), ERROR, "the engine is damaged"),
]


@pytest.mark.parametrize(("state", "counted", "level", "words"), CASES, ids=lambda value: "")
def test_each_reason_has_its_level(
    state: Condition, counted: Metrics, level: bytes, words: str
) -> None:
    assert assess(state, counted) == (level, words)


@pytest.mark.parametrize(("_state", "_counted", "level", "words"), CASES[:-1], ids=lambda _: "")
def test_each_reason_is_documented_with_its_level(
    _state: Condition, _counted: Metrics, level: bytes, words: str
) -> None:
    rows = re.findall(r"^\| ([A-Z or]+) \| (.+?) \|", PAGE, re.MULTILINE)
    start = re.sub(r"\d+", "N", words.partition(":")[0]).replace(" of N", " of M")
    start = start.partition(" on ")[0]
    found = [levels for levels, text in rows if start in text]
    assert any(LEVELS[level] in levels.split(" or ") for levels in found), start


def test_the_worst_level_counts_and_all_reasons_are_told() -> None:
    both = condition(clock_silent=True, incompatible="x")
    level, words = assess(both, metrics(incompatible_qos=1, failed=1))
    assert level == ERROR
    assert words.split("; ") == [
        "use_sim_time is set and /clock is silent",
        "1 results failed lately: the last words",
        "incompatible QoS: x",
    ]


def test_what_was_long_ago_is_no_reason_any_more() -> None:
    hand = Hand()
    counted = Metrics(clock=hand)
    counted.add("refused")
    counted.add("in")
    look = lambda: assess(condition(listening_for=1.0), counted)[1]  # noqa: E731
    assert "refused lately" in look()
    for _ in range(5):
        hand.now += 4.0
        counted.input_rate.tick()
        last = look()
    assert last == "running"
