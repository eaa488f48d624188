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

"""Live topics into a bag: raw CDR bytes, with the quality of service their publishers offer."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
import time

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rosgraph_msgs.msg import Clock

from zeroco_ros.bag.choices import Compression, StorageName
from zeroco_ros.bag.records import OfferedQos
from zeroco_ros.bag.writer import BagWriter
from zeroco_ros.errors import BackendError, BagError
from zeroco_ros.ros.message_types import message_class

CLOCK_TOPIC = "/clock"
HISTORY = 200  # messages kept per topic while the disk is slow
OWN_TO_ROS = ("/rosout", "/parameter_events")  # left out where everything is recorded
_LOOK = 0.1  # seconds between looks for topics that are new
_LAST_WORDS = 2.0  # seconds at most for what has arrived when the recording ends
_NANOSECONDS = 1_000_000_000


@dataclass
class Recording:
    """
    What was recorded.

    path: the bag; counts: messages per topic; missing: wanted topics on which nothing came.
    """

    path: Path
    counts: dict[str, int] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """Messages in the bag."""
        return sum(self.counts.values())


class BagRecorder:
    """
    Subscribes to topics as their publishers appear and writes what comes.

    topics: full names; None records every topic but those that belong to ROS itself. sim_time:
    stamp messages with /clock instead of the machine's clock; what comes before the first /clock
    gets its time. on_warning: called with one line about a topic that cannot be recorded.
    """

    def __init__(
        self,
        node: Node,
        writer: BagWriter,
        topics: Collection[str] | None,
        *,
        sim_time: bool = False,
        on_warning: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._node, self._writer, self._topics = node, writer, topics
        self._on_warning = on_warning
        self._known: set[str] = set()
        self._early: list[tuple[str, str, bytes]] = []
        self._clock: int | None = None
        self._sim_time = sim_time
        if sim_time:
            node.create_subscription(Clock, CLOCK_TOPIC, self._take_clock, 10)

    def look(self) -> None:
        """Subscribe to the wanted topics that have a publisher by now."""
        for name, kinds in self._node.get_topic_names_and_types():
            wanted = name not in OWN_TO_ROS if self._topics is None else name in self._topics
            if not wanted or name in self._known:
                continue
            publishers = self._node.get_publishers_info_by_topic(name)
            if publishers:
                self._known.add(name)
                self._subscribe(name, kinds[0], publishers)

    @property
    def total(self) -> int:
        """Return the number of messages taken so far."""
        return sum(self._writer.counts.values()) + len(self._early)

    def finish(self) -> None:
        """Write what has waited in vain for a time."""
        self._take_time(0)

    def _subscribe(self, name: str, kind: str, publishers: list) -> None:
        offered = [publisher.qos_profile for publisher in publishers]
        reliable = all(q.reliability == ReliabilityPolicy.RELIABLE for q in offered)
        latched = all(q.durability == DurabilityPolicy.TRANSIENT_LOCAL for q in offered)
        quality = OfferedQos(
            "reliable" if reliable else "best_effort",
            "transient_local" if latched else "volatile",
            max(1, *(q.depth for q in offered)),
        )
        try:
            self._writer.add_topic(name, kind, qos=quality)
            message = message_class(kind)
        except (BagError, BackendError) as error:
            self._on_warning(f"{name} is not recorded: {error}")
            return
        profile = QoSProfile(
            depth=HISTORY,
            reliability=ReliabilityPolicy[quality.reliability.upper()],
            durability=DurabilityPolicy[quality.durability.upper()],
        )
        take = partial(self._take, name, kind)
        self._node.create_subscription(message, name, take, profile, raw=True)

    def _take(self, topic: str, kind: str, data: bytes) -> None:
        if not self._sim_time:
            self._writer.write(topic, kind, self._node.get_clock().now().nanoseconds, data)
        elif self._clock is None:
            self._early.append((topic, kind, data))
        else:
            self._writer.write(topic, kind, self._clock, data)

    def _take_clock(self, message: Clock) -> None:
        self._take_time(message.clock.sec * _NANOSECONDS + message.clock.nanosec)

    def _take_time(self, stamp_ns: int) -> None:
        self._clock = stamp_ns
        for topic, kind, data in self._early:
            self._writer.write(topic, kind, stamp_ns, data)
        self._early.clear()


def record_bag(
    path: str | Path,
    topics: Collection[str] | None,
    *,
    sim_time: bool = False,
    storage: StorageName = "mcap",
    compression: Compression = "none",
    stopped: Callable[[], bool],
    on_warning: Callable[[str], None] = lambda text: None,
) -> Recording:
    """
    Record live topics into a new bag until `stopped` says so.

    path: the bag's folder, which must not exist; it appears when all is written. topics, sim_time:
    see `BagRecorder`. Raises BagError where the bag cannot be written.
    """
    context = rclpy.Context()
    rclpy.init(context=context, signal_handler_options=SignalHandlerOptions.NO)
    node = rclpy.create_node(
        "bag_recorder", context=context, start_parameter_services=False, enable_rosout=False
    )
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    try:
        with BagWriter(path, storage=storage, compression=compression) as writer:
            recorder = BagRecorder(node, writer, topics, sim_time=sim_time, on_warning=on_warning)
            _spin(executor, recorder, stopped)
            recorder.finish()
    finally:
        executor.shutdown()
        node.destroy_node()
        context.try_shutdown()
    empty = tuple(name for name in topics or () if not writer.counts.get(name))
    return Recording(writer.path, dict(writer.counts), empty)


def _spin(
    executor: SingleThreadedExecutor,
    recorder: BagRecorder,
    stopped: Callable[[], bool],
) -> None:
    """Take messages; look for new topics in between."""
    looked = 0.0
    while not stopped():
        if time.monotonic() - looked >= _LOOK:
            recorder.look()
            looked = time.monotonic()
        executor.spin_once(_LOOK)
    _drain(executor, recorder)


def _drain(executor: SingleThreadedExecutor, recorder: BagRecorder) -> None:
    """Take what has arrived already, for 2 s at most."""
    end = time.monotonic() + _LAST_WORDS
    quiet = 0
    while quiet < 3 and time.monotonic() < end:  # the clock and graph events come between
        before = recorder.total
        executor.spin_once(_LOOK / 2)
        quiet = 0 if recorder.total > before else quiet + 1
