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
The pose between two images from dense correspondences, and an honest word on what it is worth.

Candidates (`epipolar_candidates`) are refined on all correspondences (`epipolar_refinement`); the
best one is then held against simpler explanations: nothing moved (static), the camera only turned
(rotation), nothing fits (degenerate). The scale of the translation cannot be seen in two images.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from zeroco_ros.errors import ConfigError
from zeroco_ros.geometry.epipolar_candidates import (
    essential_poses,
    homography_poses,
    in_front,
    Pose,
    rotation_poses,
    rotation_start,
    SAMPLED,
)
from zeroco_ros.geometry.epipolar_refinement import (
    epipolar_errors,
    Matches,
    PoseFit,
    refine_pose,
    refine_rotation,
    robust_cost,
    rotation_errors,
    RotationFit,
    weighted_median,
)
from zeroco_ros.geometry.epipolar_result import EpipolarOptions, RelativePose
from zeroco_ros.geometry.transforms import rotation_angle

__all__ = ["EpipolarOptions", "RelativePose", "relative_pose"]

Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

# A match counts as agreeing up to this many robust sigmas.
INLIER_SIGMAS = 3.0
# Two poses are told apart where the worse one's robust cost is this much higher.
TELLING = 1.1
# A plane explains at least this share of the matches.
PLANAR_SHARE = 0.9


def relative_pose(
    points0: npt.ArrayLike,
    points1: npt.ArrayLike,
    K0: npt.ArrayLike,
    K1: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    *,
    guess: npt.ArrayLike | None = None,
    options: EpipolarOptions | None = None,
) -> RelativePose:
    """
    Return pose between two images from correspondences points0 (N, 2) to points1 (N, 2), pixels.

    K0, K1: (3, 3), no distortion. weights: (N,), relative inverse variances of the matches; 0 or
    not finite: not used (give such pixels of a dense flow all the same: how many there are tells
    whether the images overlap). points0 count as exact, points1 as measured.
    guess: (4, 4) T_1_from_0 from elsewhere, one more start. Deterministic. Never raises for bad
    matches (the kind says it); ConfigError for shapes that do not fit.
    """
    settings = options or EpipolarOptions()
    target, source = np.asarray(points0, dtype=np.float64), np.asarray(points1, dtype=np.float64)
    first, second = np.asarray(K0, dtype=np.float64), np.asarray(K1, dtype=np.float64)
    w = np.ones(len(target)) if weights is None else np.asarray(weights, dtype=np.float64)
    if target.ndim != 2 or target.shape[1] != 2 or source.shape != target.shape:
        raise ConfigError(f"matches need shapes (N, 2), got {target.shape} and {source.shape}")
    if w.shape != target.shape[:1] or first.shape != (3, 3) or second.shape != (3, 3):
        raise ConfigError(f"weights {w.shape} K0 {first.shape} K1 {second.shape} do not fit")
    used = np.isfinite(target).all(axis=1) & np.isfinite(source).all(axis=1)
    used &= np.isfinite(w) & (w > 0)
    if used.sum() < settings.min_matches:
        return _unknown(len(target))
    rays = np.column_stack([target[used], np.ones(used.sum())]) @ np.linalg.inv(first).T
    matches = Matches(rays, source[used], second, w[used] / weighted_median(w[used], w[used]))
    cells = _cells(target, settings.cells)
    start = None if guess is None else np.asarray(guess, dtype=np.float64)
    found = _pose(matches, len(np.unique(cells[used])), start, settings)
    inliers = np.zeros(len(target), dtype=bool)
    inliers[used] = found.inliers
    reached = len(np.unique(cells[inliers]))
    if inliers.mean() < settings.min_share or reached < settings.min_cells:
        return _unknown(len(target))
    return replace(found, inliers=inliers)


