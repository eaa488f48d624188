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

"""The head's answer brought to a known scale, with a sigma that its errors justify."""

from __future__ import annotations

import numpy as np
import pytest

from zeroco_ros.estimate.learned_depth import RelativeDepth
from zeroco_ros.estimate.learned_prior import learned_prior

SIZE = (60, 80)


def answer(spread: float, claimed: float) -> tuple[RelativeDepth, np.ndarray]:
    """Relative depth with errors of `spread` that says `claimed`, and the true inverse depth."""
    rng = np.random.default_rng(0)
    y, x = np.indices(SIZE)
    truth = 0.4 + 0.1 * np.sin(x / 11) * np.cos(y / 7)
    noisy = 2.7 * truth * np.exp(spread * rng.normal(size=SIZE))
    sigma = np.full(SIZE, claimed, np.float32)
    return RelativeDepth(noisy.astype(np.float32), sigma, True), truth.astype(np.float32)


@pytest.mark.parametrize("claimed", [0.05, 0.1, 0.18])
def test_scale_and_sigma_are_fitted(claimed: float) -> None:
    relative, truth = answer(0.1, claimed)
    known = np.where(np.arange(SIZE[1]) < 40, truth, np.nan).astype(np.float32)
    prior = learned_prior(relative, known, 0.02 * truth)
    assert prior is not None
    assert np.median(prior.value / truth) == pytest.approx(1.0, abs=0.01)
    assert np.median(prior.sigma / prior.value) == pytest.approx(0.1, rel=0.1)
    assert prior.value.dtype == prior.sigma.dtype == np.float32
    assert np.isfinite(prior.value).all()  # also where nothing was known


def test_wrong_and_unsure_pixels_do_not_decide() -> None:
    relative, truth = answer(0.05, 0.05)
    known, sigma = truth.copy(), (0.02 * truth).astype(np.float32)
    known[:20] *= 3.0
    sigma[:20] = np.inf
    known[20:30] *= 1.5  # sure, and wrong
    prior = learned_prior(relative, known, sigma)
    assert prior is not None
    assert np.median(prior.value / truth) == pytest.approx(1.0, abs=0.03)


def test_little_knowledge_gives_none() -> None:
    relative, truth = answer(0.1, 0.1)
    few = np.full(SIZE, np.nan, np.float32)
    few[0, :50] = truth[0, :50]
    assert learned_prior(relative, few, 0.01 * truth) is None
    assert learned_prior(relative, truth, 0.5 * truth) is None
    assert learned_prior(relative, -truth, 0.01 * truth) is None
