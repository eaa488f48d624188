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

"""The views at the size at which they are compared: picture, camera, vote, trust in the pose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from zeroco_ros.estimate.multiview_aggregate import reduced
from zeroco_ros.estimate.multiview_sweep import SweepView
from zeroco_ros.estimate.multiview_votes import (
    match_sigma,
    misfit,
    off_line,
    parallax,
    Vote,
    vote,
)
from zeroco_ros.estimate.posed_view import PosedView
from zeroco_ros.estimate.results import FlowResult

FloatArray = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]
Size = tuple[int, int]

# What matching and poses are never better than, in pixels of parallax at the size of the sweep.
FLOOR = 0.25
# Pixels at the size of the sweep by which a pose may be off before its picture counts half.
BLUR = 0.5
# A pose is judged on matches that are more likely right than this, if there are so many of them.
SURE, ENOUGH = 0.6, 200
NORMAL = 0.6745  # median of the absolute value of a standard normal variable


@dataclass(frozen=True)
class PlacedView:
    """
    A view at size (h, w).

    picture: gray, K and pose; flow (h, w, 2) with sigma (h, w) in pixels and the vote that
    follows, None without flow; turn: pixels by which the pose may be wrong; shift: the same per
    unit of inverse depth.
    """

    picture: SweepView
    flow: FloatArray | None
    sigma: FloatArray | None
    vote: Vote | None
    turn: float
    shift: float

    @property
    def trust(self) -> float:
        """Weight of the picture: pictures that are `BLUR` pixels off match half as well."""
        return 1 / (1 + (self.turn / BLUR) ** 2)

    def pose_sigma(self, value: FloatArray, K: Matrix) -> FloatArray:
        """Return standard deviation (h, w) of inverse depth `value` that the pose alone makes."""
        pixels = np.hypot(np.float32(np.hypot(FLOOR, self.turn)), np.float32(self.shift) * value)
        gain = parallax(value, K, self.picture.K, self.picture.T_view_from_ref)
        with np.errstate(divide="ignore"):
            return np.asarray(pixels / gain, dtype=np.float32)


def strain(value: FloatArray, views: Sequence[PlacedView], K: Matrix) -> FloatArray:
    """
    By how much matches deviate from inverse depth `value` (h, w): a factor on sigma, from 1.

    The root mean square of their distances from where it puts them, over what is expected; the
    flow of something that moves by itself fits no depth in all views.
    """
    total, count = np.zeros((2, *value.shape), dtype=np.float32)
    for view in views:
        if view.flow is None or view.sigma is None:
            continue
        pose = view.picture.T_view_from_ref
        sigma = np.hypot(view.sigma, np.float32(view.turn))
        total += misfit(value, view.flow, sigma, K, view.picture.K, pose)
        count += np.isfinite(sigma)
    return np.asarray(np.sqrt(np.maximum(1, total / np.maximum(2 * count, 1))), dtype=np.float32)


def placed_views(
    views: Sequence[PosedView], K: Matrix, whole: Size, size: Size
) -> list[PlacedView]:
    """
    Return views of a reference picture of `whole` (H, W) pixels at `size`, K (3, 3) at that size.

    How far sure matches lie beside their epipolar lines tells how wrong a pose is at least, beyond
    what its covariance says; views without flow are taken to be as wrong as the others.
    """
    placed, strains = [], []
    for view in views:
        picture = _picture(view, whole, size)
        turn, shift = _pose_pixels(view, picture.K)
        flow = sigma = one = None
        if view.flow is not None:
            flow, sigma = _matches(view.flow, size)
            beside = off_line(flow, K, picture.K, view.T_view_from_ref)
            strains.append(_strain(beside, sigma, max(size)))
            turn = float(np.hypot(turn, strains[-1]))
            one = _vote(flow, sigma, K, picture, turn, shift)
        placed.append(PlacedView(picture, flow, sigma, one, turn, shift))
    usual = float(np.median(strains)) if strains else 0.0
    placed = [
        view if view.vote is not None else replace(view, turn=float(np.hypot(view.turn, usual)))
        for view in placed
    ]
    return [replace(view, picture=replace(view.picture, weight=view.trust)) for view in placed]


def scaled(K: Matrix, whole: Size, size: Size) -> Matrix:
    """K of a picture that is resized from `whole` to `size`, pixel centers at integers."""
    y, x = size[0] / whole[0], size[1] / whole[1]
    found = np.array(K, dtype=np.float64)
    found[0] *= x
    found[1] *= y
    found[:2, 2] += 0.5 * np.array([x, y]) - 0.5
    return found


def _picture(view: PosedView, whole: Size, size: Size) -> SweepView:
    """Return a view reduced as much as the reference is."""
    own = view.gray.shape[0], view.gray.shape[1]
    target = max(1, own[0] * size[0] // whole[0]), max(1, own[1] * size[1] // whole[1])
    gray = reduced(view.gray.astype(np.float32), target)
    return SweepView(gray, scaled(view.K, own, target), view.T_view_from_ref)


def _matches(found: FlowResult, size: Size) -> tuple[FloatArray, FloatArray]:
    """Flow (h, w, 2) and its sigma (h, w) in pixels at the smaller size."""
    whole = found.confidence.shape
    ratio = np.array([size[1] / whole[1], size[0] / whole[0]], dtype=np.float32)
    lost = ~np.isfinite(found.forward_backward_error)
    confidence = reduced(np.where(lost, 0, found.confidence).astype(np.float32), size)
    return reduced(found.flow, size) * ratio, match_sigma(confidence, max(size))


def _vote(
    flow: FloatArray, sigma: FloatArray, K: Matrix, view: SweepView, turn: float, shift: float
) -> Vote:
    one = vote(flow, np.hypot(sigma, np.float32(turn)), K, view.K, view.T_view_from_ref)
    if not shift:
        return one
    gain = parallax(one.value, K, view.K, view.T_view_from_ref)
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = np.nan_to_num(np.float32(shift) * one.value / gain, posinf=0.0)
    return Vote(one.value, np.hypot(one.sigma, moved))


def _pose_pixels(view: PosedView, K: Matrix) -> tuple[float, float]:
    """Give what a pose's covariance moves in its picture: pixels, and pixels per inverse depth."""
    if view.pose_covariance is None:
        return 0.0, 0.0
    variances = np.maximum(np.diag(view.pose_covariance), 0)
    shift, turn = np.sqrt(variances[:3].mean()), np.sqrt(variances[3:].mean())
    return float(K[0, 0] * turn), float(K[0, 0] * shift)


def _strain(beside: FloatArray, sigma: FloatArray, longer: int) -> float:
    """Pixels by which a pose is wrong, from distances (h, w) of matches to epipolar lines."""
    sure = np.isfinite(beside) & (sigma < match_sigma(np.array([SURE], np.float32), longer))
    if sure.sum() < ENOUGH:
        return 0.0
    usual, expected = float(np.median(beside[sure])) / NORMAL, float(np.median(sigma[sure]))
    return float(np.sqrt(max(usual**2 - expected**2, 0.0)))
