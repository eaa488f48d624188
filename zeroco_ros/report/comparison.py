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

"""Two runs compared: the difference of every metric, and how sure it is, from frame to frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zeroco_ros.replay.record import BagRecord, Metric, ReplayRun, Values
from zeroco_ros.report.matching import match_runs, Matching
from zeroco_ros.report.provenance import flattened, shown
from zeroco_ros.report.summary import pooled, values_by_bag
from zeroco_ros.report.tracks import catalog, columns

Array = npt.NDArray[np.float64]

RESAMPLES = 2000
BLOCK = 10  # frames that are drawn together: what a second of a camera has in common
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Paired:
    """
    Differences b - a of the frames that have a value in both runs, in the metric's unit.

    mean, median, spread: of the differences, spread their standard deviation; p05, p95: between
    these are nine of ten. interval: of the mean, at 95 %, by a moving-block bootstrap. wins: share
    of the frames where b is better, ties as half; None for a metric without a good side.
    """

    frames: int
    mean: float
    median: float
    spread: float
    p05: float
    p95: float
    interval: tuple[float, float]
    wins: float | None


@dataclass(frozen=True)
class Change:
    """
    One metric in both runs.

    a, b: over all frames; where the runs are not of the same frames, over what they have in
    common (`common_values`). difference: b - a; relative: that as a share of |a|; both None where
    one is not known. word: "better", "worse", "equal" (the very same number), "unclear" (the
    interval of the paired differences holds 0, or points the other way), "changed" (no side is
    the good one), "unknown".
    """

    name: str
    metric: Metric
    a: float | None
    b: float | None
    difference: float | None
    relative: float | None
    paired: Paired | None
    word: str


@dataclass(frozen=True)
class Setting:
    """A setting, version or fact that differs. a, b: as text, "–" where it is not there."""

    name: str
    a: str
    b: str


@dataclass(frozen=True)
class Comparison:
    """Everything that is said of two runs."""

    matching: Matching
    changes: Sequence[Change]
    settings: Sequence[Setting]

    def counts(self) -> dict[str, int]:
        """Return how many metrics are better, worse and so on."""
        words = [change.word for change in self.changes]
        return {word: words.count(word) for word in dict.fromkeys(words)}


def compare_runs(a: ReplayRun, b: ReplayRun) -> Comparison:
    """Compare b with a: a is what was, b what is proposed."""
    matching = match_runs(a, b)
    metrics = {**catalog(b), **catalog(a)}
    values_a, values_b = common_values(a, b, matching)
    changes = [
        _change(
            name,
            metric,
            values_a.get(name),
            values_b.get(name),
            _paired(a, b, matching, name, metric),
        )
        for name, metric in metrics.items()
    ]
    return Comparison(matching, changes, _settings(a, b))


def common_values(a: ReplayRun, b: ReplayRun, matching: Matching) -> tuple[Values, Values]:
    """
    Return the values of two runs that may be held against each other.

    Of the same frames: those of the runs. Else, for a metric with a value per frame the mean over
    the frames that both know, for others the mean over the bags whose frames are all in both; None
    where there is neither.
    """
    if matching.same:
        return pooled(a), pooled(b)
    found: tuple[Values, Values] = ({}, {})
    for name in {**catalog(b), **catalog(a)}:
        parts = pair_values(a, b, matching, name)
        for side, run in enumerate((a, b)):
            known = [float(one) for part in parts for one in part[side]]
            if not known:
                known = _of_whole_bags(run, [pair.bags[side] for pair in matching.whole], name)
            found[side][name] = float(np.mean(known)) if known else None
    return found


def _of_whole_bags(run: ReplayRun, bags: Sequence[BagRecord], name: str) -> list[float]:
    """Return the values of these bags, none unless all are known."""
    values = values_by_bag(run)
    found = [values[bag.name].get(name) for bag in bags]
    known = [one for one in found if one is not None]
    return known if len(known) == len(found) else []


def _change(
    name: str, metric: Metric, a: float | None, b: float | None, paired: Paired | None
) -> Change:
    if a is None or b is None:
        return Change(name, metric, a, b, None, None, paired, "unknown")
    difference = b - a
    relative = difference / abs(a) if a != 0 else None
    return Change(
        name, metric, a, b, difference, relative, paired, _word(metric, difference, paired)
    )


def _word(metric: Metric, difference: float, paired: Paired | None) -> str:
    if difference == 0 and (paired is None or paired.mean == 0):
        return "equal"
    if metric.better is None:
        return "changed"
    if paired is not None:
        low, high = paired.interval
        if low <= 0 <= high or (low > 0) != (difference > 0):
            return "unclear"
    return "better" if (difference < 0) == (metric.better == "lower") else "worse"


def pair_values(
    a: ReplayRun, b: ReplayRun, matching: Matching, name: str
) -> list[tuple[Array, Array]]:
    """Return for each pair of bags the values of the matched frames that both runs know."""
    found = []
    for pair in matching.pairs:
        left, right = columns(a, pair.a).get(name), columns(b, pair.b).get(name)
        if left is None or right is None:
            continue
        both = [(left[i], right[j]) for i, j in pair.rows]
        known = np.array([one for one in both if None not in one], np.float64).reshape(-1, 2)
        found.append((known[:, 0], known[:, 1]))
    return found


def _paired(
    a: ReplayRun, b: ReplayRun, matching: Matching, name: str, metric: Metric
) -> Paired | None:
    parts = [right - left for left, right in pair_values(a, b, matching, name)]
    parts = [part for part in parts if len(part)]
    if not parts:
        return None
    every = np.concatenate(parts)
    wins = None
    if metric.better is not None:
        gain = -every if metric.better == "lower" else every
        wins = float(np.mean(gain > 0) + np.mean(gain == 0) / 2)
    return Paired(
        len(every),
        float(every.mean()),
        float(np.median(every)),
        float(every.std(ddof=1)) if len(every) > 1 else 0.0,
        float(np.quantile(every, 0.05)),
        float(np.quantile(every, 0.95)),
        mean_interval(parts),
        wins,
    )


def mean_interval(parts: Sequence[Array]) -> tuple[float, float]:
    """
    Return the 95 % interval of the mean of values that follow each other in time.

    Moving-block bootstrap (Künsch, Annals of Statistics 1989): neighboring frames are alike, so
    blocks of at least BLOCK frames are drawn, never across bags; a series shorter than four blocks
    is drawn in quarters. The same values always give the same interval.
    """
    random = np.random.default_rng(0)
    total, count = np.zeros(RESAMPLES), 0
    for part in parts:
        size = len(part)
        block = min(max(BLOCK, round(size ** (1 / 3))), max(1, size // 4))
        blocks = -(-size // block)
        sums = np.concatenate([[0.0], np.cumsum(part)])
        of_block = sums[block:] - sums[:-block]
        for _ in range(blocks):
            total += of_block[random.integers(0, len(of_block), RESAMPLES)]
        count += blocks * block
    rest = (1 - CONFIDENCE) / 2
    means = total / count
    # the ends of a series are in fewer blocks than its middle: centered on the true mean again
    means += float(np.concatenate(parts).mean()) - means.mean()
    low, high = np.quantile(means, [rest, 1 - rest])
    return float(low), float(high)


def _settings(a: ReplayRun, b: ReplayRun) -> list[Setting]:
    left, right = _facts(a), _facts(b)
    names = list(dict.fromkeys([*left, *right]))
    none = shown(None)
    return [
        Setting(name, left.get(name, none), right.get(name, none))
        for name in names
        if left.get(name, none) != right.get(name, none)
    ]


def _facts(run: ReplayRun) -> dict[str, str]:
    """Return everything that may explain a difference, by dotted name."""
    found = run.metrics
    everything = {
        **found.config,
        "model": found.model,
        "version": found.versions,
        "machine": found.machine,
        "bag": {bag.sha256[:16] or bag.name: bag.status for bag in found.bags},
    }
    return {name: shown(value) for name, value in flattened(everything)}
