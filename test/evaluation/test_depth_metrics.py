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

"""Depth metrics against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from zeroco_ros.evaluation.depth_metrics import depth_errors, NORMAL, score_frame, score_sigma


def test_four_pixels_by_hand() -> None:
    found = depth_errors(np.array([1.0, 3.0, 4.0, 2.0]), np.array([1.0, 2.0, 5.0, 4.0]))
    assert found.pixels == 4
    assert found.abs_rel == pytest.approx((0 + 1 / 2 + 1 / 5 + 2 / 4) / 4)
    assert found.sq_rel == pytest.approx((0 + 1 / 2 + 1 / 5 + 4 / 4) / 4)
    assert found.rmse == pytest.approx(np.sqrt((0 + 1 + 1 + 4) / 4))
    logs = np.log([1.0, 1.5, 0.8, 0.5])
    assert found.rmse_log == pytest.approx(np.sqrt((logs**2).mean()))
    # ratios 1, 1.5, 1.25, 2: 1.25 itself is not below 1.25
    assert found.delta == (0.25, 0.75, 0.75)


def test_depths_are_clipped_to_the_protocols_limits() -> None:
    found = depth_errors(np.array([500.0, 1e-9]), np.array([79.0, 0.5]))
    assert found.rmse == pytest.approx(np.sqrt((1 + 0.499**2) / 2))
    with pytest.raises(ValueError, match="no pixel"):
        depth_errors(np.zeros(0), np.zeros(0))


def test_the_scale_is_the_ratio_of_medians() -> None:
    truth = np.array([[1.0, 2, 3], [4, 5, np.nan]], np.float32)
    depth = np.array([[0.5, 1, 1.5], [np.nan, 2.5, 9]], np.float32)
    score = score_frame("a", depth, truth)
    assert (score.truth, score.known, score.coverage) == (5, 4, 0.8)
    assert score.scale == 2 and score.scaled is not None and score.unscaled is not None
    assert score.scaled.abs_rel == 0 and score.unscaled.abs_rel == 0.5
    assert score.sigma is None and score.half is None


def test_what_cannot_be_scored() -> None:
    truth = np.array([[0.0, -1, np.inf, np.nan, 81, 2]])
    depth = np.ones((1, 6))
    score = score_frame("a", depth, truth)
    assert (score.truth, score.known) == (1, 1)
    for nothing in (0.0, -1.0, np.nan, np.inf):
        empty = score_frame("a", np.full((1, 6), nothing), truth)
        assert (empty.truth, empty.known, empty.scale, empty.scaled) == (1, 0, None, None)
        assert empty.coverage == 0
    with pytest.raises(ValueError, match="one shape"):
        score_frame("a", depth, truth[:, :3])
    with pytest.raises(ValueError, match="one shape"):
        score_frame("a", depth, truth, np.ones((2, 2)))


def test_the_half_with_the_smaller_sigma() -> None:
    truth = np.array([[1.0, 1.0, 10.0, 10.0]])
    depth = np.array([[1.0, 1.5, 10.0, 12.0]])
    sigma = np.array([[0.1, 0.9, 0.5, np.nan]])
    score = score_frame("a", depth, truth, sigma)
    assert score.half is not None and score.half.pixels == 2
    assert score.half_unscaled is not None and score.half_unscaled.abs_rel == 0
    # relative to depth the third pixel (0.05) is surer than the first (0.1)
    other = score_frame("a", depth, truth, np.array([[0.1, 0.06, 0.5, 9.0]]))
    assert other.half_unscaled is not None and other.half_unscaled.abs_rel == 0.25
    assert other.half_relative is not None and other.half_relative.pixels == 2
    scale = np.median(truth) / np.median(depth)
    wrong = np.abs(scale * np.array([1.5, 10.0]) - [1, 10]) / [1, 10]
    assert other.half_relative.abs_rel == pytest.approx(wrong.mean())  # pixels 2 and 3


def test_sigma_that_describes_normal_errors() -> None:
    random = np.random.default_rng(0)
    truth = random.uniform(1, 5, 200_000)
    sigma = random.uniform(0.01, 0.3, truth.size)
    depth = truth + sigma * random.standard_normal(truth.size)
    score = score_sigma(depth, truth, sigma)
    assert score.quantiles == pytest.approx(NORMAL, abs=0.02)
    assert score.within == pytest.approx((0.6827, 0.9545, 0.9973), abs=0.003)
    twice = score_sigma(depth, truth, 2 * sigma)
    assert twice.quantiles == pytest.approx(np.array(NORMAL) / 2, abs=0.01)
    assert twice.ause == score.ause  # rank alone counts there
    blind = score_sigma(depth, truth, np.ones_like(sigma))
    assert 0 < score.ause < 0.8 * blind.ause


def test_sigma_as_scored() -> None:
    truth = np.array([[2.0, 4.0, 6.0]])
    depth = np.array([[1.0, 2.0, 3.0]])
    sigma = np.array([[0.1, 0.2, 0.3]])
    score = score_frame("a", depth, truth, sigma)
    assert score.sigma is not None and score.sigma_unscaled is not None
    assert score.sigma.within == (1, 1, 1) and score.sigma.quantiles[0] == 0
    assert score.sigma_unscaled.quantiles == pytest.approx((10,) * 4)
    assert score.sigma_unscaled.within == (0, 0, 0)
    nothing = score_frame("a", depth, truth, np.full_like(depth, np.inf)).sigma_unscaled
    assert nothing is not None and nothing.quantiles == (0, 0, 0, 0)
