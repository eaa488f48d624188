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

from zeroco_ros.evaluation.metrics import (
    end_point_error,
    score_pair,
    score_set,
    sparsification,
)


def _wrong_by(errors: list[float], truth: float = 10.0) -> tuple[np.ndarray, np.ndarray]:
    """Return an estimate (1, N, 2) with the given errors, and its truth."""
    flow = np.full((1, len(errors), 2), 0.0)
    flow[..., 0] = truth
    estimate = flow.copy()
    estimate[0, :, 1] += errors
    return estimate, flow


def test_end_point_error_is_the_distance_and_nan_outside() -> None:
    flow = np.array([[[3.0, 4.0], [1.0, 1.0], [0.0, 0.0], [np.nan, 0.0]]])
    truth = np.array([[[0.0, 0.0], [1.0, 1.0], [np.nan, 0.0], [0.0, 0.0]]])
    valid = np.array([[True, False, True, True]])
    error = end_point_error(flow, truth, valid)
    assert error[0, 0] == 5 and np.isnan(error[0, 1:3]).all() and error[0, 3] == np.inf


def test_pair_score_counts_at_the_thresholds_inclusively() -> None:
    estimate, truth = _wrong_by([0.0, 1.0, 1.001, 3.0, 5.0, 6.0, 100.0])
    valid = np.array([[True] * 6 + [False]])
    score = score_pair(estimate, truth, valid)
    assert score.valid == 6 and score.correct == (2, 4, 5)
    assert score.epe == pytest.approx(16.001 / 6)
    assert score.motion == 10


def test_outliers_need_three_pixels_and_five_percent() -> None:
    near, near_truth = _wrong_by([2.9, 3.1], truth=10.0)
    far, far_truth = _wrong_by([4.0, 6.0], truth=100.0)
    valid = np.ones((1, 2), dtype=bool)
    assert score_pair(near, near_truth, valid).outliers == 1
    assert score_pair(far, far_truth, valid).outliers == 1


def test_set_score_weighs_pairs_equally_and_pools_pixels() -> None:
    first = score_pair(*_wrong_by([0.0] * 9 + [2.0]), np.ones((1, 10), dtype=bool))
    second = score_pair(*_wrong_by([4.0, 4.0]), np.ones((1, 2), dtype=bool))
    total = score_set([first, second])
    assert total.aepe == pytest.approx((0.2 + 4) / 2)
    assert total.pck == pytest.approx((0.45, 0.5, 1.0))
    assert total.pck_pooled == pytest.approx((9 / 12, 10 / 12, 1.0))
    assert total.fl_all == pytest.approx(0.5) and total.valid == 12 and total.pairs == 2


def test_groups_are_averaged_before_the_set() -> None:
    """ETH3D: images within a sequence first, then the sequences."""
    valid = np.ones((1, 2), dtype=bool)
    scores = [score_pair(*_wrong_by([error] * 2), valid) for error in (1.0, 3.0, 10.0)]
    total = score_set(scores, ["a", "a", "b"])
    assert total.aepe == pytest.approx(6) and total.pairs == 3 and total.valid == 6
    assert total.pck == pytest.approx((0.25, 0.5, 0.5)) and total.fl_all == pytest.approx(0.5)
    assert total.pck_pooled == pytest.approx((1 / 3, 2 / 3, 2 / 3))
    assert score_set(scores, ["a"] * 3) == score_set(scores)


def test_nothing_to_score_is_an_error() -> None:
    estimate, truth = _wrong_by([1.0])
    with pytest.raises(ValueError, match="no valid pixel"):
        score_pair(estimate, truth, np.zeros((1, 1), dtype=bool))
    with pytest.raises(ValueError, match="no pair"):
        score_set([])
    with pytest.raises(ValueError, match="no valid pixel"):
        sparsification(np.array([np.nan]), np.array([1.0]))


def test_sparsification_tells_good_from_useless_uncertainty() -> None:
    random = np.random.default_rng(0)
    error = random.exponential(size=20000)
    perfect = sparsification(error, error)
    useless = sparsification(error, random.random(20000))
    reversed_ = sparsification(error, -error)
    assert perfect.ause == pytest.approx(0, abs=1e-9)
    assert useless.area == pytest.approx(1, abs=0.05)
    assert perfect.area < useless.area < reversed_.area
    # of exponential errors the best share s has the mean 1 + (1 - s) ln(1 - s) / s
    share = 1 - perfect.removed[1:]
    with np.errstate(divide="ignore"):
        expected = 1 + (1 - share) * np.log(1 - share) / share
    assert perfect.error[1:] == pytest.approx(expected, abs=0.02)


def test_unknown_uncertainty_is_removed_first() -> None:
    error = np.array([1.0, 1.0, 9.0, 9.0, np.nan])
    doubt = np.array([0.1, 0.2, np.inf, np.nan, 0.0])
    curve = sparsification(error, doubt, steps=4)
    assert curve.error == pytest.approx([1, (11 / 3) / 5, 0.2, 0.2])


def test_equal_uncertainty_is_removed_in_no_order() -> None:
    """A measure that says nothing scores 1, wherever the errors lie in the image."""
    error = np.concatenate([np.zeros(500), np.full(500, 8.0)])
    constant = sparsification(error, np.zeros(1000))
    assert constant.error == pytest.approx(np.ones(50)) and constant.area == pytest.approx(1)
    halves = sparsification(error, np.repeat([0.0, 1.0], 500))
    assert halves.ause == pytest.approx(0, abs=1e-9)
