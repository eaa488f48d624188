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

"""
Stand-ins for message_filters, which PyPI does not have: same names, signatures and pairing.

They behave like the Python message_filters of Humble to Kilted for every sequence of messages,
also where that is awkward: queues lose their oldest stamps first, so that after a clock that went
back they keep the old stamps and starve until `queue_size` new ones came (build the synchronizer
anew on a jump, as `synchronizer.Synchronizer.clear` does). One thing is better: a callback that
raises does not leave the synchronizer locked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
import itertools
import threading
from typing import Any

NANOSECONDS = 1_000_000_000
Queue = dict[int, Any]


class SimpleFilter:
    """Something that has output: calls every registered callback with it."""

    def __init__(self) -> None:
        self.callbacks: dict[int, tuple[Callable[..., Any], tuple[Any, ...]]] = {}

    def registerCallback(self, cb: Callable[..., Any], *args: Any) -> int:  # noqa: N802
        """Call `cb(*messages, *args)` for each output; returns the number of the connection."""
        connection = len(self.callbacks)
        self.callbacks[connection] = (cb, args)
        return connection

    def signalMessage(self, *msg: Any) -> None:  # noqa: N802
        """Hand messages to all callbacks, in the order of registration."""
        for callback, args in list(self.callbacks.values()):
            callback(*msg, *args)


class Subscriber(SimpleFilter):
    """A subscription as a filter: Subscriber(node, msg_type, topic, qos_profile=10, ...)."""

    def __init__(self, node: Any, msg_type: type, topic: str, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        self.node = node
        self.topic = topic
        if not args:
            kwargs.setdefault("qos_profile", 10)
        self.sub = node.create_subscription(msg_type, topic, self.callback, *args, **kwargs)

    def callback(self, msg: Any) -> None:
        """Take a message of the subscription."""
        self.signalMessage(msg)

    def getTopic(self) -> str:  # noqa: N802
        """Return the topic as it was given."""
        return self.topic

    def __getattr__(self, key: str) -> Any:
        if key == "sub":  # not there yet: the subscription failed
            raise AttributeError(key)
        return getattr(self.sub, key)


class Cache(SimpleFilter):
    """The last `cache_size` messages of a filter, to be looked up by time (rclpy Time)."""

    def __init__(self, f: Any, cache_size: int = 1, allow_headerless: bool = False) -> None:
        super().__init__()
        self.cache_size = cache_size
        self.allow_headerless = allow_headerless
        self.cache_msgs: list[Any] = []
        self.cache_times: list[Any] = []
        self.connectInput(f)

    def connectInput(self, f: Any) -> None:  # noqa: N802
        """Take messages from filter `f`."""
        self.incoming_connection = f.registerCallback(self.add)

    def add(self, msg: Any) -> None:
        """Store a message, forget the one stored longest ago, and pass it on."""
        from rclpy.time import Time

        stamp = _stamp(msg, self.allow_headerless)
        if stamp is None:
            return
        header_time = Time(nanoseconds=stamp, clock_type=_ros_time())
        self.cache_msgs = [*self.cache_msgs, msg][-self.cache_size :]
        self.cache_times = [*self.cache_times, header_time][-self.cache_size :]
        self.signalMessage(msg)

    def getInterval(self, from_stamp: Any, to_stamp: Any) -> list[Any]:  # noqa: N802
        """Messages with from_stamp <= time <= to_stamp."""
        assert from_stamp <= to_stamp
        return self._where(lambda time: from_stamp <= time <= to_stamp)

    def getElemAfterTime(self, stamp: Any) -> Any:  # noqa: N802
        """Return the first stored message at or after `stamp`, or None."""
        found = self._where(lambda time: time >= stamp)
        return found[0] if found else None

    def getElemBeforeTime(self, stamp: Any) -> Any:  # noqa: N802
        """Return the last stored message at or before `stamp`, or None."""
        found = self._where(lambda time: time <= stamp)
        return found[-1] if found else None

    def getLastestTime(self) -> Any:  # noqa: N802
        """Time of the message stored last (the name is message_filters')."""
        return self.cache_times[-1] if self.cache_times else None

    def getOldestTime(self) -> Any:  # noqa: N802
        """Time of the message stored longest ago, or None."""
        return self.cache_times[0] if self.cache_times else None

    def getLast(self) -> Any:  # noqa: N802
        """Return the first message at or after the latest time, or None."""
        latest = self.getLastestTime()
        return None if latest is None else self.getElemAfterTime(latest)

    def _where(self, condition: Callable[[Any], bool]) -> list[Any]:
        pairs = zip(self.cache_msgs, self.cache_times, strict=True)
        return [message for message, time in pairs if condition(time)]


class TimeSynchronizer(SimpleFilter):
    """Outputs one message of each input filter whenever all have one with the same stamp."""

    def __init__(self, fs: Sequence[Any], queue_size: int) -> None:
        super().__init__()
        self.queue_size = queue_size
        self.lock = threading.RLock()
        self.connectInput(fs)

    def connectInput(self, fs: Sequence[Any]) -> None:  # noqa: N802
        """Take messages from the filters `fs`; the queues start empty."""
        self.queues: list[Queue] = [{} for _ in fs]
        self.input_connections = [
            f.registerCallback(self.add, queue, index)
            for index, (f, queue) in enumerate(zip(fs, self.queues, strict=True))
        ]

    def add(self, msg: Any, my_queue: Queue, my_queue_index: int | None = None) -> None:
        """Take a message of an input filter."""
        with self.lock:
            self._enqueue(_header_ns(msg), msg, my_queue)
            for stamp in sorted(set.intersection(*(set(queue) for queue in self.queues))):
                self._output([stamp] * len(self.queues))

    def _enqueue(self, stamp: int, msg: Any, queue: Queue) -> None:
        queue[stamp] = msg
        while len(queue) > self.queue_size:
            del queue[min(queue)]

    def _output(self, stamps: Sequence[int]) -> None:
        matched = zip(self.queues, stamps, strict=True)
        self.signalMessage(*[queue.pop(stamp) for queue, stamp in matched])


class ApproximateTimeSynchronizer(TimeSynchronizer):
    """
    Outputs one message of each input whose stamps all lie within less than `slop` seconds.

    For each new message the closest partners of the other inputs are tried first. Messages
    without a header are refused, or stamped with the ROS time of now if allow_headerless.
    """

    def __init__(
        self, fs: Sequence[Any], queue_size: int, slop: float, allow_headerless: bool = False
    ) -> None:
        super().__init__(fs, queue_size)
        self.slop_ns = int(slop * NANOSECONDS)
        self.allow_headerless = allow_headerless

    def add(self, msg: Any, my_queue: Queue, my_queue_index: int | None = None) -> None:
        """Take a message of an input filter."""
        stamp = _stamp(msg, self.allow_headerless)
        if stamp is None:
            return
        with self.lock:
            self._enqueue(stamp, msg, my_queue)
            if stamp not in my_queue:  # older than all of a full queue
                return
            candidates = [
                [stamp] if queue is my_queue else self._near(stamp, queue) for queue in self.queues
            ]
            for stamps in itertools.product(*candidates):
                if max(stamps) - min(stamps) < self.slop_ns:
                    self._output(stamps)
                    return

    def _near(self, stamp: int, queue: Queue) -> list[int]:
        """Stamps of `queue` within the slop of `stamp`, the closest first."""
        near = (other for other in queue if abs(other - stamp) <= self.slop_ns)
        return sorted(near, key=lambda other: abs(other - stamp))


def _header_ns(msg: Any) -> int:
    stamp = msg.header.stamp
    if hasattr(stamp, "nanoseconds"):
        return int(stamp.nanoseconds)
    return int(stamp.sec) * NANOSECONDS + int(stamp.nanosec)


def _stamp(msg: Any, allow_headerless: bool) -> int | None:
    """Header stamp in ns; for a message without one the time of now, or None if not allowed."""
    if hasattr(msg, "header") and hasattr(msg.header, "stamp"):
        return _header_ns(msg)
    if allow_headerless:
        from rclpy.clock import ROSClock

        return int(ROSClock().now().nanoseconds)
    from rclpy.logging import get_logger

    get_logger("message_filters").warning(
        f"{type(msg).__name__} has no header: it is dropped (allow_headerless stamps it with now)",
        throttle_duration_sec=5.0,
    )
    return None


def _ros_time() -> Any:
    from rclpy.clock import ClockType

    return ClockType.ROS_TIME
