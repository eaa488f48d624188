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

"""Timing on a machine that others use too: interleaved repetitions, medians, ratios per round."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
import gc
import time

import numpy as np

Case = Callable[[], object]


@dataclass(frozen=True)
class Spread:
    """A median with its quartiles."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        """Of at least one value."""
        low, median, high = np.percentile(values, [25, 50, 75])
        return cls(float(median), float(low), float(high))


@dataclass(frozen=True)
class Timing:
    """Seconds of one case, round by round."""

    seconds: tuple[float, ...]

    @property
    def spread(self) -> Spread:
        """Median and quartiles in seconds."""
        return Spread.of(list(self.seconds))

    def times_faster_than(self, other: Timing) -> Spread:
        """
        How many times as long the other takes, from the ratio of every round.

        Both cases of a round met the same disturbances, which the ratio then hardly shows.
        """
        pairs = zip(self.seconds, other.seconds, strict=True)
        return Spread.of([theirs / own for own, theirs in pairs])


def interleaved(
    cases: Mapping[str, Case],
    rounds: int,
    *,
    warm_up: int = 1,
    say: Callable[[str], None] = lambda line: None,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Timing]:
    """Time the cases round by round, each once per round, after unmeasured rounds."""
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(warm_up + rounds):
        for name, case in cases.items():
            say(f"round {number + 1} of {warm_up + rounds}: {name}")
            gc.disable()
            try:
                started = clock()
                case()
                taken = clock() - started
            finally:
                gc.enable()
            if number >= warm_up:
                seconds[name].append(taken)
    return {name: Timing(tuple(values)) for name, values in seconds.items()}
