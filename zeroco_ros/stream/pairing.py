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
Which frames of one camera make a pair, whatever the stamps do.

A camera on a robot drops frames, repeats them, delivers them late, restarts its clock, loses its
clock and changes its resolution. `TemporalPairer` turns such a stream into pairs whose time
difference is known to be sane, and counts everything it refused.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import asdict, dataclass
from typing import Generic, Literal, TypeVar

from zeroco_ros.errors import ConfigError

NANOSECONDS = 1_000_000_000

# A frame that falls between the last few accepted ones, or is late by less than this, is late;
# an older one means that the clock went back (a bag loop, a simulator reset).
RECENT_STAMPS = 4
LATE_NS = NANOSECONDS // 4

Frame = TypeVar("Frame")
EventKind = Literal["jump", "gap", "zero_stamp", "resolution"]


@dataclass(frozen=True)
class Pair(Generic[Frame]):
    """Two frames of one camera; stamps in integer nanoseconds (both 0 when the camera sends 0)."""

    previous: Frame
    current: Frame
    previous_stamp: int
    current_stamp: int


@dataclass
class PairingCounters:
    """
    What became of every frame: received = paired + started + dropped frames, always.

    received            frames pushed
    paired              frames that completed a pair
    started             frames kept to wait for a partner (first ones, after a gap, a jump, ...)
    out_of_order        dropped: late by a little
    duplicates          dropped: same stamp as the frame before
    too_close           dropped: less than min_dt after the frame it would pair with
    gaps                restarts because the partner was more than max_dt old
    jumps               restarts because the stamps went back
    resolution_changes  restarts because the frame shape changed
    zero_stamps         frames stamped zero (kept, in arrival order)
    """

    received: int = 0
    paired: int = 0
    started: int = 0
    out_of_order: int = 0
    duplicates: int = 0
    too_close: int = 0
    gaps: int = 0
    jumps: int = 0
    resolution_changes: int = 0
    zero_stamps: int = 0

    @property
    def refused(self) -> int:
        """Frames dropped because of their stamp."""
        return self.out_of_order + self.duplicates + self.too_close

    def as_dict(self) -> dict[str, int]:
        """Name to count, in the order of the table above."""
        return asdict(self)


class TemporalPairer(Generic[Frame]):
    """
    Pairs each frame with the one `stride` frames before it, within [min_dt, max_dt] seconds.

    stride    1 pairs neighbors; n pairs a frame with the n-th accepted frame before it.
    min_dt    seconds; a frame closer than this to its partner is dropped (the partner stays).
    max_dt    seconds; a partner older than this is a gap: everything starts again at this frame.
    on_event  called with (kind, one line of text) once per jump, gap and change of resolution,
              and once in a lifetime for zero stamps.

    Stamps: a frame a little older than the newest one is dropped (out_of_order), one equal to it
    is dropped (duplicates), one far older is a jump back: all is cleared and the frame starts
    anew, so that the next one completes a pair. A run of RECENT_STAMPS late frames counts as a
    jump too, or a stream that loops within a quarter of a second would never be heard again.
    A zero stamp that follows a zero stamp means "no clock": such frames pair in arrival order.
    Not thread-safe: push from one thread. Holds at most `stride` frames.
    """

    def __init__(
        self,
        stride: int = 1,
        min_dt: float = 0.0,
        max_dt: float = 1.0,
        *,
        on_event: Callable[[EventKind, str], None] | None = None,
    ) -> None:
        if stride < 1:
            raise ConfigError(f"stride is {stride}; it must be at least 1")
        if not 0.0 <= min_dt <= max_dt:  # False for NaN as well
            raise ConfigError(
                f"min_dt {min_dt} s and max_dt {max_dt} s: need 0 <= min_dt <= max_dt"
            )
        self.stride = stride
        self._min_ns = round(min_dt * NANOSECONDS)
        self._max_ns = round(max_dt * NANOSECONDS) if max_dt != float("inf") else None
        self._on_event = on_event
        self._warned_zero = False
        self.counters = PairingCounters()
        self._frames: deque[tuple[int, Frame]] = deque(maxlen=stride)
        self._recent: deque[int] = deque(maxlen=RECENT_STAMPS)
        self._shape: Hashable = None
        self._late_run = 0

    def clear(self) -> None:
        """Forget all frames and stamps (deactivation, clock jump); counters stay."""
        self._frames.clear()
        self._recent.clear()
        self._shape = None
        self._late_run = 0

    @property
    def waiting(self) -> int:
        """Frames held for a later partner, at most `stride`."""
        return len(self._frames)

    def push(self, stamp_ns: int, frame: Frame, shape: Hashable = None) -> Pair[Frame] | None:
        """
        Take the next frame as it arrives; return the pair that it completes, if any.

        stamp_ns: capture time in integer nanoseconds, 0 = unknown. shape: anything that must be
        equal for two frames to be comparable, usually (height, width).
        """
        self.counters.received += 1
        if stamp_ns == 0:
            self._see_zero()
        if self._frames and not self._in_order(stamp_ns):
            return None
        if self._frames and shape != self._shape:
            self.counters.resolution_changes += 1
            self._restart("resolution", f"image size changed from {self._shape} to {shape}")
        pair = self._pair(stamp_ns, frame)
        self._shape = shape
        return pair

    def _see_zero(self) -> None:
        self.counters.zero_stamps += 1
        if not self._warned_zero:
            self._warned_zero = True
            self._tell("zero_stamp", "header.stamp is zero: frames are paired in arrival order")

    def _in_order(self, stamp: int) -> bool:
        """Return False when the frame is to be dropped; clears everything on a jump back."""
        last = self._recent[-1]
        if stamp > last or (stamp == 0 and last == 0):
            self._late_run = 0
            return True
        if stamp == last:
            self.counters.duplicates += 1
            return False
        self._late_run += 1
        late = stamp > self._recent[0] or last - stamp < LATE_NS
        if late and self._late_run < RECENT_STAMPS:
            self.counters.out_of_order += 1
            return False
        self.counters.jumps += 1
        back = (last - stamp) / NANOSECONDS
        self._restart("jump", f"time jumped back by {back:.3f} s: buffers cleared")
        return True

    def _pair(self, stamp: int, frame: Frame) -> Pair[Frame] | None:
        if len(self._frames) == self.stride:
            partner_stamp, partner = self._frames[0]
            clockless = stamp == 0 and partner_stamp == 0
            dt = stamp - partner_stamp
            if not clockless and dt < self._min_ns:
                self.counters.too_close += 1
                return None
            if clockless or self._max_ns is None or dt <= self._max_ns:
                self._keep(stamp, frame)
                self.counters.paired += 1
                return Pair(partner, frame, partner_stamp, stamp)
            self._gap(dt)
        elif self._frames and self._max_ns is not None:
            dt = stamp - self._frames[-1][0]
            if dt > self._max_ns:
                self._gap(dt)
        self._keep(stamp, frame)
        self.counters.started += 1
        return None

    def _gap(self, dt: int) -> None:
        self.counters.gaps += 1
        limit = (self._max_ns or 0) / NANOSECONDS
        self._restart("gap", f"{dt / NANOSECONDS:.3f} s between frames, more than {limit:g} s")

    def _keep(self, stamp: int, frame: Frame) -> None:
        self._frames.append((stamp, frame))
        self._recent.append(stamp)

    def _restart(self, kind: EventKind, text: str) -> None:
        self.clear()
        self._tell(kind, text)

    def _tell(self, kind: EventKind, text: str) -> None:
        if self._on_event is not None:
            self._on_event(kind, text)
