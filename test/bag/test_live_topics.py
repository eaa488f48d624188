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

"""A bag played into real topics: every message, byte for byte, in order, with its clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
import sys
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "ros"))
import ros_harness

from zeroco_ros.bag.header import read_header
from zeroco_ros.bag.reader import BagReader
from zeroco_ros.bag.records import Definition, OfferedQos
from zeroco_ros.bag.writer import BagWriter, message_class
from zeroco_ros.errors import BagError, ConfigError

ros_harness.isolate()
pytest.importorskip("rclpy", reason="rclpy is not importable: no ROS 2 here")

STRING = message_class("std_msgs/msg/String")
STEP_NS = 20_000_000


@pytest.fixture
def probe() -> Iterator[ros_harness.Probe]:
    node = ros_harness.Probe()
    yield node
    node.close()


class Listener:
    """Everything heard on some topics, in the order of arrival."""

    def __init__(self, probe: ros_harness.Probe, topics: dict[str, Any], depth: int = 200) -> None:
        from rclpy.qos import QoSProfile, ReliabilityPolicy

        self.heard: list[tuple[str, Any]] = []
        quality = QoSProfile(depth=depth, reliability=ReliabilityPolicy.RELIABLE)
        self.subscriptions = [
            probe.node.create_subscription(
                kind, name, lambda m, name=name: self.heard.append((name, m)), quality, raw=raw
            )
            for name, (kind, raw) in topics.items()
        ]

    def of(self, topic: str) -> list[Any]:
        return [message for name, message in self.heard if name == topic]


def play_to(probe: ros_harness.Probe, path: Path, **options: Any) -> Any:
    """play_bag in this thread while the probe listens on its own."""
    from zeroco_ros.ros.bag_player import play_bag
    from zeroco_ros.ros.recorder import Spinner

    with Spinner(probe.node):
        return play_bag(path, progress=False, wait=10.0, **options)


@pytest.fixture
def image_bag(make_bag: Callable[..., Path]) -> Path:
    """60 pictures of 640x480, far larger than one datagram, reliable."""
    path = make_bag("pictures", frames=0)
    with BagReader(make_bag("source", frames=1)) as reader:
        image = reader.decode(next(reader.messages(["/image"])))
    image.height, image.width, image.step = 480, 640, 640
    image.data = np.random.default_rng(1).integers(0, 256, 640 * 480, dtype=np.uint8)
    with BagWriter(path, overwrite=True) as writer:
        for index in range(60):
            image.header.stamp.nanosec = index * STEP_NS % 10**9
            image.header.stamp.sec = 7 + index * STEP_NS // 10**9
            writer.write_message("/image", 7 * 10**9 + index * STEP_NS, image)
    return path


def test_all_messages_arrive_unchanged_with_the_clock_before_each(
    probe: ros_harness.Probe, image_bag: Path
) -> None:
    from rosgraph_msgs.msg import Clock
    from sensor_msgs.msg import Image

    with BagReader(image_bag) as reader:
        sent = list(reader)
    clock = Listener(probe, {"/clock": (Clock, False)})
    pictures = Listener(probe, {"/image": (Image, True)})
    done = play_to(probe, image_bag)
    probe.wait_until(lambda: len(clock.heard) >= 60, "60 clocks")
    probe.wait_until(lambda: len(pictures.heard) >= 60, "60 pictures")
    assert done.counts == {"/image": 60}
    assert [bytes(data) for data in pictures.of("/image")] == [m.data for m in sent]
    stamps = [m.clock.sec * 10**9 + m.clock.nanosec for m in clock.of("/clock")]
    assert stamps == [m.stamp_ns for m in sent]
    assert done.seconds >= 58 * STEP_NS / 1e9


def test_the_clock_is_sent_first(probe: ros_harness.Probe, make_bag: Callable[..., Path]) -> None:
    """What is promised is the order of sending; topics may overtake each other on their way."""
    from zeroco_ros.bag.player import Pace, play
    from zeroco_ros.ros.bag_player import TopicSink

    order: list[str] = []
    with BagReader(make_bag()) as reader:
        sink = TopicSink(probe.node, reader.topics.values())
        for name, publisher in [("clock", sink._clock), *sink.publishers.items()]:
            spied = publisher.publish
            publisher.publish = lambda m, n=name, p=spied: (order.append(n), p(m))
        play(reader, sink, Pace(rate=float("inf")))
    assert order == ["clock", "/image", "clock", "/text"] * 10


def test_topics_remap_and_no_clock(
    probe: ros_harness.Probe, make_bag: Callable[..., Path]
) -> None:
    from rosgraph_msgs.msg import Clock
    from std_msgs.msg import String

    topics = {"/notes": (String, False), "/text": (String, False), "/clock": (Clock, False)}
    listener = Listener(probe, topics)
    done = play_to(
        probe, make_bag(), topics=["/text"], remap={"/text": "/notes"}, clock=False, rate=20.0
    )
    probe.wait_until(lambda: len(listener.of("/notes")) >= 10, "10 notes")
    assert [m.data for m in listener.of("/notes")] == [f"note {i}" for i in range(10)]
    assert listener.of("/text") == listener.of("/clock") == []
    assert done.counts == {"/text": 10}


def test_quality_of_service_is_the_recorded_one(tmp_path: Path) -> None:
    from rclpy.qos import DurabilityPolicy, ReliabilityPolicy

    from zeroco_ros.ros.bag_player import profile

    recorded = profile(OfferedQos("best_effort", "transient_local", 3))
    assert recorded.reliability == ReliabilityPolicy.BEST_EFFORT
    assert recorded.durability == DurabilityPolicy.TRANSIENT_LOCAL
    assert recorded.depth == 3
    unknown = profile(OfferedQos())
    assert unknown.reliability == ReliabilityPolicy.RELIABLE
    assert unknown.durability == DurabilityPolicy.VOLATILE
    assert unknown.depth == 10


def test_a_type_without_python_package_is_skipped_with_one_warning(
    probe: ros_harness.Probe, tmp_path: Path
) -> None:
    from std_msgs.msg import String

    # A topic of its own: on /text the player could still see an earlier test's listener.
    ant = Definition("ros2msg", "int32 legs\n")
    with BagWriter(tmp_path / "zoo") as writer:
        writer.add_topic("/ant", "zoo_msgs/msg/Ant", definition=ant, type_hash="RIHS01_0")
        for index in range(5):
            writer.write("/ant", "zoo_msgs/msg/Ant", index, b"\x00\x01\x00\x00\x06\x00\x00\x00")
            writer.write_message("/zoo/text", index, STRING(data=str(index)))
    heard: list[str] = []
    listener = Listener(probe, {"/zoo/text": (String, False)})
    done = play_to(probe, tmp_path / "zoo", on_warning=heard.append)
    probe.wait_until(lambda: len(listener.heard) >= 5, "5 messages")
    assert done.counts == {"/zoo/text": 5}
    (warning,) = heard
    assert "/ant" in warning
    assert "zoo_msgs/msg/Ant" in warning
    with pytest.raises(BagError, match="none of its topics"):
        play_to(probe, tmp_path / "zoo", topics=["/ant"])


def test_names_that_do_not_exist_are_refused(
    probe: ros_harness.Probe, make_bag: Callable[..., Path]
) -> None:
    bag = make_bag()
    with pytest.raises(ConfigError, match="/nose: the bag plays /image, /text"):
        play_to(probe, bag, remap={"/nose": "/x"})
    with pytest.raises(ConfigError, match="no topic name"):
        play_to(probe, bag, remap={"/text": "/with space"})


def test_loop_until_told_to_stop(probe: ros_harness.Probe, make_bag: Callable[..., Path]) -> None:
    from std_msgs.msg import String

    listener = Listener(probe, {"/text": (String, False)})
    done = play_to(
        probe,
        make_bag(),
        topics=["/text"],
        rate=20.0,
        loop=True,
        stopped=lambda: len(listener.heard) >= 25,
    )
    assert done.passes >= 3
    texts = [m.data for m in listener.of("/text")[:25]]
    assert texts == [f"note {i % 10}" for i in range(25)]


def test_recorder_gets_bytes_header_and_time(
    probe: ros_harness.Probe, make_bag: Callable[..., Path]
) -> None:
    bag = make_bag(frames=4)
    with BagReader(bag) as reader:
        sent = list(reader.messages(["/image"]))
    from zeroco_ros.ros.recorder import TopicRecorder

    heard: list[Any] = []
    with BagWriter(bag.parent / "reliable") as writer:
        for message in sent:
            writer.write(message.topic, message.type, message.stamp_ns, message.data)
    recorder = TopicRecorder(probe.node, {"/image": "sensor_msgs/msg/Image"}, heard.append)
    play_to(probe, bag.parent / "reliable")
    probe.wait_until(lambda: len(heard) >= 4, "4 pictures")
    recorder.close()
    assert [bytes(r.data) for r in heard] == [m.data for m in sent]
    assert [r.header for r in heard] == [read_header(m.data) for m in sent]
    assert {r.header.frame_id for r in heard} == {"camera"}
    arrivals = [r.arrival for r in heard]
    assert arrivals == sorted(arrivals)


def test_a_node_goes_back_to_the_executor_that_it_came_from(probe: ros_harness.Probe) -> None:
    """A node has one executor: left without any, it would hear nothing after the block."""
    from std_msgs.msg import String

    from zeroco_ros.ros.recorder import Spinner

    listener = Listener(probe, {"/after": (String, False)})
    with Spinner(probe.node):
        assert probe.node.executor is not probe.executor
    assert probe.node.executor is probe.executor
    publisher = probe.publisher(String, "/after")
    probe.wait_connected(publisher, *listener.subscriptions)
    publisher.publish(String(data="heard"))
    probe.wait_until(lambda: listener.heard, "a message after the block")
