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

"""Running methods over sets and collecting scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
import time

import numpy as np

from zeroco_ros.errors import ImageError
from zeroco_ros.evaluation.calibration import ConfidenceCounts, count_confidence, tolerance
from zeroco_ros.evaluation.flow_set import FlowSet
from zeroco_ros.evaluation.methods import Method
from zeroco_ros.evaluation.metrics import (
    end_point_error,
    PairScore,
    score_pair,
    score_set,
    SetScore,
    Sparsification,
    sparsification,
)
from zeroco_ros.evaluation.protocols import FlowPair


@dataclass(frozen=True)
class PairResult:
    """
    One estimate of a pair.

    group: see FlowPair. seconds: by the clock; cpu_seconds: of all threads, which a busy machine
    distorts less. curves: sparsification by the name of the uncertainty. confidence: counts for
    calibration, None where the method has none. failed: the method had no answer.
    """

    pair: str
    group: str
    score: PairScore
    seconds: float
    cpu_seconds: float
    curves: dict[str, Sparsification]
    confidence: ConfidenceCounts | None
    failed: bool


@dataclass(frozen=True)
class MethodResult:
    """One method on one set."""

    method: str
    pairs: tuple[PairResult, ...]

    @property
    def score(self) -> SetScore:
        """Errors over all pairs."""
        return score_set([pair.score for pair in self.pairs], [pair.group for pair in self.pairs])

    @property
    def seconds(self) -> float:
        """Median time of one estimate."""
        return float(np.median([pair.seconds for pair in self.pairs]))

    @property
    def cpu_seconds(self) -> float:
        """Median processor time of one estimate."""
        return float(np.median([pair.cpu_seconds for pair in self.pairs]))

    @property
    def failures(self) -> int:
        """Pairs without an answer."""
        return sum(pair.failed for pair in self.pairs)

    @property
    def ause(self) -> dict[str, float]:
        """Area between sparsification curve and oracle, mean over the pairs, by uncertainty."""
        return {
            name: float(np.mean([pair.curves[name].ause for pair in self.pairs]))
            for name in self.pairs[0].curves
        }

    @property
    def confidence(self) -> ConfidenceCounts | None:
        """Confidence counts over the pixels of all pairs."""
        counts = [pair.confidence for pair in self.pairs if pair.confidence is not None]
        return reduce(add, counts) if counts else None


@dataclass(frozen=True)
class SetResult:
    """
    All methods on one set; size is that of the first target, (height, width).

    part_of: the larger set that this one belongs to, or "".
    """

    name: str
    about: str
    size: tuple[int, int]
    methods: tuple[MethodResult, ...]
    part_of: str = ""


def evaluate(
    sets: Sequence[FlowSet],
    methods: Sequence[Method],
    advance: Callable[[str], None] = lambda _: None,
) -> list[SetResult]:
    """
    Score every method on every pair of every set; sets of one whole are followed by it.

    advance is called before each estimate with a text that says which one. A method's first
    estimate on a set is repeated before the clock runs, so that no time contains a warm-up.
    Raises ImageError if a pair of one of the sets cannot be read or has nothing to score on.
    """
    results: list[SetResult] = []
    for number, flow_set in enumerate(sets):
        results.append(_evaluate_set(flow_set, methods, advance))
        following = sets[number + 1].part_of if number + 1 < len(sets) else ""
        if flow_set.part_of and flow_set.part_of != following:
            results += _whole([part for part in results if part.part_of == flow_set.part_of])
    return results


def _evaluate_set(
    flow_set: FlowSet, methods: Sequence[Method], advance: Callable[[str], None]
) -> SetResult:
    collected: dict[str, list[PairResult]] = {method.name: [] for method in methods}
    size = (0, 0)
    for index, pair in enumerate(flow_set):
        if not (pair.valid & np.isfinite(pair.flow).all(axis=-1)).any():
            raise ImageError(f"{flow_set.name} {pair.name} has no pixel to score on")
        size = size if index else (pair.target.shape[0], pair.target.shape[1])
        for method in methods:
            advance(f"{flow_set.name} {pair.name} {method.name}")
            if index == 0:
                method.estimate(pair.target, pair.source)
            collected[method.name].append(run_method(method, pair))
    rows = tuple(MethodResult(name, tuple(pairs)) for name, pairs in collected.items())
    return SetResult(flow_set.name, flow_set.about, size, rows, flow_set.part_of)


def _whole(parts: Sequence[SetResult]) -> list[SetResult]:
    """Return the set that several parts make, nothing for a single part."""
    if len(parts) < 2:
        return []
    rows = tuple(
        MethodResult(
            row.method, tuple(pair for part in parts for pair in part.methods[column].pairs)
        )
        for column, row in enumerate(parts[0].methods)
    )
    about = f"all pairs of {', '.join(part.name for part in parts)}"
    return [SetResult(parts[0].part_of, about, parts[0].size, rows)]


def run_method(method: Method, pair: FlowPair) -> PairResult:
    """One timed and scored estimate. Raises ValueError if the pair has nothing to score on."""
    started, cpu_started = time.perf_counter(), time.process_time()
    estimate = method.estimate(pair.target, pair.source)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu_started
    error = end_point_error(estimate.flow, pair.flow, pair.valid)
    curves = {name: sparsification(error, doubt) for name, doubt in estimate.uncertainty().items()}
    counts = None
    if estimate.confidence is not None:
        counts = count_confidence(error, estimate.confidence, tolerance(*error.shape))
    score = score_pair(estimate.flow, pair.flow, pair.valid)
    return PairResult(pair.name, pair.group, score, seconds, cpu, curves, counts, estimate.failed)
