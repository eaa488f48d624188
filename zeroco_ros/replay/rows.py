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

"""The table of a bag's frames while it fills, the worst of them, and the time that they took."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
import time

import numpy as np

from zeroco_ros.media.images import RGB
from zeroco_ros.replay.record import Column, Frames, Stage, Values

KEPT = 3  # worst frames per metric
MODEL = ("flow", "depth")  # stages that are the estimators' own
LATENCY = ("decode", *MODEL, "write")


class Rows:
    """One row per image message."""

    def __init__(self) -> None:
        self.stamps: list[int] = []
        self.states: list[str] = []
        self._columns: dict[str, Column] = {}

    def begin(self, stamp: int) -> int:
        """Add a row and return its number."""
        self.stamps.append(stamp)
        self.states.append("none")
        return len(self.stamps) - 1

    def put(self, row: int, values: Mapping[str, float | None]) -> None:
        """Set values of a row."""
        for name, value in values.items():
            column = self._columns.setdefault(name, [])
            column.extend([None] * (row + 1 - len(column)))
            column[row] = value

    def table(self) -> Frames:
        """Return all rows, columns in the order of their names."""
        count = len(self.stamps)
        values = {name: _filled(self._columns[name], count) for name in sorted(self._columns)}
        return Frames(self.stamps, self.states, values)

    def column(self, name: str) -> list[float]:
        """Return the values of a column that are known."""
        return [value for value in self._columns.get(name, []) if value is not None]

    def means(self) -> Values:
        """Return the mean of every column over the rows that have a value."""
        known = {name: self.column(name) for name in sorted(self._columns)}
        return {name: float(np.mean(v)) if v else None for name, v in known.items()}


def _filled(column: Column, count: int) -> Column:
    """Return the column with `count` values, unknown behind its last one."""
    return column + [None] * (count - len(column))


@dataclass(frozen=True)
class Bad:
    """A frame that is among the worst by a metric, with its picture."""

    value: float
    row: int
    picture: RGB
    caption: str


class WorstFrames:
    """The frames with the largest values of each metric; of equal ones the first counts."""

    def __init__(self) -> None:
        self._bad: dict[str, list[Bad]] = defaultdict(list)

    def offer(
        self,
        row: int,
        values: Mapping[str, float | None],
        names: tuple[str, ...],
        draw: Callable[[], tuple[RGB, str]],
    ) -> None:
        """Keep the frame where it is bad enough by one of the names; it is drawn only then."""
        drawn: tuple[RGB, str] | None = None
        for name in names:
            value = values.get(name)
            held = self._bad[name]
            if value is None or (len(held) == KEPT and value <= held[-1].value):
                continue
            drawn = drawn or draw()
            held.append(Bad(value, row, *drawn))
            held.sort(key=lambda bad: (-bad.value, bad.row))
            del held[KEPT:]

    def __iter__(self) -> Iterator[tuple[str, Bad]]:
        for name in sorted(self._bad):
            for bad in self._bad[name]:
                yield name, bad


@dataclass
class Clock:
    """Milliseconds of each stage, by row."""

    stages: dict[str, dict[int, float]] = field(default_factory=dict)

    @contextmanager
    def measure(self, stage: str, row: int) -> Iterator[None]:
        """Add the time of the block to a stage of a row."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.add(stage, row, 1000 * (time.perf_counter() - began))

    def add(self, stage: str, row: int, spent: float) -> None:
        """Add milliseconds to a stage of a row."""
        held = self.stages.setdefault(stage, {})
        held[row] = held.get(row, 0.0) + spent

    def summary(self) -> dict[str, Stage]:
        """Return median and 95th percentile of each stage over the rows that have it."""
        found = {}
        for name, by_row in sorted(self.stages.items()):
            values = np.array(list(by_row.values()))
            low, high = np.percentile(values, [50, 95])
            found[name] = Stage(float(low), float(high), len(values))
        return found

    def columns(self, count: int) -> dict[str, Column]:
        """Return latency_ms and model_ms of the rows that an estimator worked on."""
        worked = {row for name in MODEL for row in self.stages.get(name, {})}
        sums = {"latency_ms": LATENCY, "model_ms": MODEL}
        return {
            name: [
                sum(self.stages.get(stage, {}).get(row, 0.0) for stage in stages)
                if row in worked
                else None
                for row in range(count)
            ]
            for name, stages in sums.items()
        }

    def total(self, stages: tuple[str, ...]) -> float:
        """Return the seconds of some stages."""
        return sum(sum(self.stages.get(name, {}).values()) for name in stages) / 1000
