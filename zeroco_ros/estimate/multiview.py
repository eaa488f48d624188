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

"""Depth of one frame from several posed views: plane sweep, votes of the flow, aggregation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from zeroco_ros.errors import ConfigError
from zeroco_ros.estimate.multiview_aggregate import beliefs, peak, reduced, store, upsampled
from zeroco_ros.estimate.multiview_prior import (
    fused,
    InverseDepthPrior,
    reduced_prior,
    warp_prior,
)
from zeroco_ros.estimate.multiview_sweep import sweep
from zeroco_ros.estimate.multiview_views import placed_views, PlacedView, scaled, strain
from zeroco_ros.estimate.multiview_votes import sharpened, Vote, VoteCost
from zeroco_ros.estimate.posed_view import DepthMap, PosedView, unknown_depth

FloatArray = npt.NDArray[np.float32]
ShortArray = npt.NDArray[np.int16]
Matrix = npt.NDArray[np.float64]

__all__ = ["InverseDepthPrior", "MultiviewConfig", "as_depth", "depth_from_views", "warp_prior"]

# A vote is sound when its sigma is below this share of its value; with fewer sound votes than
# FEWEST (share of the pixels) nothing is said about depth at all.
SOUND, FEWEST = 0.2, 0.01
# The nearest depth that is looked for: this much nearer than (nearly) all sound votes.
NEARER, NEAREST_SHARE = 1.25, 0.998


@dataclass(frozen=True)
class MultiviewConfig:
    """
    How views become depth. Raises ConfigError on a value outside its range.

    max_side: longest side in pixels at which pictures are compared, 64 to 2048. levels: inverse
        depths that are tried, 16 to 256. flow_weight: weight of the flows' votes beside the
        pictures, >= 0. prior_weight: of the prior, >= 0. max_relative_sigma: depths whose sigma
        exceeds this share of them become NaN, > 0; inf keeps all.
    """

    max_side: int = 256
    levels: int = 64
    flow_weight: float = 0.05
    prior_weight: float = 0.05
    max_relative_sigma: float = 0.5

    def __post_init__(self) -> None:
        for name, low, high in (("max_side", 64, 2048), ("levels", 16, 256)):
            value = getattr(self, name)
            if not isinstance(value, int) or not low <= value <= high:
                raise ConfigError(f"{name} is {value!r}: give a whole number from {low} to {high}")
        for name in ("flow_weight", "prior_weight"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ConfigError(f"{name} is {getattr(self, name)!r}: give a number from 0")
        if not self.max_relative_sigma > 0:
            raise ConfigError(f"max_relative_sigma is {self.max_relative_sigma!r}: give > 0")


def depth_from_views(
    K: Matrix,
    views: Sequence[PosedView],
    *,
    image: npt.NDArray[np.uint8],
    prior: InverseDepthPrior | None = None,
    config: MultiviewConfig | None = None,
) -> DepthMap:
    """
    Depth of a reference picture (H, W) with one standard deviation, from posed views.

    K: (3, 3) of the reference; image: (H, W) uint8, its gray picture. A view without flow counts
    with its picture alone; the range of depths comes from the flows and the prior. Depth is in the
    unit of the views' translations. NaN where nothing is known: without parallax everywhere,
    unless the prior knows. Never raises for a bad scene.
    """
    config = config or MultiviewConfig()
    whole = image.shape[0], image.shape[1]
    if not views:
        return unknown_depth(whole)
    step = max(1, -(-max(whole) // config.max_side))
    size = max(2, whole[0] // step), max(2, whole[1] // step)
    small = reduced(image.astype(np.float32), size)
    K_small = scaled(K, whole, size)
    placed = placed_views(views, K_small, whole, size)
    votes = [view.vote for view in placed if view.vote is not None]
    known = None if prior is None else reduced_prior(prior, size)
    levels = _levels(votes if known is None else [*votes, known], config.levels)
    if levels is None:
        return unknown_depth(whole)
    terms = [(config.flow_weight, VoteCost(votes))] if votes else []
    if known is not None:
        terms.append((config.prior_weight, VoteCost([known])))
    volume = _volume(small, K_small, placed, levels, terms)
    value, sigma = peak(beliefs(volume, small), levels)
    if config.flow_weight:
        value, sigma = sharpened(value, sigma, votes)
    sigma = np.hypot(sigma, _least_pose_sigma(value, K_small, placed))
    if known is not None:
        value, sigma = fused(value, sigma, known)
    sigma = sigma * strain(value, placed, K_small)
    value, sigma = upsampled(value, sigma, small, image.astype(np.float32))
    return as_depth(value, sigma, config.max_relative_sigma)


def as_depth(value: FloatArray, sigma: FloatArray, limit: float) -> DepthMap:
    """Depth from inverse depth (H, W); NaN where sigma exceeds `limit` times the value."""
    good = (value > 0) & (sigma <= limit * value)
    inverse = np.where(good, value, 1)
    return DepthMap(
        np.where(good, 1 / inverse, np.nan).astype(np.float32),
        np.where(good, sigma / inverse**2, np.nan).astype(np.float32),
    )


def _volume(
    image: FloatArray,
    K: Matrix,
    views: Sequence[PlacedView],
    levels: FloatArray,
    terms: Sequence[tuple[float, VoteCost]],
) -> ShortArray:
    """
    Costs (h, D, w) of the levels (D,) by the views' pictures and the weighted terms.

    A level at which no view would see the pixel is as good as the best at which one does: the
    pictures cannot speak against it.
    """
    volume = np.empty((image.shape[0], len(levels), image.shape[1]), dtype=np.int16)
    best = np.full(image.shape, np.inf, dtype=np.float32)
    unseen = np.empty((len(levels), *image.shape), dtype=np.bool_)
    planes = sweep(image, K, [view.picture for view in views], levels)
    for number, (level, (plane, hidden)) in enumerate(zip(levels, planes, strict=True)):
        np.minimum(best, np.where(hidden, np.float32(np.inf), plane), out=best)
        unseen[number] = hidden
        for weight, cost in terms:
            plane += np.float32(weight) * cost.at(float(level))
        store(plane, volume[:, number])
    neutral = np.empty(image.shape, dtype=np.int16)
    store(np.where(np.isfinite(best), best, 0).astype(np.float32), neutral)
    for number, hidden in enumerate(unseen):
        volume[:, number] += neutral * hidden
    return volume


def _least_pose_sigma(value: FloatArray, K: Matrix, views: Sequence[PlacedView]) -> FloatArray:
    """Give what the poses add to the deviation of inverse depth (h, w): the best view decides."""
    best = views[0].pose_sigma(value, K)
    for view in views[1:]:
        np.minimum(best, view.pose_sigma(value, K), out=best)
    return best


def _levels(votes: Sequence[Vote], count: int) -> FloatArray | None:
    """
    Inverse depths (count,) from 0 to nearer than what is seen; None where nothing is.

    Lonely votes do not count: each is the median of its surroundings.
    """
    tops = []
    for one in votes:
        sound = one.sigma < SOUND * one.value
        if sound.mean() >= FEWEST:
            calm = cv2.medianBlur(np.where(sound, one.value, 0).astype(np.float32), 5)
            tops.append(float(np.quantile(calm[sound], NEAREST_SHARE)))
    top = max(tops, default=0.0)
    return np.linspace(0, NEARER * top, count, dtype=np.float32) if top > 0 else None
