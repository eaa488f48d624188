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

"""Counters, rates and latency, and what diagnostics make of them."""

from __future__ import annotations

import numpy as np
import pytest

from zeroco_ros.media.color import flow_to_color
from zeroco_ros.ros.flow.painter import FlowPainter
from zeroco_ros.ros.metrics import Latency, Metrics, Rate


class Hand:
    """A clock set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_rate_over_the_window() -> None:
    clock = Hand()
    rate = Rate(window=5.0, clock=clock)
    assert (rate.hz, rate.age) == (0.0, None)
    for index in range(41):
        clock.now = index * 0.25
        rate.tick()
    assert rate.hz == pytest.approx(4.0)
    clock.now += 2.0
    assert rate.age == pytest.approx(2.0)
    clock.now += 60.0
    assert rate.hz == 0.0
    assert rate.age == pytest.approx(62.0)


def test_latency_percentiles() -> None:
    latency = Latency(size=100)
    assert latency.summary() is None
    for value in range(1000, 0, -1):  # only the last hundred count: 100 .. 1
        latency.add(float(value))
    middle, high = latency.summary()
    assert middle == pytest.approx(50.5)
    assert high == 96.0


def test_counters_survive_the_object_that_counts() -> None:
    metrics = Metrics(clock=Hand())
    metrics.add("refused")
    metrics.follow(lambda: {"gaps": 3, "unheard_of": 9})
    assert metrics.counts()["gaps"] == 3
    metrics.settle()
    metrics.follow(lambda: {"gaps": 1, "jumps": 2})
    counts = metrics.counts()
    assert (counts["refused"], counts["gaps"], counts["jumps"]) == (1, 4, 2)
    assert "unheard_of" not in counts
    with pytest.raises(KeyError):
        metrics.add("unheard_of")


def test_recent_forgets_what_is_long_ago() -> None:
    clock = Hand()
    metrics = Metrics(recent=10.0, clock=clock)
    metrics.add("refused", 5)
    assert metrics.recent()["refused"] == 5
    for clock.now in (5.0, 10.0, 15.0, 20.0, 25.0):
        recent = metrics.recent()
    assert recent["refused"] == 0
    metrics.add("refused")
    assert metrics.recent()["refused"] == 1


def field(magnitude: float) -> np.ndarray:
    """Return a flow field in every direction up to `magnitude` pixels."""
    axis = np.linspace(-magnitude, magnitude, 81, dtype=np.float32) / np.float32(np.sqrt(2))
    return np.stack(np.meshgrid(axis, axis), axis=-1)


def test_painted_colors_are_the_middlebury_colors() -> None:
    flow = field(15.0)  # beyond the scale in the corners
    painted = FlowPainter(10.0).paint(flow)[..., ::-1].astype(int)
    exact = flow_to_color(flow, 10.0).astype(int)
    length = np.hypot(flow[..., 0], flow[..., 1])
    away_from_rim = np.abs(length - 10.0) > 0.1
    assert np.abs(painted - exact)[away_from_rim].max() <= 8
    assert (painted[40, 40] == 255).all()


def test_the_scale_follows_the_scene_without_flicker() -> None:
    painter = FlowPainter()
    for _ in range(30):
        painter.paint(field(40.0))
    settled = painter.paint(field(10.0))
    # One calm picture among fast ones keeps nearly the old scale: it is pale, not saturated.
    assert settled.min() > FlowPainter(10.0).paint(field(10.0)).min() + 100
    for _ in range(200):
        painter.paint(field(10.0))
    later = painter.paint(field(10.0)).astype(int)
    assert np.abs(later - FlowPainter(10.0).paint(field(10.0))).mean() < 5


def test_a_scene_that_stands_still_is_white() -> None:
    assert FlowPainter().paint(field(0.05)).min() > 240