def _pose(
    everything: Matches, cells: int, guess: Array | None, options: EpipolarOptions
) -> RelativePose:
    draw = np.random.default_rng(0)
    matches = _part(everything, options.max_matches, draw)
    motion = np.linalg.norm(rotation_errors(np.eye(3), everything), axis=1)
    if _quantile(motion, everything.weights, 0.75) < options.static_px:
        return _static(everything, motion, cells, options)
    few = _part(matches, SAMPLED, draw)
    turn = refine_rotation(rotation_start(few), matches, 5)
    fit, alternative, planar = _best(few, matches, turn.R, guess)
    errors = np.abs(epipolar_errors(fit.R, fit.t, everything))
    # A match of weight w has the sigma of the fit over the root of w, and is never far off.
    limit = INLIER_SIGMAS * fit.sigma / np.sqrt(everything.weights)
    limit = np.minimum(limit, INLIER_SIGMAS * options.sigma_px)
    inliers = errors <= limit
    share = float(everything.weights[inliers].sum() / everything.weights.sum())
    if fit.sigma > options.sigma_px or share < options.min_inliers:
        return _unknown(len(inliers))
    repeated = max(1.0, len(matches.rays) / cells)
    rest = np.linalg.norm(rotation_errors(turn.R, everything), axis=1)
    shown = weighted_median(rest[inliers], everything.weights[inliers])
    # Noise alone has a median length of sqrt(2 ln 2) sigma in two dimensions.
    excess = np.sqrt(max(shown**2 - 2 * np.log(2) * fit.sigma**2, 0))
    moved = options.parallax_share * weighted_median(motion, everything.weights)
    if excess < max(options.parallax_px, options.parallax_sigmas * fit.sigma, moved):
        return _rotation(turn, rest, everything.weights, shown, repeated)
    moving = inliers & (rest > limit)
    front = in_front(fit.R, fit.t, everything)
    if moving.any() and front[moving].mean() < options.min_in_front:
        return _unknown(len(inliers))
    own = np.linalg.norm(rotation_errors(fit.R, everything), axis=1)
    return RelativePose(
        R=fit.R,
        t=fit.t,
        inliers=inliers,
        covariance=_covariance(fit, repeated),
        parallax_px=weighted_median(own[inliers], everything.weights[inliers]),
        rotation_px=shown,
        noise_px=fit.sigma,
        kind="general",
        planar=planar,
        alternative=alternative,
    )


def _best(
    few: Matches, matches: Matches, turn: Array, guess: Array | None
) -> tuple[PoseFit, Pose | None, bool]:
    """Return the best refined pose, another one as good, and whether a plane explains all."""
    starts = essential_poses(few) + rotation_poses(turn, few)
    if guess is not None and np.linalg.norm(guess[:3, 3]) > 0:
        starts.append((guess[:3, :3], guess[:3, 3] / np.linalg.norm(guess[:3, 3])))
    flat, share = homography_poses(few)
    fits = [refine_pose(R, t, few, 8) for R, t in starts + flat]
    scale = min(fit.sigma for fit in fits)
    ranked = sorted(fits, key=lambda fit: _judged(fit, few, scale))
    best = _finished(ranked[0], matches)
    planar = share >= PLANAR_SHARE * float(_agreeing(best, few, best.sigma).mean())
    limit = TELLING * _judged(best, few, scale)
    for other in ranked[1:]:
        if _judged(other, few, scale) > limit:
            break
        rival = _finished(other, matches)
        if _differ(best, rival) and _judged(rival, few, scale) <= limit:
            return best, (rival.R, rival.t), planar
    return best, None, planar


def _finished(fit: PoseFit, matches: Matches) -> PoseFit:
    return _facing(refine_pose(fit.R, fit.t, matches), matches)


def _judged(fit: PoseFit, matches: Matches, sigma: float) -> float:
    """Robust cost of a fit at a common scale; points behind the cameras count against it."""
    errors = epipolar_errors(fit.R, fit.t, matches)
    near = np.linalg.norm(rotation_errors(fit.R, matches), axis=1) < INLIER_SIGMAS * sigma
    counted = _agreeing(fit, matches, sigma) & ~near
    front = in_front(fit.R, fit.t, matches)[counted].mean() if counted.any() else 1.0
    return robust_cost(errors, matches.weights, sigma) + float(min(front, 1 - front))


