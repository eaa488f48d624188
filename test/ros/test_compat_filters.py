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

"""The stand-in for message_filters pairs as the original does."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="rclpy is not importable: no ROS 2 here")

from rclpy.clock import ClockType
from rclpy.qos import qos_profile_sensor_data
from rclpy.time import Time
import ros_harness
from sensor_msgs.msg import Image

from zeroco_ros.ros import compat
from zeroco_ros.ros.stand_in_filters import (
    ApproximateTimeSynchronizer,
    Cache,
    SimpleFilter,
    Subscriber,
    TimeSynchronizer,
)

MS = 1_000_000


class Message:
    """A stamped message, told apart by its text."""

    def __init__(self, milliseconds: float, text: str = "") -> None:
        self.header = ros_harness.make_header(round(milliseconds * MS))
        self.text = text or f"{milliseconds:g}"


class Rig:
    """Input filters, a synchronizer and what came out of it, as texts."""

    def __init__(self, inputs: int, build: Any) -> None:
        self.filters = [SimpleFilter() for _ in range(inputs)]
        self.out: list[tuple[str, ...]] = []
        self.synchronizer = build(self.filters)
        self.synchronizer.registerCallback(lambda *m: self.out.append(tuple(x.text for x in m)))

    def send(self, index: int, *milliseconds: float) -> None:
        for time in milliseconds:
            self.filters[index].signalMessage(Message(time))


def test_equal_stamps_come_out_together_in_order_of_the_inputs() -> None:
    rig = Rig(3, lambda filters: TimeSynchronizer(filters, 5))
    rig.send(2, 1, 2, 3)
    rig.send(0, 2, 3)
    rig.send(1, 3, 2, 9)
    assert rig.out == [("3", "3", "3"), ("2", "2", "2")]


def test_full_queue_loses_its_oldest_stamp() -> None:
    rig = Rig(2, lambda filters: TimeSynchronizer(filters, 2))
    rig.send(0, 1, 2, 3)
    rig.send(1, 1, 2, 3)
    assert rig.out == [("2", "2"), ("3", "3")]


def test_approximate_takes_the_closest_partner_within_the_slop() -> None:
    rig = Rig(2, lambda filters: ApproximateTimeSynchronizer(filters, 10, 0.010))
    rig.send(0, 100, 104, 130)
    rig.send(1, 105, 115.5)
    assert rig.out == [("104", "105")]
    rig.send(1, 97)
    assert rig.out[1:] == [("100", "97")]


def test_approximate_difference_must_be_less_than_the_slop() -> None:
    rig = Rig(2, lambda filters: ApproximateTimeSynchronizer(filters, 10, 0.010))
    rig.send(0, 100)
    rig.send(1, 110)
    assert rig.out == []
    rig.send(1, 109.999)
    assert rig.out == [("100", "109.999")]


def test_approximate_bounds_the_spread_over_all_inputs() -> None:
    rig = Rig(3, lambda filters: ApproximateTimeSynchronizer(filters, 10, 0.010))
    rig.send(0, 100)
    rig.send(1, 108)
    rig.send(2, 117)  # near to the second, far from the first
    assert rig.out == []
    rig.send(2, 109)
    assert rig.out == [("100", "108", "109")]


def test_each_message_is_used_once() -> None:
    rig = Rig(2, lambda filters: ApproximateTimeSynchronizer(filters, 10, 0.010))
    rig.send(0, 100)
    rig.send(1, 101, 102)
    rig.send(0, 103)
    assert rig.out == [("100", "101"), ("103", "102")]


def test_old_stamps_starve_the_stream_after_a_jump_back_and_a_new_synchronizer_does_not() -> None:
    """The behavior of the real one, and why a jump asks for a new synchronizer (FAULTS row 4)."""
    filters = [SimpleFilter(), SimpleFilter()]
    out: list[Any] = []

    def build() -> Any:
        for each in filters:
            each.callbacks.clear()
        return compat.build_synchronizer(filters, 5, 0.01, lambda *pair: out.append(pair))

    build()
    for time in range(1000, 1500, 100):  # the left camera runs alone: its queue is full
        filters[0].signalMessage(Message(time))
    for time in (0, 100, 200):
        for each in filters:
            each.signalMessage(Message(time))
    assert out == []
    build()
    for time in (0, 100, 200):
        for each in filters:
            each.signalMessage(Message(time))
    assert len(out) == 3


def test_build_synchronizer_with_zero_slop_asks_for_equal_stamps() -> None:
    filters = [SimpleFilter(), SimpleFilter()]
    out: list[Any] = []
    compat.build_synchronizer(filters, 5, 0.0, lambda a, b: out.append((a.text, b.text)))
    for time in (1, 2):
        filters[0].signalMessage(Message(time))
    filters[1].signalMessage(Message(1.5))
    filters[1].signalMessage(Message(2))
    assert out == [("2", "2")]


def test_a_callback_that_raises_leaves_the_synchronizer_usable() -> None:
    filters = [SimpleFilter(), SimpleFilter()]
    synchronizer = ApproximateTimeSynchronizer(filters, 5, 0.01)
    calls: list[str] = []

    def callback(left: Message, _right: Message) -> None:
        calls.append(left.text)
        raise ValueError("the user's fault")

    synchronizer.registerCallback(callback)
    for time in (1, 100):
        filters[0].signalMessage(Message(time))
        with pytest.raises(ValueError, match="the user's fault"):
            filters[1].signalMessage(Message(time))
    assert calls == ["1", "100"]


def test_headerless_messages_are_refused_or_stamped_with_now() -> None:
    bare = SimpleNamespace(text="bare")
    for allowed, expected in ((False, 0), (True, 1)):
        filters = [SimpleFilter(), SimpleFilter()]
        out: list[Any] = []
        synchronizer = ApproximateTimeSynchronizer(filters, 5, 100.0, allow_headerless=allowed)
        synchronizer.registerCallback(lambda *pair, out=out: out.append(pair))
        filters[0].signalMessage(bare)
        filters[1].signalMessage(bare)
        assert len(out) == expected


def test_callbacks_get_their_extra_arguments() -> None:
    source = SimpleFilter()
    out: list[Any] = []
    source.registerCallback(lambda *all_of_it: out.append(all_of_it), "extra", 7)
    source.signalMessage("a", "b")
    assert out == [("a", "b", "extra", 7)]


def test_cache_keeps_the_newest_and_answers_by_time() -> None:
    def at(milliseconds: int) -> Time:
        return Time(nanoseconds=milliseconds * MS, clock_type=ClockType.ROS_TIME)

    source = SimpleFilter()
    cache = Cache(source, cache_size=3)
    assert cache.getLast() is None
    assert cache.getOldestTime() is None
    for time in (10, 20, 30, 40):
        source.signalMessage(Message(time))
    assert [m.text for m in cache.getInterval(at(15), at(35))] == ["20", "30"]
    assert cache.getElemAfterTime(at(25)).text == "30"
    assert cache.getElemBeforeTime(at(25)).text == "20"
    assert cache.getElemBeforeTime(at(5)) is None
    assert cache.getElemAfterTime(at(45)) is None
    assert (cache.getOldestTime(), cache.getLastestTime()) == (at(20), at(40))
    assert cache.getLast().text == "40"


def test_subscribers_feed_a_synchronizer_over_real_topics(probe: ros_harness.Probe) -> None:
    sensor = qos_profile_sensor_data
    left = Subscriber(probe.node, Image, "left/image", qos_profile=sensor)
    right = Subscriber(probe.node, Image, "right/image")
    out: list[Any] = []
    synchronizer = TimeSynchronizer([left, right], 10)
    synchronizer.registerCallback(lambda a, b: out.append((a.header, b.header)))
    assert left.getTopic() == "left/image"
    assert left.topic_name.endswith("/left/image")  # the subscription's own attributes
    publishers = [probe.publisher(Image, f"{side}/image") for side in ("left", "right")]
    probe.wait_connected(*publishers, left.sub, right.sub)
    header = ros_harness.make_header(55, "rig")
    for publisher in publishers:
        publisher.publish(Image(header=header))
    probe.wait_until(lambda: out, "a pair")
    assert out == [(header, header)]
