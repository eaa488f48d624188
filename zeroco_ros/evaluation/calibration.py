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
What a confidence is worth: reliability, expected calibration error, Brier score.

A confidence is read as the probability that the flow vector is within 1/200 of the longer side of
the target image of the truth (3.2 px at 640x480): the same share of the picture at every size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zeroco_ros.matching.calibration import RIGHT_WITHIN

Float = npt.NDArray[np.floating]
Bool = npt.NDArray[np.bool_]

BINS = 10
FINE = 1000  # bins of the counts that can be pooled; a multiple of BINS


def tolerance(height: int, width: int) -> float:
    """Return the error in pixels up to which a flow vector counts as right."""
    return RIGHT_WITHIN * max(height, width)


@dataclass(frozen=True)
class Reliability:
    """
    A reliability diagram; only bins that hold something.

    confidence: (n,) mean confidence of each bin, in [0, 1]. accuracy: (n,) share that is right.
    share: (n,) of all pixels in the bin; sums to 1.
    """

    confidence: npt.NDArray[np.float64]
    accuracy: npt.NDArray[np.float64]
    share: npt.NDArray[np.float64]

    @property
    def ece(self) -> float:
        """Give expected calibration error (Guo et al., ICML 2017), in [0, 1]; 0 is calibrated."""
        return float((self.share * np.abs(self.accuracy - self.confidence)).sum())


def reliability(
    confidence: Float,
    correct: Float | Bool,
    weight: Float | None = None,
    bins: int = BINS,
    equal_mass: bool = False,
) -> Reliability:
    """
    Reliability diagram of samples of any one shape.

    confidence: in [0, 1]. correct: right or not, or the share that is right. weight: how much
    each sample counts (default 1). equal_mass: bins of equal weight instead of equal width;
    samples of the same confidence are never parted. Raises ValueError without a sample.
    """
    values = np.asarray(confidence, np.float64).ravel()
    right = np.asarray(correct, np.float64).ravel()
    mass = np.ones_like(values) if weight is None else np.asarray(weight, np.float64).ravel()
    if not mass.sum() > 0:
        raise ValueError("no sample to calibrate with")
    if equal_mass:
        _, inverse = np.unique(values, return_inverse=True)
        held = np.bincount(inverse, mass)
        middle = np.cumsum(held) - held / 2
        place = (middle / held.sum() * bins)[inverse]
    else:
        place = values * bins
    index = np.clip(place.astype(np.intp), 0, bins - 1)
    count = np.bincount(index, mass, bins)
    filled = count > 0
    mean = np.bincount(index, mass * values, bins)[filled] / count[filled]
    share = np.bincount(index, mass * right, bins)[filled] / count[filled]
    return Reliability(mean, share, count[filled] / count.sum())


def brier_score(confidence: Float, correct: Float | Bool) -> float:
    """Mean squared difference of confidence and outcome (0 or 1); 0 is perfect."""
    difference = np.asarray(confidence, np.float64) - np.asarray(correct, np.float64)
    return float(np.mean(difference**2))


@dataclass(frozen=True)
class ConfidenceCounts:
    """
    Sums over pixels in FINE bins of confidence, so that pairs and sets can be pooled.

    count, confidence, correct: (FINE,) number of pixels, sum of confidence, number of right ones.
    squares: sum of squared differences of confidence and outcome.
    """

    count: npt.NDArray[np.float64]
    confidence: npt.NDArray[np.float64]
    correct: npt.NDArray[np.float64]
    squares: float

    def __add__(self, other: ConfidenceCounts) -> ConfidenceCounts:
        return ConfidenceCounts(
            self.count + other.count,
            self.confidence + other.confidence,
            self.correct + other.correct,
            self.squares + other.squares,
        )

    @property
    def accuracy(self) -> float:
        """Share of the pixels that are right."""
        return float(self.correct.sum() / self.count.sum())

    @property
    def mean_confidence(self) -> float:
        """Mean confidence; equal to `accuracy` where the confidence is calibrated."""
        return float(self.confidence.sum() / self.count.sum())

    @property
    def brier(self) -> float:
        """Brier score; accuracy * (1 - accuracy) is what a constant can reach."""
        return self.squares / float(self.count.sum())

    def diagram(self, bins: int = BINS, equal_mass: bool = False) -> Reliability:
        """Reliability diagram; with equal mass the borders fall on the fine bins'."""
        held = self.count > 0
        count = self.count[held]
        mean, right = self.confidence[held] / count, self.correct[held] / count
        return reliability(mean, right, count, bins, equal_mass)


def count_confidence(error: Float, confidence: Float, limit: float) -> ConfidenceCounts:
    """
    Count pixels by confidence; error NaN: not scored; confidence NaN: 0.

    Raises ValueError without a scored pixel or if a confidence is outside of [0, 1].
    """
    scored = ~np.isnan(error)
    if not scored.any():
        raise ValueError("no valid pixel to score on")
    values = np.nan_to_num(np.asarray(confidence, np.float64)[scored])
    if values.min() < 0 or values.max() > 1:
        raise ValueError(f"confidence from {values.min()} to {values.max()}: must be in [0, 1]")
    right = np.asarray(error[scored] <= limit, np.float64)
    index = np.minimum((values * FINE).astype(np.intp), FINE - 1)
    return ConfidenceCounts(
        np.bincount(index, minlength=FINE).astype(np.float64),
        np.asarray(np.bincount(index, values, FINE), np.float64),
        np.asarray(np.bincount(index, right, FINE), np.float64),
        float(((values - right) ** 2).sum()),
    )
