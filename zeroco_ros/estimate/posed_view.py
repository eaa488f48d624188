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

"""A frame seen from another place: its flow and its pose; and the depth that follows from some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zeroco_ros.estimate.results import FlowResult
from zeroco_ros.geometry.triangulate import triangulate, View

FloatArray = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]

SIGMA_SURE = 0.7  # pixels at confidence 1, for an image whose longer side is 640
BELIEVED = 0.1  # confidence below which a match is left out
BEYOND = 1.0  # inverse depths below so many sigmas are not told from zero


@dataclass(frozen=True)
class PosedView:
    """
    A view that a reference frame (H, W) was matched with.

    flow: from the reference (target) to the view (source), or None where only the picture and the
    pose are known. T_view_from_ref: (4, 4) float64, takes
    points in the reference camera to the view's camera. K: (3, 3) of the view. gray: (H, W) uint8
    of the view. pose_covariance: (6, 6) of T_view_from_ref, or None where it is taken as exact.
    """

    flow: FlowResult | None
    T_view_from_ref: Matrix
    K: Matrix
    gray: npt.NDArray[np.uint8]
    pose_covariance: Matrix | None = None


@dataclass(frozen=True)
class DepthMap:
    """
    A depth map.

    depth (H, W) float32, NaN unknown; sigma (H, W) float32, one standard deviation in the unit of
    depth, NaN where depth is.
    """

    depth: FloatArray
    sigma: FloatArray

    def scaled(self, factor: float) -> DepthMap:
        """Return the same in another unit of length."""
        return DepthMap(self.depth * np.float32(factor), self.sigma * np.float32(factor))


def unknown_depth(size: tuple[int, int]) -> DepthMap:
    """All NaN, (H, W) = size."""
    return DepthMap(*(np.full(size, np.nan, dtype=np.float32) for _ in range(2)))


def pixel_rays(K: Matrix, size: tuple[int, int]) -> Matrix:
    """K^-1 (x, y, 1) of every pixel: (H, W, 3) float64."""
    height, width = size
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    return np.stack([(x - K[0, 2]) / K[0, 0], (y - K[1, 2]) / K[1, 1], np.ones_like(x)], -1)


def flow_sigma(flow: FlowResult) -> FloatArray:
    """
    Return the standard deviation of the flow (H, W) in pixels as its confidence tells.

    inf where the match is hidden or hardly believed. A simple rule of ours, good for weighing
    matches against each other; poses allow for its scale, depth has its own (multiview_votes).
    """
    unit = SIGMA_SURE * max(flow.confidence.shape) / 640
    believed = ~flow.occluded & (flow.confidence >= BELIEVED)
    sure = np.where(believed, flow.confidence, 0)
    with np.errstate(divide="ignore"):
        return np.asarray(unit / sure, dtype=np.float32)


def triangulated(K: Matrix, views: Sequence[PosedView]) -> DepthMap:
    """
    Depth of the reference frame from the views' flow alone; see `geometry.triangulate`.

    NaN where no view tells anything or the point lies behind the camera or beyond measure.
    """
    flows = [view for view in views if view.flow is not None]
    lines = [
        View(view.flow.flow, flow_sigma(view.flow), view.T_view_from_ref, view.K)
        for view in flows
        if view.flow is not None
    ]
    found = triangulate(K, None, lines)
    value, sigma = found.value, found.sigma * np.maximum(1, found.residual)
    with np.errstate(divide="ignore", invalid="ignore"):
        good = (value > BEYOND * sigma) & np.isfinite(sigma)
        depth = np.where(good, 1 / value, np.nan)
        return DepthMap(
            depth.astype(np.float32), np.where(good, sigma * depth**2, np.nan).astype(np.float32)
        )
