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

from __future__ import annotations

import numpy as np
import pytest

from zeroco_ros.evaluation.calibration import (
    brier_score,
    count_confidence,
    reliability,
    tolerance,
)

# 20 confidences, 50 samples each, as many right as the confidence says
LEVELS = np.arange(0.025, 1, 0.05)
CONFIDENCE = np.repeat(LEVELS, 200)
CORRECT = np.concatenate([np.arange(200) < round(200 * level) for level in LEVELS])


def test_a_vector_is_right_within_a_share_of_the_longer_side() -> None:
    assert tolerance(480, 640) == tolerance(640, 480) == pytest.approx(3.2)


@pytest.mark.parametrize("equal_mass", [False, True])
def test_perfect_calibration_has_no_error(equal_mass: bool) -> None:
    diagram = reliability(CONFIDENCE, CORRECT, equal_mass=equal_mass)
    assert diagram.ece == pytest.approx(0, abs=1e-9)
    assert diagram.share == pytest.approx(np.full(10, 0.1))
    assert diagram.confidence == pytest.approx(np.arange(0.05, 1, 0.1))


@pytest.mark.parametrize("equal_mass", [False, True])
def test_over_confidence_is_the_gap(equal_mass: bool) -> None:
    """Always 0.95 or 0.65, right in 60 % and 30 % of the cases: 35 % too much in both."""
    confidence = np.repeat([0.95, 0.65], 100)
    correct = np.concatenate([np.arange(100) < 60, np.arange(100) < 30])
    diagram = reliability(confidence, correct, equal_mass=equal_mass)
    assert diagram.ece == pytest.approx(0.35)
    assert diagram.accuracy == pytest.approx([0.3, 0.6])
    assert brier_score(confidence, correct) == pytest.approx(
        (0.6 * 0.05**2 + 0.4 * 0.95**2 + 0.3 * 0.35**2 + 0.7 * 0.65**2) / 2
    )


@pytest.mark.parametrize("equal_mass", [False, True])
def test_a_constant_is_one_bin(equal_mass: bool) -> None:
    diagram = reliability(np.full(40, 0.5), np.arange(40) < 10, equal_mass=equal_mass)
    assert diagram.confidence == pytest.approx([0.5]) and diagram.share == pytest.approx([1])
    assert diagram.ece == pytest.approx(0.25)


def test_the_ends_of_the_range_belong_to_the_outer_bins() -> None:
    diagram = reliability(np.array([0.0, 0.05, 1.0, 0.95]), np.array([0, 0, 1, 1]))
    assert diagram.share == pytest.approx([0.5, 0.5])
    assert diagram.ece == pytest.approx(0.025)


def test_bins_of_equal_mass_have_equal_mass_where_values_differ() -> None:
    values = np.random.default_rng(0).beta(8, 1, 5000)  # nearly all above 0.5
    diagram = reliability(values, values > 0.9, equal_mass=True)
    assert diagram.share == pytest.approx(np.full(10, 0.1), abs=1e-3)


def test_weights_count_as_repeated_samples() -> None:
    one = reliability(np.array([0.2, 0.8]), np.array([0.5, 1.0]), np.array([2.0, 6.0]))
    assert one.share == pytest.approx([0.25, 0.75])
    assert one.ece == pytest.approx(0.25 * 0.3 + 0.75 * 0.2)


def test_counts_say_what_the_samples_say() -> None:
    """Errors beyond and within the limit, pooled over two halves, against the direct formulas."""
    error = np.where(CORRECT, 1.0, 9.0)
    halves = [
        count_confidence(error[part], CONFIDENCE[part], 3.2)
        for part in (slice(0, 1234), slice(1234, None))
    ]
    counts = halves[0] + halves[1]
    direct = reliability(CONFIDENCE, CORRECT)
    assert counts.accuracy == pytest.approx(0.5) and counts.mean_confidence == pytest.approx(0.5)
    assert counts.brier == pytest.approx(brier_score(CONFIDENCE, CORRECT))
    assert counts.diagram().accuracy == pytest.approx(direct.accuracy)
    assert counts.diagram(equal_mass=True).ece == pytest.approx(0, abs=1e-9)


def test_counts_leave_out_what_is_not_scored() -> None:
    error = np.array([[np.nan, 1.0], [np.inf, 3.0]], dtype=np.float64)
    confidence = np.array([[1.0, 1.0], [0.0, np.nan]], dtype=np.float32)
    counts = count_confidence(error, confidence, 3.0)
    assert counts.count.sum() == 3 and counts.accuracy == pytest.approx(2 / 3)
    assert counts.brier == pytest.approx(1 / 3)


def test_impossible_input_is_told() -> None:
    with pytest.raises(ValueError, match=r"must be in \[0, 1\]"):
        count_confidence(np.zeros(2), np.array([0.5, 1.5]), 1.0)
    with pytest.raises(ValueError, match="no valid pixel"):
        count_confidence(np.full(2, np.nan), np.zeros(2), 1.0)
    with pytest.raises(ValueError, match="no sample"):
        reliability(np.zeros(0), np.zeros(0))