def _agreeing(fit: PoseFit, matches: Matches, sigma: float) -> BoolArray:
    errors = np.abs(epipolar_errors(fit.R, fit.t, matches))
    return np.asarray(errors * np.sqrt(matches.weights) <= INLIER_SIGMAS * sigma)


def _facing(fit: PoseFit, matches: Matches) -> PoseFit:
    """Return the same fit with the side of t that puts most points in front of both cameras."""
    agree = _agreeing(fit, matches, fit.sigma)
    sides = [in_front(fit.R, side * fit.t, matches)[agree].sum() for side in (1.0, -1.0)]
    if sides[0] >= sides[1]:
        return fit
    return PoseFit(fit.R, -fit.t, fit.sigma, fit.basis, _turned(fit.information))


def _turned(information: Array) -> Array:
    side = np.diag([1.0, 1, 1, -1, -1])
    return np.asarray(side @ information @ side)


def _differ(first: PoseFit, second: PoseFit) -> bool:
    apart = np.arccos(np.clip(first.t @ second.t, -1, 1))
    turned = float(rotation_angle(first.R.T @ second.R))
    return bool(apart > np.deg2rad(5) or turned > np.deg2rad(1))


def _covariance(fit: PoseFit, repeated: float) -> Array:
    """
    (6, 6) of (t, rotation vector) from the information (5, 5) of (rotation vector, basis).

    repeated: how many of the matches of the fit count as one.
    """
    inner = np.linalg.pinv(fit.information, hermitian=True) * repeated
    lift = np.zeros((6, 5))
    lift[:3, 3:] = fit.basis
    lift[3:, :3] = np.eye(3)
    return np.asarray(lift @ inner @ lift.T)


def _rotation(
    turn: RotationFit, rest: Array, weights: Array, shown: float, repeated: float
) -> RelativePose:
    covariance = np.eye(6)
    covariance[3:, 3:] = np.linalg.pinv(turn.information) * repeated
    inliers = rest * np.sqrt(weights / 2) <= INLIER_SIGMAS * turn.sigma
    return RelativePose(
        turn.R, np.zeros(3), inliers, covariance, shown, shown, turn.sigma, "rotation"
    )


def _static(matches: Matches, motion: Array, cells: int, options: EpipolarOptions) -> RelativePose:
    few = _part(matches, SAMPLED, np.random.default_rng(0))
    turn = refine_rotation(np.eye(3), few)
    covariance = np.eye(6)
    covariance[3:, 3:] = np.linalg.pinv(turn.information) * max(1.0, len(few.rays) / cells)
    middle = weighted_median(motion, matches.weights)
    inliers = motion <= max(options.static_px, INLIER_SIGMAS * np.sqrt(2) * turn.sigma)
    return RelativePose(
        np.eye(3), np.zeros(3), inliers, covariance, middle, middle, turn.sigma, "static"
    )


def _unknown(count: int) -> RelativePose:
    nothing = np.zeros(count, dtype=bool)
    none = float("nan")
    return RelativePose(np.eye(3), np.zeros(3), nothing, np.eye(6), none, none, none, "degenerate")


def _part(matches: Matches, count: int, draw: np.random.Generator) -> Matches:
    if len(matches.rays) <= count:
        return matches
    return matches.subset(np.sort(draw.choice(len(matches.rays), count, replace=False)))


def _cells(points: Array, along: int) -> npt.NDArray[np.intp]:
    """
    Return the number (N,) of the square in which each point lies.

    One number for all that are not finite.

    along: squares along the longer side of the area that the points cover.
    """
    known = np.isfinite(points).all(axis=1)
    numbers = np.full(len(points), -1, dtype=np.intp)
    if known.any():
        corner = points[known].min(axis=0)
        side = max(float((points[known].max(axis=0) - corner).max()), 1e-9) / along
        square = np.minimum((points[known] - corner) / side, along - 1).astype(np.intp)
        numbers[known] = square[:, 1] * along + square[:, 0]
    return numbers


def _quantile(values: Array, weights: Array, share: float) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order[np.searchsorted(total, share * total[-1])]])
