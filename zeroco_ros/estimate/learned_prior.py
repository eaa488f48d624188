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

"""The depth head as knowledge for multi-view geometry: scaled, its sigma as its errors are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from zeroco_ros.estimate.learned_depth import RelativeDepth
from zeroco_ros.estimate.multiview_prior import InverseDepthPrior

FloatArray = npt.NDArray[np.float32]

FEWEST = 200  # pixels that the scale is fitted on
SOUND = 0.2  # relative sigma up to which a pixel takes part
MOST = 20_000  # pixels that take part, drawn evenly
FACTORS = (0.5, 3.0)  # range of what the head's sigma is multiplied by
NORMAL = 0.6745  # median of the absolute value of a standard normal variable
ROUNDS = 30


def learned_prior(
    relative: RelativeDepth, value: FloatArray, sigma: FloatArray
) -> InverseDepthPrior | None:
    """
    Inverse depth of the head in the unit of a known one, its sigma as large as its errors.

    value, sigma: (H, W) known inverse depth of the same pixels and its standard deviation, NaN or
    inf where unknown. The factor is the median ratio, pixels weighed by the joint deviation of the
    logarithms; then one number for the head's sigma makes the median of the deviations what it
    should be. None where too little is known.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        share = sigma / value
        sound = np.isfinite(value) & (value > 0) & (share < SOUND)
    places = np.flatnonzero(sound)
    if len(places) < FEWEST:
        return None
    places = places[:: max(1, len(places) // MOST)]
    ratio = np.log(value.flat[places]) - np.log(relative.inverse.flat[places])
    ours, theirs = relative.sigma.flat[places].astype(float), share.flat[places].astype(float)
    scale = _weighted_median(ratio, 1 / np.hypot(ours, theirs))
    factor = _factor(np.abs(ratio - scale), ours, theirs)
    inverse = (np.exp(scale) * relative.inverse).astype(np.float32)
    return InverseDepthPrior(inverse, (factor * relative.sigma * inverse).astype(np.float32))


def _weighted_median(values: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def _factor(
    error: npt.NDArray[np.float64], ours: npt.NDArray[np.float64], theirs: npt.NDArray[np.float64]
) -> float:
    """Return the factor of `ours` with which error over joint sigma has a normal's median."""
    low, high = FACTORS
    for _ in range(ROUNDS):
        middle = (low + high) / 2
        if np.median(error / np.hypot(middle * ours, theirs)) > NORMAL:
            low = middle
        else:
            high = middle
    return (low + high) / 2
