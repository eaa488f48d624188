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

"""How much of a flow field tells about depth: what is left when the rotation is taken off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zeroco_ros.estimate.posed_view import pixel_rays
from zeroco_ros.estimate.results import FlowResult

Matrix = npt.NDArray[np.float64]
SURE = 0.5
STEP = 4  # every so many pixels are looked at
FEWEST = 30


@dataclass(frozen=True)
class Parallax:
    """
    Of a frame against a key frame.

    pixels: median over the matched pixels, rotation taken off; flow: median length of the flow;
    both 0 where next to nothing is matched. matched: share of pixels that are matched with
    confidence; overlap: share that the flow leads into the key frame, in [0, 1]: a blank wall
    overlaps without being matched.
    """

    pixels: float
    flow: float
    matched: float
    overlap: float


def matched(flow: FlowResult) -> npt.NDArray[np.bool_]:
    """Pixels (H, W) whose match leads back and is more likely right than wrong."""
    return np.asarray(~flow.occluded & (flow.confidence > SURE), dtype=np.bool_)


def parallax(flow: FlowResult, K: Matrix, K_view: Matrix, R_view_from_ref: Matrix) -> Parallax:
    """Parallax of a reference frame against a view, given the rotation (3, 3) between them."""
    some = (slice(STEP // 2, None, STEP),) * 2
    good = matched(flow)[some]
    share, overlap = float(good.mean()), _overlap(flow, some)
    if good.sum() < FEWEST:
        return Parallax(0.0, 0.0, share, overlap)
    size = flow.confidence.shape[:2]
    rays = pixel_rays(K, (size[0], size[1]))[some][good]
    turned = rays @ (K_view @ R_view_from_ref).T
    vectors = flow.flow[some][good].astype(np.float64)
    here = rays @ K.T
    ahead = turned[:, 2] > 1e-6
    with np.errstate(divide="ignore", invalid="ignore"):
        still = turned[:, :2] / turned[:, 2:] - here[:, :2]
    rest = np.where(ahead, np.hypot(*(vectors - still).T), 0)
    return Parallax(float(np.median(rest)), float(np.median(np.hypot(*vectors.T))), share, overlap)


def _overlap(flow: FlowResult, some: tuple[slice, slice]) -> float:
    height, width = flow.confidence.shape
    y, x = np.mgrid[0:height, 0:width]
    u, v = (x + flow.flow[..., 0])[some], (y + flow.flow[..., 1])[some]
    return float(((u >= 0) & (v >= 0) & (u <= width - 1) & (v <= height - 1)).mean())
