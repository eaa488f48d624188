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
Confidence as a probability: the head's certainty and the way back, weighed.

Logistic regression, a wider form of Platt's scaling (Platt, 1999), fitted on procedural pairs that
no weight was trained on, never on evaluation data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from zeroco_ros.errors import WeightsError

FloatArray = npt.NDArray[np.float32]

# A vector counts as right within this share of the image's longer side: 3.2 px at 640x480.
RIGHT_WITHIN = 1 / 200
# Forward-backward errors count up to this many times that distance.
FAR = 50.0


@dataclass(frozen=True)
class Calibration:
    """
    confidence = sigmoid(bias + certainty * head's logit - cycle * log(1 + e) [- lost]).

    e: the forward-backward error over `RIGHT_WITHIN` of the longer side, at most FAR; lost: taken
    off where the match lies outside the source.
    """

    bias: float = 0.0
    certainty: float = 1.0
    cycle: float = 0.5
    lost: float = 2.0

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any]) -> Calibration:
        """
        Return what a head's file says under "calibration"; the defaults where it says nothing.

        Raises WeightsError for values that are not finite numbers.
        """
        stored = metadata.get("calibration", {})
        try:
            values = {name: float(stored[name]) for name in stored}
            found = cls(**values)
        except (TypeError, ValueError, LookupError) as error:
            raise WeightsError(f"the head's 'calibration' is unreadable: {error}") from None
        if not all(np.isfinite(list(asdict(found).values()))):
            raise WeightsError("the head's 'calibration' holds numbers that are not finite")
        return found

    def to_dict(self) -> dict[str, float]:
        """Plain values, the inverse of `from_metadata`'s entry."""
        return asdict(self)

    def confidence(self, certainty: FloatArray, error: FloatArray) -> FloatArray:
        """
        Probability (H, W) in [0, 1] that a vector is right within `RIGHT_WITHIN`.

        certainty: (H, W) the head's logit; error: (H, W) forward-backward error in pixels, inf
        where the match lies outside the source.
        """
        known, cycle, lost = features(certainty, error)
        logit = self.bias + self.certainty * known - self.cycle * cycle - self.lost * lost
        return np.asarray(1 / (1 + np.exp(-np.clip(logit, -30, 30))), dtype=np.float32)


def features(
    certainty: FloatArray, error: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """
    Return what the regression weighs, (H, W) each.

    logit, log(1 + e), 1 where the match is lost.
    """
    unit = RIGHT_WITHIN * max(error.shape[:2])
    lost = ~np.isfinite(error)
    relative = np.where(lost, 0, np.minimum(error, FAR * unit)) / unit
    return (
        np.asarray(certainty, dtype=np.float32),
        np.log1p(relative).astype(np.float32),
        lost.astype(np.float32),
    )
