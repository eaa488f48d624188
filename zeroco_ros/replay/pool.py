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

"""Sums over pixels and frames that can be added up: over a bag, and over a fleet's bags."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from zeroco_ros.evaluation.calibration import ConfidenceCounts, FINE
from zeroco_ros.evaluation.depth_metrics import NORMAL, QUANTILES, SigmaScore
from zeroco_ros.evaluation.metrics import Sparsification
from zeroco_ros.replay.record import (
    Calibration,
    ConfidenceCalibration,
    Histogram,
    SigmaCalibration,
    SparsificationCurve,
)

Float = npt.NDArray[np.floating]
Double = npt.NDArray[np.float64]

LIMIT = "within 1/200 of the image's longer side (3.2 px at 640x480)"
# (low, high, bins, logarithmic) of each histogram
BINS: dict[str, tuple[float, float, int, bool]] = {
    "forward_backward_error": (0.01, 100.0, 48, True),
    "flow_magnitude": (0.1, 1000.0, 48, True),
    "epe": (0.01, 100.0, 48, True),
    "confidence": (0.0, 1.0, 40, False),
    "depth": (0.1, 100.0, 48, True),
    "relative_sigma": (0.001, 1.0, 36, True),
    "abs_rel": (0.001, 10.0, 48, True),
}
SIGMA_BINS = (0.005, 0.5, 12)  # of sigma / depth, geometric; those outside in the outermost
_WITHIN = len((1, 2, 3))


@dataclass
class SigmaSums:
    """Sums behind `SigmaCalibration`; pixels by bin of sigma / depth, and per frame."""

    pixels: list[float] = field(default_factory=lambda: [0.0] * SIGMA_BINS[2])
    sigma: list[float] = field(default_factory=lambda: [0.0] * SIGMA_BINS[2])
    error: list[float] = field(default_factory=lambda: [0.0] * SIGMA_BINS[2])
    within: list[float] = field(default_factory=lambda: [0.0] * _WITHIN)
    quantiles: list[float] = field(default_factory=lambda: [0.0] * len(QUANTILES))
    ause: float = 0.0
    curve: list[float] = field(default_factory=list)
    oracle: list[float] = field(default_factory=list)
    frames: int = 0


@dataclass
class Pool:
    """What is added up. confidence: (4 rows of FINE) counts of `ConfidenceCounts`, or empty."""

    histograms: dict[str, list[int]] = field(default_factory=dict)
    confidence: list[list[float]] = field(default_factory=list)
    squares: float = 0.0
    sigma: SigmaSums = field(default_factory=SigmaSums)

    def histogram(self, name: str, values: Float) -> None:
        """Count values into the bins of `name`."""
        low, high, bins, log = BINS[name]
        at = np.clip(np.asarray(values, np.float64).ravel(), low, high)
        share = np.log(at / low) / np.log(high / low) if log else (at - low) / (high - low)
        index = np.clip((share * bins).astype(np.intp), 0, bins - 1)
        counts = np.bincount(index, minlength=bins).tolist()
        held = self.histograms.setdefault(name, [0] * bins)
        self.histograms[name] = [a + b for a, b in zip(held, counts, strict=True)]

    def add_confidence(self, counts: ConfidenceCounts) -> None:
        """Add a pair's pixels by confidence."""
        rows = [counts.count, counts.confidence, counts.correct]
        held = self.confidence or [[0.0] * FINE for _ in rows]
        self.confidence = [(np.array(a) + b).tolist() for a, b in zip(held, rows, strict=True)]
        self.squares += counts.squares

    def add_sigma(
        self,
        depth: Double,
        error: Double,
        sigma: Double,
        score: SigmaScore,
        curve: Sparsification,
    ) -> None:
        """Add a frame's known pixels (N,): depth, |error| and sigma in one unit."""
        sums, (low, high, bins) = self.sigma, SIGMA_BINS
        relative = np.clip(np.where(np.isfinite(sigma), sigma / depth, high), low, high)
        share = np.log(relative / low) / np.log(high / low)
        index = np.clip((share * bins).astype(np.intp), 0, bins - 1)
        for row, weight in (
            (sums.pixels, None),
            (sums.sigma, (sigma / depth) ** 2),
            (sums.error, (error / depth) ** 2),
        ):
            _add(row, np.bincount(index, weight, bins))
        _add(sums.within, np.array(score.within) * depth.size)
        _add(sums.quantiles, np.array(score.quantiles))
        sums.curve = sums.curve or [0.0] * len(curve.error)
        sums.oracle = sums.oracle or [0.0] * len(curve.oracle)
        _add(sums.curve, curve.error)
        _add(sums.oracle, curve.oracle)
        sums.ause += score.ause
        sums.frames += 1

    def merge(self, other: Pool) -> None:
        """Add another pool's sums."""
        for name, counts in other.histograms.items():
            held = self.histograms.get(name, [0] * len(counts))
            self.histograms[name] = [a + b for a, b in zip(held, counts, strict=True)]
        if other.confidence:
            self.add_confidence(other.counts())
        _merge_sigma(self.sigma, other.sigma)

    def counts(self) -> ConfidenceCounts:
        """Return the confidence's counts; only where there are any."""
        count, confidence, correct = (np.array(row) for row in self.confidence)
        return ConfidenceCounts(count, confidence, correct, self.squares)

    def calibration(self) -> Calibration:
        """Return what confidence and sigma are worth, as far as there was truth."""
        return Calibration(self._confidence(), self._sigma())

    def shown(self) -> dict[str, Histogram]:
        """Return the histograms with their edges."""
        return {name: _histogram(name, counts) for name, counts in self.histograms.items()}

    def _confidence(self) -> ConfidenceCalibration | None:
        if not self.confidence:
            return None
        counts = self.counts()
        diagram = counts.diagram()
        return ConfidenceCalibration(
            LIMIT,
            diagram.confidence.tolist(),
            diagram.accuracy.tolist(),
            diagram.share.tolist(),
            diagram.ece,
            counts.brier,
        )

    def _sigma(self) -> SigmaCalibration | None:
        sums = self.sigma
        if not sums.frames:
            return None
        pixels = np.array(sums.pixels)
        held = pixels > 0
        total = pixels.sum()
        removed = (np.arange(len(sums.curve)) / len(sums.curve)).tolist()
        return SigmaCalibration(
            levels=list(QUANTILES),
            normal=list(NORMAL),
            quantiles=_means(sums.quantiles, sums.frames),
            within=_means(sums.within, total),
            sigma=np.sqrt(np.array(sums.sigma)[held] / pixels[held]).tolist(),
            error=np.sqrt(np.array(sums.error)[held] / pixels[held]).tolist(),
            share=(pixels[held] / total).tolist(),
            ause=sums.ause / sums.frames,
            curve=SparsificationCurve(
                removed, _means(sums.curve, sums.frames), _means(sums.oracle, sums.frames)
            ),
        )


def _histogram(name: str, counts: list[int]) -> Histogram:
    low, high, bins, log = BINS[name]
    edges = np.geomspace(low, high, bins + 1) if log else np.linspace(low, high, bins + 1)
    return Histogram(edges.tolist(), counts, log)


def _means(sums: Iterable[float], count: float) -> list[float]:
    return [float(value / count) for value in sums]


def _add(row: list[float], values: npt.NDArray[Any]) -> None:
    row[:] = [float(a + b) for a, b in zip(row, values.tolist(), strict=True)]


def _merge_sigma(sums: SigmaSums, other: SigmaSums) -> None:
    if not other.frames:
        return
    for name in ("pixels", "sigma", "error", "within", "quantiles", "curve", "oracle"):
        theirs = cast("list[float]", getattr(other, name))
        ours = cast("list[float]", getattr(sums, name)) or [0.0] * len(theirs)
        _add(ours, np.array(theirs))
        setattr(sums, name, ours)
    sums.ause += other.ause
    sums.frames += other.frames
