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

"""Playing a bag at its own pace into anything: no ROS in here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
import math
import time
from typing import Protocol

from zeroco_ros.bag.reader import BagReader, NANOSECONDS
from zeroco_ros.bag.records import BagMessage
from zeroco_ros.errors import BagError, ConfigError

_NAP = 0.05  # seconds; the longest wait between two looks at `stopped`


class Sink(Protocol):
    """Where messages go."""

    def clock(self, stamp_ns: int) -> None:
        """Take the bag's time, `stamp_ns`, before each message."""

    def publish(self, message: BagMessage) -> None:
        """One message, at its time."""


@dataclass
class Playback:
    """
    What was played: messages per topic, passes through the bag, seconds on the wall clock.

    late: the longest delay in seconds of a message behind its schedule. interrupted: ended before
    its time; complete: the bag was readable to its end.
    """

    counts: Counter[str] = field(default_factory=Counter)
    passes: int = 0
    seconds: float = 0.0
    late: float = 0.0
    interrupted: bool = False
    complete: bool = True

    @property
    def total(self) -> int:
        """Messages of all topics."""
        return sum(self.counts.values())


@dataclass(frozen=True)
class Pace:
    """
    How a bag is played.

    rate: 1 is real time, 2 twice as fast, inf without waiting. start: seconds after the bag's
    beginning; duration: seconds of bag time from there, None to its end. loop: start again at the
    end, for ever; the stamps then jump back. Raises ConfigError for values out of range.
    """

    rate: float = 1.0
    start: float = 0.0
    duration: float | None = None
    loop: bool = False

    def __post_init__(self) -> None:
        if math.isnan(self.rate) or self.rate <= 0:
            raise ConfigError(f"rate is {self.rate:g}: give a number above 0, 1 is real time")
        if not math.isfinite(self.start) or self.start < 0:
            raise ConfigError(f"start is {self.start:g}: give seconds from 0 on")
        if self.duration is not None and not (math.isfinite(self.duration) and self.duration > 0):
            raise ConfigError(f"duration is {self.duration:g}: give seconds above 0")


def play(
    reader: BagReader,
    sink: Sink,
    pace: Pace | None = None,
    *,
    topics: Collection[str] | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    stopped: Callable[[], bool] = lambda: False,
    done: Playback | None = None,
) -> Playback:
    """
    Hand the bag's messages to `sink`, each at its time on the wall clock.

    Message n is due at start + (stamp_n - stamp_0) / rate, so that a slow sink is caught up with
    and errors do not add up. `stopped` is asked before each message and at least every 50 ms.
    clock and sleep: seconds, to be replaced in tests. done: counts to go on with, for a caller
    that wants them after an exception as well.

    Raises BagError when there is no message to play.
    """
    pace = pace or Pace()
    done = Playback() if done is None else done
    began = clock()
    try:
        while not stopped():
            before = done.total
            _play_once(reader, sink, pace, topics, clock, sleep, stopped, done)
            if done.total == before and not stopped():
                raise BagError(_nothing(reader, pace))
            done.passes += 1
            if not pace.loop:
                break
    finally:
        done.seconds += clock() - began
    return done


def _play_once(
    reader: BagReader,
    sink: Sink,
    pace: Pace,
    topics: Collection[str] | None,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    stopped: Callable[[], bool],
    done: Playback,
) -> None:
    messages = reader.messages(topics, start=pace.start, duration=pace.duration)
    for message, late in on_time(messages, pace.rate, clock=clock, sleep=sleep, stopped=stopped):
        done.late = max(done.late, late)
        sink.clock(message.stamp_ns)
        sink.publish(message)
        done.counts[message.topic] += 1


def on_time(
    messages: Iterable[BagMessage],
    rate: float = 1.0,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[BagMessage, float]]:
    """
    Yield each message when it is due, with the seconds it is late.

    Message n is due (stamp_n - stamp_0) / rate seconds after the first one is asked for. Ends as
    soon as `stopped`, which is asked before each message and at least every 50 ms.
    """
    began = clock()
    first: int | None = None
    for message in messages:
        first = message.stamp_ns if first is None else first
        due = began + (message.stamp_ns - first) / NANOSECONDS / rate
        while (ahead := due - clock()) > 0 and not stopped():
            sleep(min(ahead, _NAP))
        if stopped():
            return
        yield message, max(0.0, clock() - due)


def _nothing(reader: BagReader, pace: Pace) -> str:
    if reader.message_count == 0:
        return f"{reader.path} holds no messages"
    return (
        f"{reader.path} has no message from {pace.start:g} s on"
        + (f" for {pace.duration:g} s" if pace.duration is not None else "")
        + f"; it is {reader.duration:.1f} s long"
    )
