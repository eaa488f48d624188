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

"""Key frames, a new frame's matches with them, and depth carried from one frame to the next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zeroco_ros.estimate.frames import EncodedFrame
from zeroco_ros.estimate.posed_view import DepthMap, flow_sigma, unknown_depth
from zeroco_ros.estimate.results import FlowResult
from zeroco_ros.geometry.transforms import inverse

Array = npt.NDArray[np.float64]
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Link:
    """
    Where a key frame's grid (h, w) is seen in an older one.

    targets (h, w, 2) in pixels, weights (h, w), one over the variance in square pixels.
    """

    serial: int
    targets: FloatArray
    weights: FloatArray


@dataclass(eq=False)
class Keyframe:
    """
    A frame that later ones are measured against: encoded once, posed, with depth once known.

    pose: (4, 4) camera to world. given: whether that pose was given. depth: of its own pixels.
    covariance: (6, 6) of the pose, x y z rot_x rot_y rot_z along the world's axes; zeros if given.
    links: its matches with the key frames before it, by their serial numbers. matched: largest
    share of a later frame's pixels that were matched with it.
    """

    serial: int

    encoded: EncodedFrame
    pose: Array
    stamp: int
    given: bool
    depth: DepthMap | None
    covariance: Array
    links: tuple[Link, ...] = ()
    matched: float = 0.0


@dataclass(frozen=True)
class Match:
    """A frame's flow to one key frame."""

    key: Keyframe
    flow: FlowResult


def link(match: Match, step: int) -> Link:
    """Return a match on the grid of this step in pixels."""
    y, x = grid(match.flow, step)
    with np.errstate(divide="ignore"):
        weights = 1 / flow_sigma(match.flow)[y, x] ** 2
    targets = np.stack([x, y], -1) + match.flow.flow[y, x]
    return Link(match.key.serial, targets.astype(np.float32), weights.astype(np.float32))


def grid(flow: FlowResult, step: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows and columns (h, w) of the grid of this step on a flow's pixels."""
    height, width = flow.confidence.shape
    y, x = np.mgrid[step // 2 : height : step, step // 2 : width : step]
    return y.astype(np.int64), x.astype(np.int64)


def carried_depth(matches: list[Match], pose: Array, K: Array) -> DepthMap:
    """
    Depth (H, W) of a frame at `pose` as the key frames knew it, along the flow.

    The first match where a pixel's counterpart has a depth decides. sigma grows by what the
    flow's error would change.
    """
    size = matches[0].flow.confidence.shape
    depth, sigma = (a.copy() for a in vars(unknown_depth((size[0], size[1]))).values())
    for match in matches:
        if match.key.depth is None:
            continue
        found = _carried(match, match.key.depth, inverse(pose) @ match.key.pose, K)
        missing = ~np.isfinite(depth)
        depth[missing], sigma[missing] = found.depth[missing], found.sigma[missing]
    return DepthMap(depth, sigma)


def _carried(match: Match, known: DepthMap, T: Array, K: Array) -> DepthMap:
    """T: (4, 4) frame from key frame."""
    flow = match.flow
    height, width = flow.confidence.shape
    y, x = np.mgrid[0:height, 0:width]
    u, v = x + flow.flow[..., 0], y + flow.flow[..., 1]
    rows, columns = np.rint(v).astype(np.int64), np.rint(u).astype(np.int64)
    inside = (rows >= 0) & (columns >= 0)
    inside &= (rows < known.depth.shape[0]) & (columns < known.depth.shape[1])
    rows, columns = np.where(inside, rows, 0), np.where(inside, columns, 0)
    z, deviation = known.depth[rows, columns], known.sigma[rows, columns]
    across = T[2, 0] * (u - K[0, 2]) / K[0, 0] + T[2, 1] * (v - K[1, 2]) / K[1, 1] + T[2, 2]
    here = across * z + T[2, 3]
    blur = flow_sigma(flow) / K[0, 0] * z
    with np.errstate(invalid="ignore"):
        good = inside & ~flow.occluded & (here > 0) & np.isfinite(blur)
        spread = np.hypot(deviation, blur)
    return DepthMap(
        np.where(good, here, np.nan).astype(np.float32),
        np.where(good, spread, np.nan).astype(np.float32),
    )
