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

"""Which frames of two runs are the same: bags by their content, frames by their stamps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from zeroco_ros.replay.record import BagRecord, ReplayRun


@dataclass(frozen=True)
class BagPair:
    """A bag that is in both runs. rows: (row in a, row in b) of frames with the same stamp."""

    a: BagRecord
    b: BagRecord
    rows: Sequence[tuple[int, int]]

    @property
    def bags(self) -> tuple[BagRecord, BagRecord]:
        """Return the bag as it is in a and in b."""
        return self.a, self.b


@dataclass(frozen=True)
class Matching:
    """
    What two runs have in common. only_a, only_b: names of bags in one run only.

    frames: in both; frames_a, frames_b: of each run, those of its other bags included.
    """

    pairs: Sequence[BagPair]
    only_a: Sequence[str]
    only_b: Sequence[str]
    frames: int
    frames_a: int
    frames_b: int

    @property
    def same(self) -> bool:
        """Tell whether both runs are of exactly the same frames."""
        return self.frames == self.frames_a == self.frames_b

    @property
    def whole(self) -> list[BagPair]:
        """Return the bags of which every frame is in both runs."""
        return [
            pair
            for pair in self.pairs
            if len(pair.rows) == len(pair.a.frames.stamp) == len(pair.b.frames.stamp)
        ]


def match_runs(a: ReplayRun, b: ReplayRun) -> Matching:
    """
    Match the bags that both runs played to the end.

    Bags are the same where their SHA-256 is, whatever they are called; a bag without one goes by
    its name. Of several bags with the same content those of the same name belong together.
    """
    waiting: dict[str, list[BagRecord]] = defaultdict(list)
    for bag in b.ok:
        waiting[_key(bag)].append(bag)
    pairs, only_a = [], []
    for bag in a.ok:
        candidates = waiting[_key(bag)]
        if not candidates:
            only_a.append(bag.name)
            continue
        other = next((one for one in candidates if one.name == bag.name), candidates[0])
        candidates.remove(other)
        pairs.append(BagPair(bag, other, _rows(bag.frames.stamp, other.frames.stamp)))
    return Matching(
        pairs,
        only_a,
        [bag.name for left in waiting.values() for bag in left],
        sum(len(pair.rows) for pair in pairs),
        sum(len(bag.frames.stamp) for bag in a.ok),
        sum(len(bag.frames.stamp) for bag in b.ok),
    )


def only_bag(run: ReplayRun, bag: BagRecord) -> ReplayRun:
    """Return a run of this bag alone."""
    timing = run.timing
    if timing is not None:
        times = [one for one in timing.bags if one.name == bag.name]
        timing = replace(timing, bags=times, summary=times[0].summary if times else {})
    metrics = replace(run.metrics, bags=[bag], summary=bag.summary)
    return replace(run, metrics=metrics, timing=timing)


def _key(bag: BagRecord) -> str:
    return bag.sha256 or f"name {bag.name}"


def _rows(a: Sequence[int], b: Sequence[int]) -> list[tuple[int, int]]:
    """Return rows of equal stamps; of a stamp that comes again the first with the first."""
    places: dict[int, list[int]] = defaultdict(list)
    for row in range(len(b) - 1, -1, -1):
        places[b[row]].append(row)
    return [(row, places[stamp].pop()) for row, stamp in enumerate(a) if places[stamp]]
