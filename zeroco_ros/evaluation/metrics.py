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

"""Errors of a flow field against ground truth, per pair and per data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.floating]
Bool = npt.NDArray[np.bool_]

THRESHOLDS = (1, 3, 5)  # pixels


@dataclass(frozen=True)
class PairScore:
    """
    What is known about one estimate; sums rather than shares, so that pairs can be pooled.

    epe: mean end-point error in pixels. valid: scored pixels. correct: those with an error of at
    most 1, 3, 5 pixels. outliers: those wrong by KITTI's measure (above 3 px and above 5 % of the
    true length). motion: median true length in pixels. All over the valid pixels.
    """

    epe: float
    valid: int
    correct: tuple[int, int, int]
    outliers: int
    motion: float


@dataclass(frozen=True)
class SetScore:
    """
    Means over the pairs of a set, or over its groups of pairs.

    aepe: mean over pairs of the pair's mean error, pixels. pck: mean over pairs of the share of
    pixels within 1, 3, 5 px, in [0, 1]. pck_pooled: the same share over all pixels of all pairs.
    fl_all: mean over pairs of the outlier share. motion: median over pairs of the median motion.
    """

    pairs: int
    aepe: float
    pck: tuple[float, float, float]
    pck_pooled: tuple[float, float, float]
    fl_all: float
    motion: float
    valid: int


def end_point_error(flow: Float, truth: Float, valid: Bool | None = None) -> Float:
    """
    Length of the difference of two (H, W, 2) fields, (H, W) float64, NaN outside of `valid`.

    Ground truth that is not finite is never valid; an estimate that is not finite is inf wrong.
    """
    truth = np.asarray(truth, dtype=np.float64)
    known = np.asarray(np.isfinite(truth).all(axis=-1))
    if valid is not None:
        known &= valid
    difference = np.where(known[..., None], flow - np.where(known[..., None], truth, 0), 0)
    error = np.hypot(difference[..., 0], difference[..., 1])
    return np.where(known, np.where(np.isfinite(error), error, np.inf), np.nan)


def score_pair(flow: Float, truth: Float, valid: Bool) -> PairScore:
    """Score an estimate on the valid pixels. Raises ValueError if there is none."""
    error = end_point_error(flow, truth, valid)
    scored = ~np.isnan(error)
    errors = error[scored]
    if errors.size == 0:
        raise ValueError("no valid pixel to score on")
    length = np.hypot(truth[..., 0], truth[..., 1])[scored]
    at_1, at_3, at_5 = (int((errors <= limit).sum()) for limit in THRESHOLDS)
    return PairScore(
        epe=float(errors.mean()),
        valid=int(errors.size),
        correct=(at_1, at_3, at_5),
        outliers=int(((errors > 3) & (errors > 0.05 * length)).sum()),
        motion=float(np.median(length)),
    )


def score_set(scores: Sequence[PairScore], groups: Sequence[str] | None = None) -> SetScore:
    """
    Average pair scores, each pair counting the same. Raises ValueError without a pair.

    groups: one name for each score; aepe, pck and fl_all are then averaged over the pairs of each
    group and after that over the groups, as ETH3D's rates over its sequences.
    """
    if not scores:
        raise ValueError("no pair to average")
    if groups and len(set(groups)) > 1:
        return _grouped(scores, groups)
    valid = np.array([score.valid for score in scores], dtype=np.float64)
    correct = np.array([score.correct for score in scores], dtype=np.float64)
    per_image = (correct / valid[:, None]).mean(axis=0)
    pooled = correct.sum(axis=0) / valid.sum()
    outliers = np.array([score.outliers for score in scores]) / valid
    return SetScore(
        pairs=len(scores),
        aepe=float(np.mean([score.epe for score in scores])),
        pck=(float(per_image[0]), float(per_image[1]), float(per_image[2])),
        pck_pooled=(float(pooled[0]), float(pooled[1]), float(pooled[2])),
        fl_all=float(outliers.mean()),
        motion=float(np.median([score.motion for score in scores])),
        valid=int(valid.sum()),
    )


def _grouped(scores: Sequence[PairScore], groups: Sequence[str]) -> SetScore:
    members: dict[str, list[PairScore]] = {}
    for score, group in zip(scores, groups, strict=True):
        members.setdefault(group, []).append(score)
    parts = [score_set(part) for part in members.values()]
    pck = np.mean([part.pck for part in parts], axis=0)
    return replace(
        score_set(scores),
        aepe=float(np.mean([part.aepe for part in parts])),
        pck=(float(pck[0]), float(pck[1]), float(pck[2])),
        fl_all=float(np.mean([part.fl_all for part in parts])),
    )


@dataclass(frozen=True)
class Sparsification:
    """
    Mean error of what is left after removing the least certain pixels.

    removed: (N,) shares from 0 up to but not including 1. error: (N,) mean error left, by the
    given uncertainty; oracle: by the true error. Both are divided by the mean error of all.
    """

    removed: npt.NDArray[np.float64]
    error: npt.NDArray[np.float64]
    oracle: npt.NDArray[np.float64]

    @property
    def area(self) -> float:
        """Area under the sparsification curve; lower is better, 1 says nothing is known."""
        return _area(self.error, self.removed)

    @property
    def ause(self) -> float:
        """Area between the curve and the oracle's (AUSE, Ilg et al. 2018); 0 is perfect."""
        return max(0.0, _area(self.error - self.oracle, self.removed))


def sparsification(error: Float, uncertainty: Float, steps: int = 50) -> Sparsification:
    """
    Sparsification curve of per-pixel errors under an uncertainty of the same shape.

    Pixels whose error is NaN are left out; an uncertainty of inf or NaN is removed first. Pixels
    of equal uncertainty are removed in random order: what is expected of that is what counts.
    Raises ValueError without a scored pixel.
    """
    scored = ~np.isnan(error)
    errors = np.asarray(error[scored], dtype=np.float64)
    if errors.size == 0:
        raise ValueError("no valid pixel to score on")
    doubts = np.asarray(uncertainty, dtype=np.float64)[scored]
    doubts = np.where(np.isnan(doubts), np.inf, doubts)
    removed = np.arange(steps) / steps
    keep = np.maximum(1, np.round((1 - removed) * errors.size).astype(np.intp))
    mean = max(float(errors.mean()), 1e-12)
    order = np.argsort(doubts)
    curves = []
    for kept in (_even_ties(errors[order], doubts[order]), np.sort(errors)):
        running = np.cumsum(kept) / np.arange(1, errors.size + 1)
        curves.append(running[keep - 1] / mean)
    return Sparsification(removed, curves[0], curves[1])


def _even_ties(
    errors: npt.NDArray[np.float64], measure: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Errors in the order of `measure`, those of equal measure replaced by their mean."""
    starts = np.flatnonzero(np.concatenate([[True], measure[1:] != measure[:-1]]))
    counts = np.diff(np.append(starts, errors.size))
    return np.repeat(np.add.reduceat(errors, starts) / counts, counts)


def _area(curve: npt.NDArray[np.float64], at: npt.NDArray[np.float64]) -> float:
    """Trapezoidal area over the covered range, scaled as if it were [0, 1]."""
    widths = np.diff(at)
    return float((widths * (curve[1:] + curve[:-1]) / 2).sum() / widths.sum())
