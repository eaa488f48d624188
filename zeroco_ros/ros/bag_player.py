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

"""A bag into live topics: raw CDR bytes at the bag's pace, /clock before each message."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
import time
from typing import Any

import rclpy
from rclpy.duration import Duration
from rclpy.exceptions import InvalidTopicNameException
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rosgraph_msgs.msg import Clock
from tqdm import tqdm

from zeroco_ros.bag.player import NANOSECONDS, Pace, play, Playback
from zeroco_ros.bag.reader import BagReader
from zeroco_ros.bag.records import BagMessage, OfferedQos, Topic
from zeroco_ros.errors import BackendError, BagError, ConfigError
from zeroco_ros.ros.message_types import message_class

DEPTH = 10
CLOCK_TOPIC = "/clock"
_LAST_WORDS = 5.0  # seconds for lost messages to be sent again: Fast DDS asks every 3 s
_LINGER = 0.5  # the same for best-effort topics, which nobody acknowledges
_LOOK = 0.02  # seconds between looks at who subscribes
# A subscriber is counted here up to 0.3 s before it knows this publisher (on a busy machine). What
# a reliable one misses meanwhile is sent again; for a best-effort one it is lost.
_INTRODUCTION = 0.6  # seconds
_SETTLED = 1.0  # seconds without a new subscription: those that were coming have come


class TopicSink:
    """
    Publishes the messages of a bag (a `bag.player.Sink`).

    topics: what will be played; remap: topic of the bag -> name to publish under; clock: publish
    the bag's time on /clock. A type whose Python messages are not installed is skipped; `skipped`
    maps such topics to the reason. Raises ConfigError for a name that ROS does not allow.
    """

    def __init__(
        self,
        node: Node,
        topics: Iterable[Topic],
        *,
        remap: Mapping[str, str] | None = None,
        clock: bool = True,
    ) -> None:
        self._node = node
        self.skipped: dict[str, str] = {}
        self.publishers: dict[str, Publisher] = {}
        self._clock = node.create_publisher(Clock, CLOCK_TOPIC, 10) if clock else None
        for topic in topics:
            name = (remap or {}).get(topic.name, topic.name)
            try:
                self.publishers[topic.name] = node.create_publisher(
                    message_class(topic.type), name, profile(topic.qos)
                )
            except BackendError as error:
                self.skipped[topic.name] = str(error)
            except InvalidTopicNameException as error:
                raise ConfigError(
                    f"{name!r} is no topic name: use letters, digits, _ and /, as in /camera/image"
                ) from error

    def clock(self, stamp_ns: int) -> None:
        """Publish the bag's time, if asked for."""
        if self._clock is not None:
            message = Clock()
            message.clock.sec, message.clock.nanosec = divmod(stamp_ns, NANOSECONDS)
            self._clock.publish(message)

    def publish(self, message: BagMessage) -> None:
        """Publish the CDR bytes as they are."""
        self.publishers[message.topic].publish(message.data)

    def wait_for_subscribers(self, seconds: float) -> bool:
        """
        Wait until every topic has a subscriber, or those that come have come.

        Then a moment more (0.6 s), so that these know the publishers as well and get the first
        message. Returns whether anybody listens; without a subscriber after `seconds`.
        """
        end = time.monotonic() + seconds
        before, changed = 0, time.monotonic()
        while True:
            connected = [p for p in self.publishers.values() if p.get_subscription_count()]
            now = time.monotonic()
            if len(connected) != before:
                before, changed = len(connected), now
            settled = bool(connected) and now - changed >= _SETTLED
            if len(connected) == len(self.publishers) or settled or now >= end:
                if connected:
                    time.sleep(_INTRODUCTION)
                return bool(connected)
            time.sleep(min(_LOOK, max(0.0, end - now)))

    def finish(self) -> None:
        """Give what was published last the time to arrive."""
        best_effort = False
        for publisher in self.publishers.values():
            if not publisher.get_subscription_count():
                continue
            if publisher.qos_profile.reliability == ReliabilityPolicy.RELIABLE:
                publisher.wait_for_all_acked(Duration(seconds=_LAST_WORDS))
            else:
                best_effort = True
        if best_effort:
            time.sleep(_LINGER)


