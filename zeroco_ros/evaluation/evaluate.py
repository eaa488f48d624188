"""Running methods over sets and collecting scores."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from zeroco_ros.errors import ImageError
from zeroco_ros.evaluation.datasets import FlowSet
from zeroco_ros.evaluation.methods import Method
from zeroco_ros.evaluation.metrics import (
    PairScore,
    SetScore,
    end_point_error,
    score_pair,
    score_set,
    sparsification,
)
from zeroco_ros.evaluation.protocols import FlowPair


@dataclass(frozen=True)
class PairResult:
    """One estimate of a pair.

    seconds: by the clock; cpu_seconds: of all threads, which a busy machine distorts less.
    sparsification: area under the curve by the name of the uncertainty (1: it says nothing, lower
    is better).
    """

    pair: str
    score: PairScore
    seconds: float
    cpu_seconds: float
    sparsification: dict[str, float]


@dataclass(frozen=True)
class MethodResult:
    """One method on one set."""

    method: str
    score: SetScore
    pairs: tuple[PairResult, ...]

    @property
    def seconds(self) -> float:
        """Median time of one estimate."""
        return float(np.median([pair.seconds for pair in self.pairs]))

    @property
    def cpu_seconds(self) -> float:
        """Median processor time of one estimate."""
        return float(np.median([pair.cpu_seconds for pair in self.pairs]))

    @property
    def sparsification(self) -> dict[str, float]:
        """Mean over the pairs, by the name of the uncertainty."""
        return {
            name: float(np.mean([pair.sparsification[name] for pair in self.pairs]))
            for name in self.pairs[0].sparsification
        }


@dataclass(frozen=True)
class SetResult:
    """All methods on one set; size is that of the first pair, (height, width)."""

    name: str
    about: str
    size: tuple[int, int]
    methods: tuple[MethodResult, ...]


def evaluate(
    sets: Sequence[FlowSet],
    methods: Sequence[Method],
    advance: Callable[[str], None] = lambda _: None,
) -> list[SetResult]:
    """Score every method on every pair of every set.

    advance is called before each estimate with a text that says which one. A method's first
    estimate on a set is repeated before the clock runs, so that no time contains a warm-up.
    Raises ImageError if a pair of one of the sets cannot be read or has nothing to score on.
    """
    results = []
    for flow_set in sets:
        collected: dict[str, list[PairResult]] = {method.name: [] for method in methods}
        size = (0, 0)
        for index, pair in enumerate(flow_set):
            if not (pair.valid & np.isfinite(pair.flow).all(axis=-1)).any():
                raise ImageError(f"{flow_set.name} {pair.name} has no pixel to score on")
            size = size if index else pair.target.shape[:2]
            for method in methods:
                advance(f"{flow_set.name} {pair.name} {method.name}")
                if index == 0:
                    method.estimate(pair.target, pair.source)
                collected[method.name].append(_run(method, pair))
        rows = tuple(
            MethodResult(name, score_set([pair.score for pair in pairs]), tuple(pairs))
            for name, pairs in collected.items()
        )
        results.append(SetResult(flow_set.name, flow_set.about, size, rows))
    return results


def _run(method: Method, pair: FlowPair) -> PairResult:
    started, cpu_started = time.perf_counter(), time.process_time()
    estimate = method.estimate(pair.target, pair.source)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu_started
    error = end_point_error(estimate.flow, pair.flow, pair.valid)
    areas = {
        name: sparsification(error, doubt).area for name, doubt in estimate.uncertainty.items()
    }
    score = score_pair(estimate.flow, pair.flow, pair.valid)
    return PairResult(pair.name, score, seconds, cpu, areas)
