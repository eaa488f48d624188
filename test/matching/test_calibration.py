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

"""Confidence as a probability."""

from __future__ import annotations

import numpy as np
import pytest

from zeroco_ros.errors import WeightsError
from zeroco_ros.matching.calibration import Calibration, FAR, features, RIGHT_WITHIN


def field(value: float, shape: tuple[int, int] = (20, 400)) -> np.ndarray:
    return np.full(shape, value, dtype=np.float32)


def test_the_heads_own_certainty_is_its_logistic_function():
    raw = Calibration(bias=0, certainty=1, cycle=0, lost=0)
    for logit in (-3.0, 0.0, 2.0):
        confidence = raw.confidence(field(logit), field(1.0))
        np.testing.assert_allclose(confidence, 1 / (1 + np.exp(-logit)), rtol=1e-6)
        assert confidence.dtype == np.float32


def test_a_worse_way_back_lowers_the_confidence_and_a_lost_match_more():
    calibration = Calibration(bias=1, certainty=0.5, cycle=1, lost=20)
    values = [
        float(calibration.confidence(field(0), field(error))[0, 0])
        for error in (0.0, 1.0, 5.0, np.inf)
    ]
    assert values == sorted(values, reverse=True)
    assert values[0] == pytest.approx(1 / (1 + np.exp(-1)))
    assert values[-1] == pytest.approx(1 / (1 + np.exp(19)), rel=1e-4)


def test_errors_are_measured_in_shares_of_the_longer_side_and_bounded():
    unit = RIGHT_WITHIN * 400
    _, one, _ = features(field(0), field(unit))
    np.testing.assert_allclose(one, np.log(2), rtol=1e-6)
    _, far, lost = features(field(0), field(1e9))
    np.testing.assert_allclose(far, np.log1p(FAR), rtol=1e-6)
    assert not lost.any()


@pytest.mark.parametrize("error", [0.0, 1e30, np.inf])
@pytest.mark.parametrize("logit", [-1e30, 0.0, 1e30])
def test_extreme_values_stay_probabilities(logit: float, error: float):
    confidence = Calibration().confidence(field(logit), field(error))
    assert np.isfinite(confidence).all() and (confidence >= 0).all() and (confidence <= 1).all()


def test_what_a_file_says_is_read_back():
    calibration = Calibration(bias=0.25, certainty=0.5, cycle=0.75, lost=1.5)
    assert Calibration.from_metadata({"calibration": calibration.to_dict()}) == calibration
    assert Calibration.from_metadata({}) == Calibration()


@pytest.mark.parametrize("stored", [{"slope": 1.0}, {"bias": "high"}, {"bias": float("nan")}, [1]])
def test_unreadable_calibrations_are_named(stored: object):
    with pytest.raises(WeightsError, match="calibration"):
        Calibration.from_metadata({"calibration": stored})
