"""Depth of one frame from several posed views: plane sweep, votes of the flow, aggregation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zeroco_ros.errors import ConfigError
from zeroco_ros.estimate.multiview_aggregate import beliefs, peak, reduced, upsampled
from zeroco_ros.estimate.multiview_prior import InverseDepthPrior, fused, warp_prior
from zeroco_ros.estimate.multiview_sweep import SweepView, sweep
from zeroco_ros.estimate.multiview_votes import Vote, VoteCost, match_sigma, parallax, vote
from zeroco_ros.estimate.posed_view import DepthMap, PosedView, unknown_depth
from zeroco_ros.estimate.results import FlowResult

FloatArray = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]

__all__ = ["InverseDepthPrior", "MultiviewConfig", "as_depth", "depth_from_views", "warp_prior"]

# A vote is sound when its sigma is below this share of its value; with fewer sound votes than
# FEWEST (share of the pixels) nothing is said about depth at all.
SOUND, FEWEST = 0.2, 0.01
# The nearest depth that is looked for: this much nearer than (nearly) all sound votes.
NEARER = 1.25
# What matching and poses are never better than, in pixels of parallax at the sweep's resolution.
FLOOR = 0.25


@dataclass(frozen=True)
class MultiviewConfig:
    """How views become depth. Raises ConfigError on a value outside its range.

    max_side: longest side in pixels at which pictures are compared, 64 to 2048. levels: inverse
        depths that are tried, 16 to 256. flow_weight: weight of the flows' votes beside the
        pictures, >= 0. prior_weight: of the prior, >= 0. max_relative_sigma: depths whose sigma
        exceeds this share of them become NaN, > 0; inf keeps all.
    """

    max_side: int = 320
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
    """Depth of a reference picture (H, W) with one standard deviation, from posed views.

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
    size = whole[0] // step, whole[1] // step
    small = reduced(image.astype(np.float32), size)
    K_small = _scaled(K, whole, size)
    votes = [_vote(view, view.flow, K_small, size) for view in views if view.flow is not None]
    known = None if prior is None else _reduced_prior(prior, size)
    levels = _levels(votes, known, config.levels)
    if levels is None:
        return unknown_depth(whole)
    others = [_sweep_view(view, size, whole) for view in views]
    volume = np.empty((size[0], len(levels), size[1]), dtype=np.float32)
    terms = [(config.flow_weight, VoteCost(votes))] if votes else []
    if known is not None:
        terms.append((config.prior_weight, VoteCost([known])))
    planes = sweep(small, K_small, others, levels)
    for number, (level, plane) in enumerate(zip(levels, planes, strict=True)):
        for weight, cost in terms:
            plane += np.float32(weight) * cost.at(float(level))
        volume[:, number] = plane
    value, sigma = peak(beliefs(volume, small), levels)
    sigma = np.hypot(sigma, _pose_sigma(value, K_small, views, size))
    value, sigma = upsampled(value, sigma, small, image.astype(np.float32))
    if prior is not None:
        value, sigma = fused(value, sigma, prior)
    return as_depth(value, sigma, config.max_relative_sigma)


def as_depth(value: FloatArray, sigma: FloatArray, limit: float) -> DepthMap:
    """Depth from inverse depth (H, W); NaN where sigma exceeds `limit` times the value."""
    good = (value > 0) & (sigma <= limit * value)
    inverse = np.where(good, value, 1)
    return DepthMap(
        np.where(good, 1 / inverse, np.nan).astype(np.float32),
        np.where(good, sigma / inverse**2, np.nan).astype(np.float32),
    )


def _scaled(K: Matrix, whole: tuple[int, int], size: tuple[int, int]) -> Matrix:
    """K of a picture that is resized from `whole` to `size`, pixel centers at integers."""
    y, x = size[0] / whole[0], size[1] / whole[1]
    scaled = np.array(K, dtype=np.float64)
    scaled[0] *= x
    scaled[1] *= y
    scaled[:2, 2] += 0.5 * np.array([x, y]) - 0.5
    return scaled


