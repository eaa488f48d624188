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

"""Two cameras into pairs with message_filters, made to survive a clock that goes back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from zeroco_ros.ros import compat, stand_in_filters
from zeroco_ros.stream import TemporalPairer
from zeroco_ros.stream.pairing import EventKind

Verdict = Literal["accepted", "dropped", "jumped"]
# Builds a synchronizer of (filters, queue size, slop in seconds) that calls a function.
Build = Callable[[Sequence[Any], int, float, Callable[..., None]], Any]


class OrderGuard:
    """
    The stamp rules of `TemporalPairer` for one camera, without its pairs.

    A frame that is late or repeated is to be dropped; after a jump back everything starts anew.
    """

    def __init__(self, on_event: Callable[[EventKind, str], None]) -> None:
        self._pairer: TemporalPairer[None] = TemporalPairer(max_dt=float("inf"), on_event=on_event)

    def see(self, stamp_ns: int) -> Verdict:
        """Judge the next frame by its stamp."""
        counters = self._pairer.counters
        refused, jumps = counters.refused, counters.jumps
        self._pairer.push(stamp_ns, None)
        if counters.refused > refused:
            return "dropped"
        return "jumped" if counters.jumps > jumps else "accepted"

    def clear(self) -> None:
        """Forget the stamps; counters stay."""
        self._pairer.clear()

    def counts(self) -> dict[str, int]:
        """Return the pairer's counters of this camera."""
        return self._pairer.counters.as_dict()


class _Feed:
    """What message_filters' synchronizers take as an input: something that signals messages."""

    def __init__(self) -> None:
        self._callbacks: list[tuple[Callable[..., None], tuple[Any, ...]]] = []

    def registerCallback(  # noqa: N802
        self, callback: Callable[..., None], *arguments: Any
    ) -> int:
        """Keep what the synchronizer wants to be called."""
        self._callbacks.append((callback, arguments))
        return len(self._callbacks) - 1

    def push(self, message: Any) -> None:
        """Hand a message to the synchronizer."""
        for callback, arguments in self._callbacks:
            callback(message, *arguments)


class Synchronizer:
    """
    Pairs of messages (anything with a `header`) whose stamps differ by at most `slop` seconds.

    slop 0 asks for equal stamps. `clear` builds message_filters' synchronizer anew: it keeps the
    newest old stamps after a jump back and then starves. build: how; None takes message_filters
    where it works, else the stand-in.
    """

    def __init__(
        self,
        slop: float,
        queue_size: int,
        emit: Callable[[Any, Any], None],
        build: Build | None = None,
    ) -> None:
        self._slop = slop
        self._queue_size = queue_size
        self._emit = emit
        self._build = build
        self.pairs = 0
        self.clear()

    def clear(self) -> None:
        """Forget what waits for a partner."""
        self._feeds = (_Feed(), _Feed())
        build = self._build or compat.build_synchronizer
        build(self._feeds, self._queue_size, self._slop, self._paired)

    def push(self, side: int, message: Any) -> None:
        """Take a message of side 0, left, or 1, right."""
        self._feeds[side].push(message)

    def _paired(self, left: Any, right: Any) -> None:
        self.pairs += 1
        self._emit(left, right)


class CameraPairer:
    """
    Two cameras, each in order, into pairs: `OrderGuard` for both and `Synchronizer`.

    slop, queue_size, build: of the synchronizer. on_event: as of TemporalPairer.
    """

    def __init__(
        self,
        slop: float,
        queue_size: int,
        emit: Callable[[Any, Any], None],
        on_event: Callable[[EventKind, str], None],
        build: Build | None = None,
    ) -> None:
        self._emit = emit
        self._build = build
        self._synchronizer = Synchronizer(slop, queue_size, emit, build)
        self._guards = OrderGuard(on_event), OrderGuard(on_event)

    def renew(self, slop: float, queue_size: int) -> None:
        """Pair by other settings from the next frame on; counters stay."""
        pairs = self._synchronizer.pairs
        self._synchronizer = Synchronizer(slop, queue_size, self._emit, self._build)
        self._synchronizer.pairs = pairs

    def clear(self) -> None:
        """Forget the frames that wait for a partner, and all stamps."""
        self._synchronizer.clear()
        for guard in self._guards:
            guard.clear()

    def counts(self) -> dict[str, int]:
        """Return counters of both sides together, the pairs, and the images that are in none."""
        left, right = (guard.counts() for guard in self._guards)
        counts = {name: left[name] + right[name] for name in left}
        pairs = self._synchronizer.pairs
        unmatched = counts["paired"] + counts["started"] - 2 * pairs
        return {**counts, "paired": pairs, "started": 0, "unmatched": unmatched}

    def push(self, side: int, stamp: int, frame: Any) -> None:
        """Take the next frame of a camera. side: 0 left, 1 right; stamp: ns, of its header."""
        verdict = self._guards[side].see(stamp)
        if verdict == "jumped":  # both cameras start anew, whichever came first
            self._guards[1 - side].clear()
            self._synchronizer.clear()
        if verdict != "dropped":
            self._synchronizer.push(side, frame)


def build_stand_in(
    filters: Sequence[Any], queue_size: int, slop: float, callback: Callable[..., None]
) -> Any:
    """Give stand-in for message_filters, wherever ROS is installed: the same pairs everywhere."""
    if slop > 0:
        synchronizer = stand_in_filters.ApproximateTimeSynchronizer(filters, queue_size, slop)
    else:
        synchronizer = stand_in_filters.TimeSynchronizer(filters, queue_size)
    synchronizer.registerCallback(callback)
    return synchronizer