def play_bag(
    path: Any,
    *,
    rate: float = 1.0,
    loop: bool = False,
    clock: bool = True,
    topics: Collection[str] | None = None,
    remap: Mapping[str, str] | None = None,
    start: float = 0.0,
    duration: float | None = None,
    wait: float = 5.0,  # Fast DDS announces a process every 3 s
    progress: bool = True,
    on_warning: Callable[[str], None] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Playback:
    """
    Play a bag into live topics until its end, `stopped` or KeyboardInterrupt; what was played.

    rate, loop, start, duration: see `bag.player.Pace`. clock: publish /clock (a /clock inside the
    bag is then left out). topics: names to play, None for all. remap: name in the bag -> name to
    publish under. wait: seconds to wait at most for subscribers, see `wait_for_subscribers`.
    progress: show a bar where stderr is a terminal. on_warning: called with one line per thing
    that is odd.

    A KeyboardInterrupt ends the playing and sets `interrupted`. Raises BagError for a bag that
    cannot be played, ConfigError for nonsense options.
    """
    pace = Pace(rate, start, duration, loop)
    done = Playback()
    with BagReader(path, topics, on_warning=on_warning) as reader, player_node() as node:
        chosen = [t for t in reader.topics.values() if not (clock and t.name == CLOCK_TOPIC)]
        _check_remap(remap or {}, reader)
        sink = TopicSink(node, chosen, remap=remap, clock=clock)
        _tell_skipped(sink, reader, on_warning or (lambda text: None))
        try:
            sink.wait_for_subscribers(wait)
            with _bar(reader, sink, pace, progress) as bar:
                counted = _Counted(sink, bar)
                play(reader, counted, pace, topics=sink.publishers, stopped=stopped, done=done)
            sink.finish()
        except KeyboardInterrupt:
            done.interrupted = True
        done.complete = reader.complete
    return done


@contextmanager
def player_node(namespace: str = "") -> Iterator[Node]:
    """Yield a node to play from, in a context of its own that leaves signals alone."""
    context = rclpy.Context()
    rclpy.init(context=context, signal_handler_options=SignalHandlerOptions.NO)
    node = rclpy.create_node(
        "bag_player",
        namespace=namespace,
        context=context,
        start_parameter_services=False,
        enable_rosout=False,
    )
    try:
        yield node
    finally:
        node.destroy_node()
        context.try_shutdown()


def profile(offered: OfferedQos) -> QoSProfile:
    """Keep-last QoS to publish with: as recorded, reliable and volatile where that is unknown."""
    best_effort = offered.reliability == "best_effort"
    latched = offered.durability == "transient_local"
    return QoSProfile(
        depth=offered.depth or DEPTH,
        reliability=ReliabilityPolicy.BEST_EFFORT if best_effort else ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )


class _Counted:
    """A sink that moves a progress bar."""

    def __init__(self, sink: TopicSink, bar: Any) -> None:
        self._sink, self._bar = sink, bar

    def clock(self, stamp_ns: int) -> None:
        self._sink.clock(stamp_ns)

    def publish(self, message: BagMessage) -> None:
        self._sink.publish(message)
        self._bar.update()


def _bar(reader: BagReader, sink: TopicSink, pace: Pace, progress: bool) -> Any:
    """Return a bar that knows its end only where that is simple to know."""
    whole = pace.start == 0 and pace.duration is None and not pace.loop
    total = sum(reader.topics[name].count for name in sink.publishers) if whole else None
    # disable=None: off where stderr is no terminal
    return tqdm(total=total, unit="msg", desc="playing", disable=None if progress else True)


def _tell_skipped(sink: TopicSink, reader: BagReader, tell: Callable[[str], None]) -> None:
    for name, reason in sink.skipped.items():
        tell(f"{name} is not played: {reason}")
    if not sink.publishers:
        if not reader.topics:
            raise BagError(f"{reader.path} holds no topics")
        raise BagError(f"{reader.path}: none of its topics can be published here")


def _check_remap(remap: Mapping[str, str], reader: BagReader) -> None:
    unknown = [name for name in remap if name not in reader.topics]
    if unknown:
        raise ConfigError(
            f"cannot remap {', '.join(unknown)}: the bag plays {', '.join(reader.topics)}"
        )
