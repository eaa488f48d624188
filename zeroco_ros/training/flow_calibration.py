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

"""Fit the confidence of a finished estimator on procedural pairs that no weight was trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from zeroco_ros.estimate.flow import FlowEstimator
from zeroco_ros.matching.calibration import Calibration, features, RIGHT_WITHIN
from zeroco_ros.training.flow_recipe import FlowRecipe
from zeroco_ros.training.pairs import make_pair
from zeroco_ros.training.photos import bundled_photos
from zeroco_ros.training.textures import texture_pool

SEED = 424_242_424  # far from any training seed and from the held-out sets
SIZE = (480, 640)
PER_PAIR = 2000  # pixels taken of each pair
RAW = Calibration(bias=0.0, certainty=1.0, cycle=0.0, lost=0.0)

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Fit:
    """
    A fit of the calibration.

    calibration; pairs and pixels it was fitted on; share: of right vectors among them; before
    and after: mean cross-entropy in nats of the head's own certainty and of the fitted confidence.
    """

    calibration: Calibration
    pairs: int
    pixels: int
    share: float
    before: float
    after: float


def calibrate(estimator: FlowEstimator, recipe: FlowRecipe, pairs: int, show: bool = True) -> Fit:
    """
    Fit `Calibration` for an estimator with a head; the estimator then uses it.

    A vector is right where it ends within `RIGHT_WITHIN` of the longer side of the truth. Pixels
    that the source does not see have no match and take no part.
    """
    estimator.calibration, estimator.plain_is_unsure = RAW, False
    found = list(tqdm(samples(estimator, recipe, pairs), total=pairs, disable=not show))
    inputs = np.concatenate([one[0] for one in found])
    right = np.concatenate([one[1] for one in found])
    weights = logistic_regression(inputs, right)
    fitted = Calibration(
        bias=round(float(weights[0]), 4),
        certainty=round(float(weights[1]), 4),
        cycle=round(float(-weights[2]), 4),
        lost=round(float(-weights[3]), 4),
    )
    estimator.calibration, estimator.plain_is_unsure = fitted, True
    before = cross_entropy(inputs[:, 1], right)
    after = cross_entropy(inputs @ weights, right)
    return Fit(fitted, pairs, len(right), float(right.mean()), before, after)


def samples(
    estimator: FlowEstimator, recipe: FlowRecipe, pairs: int
) -> Iterator[tuple[Array, Array]]:
    """Regression inputs (n, 4) and labels (n,) of visible pixels, one pair after another."""
    pool = texture_pool([SEED, 0], 48, bundled_photos())
    for number in range(pairs):
        pair = make_pair([SEED, 1, number], recipe.data.world, pool, SIZE, 1)
        result = estimator.estimate(pair.images[0], pair.images[1])
        distance = np.linalg.norm(result.flow - pair.flow[0], axis=2)
        right = (distance < RIGHT_WITHIN * max(SIZE)).reshape(-1)
        seen = np.flatnonzero(pair.visible[0])
        clipped = np.clip(result.confidence.astype(np.float64), 1e-9, 1 - 1e-9)
        logit = np.log(clipped / (1 - clipped)).astype(np.float32)
        parts = features(logit, result.forward_backward_error)
        inputs = np.stack([np.ones(SIZE), *parts], -1).reshape(-1, 4).astype(np.float64)
        count = min(PER_PAIR, len(seen))
        chosen = np.random.default_rng([SEED, 2, number]).choice(seen, count, replace=False)
        yield inputs[chosen], right[chosen].astype(np.float64)


def logistic_regression(inputs: Array, labels: Array, ridge: float = 1e-3) -> Array:
    """Weights (k,) of the logistic model of labels (n,) in {0, 1} on inputs (n, k), by Newton."""
    weights = np.zeros(inputs.shape[1])
    for _ in range(50):
        probability = 1 / (1 + np.exp(-np.clip(inputs @ weights, -30, 30)))
        slope = inputs.T @ (probability - labels) + ridge * weights
        bend = (inputs * (probability * (1 - probability))[:, None]).T @ inputs
        step = np.linalg.solve(bend + ridge * np.eye(len(weights)), slope)
        weights = weights - step
        if np.abs(step).max() < 1e-8:
            break
    return weights


def cross_entropy(logits: Array, labels: Array) -> float:
    """Mean cross-entropy in nats of labels (n,) in {0, 1} under logits (n,)."""
    return float(np.mean(np.logaddexp(0, logits) - labels * logits))
