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

"""Scales of a chart: limits and ticks that are round numbers, linear or logarithmic."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
import math

STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
LOG_FROM = 60.0  # largest value / median from which a logarithmic axis shows more


@dataclass(frozen=True)
class Scale:
    """
    An axis. low, high: its limits; ticks: round values within them; log: base 10.

    With `log` both limits are above 0 and what lies below is drawn at the limit.
    """

    low: float
    high: float
    ticks: tuple[float, ...]
    log: bool = False

    def place(self, value: float) -> float:
        """Return where a value lies: 0 at the lower limit, 1 at the upper; clipped to them."""
        if self.log:
            value = max(value, self.low)
            part = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return min(max(part, 0.0), 1.0)


def linear(low: float, high: float, count: int = 4) -> Scale:
    """Return about `count` steps of 1, 2, 2.5 or 5 times a power of ten around [low, high]."""
    if not high > low:
        room = abs(low) / 2 or 1.0
        low, high = (0.0, 2 * low) if low > 0 else (low - room, high + room)
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(one * power for one in STEPS if one * power >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple(_round(index * step) for index in range(first, last + 1))
    return Scale(ticks[0], ticks[-1], ticks)


def inside(low: float, high: float, count: int = 6) -> Scale:
    """Return an axis from exactly low to high, with ticks at the round values between."""
    if not high > low:
        high = low + 1.0
    wide = linear(low, high, count)
    return Scale(low, high, tuple(one for one in wide.ticks if low <= one <= high))


def logarithmic(low: float, high: float) -> Scale:
    """Return whole decades around [low, high], both above 0."""
    first = math.floor(math.log10(low) + 1e-9)
    last = max(math.ceil(math.log10(high) - 1e-9), first + 1)
    first = max(first, last - 6)  # what is a million times smaller than the largest is nothing
    stride = -(-(last - first) // 4)
    ticks = tuple(10.0**power for power in range(last, first - 1, -stride))[::-1]
    return Scale(10.0**first, 10.0**last, ticks, log=True)


def fitting(values: Iterable[float], *, ceiling: float | None = None) -> Scale:
    """
    Return the axis of measured values: from 0, or logarithmic if a few tower above.

    ceiling: the largest possible value (100 %), where the axis ends if values come near it.
    """
    known = sorted(one for one in values if math.isfinite(one))
    if not known:
        return linear(0.0, ceiling or 1.0)
    low, high, median = known[0], known[-1], known[len(known) // 2]
    if ceiling is not None and low >= 0 and ceiling / 2 < high <= ceiling:
        return linear(0.0, ceiling)
    if low > 0 and high > LOG_FROM * median:
        return logarithmic(low, high)
    return linear(min(low, 0.0), max(high, 0.0))


def _round(value: float) -> float:
    return float(f"{value:.10g}")