def _vote(view: PosedView, found: FlowResult, K: Matrix, size: tuple[int, int]) -> Vote:
    """The vote of a view's flow at a smaller size; K: of the reference at that size."""
    whole = found.confidence.shape
    ratio = np.array([size[1] / whole[1], size[0] / whole[0]], dtype=np.float32)
    flow = reduced(found.flow, size) * ratio
    lost = ~np.isfinite(found.forward_backward_error)
    confidence = reduced(np.where(lost, 0, found.confidence).astype(np.float32), size)
    K_view = _scaled(view.K, (whole[0], whole[1]), size)
    turn, shift = _pose_pixels(view, K_view)
    sigma = np.hypot(match_sigma(confidence, max(size)), np.float32(turn))
    one = vote(flow, sigma, K, K_view, view.T_view_from_ref)
    if not shift:
        return one
    gain = parallax(one.value, K, K_view, view.T_view_from_ref)
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = np.float32(shift) * one.value / gain
    return Vote(one.value, np.hypot(one.sigma, np.where(np.isfinite(moved), moved, 0)))


def _pose_pixels(view: PosedView, K: Matrix) -> tuple[float, float]:
    """What a pose's uncertainty moves in its picture: pixels, and pixels per inverse depth."""
    if view.pose_covariance is None:
        return 0.0, 0.0
    variances = np.maximum(np.diag(view.pose_covariance), 0)
    focal = float(K[0, 0])
    return focal * float(np.sqrt(variances[3:].mean())), focal * float(
        np.sqrt(variances[:3].mean())
    )


def _pose_sigma(
    value: FloatArray, K: Matrix, views: Sequence[PosedView], size: tuple[int, int]
) -> FloatArray:
    """Standard deviation of inverse depth (h, w) that all matches share: the best view decides."""
    best = np.full(size, np.inf, dtype=np.float32)
    for view in views:
        own = view.gray.shape
        K_view = _scaled(view.K, (own[0], own[1]), (size[0], size[1]))
        turn, shift = _pose_pixels(view, K_view)
        pixels = np.hypot(np.float32(np.hypot(FLOOR, turn)), np.float32(shift) * value)
        with np.errstate(divide="ignore"):
            best = np.minimum(best, pixels / parallax(value, K, K_view, view.T_view_from_ref))
    return best


def _sweep_view(view: PosedView, size: tuple[int, int], whole: tuple[int, int]) -> SweepView:
    own = view.gray.shape[0], view.gray.shape[1]
    target = own[0] * size[0] // whole[0], own[1] * size[1] // whole[1]
    gray = reduced(view.gray.astype(np.float32), target)
    return SweepView(gray, _scaled(view.K, own, target), view.T_view_from_ref)


def _reduced_prior(prior: InverseDepthPrior, size: tuple[int, int]) -> Vote:
    good = np.isfinite(prior.value) & np.isfinite(prior.sigma)
    share = reduced(good.astype(np.float32), size)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = reduced(np.where(good, prior.value, 0).astype(np.float32), size) / share
        sigma = reduced(np.where(good, prior.sigma, 0).astype(np.float32), size) / share
    known = share > 0.5
    return Vote(
        np.where(known, value, 0).astype(np.float32),
        np.where(known, sigma, np.inf).astype(np.float32),
    )


def _levels(votes: Sequence[Vote], prior: Vote | None, count: int) -> FloatArray | None:
    """Inverse depths (count,) from 0 to nearer than what is seen; None where nothing is."""
    every = [*votes, prior] if prior is not None else list(votes)
    if not every:
        return None
    sound = [one.value[(one.sigma < SOUND * one.value)] for one in every]
    share = max(len(values) for values in sound) / every[0].value.size
    if share < FEWEST:
        return None
    top = max(float(np.quantile(v, 0.99)) for v in sound if len(v) >= FEWEST * every[0].value.size)
    return np.linspace(0, NEARER * top, count, dtype=np.float32)
