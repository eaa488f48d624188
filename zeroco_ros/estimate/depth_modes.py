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

"""The depth head beside geometry: its answer in the stream's unit, alone or fused."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from zeroco_ros.estimate.frames import EncodedFrame
from zeroco_ros.estimate.keyframe import Match
from zeroco_ros.estimate.learned_depth import LearnedDepth
from zeroco_ros.estimate.learned_prior import learned_prior
from zeroco_ros.estimate.multiview import as_depth
from zeroco_ros.estimate.multiview_prior import InverseDepthPrior
from zeroco_ros.estimate.posed_view import DepthMap
from zeroco_ros.geometry.transforms import inverse

# The head's errors are smooth: beside a measurement of each pixel its word counts for less than
# its sigma says (on real frames fusion with a factor of 1 is worse than geometry alone).
ALIKE = np.float32(3.0)
APART = 3.0  # joint standard deviations from which on two values contradict each other

Array = npt.NDArray[np.float64]
FloatArray = npt.NDArray[np.float32]


def learned_depth(
    head: LearnedDepth,
    mode: Literal["learned", "fused"],
    frame: EncodedFrame,
    match: Match,
    pose: Array,
    K: Array,
    geometric: DepthMap,
    max_relative_sigma: float,
) -> DepthMap:
    """
    Depth of a frame by the head, from its match with one key frame.

    The head's inverse depth is known up to one factor: that which fits the geometric depth best
    (robustly), which also says how large its errors are. mode "learned" returns it alone, "fused"
    weighs both by their inverse variances. Where the geometric depth says too little for a factor,
    it is returned as it is.
    """
    motion = inverse(match.key.pose) @ pose
    relative = head.predict(frame, match.key.encoded, match.flow, K, motion=motion)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = (1 / geometric.depth).astype(np.float32)
        sigma = (geometric.sigma / geometric.depth**2).astype(np.float32)
    prior = learned_prior(relative, value, sigma)
    if prior is None:
        return geometric
    if mode == "fused":
        return as_depth(*_fused(value, sigma, prior), max_relative_sigma)
    return as_depth(prior.value, prior.sigma, max_relative_sigma)


def _fused(
    value: FloatArray, sigma: FloatArray, prior: InverseDepthPrior
) -> tuple[FloatArray, FloatArray]:
    """
    Mean of two inverse depths (H, W) by their inverse variances.

    The other one where one is unknown; the measured one where they contradict each other.
    """
    known, told = np.isfinite(value), np.isfinite(prior.value)
    theirs = np.where(known, ALIKE, 1) * prior.sigma
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = np.abs(value - prior.value) > APART * np.hypot(sigma, theirs)
        ours_weight = np.where(known, 1 / sigma**2, 0)
        their_weight = np.where(told & ~(known & apart), 1 / theirs**2, 0)
        total = ours_weight + their_weight
        sum_of_both = np.where(known, ours_weight * value, 0)
        sum_of_both += np.where(their_weight > 0, their_weight * prior.value, 0)
        mean, spread = sum_of_both / total, 1 / np.sqrt(total)
    return mean.astype(np.float32), spread.astype(np.float32)
