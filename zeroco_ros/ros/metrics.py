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
What a node counts and measures about itself, for diagnostics. Pure Python, no ROS.

Written from two threads (the executor's and the worker's), read from one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from statistics import median
import threading
import time

# Every counter and what it counts. Each image ends in exactly one of those in ENDS, or waits.
COUNTERS: Mapping[str, str] = {
    "in": "image messages received",
    "out": "results published",
    "paired": "images that completed a pair (depth: that follow another one)",
    "started": "images that a stream began with: the first, and after a gap, a jump, a new size",
    "dropped": "pairs (depth: images) replaced by a newer one while they waited, or given up when "
    "the node stopped listening",
    "gaps": "restarts because two images were more than `max_dt` apart",
    "out_of_order": "images dropped: a little older than the one before",
    "duplicates": "images dropped: the same stamp as the one before",
    "too_close": "images dropped: less than `min_dt` after their partner",
    "jumps": "restarts because the stamps went back (a bag loop, a simulator's reset)",
    "resolution_changes": "restarts because the image size changed",
    "zero_stamps": "images stamped zero (kept, in order of arrival)",
    "refused": "images dropped: encoding, size or data that cannot be used",
    "unpaired": "pairs given up: the partner is of another size, or was refused",
    "unwanted": "pairs (depth: images) not worked on: the last subscriber had left",
    "non_finite": "results dropped: not finite",
    "failed": "pairs or images lost to an unexpected error",
    "faults": "unexpected errors that cost no image",
    "recovered": "times that the network fell back to fp32, or that an image was computed at the "
    "second attempt, after memory had run out",
    "incompatible_qos": "publishers and subscribers whose quality of service does not fit",
}
# What becomes of an image in the end; `started` too where an image alone gives no result.
ENDS = ("out", "dropped", "out_of_order", "duplicates", "too_close", "refused", "unpaired")
ENDS += ("unwanted", "non_finite", "failed")

Clock = Callable[[], float]
CountSource = Callable[[], Mapping[str, int]]


class Rate:
    """Events per second over the last few seconds."""

    def __init__(self, window: float = 5.0, clock: Clock = time.monotonic) -> None:
        self._window = window
        self._clock = clock
        self._times: deque[float] = deque(maxlen=4096)
        self._last: float | None = None
        self._lock = threading.Lock()

    def tick(self) -> None:
        """Count one event now."""
        with self._lock:
            self._last = self._clock()
            self._times.append(self._last)

    @property
    def hz(self) -> float:
        """Events per second from the first to the last one in the window; 0 with fewer than 2."""
        with self._lock:
            oldest = self._clock() - self._window
            while self._times and self._times[0] < oldest:
                self._times.popleft()
            if len(self._times) < 2 or self._times[-1] <= self._times[0]:
                return 0.0
            return (len(self._times) - 1) / (self._times[-1] - self._times[0])

    @property
    def age(self) -> float | None:
        """Seconds since the last event, None before the first one."""
        last = self._last
        return None if last is None else self._clock() - last


class Latency:
    """Median and 95th percentile of the last few hundred durations, in seconds."""

    def __init__(self, size: int = 200) -> None:
        self._values: deque[float] = deque(maxlen=size)
        self._lock = threading.Lock()

    def add(self, seconds: float) -> None:
        """Record one duration."""
        with self._lock:
            self._values.append(seconds)

    def summary(self) -> tuple[float, float] | None:
        """(median, 95th percentile), None without a value."""
        with self._lock:
            values = sorted(self._values)
        if not values:
            return None
        return median(values), values[min(len(values) - 1, int(0.95 * len(values)))]


class Metrics:
    """Counters by name, rates in and out, latency from arrival to publication, the last error."""

    def __init__(
        self,
        counters: Iterable[str] = COUNTERS,
        *,
        recent: float = 10.0,
        clock: Clock = time.monotonic,
    ) -> None:
        self.input_rate = Rate(clock=clock)
        self.output_rate = Rate(clock=clock)
        self.latency = Latency()
        self.last_error = ""
        self._recent = recent
        self._clock = clock
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(counters, 0)
        self._source: CountSource | None = None
        self._history: deque[tuple[float, dict[str, int]]] = deque([(clock(), self.counts())])

    def add(self, name: str, count: int = 1) -> None:
        """Raise one counter. KeyError on a name that is not one of them."""
        with self._lock:
            self._counts[name] += count

    def published(self, arrival: float) -> None:
        """Count a result. arrival: when its newest image came in, monotonic seconds."""
        self.add("out")
        self.output_rate.tick()
        self.latency.add(self._clock() - arrival)

    def follow(self, source: CountSource) -> None:
        """Add the counters that `source` returns to the ones counted here."""
        self._source = source

    def settle(self) -> None:
        """Keep what the source has counted and forget the source."""
        counts = self.counts()
        with self._lock:
            self._counts, self._source = counts, None

    def counts(self) -> dict[str, int]:
        """All counters now."""
        followed = {} if self._source is None else self._source()
        with self._lock:
            return {name: own + followed.get(name, 0) for name, own in self._counts.items()}

    def recent(self) -> dict[str, int]:
        """By how much each counter grew over the last ten seconds or so; call it periodically."""
        now, counts = self._clock(), self.counts()
        self._history.append((now, counts))
        while len(self._history) > 1 and self._history[1][0] <= now - self._recent:
            self._history.popleft()
        before = self._history[0][1]
        return {name: counts[name] - before[name] for name in counts}
