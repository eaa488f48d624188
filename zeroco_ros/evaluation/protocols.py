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
How published benchmarks prepare a pair: HPatches with homographies, ETH3D with sparse points.

The conventions are those of the evaluation code that GLU-Net (Truong et al., CVPR 2020) introduced
and ZeroCo follows: image 1 is the source, image k the target, integer coordinates are pixel
centers, and a resize scales coordinates by the plain ratio of the sides.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from zeroco_ros.media.images import RGB

HPATCHES_SIDE = 240  # the reduced protocol's square


@dataclass(frozen=True)
class FlowPair:
    """
    A pair of images with ground truth.

    target: (H, W, 3) and source: (Hs, Ws, 3) uint8 RGB. flow: (H, W, 2) float32 pixels from target
    to source, NaN where unknown. valid: (H, W) bool, the pixels to score on. group: pairs of one
    group are averaged first, then the groups of a set (ETH3D: sequences).
    """

    name: str
    target: RGB
    source: RGB
    flow: npt.NDArray[np.float32]
    valid: npt.NDArray[np.bool_]
    group: str = ""


def homography_flow(
    homography: npt.NDArray[np.floating], height: int, width: int
) -> npt.NDArray[np.float32]:
    """Flow (H, W, 2) in pixels of x_source ~ homography x_target; NaN behind the camera."""
    x, y = np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64))
    points = np.stack([x, y, np.ones_like(x)], axis=-1) @ np.asarray(homography, np.float64).T
    scale = points[..., 2:]
    with np.errstate(divide="ignore", invalid="ignore"):
        mapped = np.where(scale > 0, points[..., :2] / scale, np.nan)
    return (mapped - np.stack([x, y], axis=-1)).astype(np.float32)


def leads_inside(flow: npt.NDArray[np.floating], height: int, width: int) -> npt.NDArray[np.bool_]:
    """(H, W) bool: where the match lies within the outer pixel centers of an image."""
    rows, columns = flow.shape[:2]
    x = np.arange(columns) + flow[..., 0]
    y = np.arange(rows)[:, None] + flow[..., 1]
    with np.errstate(invalid="ignore"):
        return np.asarray((x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1))


def hpatches_pair(
    name: str,
    source: RGB,
    target: RGB,
    homography: npt.NDArray[np.floating],
    side: int | None = None,
) -> FlowPair:
    """
    Return an HPatches pair: image 1 as `source`, image k as `target`, x_k ~ homography x_1.

    side None: the original size, where a source of another size is brought to the target's;
    side 240: both images as squares of that side. Valid where the match is inside the source.
    """
    width, height = (side, side) if side else (target.shape[1], target.shape[0])
    to_source = (
        _scaling(source, width, height)
        @ np.linalg.inv(homography)
        @ np.linalg.inv(_scaling(target, width, height))
    )
    flow = homography_flow(to_source / to_source[2, 2], height, width)
    return FlowPair(
        name,
        _resized(target, width, height),
        _resized(source, width, height),
        flow,
        leads_inside(flow, height, width),
    )


def sparse_flow(
    target: npt.NDArray[np.floating],
    source: npt.NDArray[np.floating],
    height: int,
    width: int,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """
    ETH3D's ground truth: point matches (N, 2) x, y, stored at the rounded target pixel.

    Points outside of the image are dropped; of several in one pixel the last one stays.
    Returns flow (H, W, 2), NaN where there is none, and valid (H, W).
    """
    flow = np.full((height, width, 2), np.nan, dtype=np.float32)
    at = np.rint(target).astype(np.intp)
    inside = ((at >= 0) & (at < (width, height))).all(axis=1)
    flow[at[inside, 1], at[inside, 0]] = (source - target)[inside]
    return flow, np.asarray(np.isfinite(flow).all(axis=-1))


def _scaling(image: RGB, width: int, height: int) -> npt.NDArray[np.float64]:
    return np.diag([width / image.shape[1], height / image.shape[0], 1.0])


def _resized(image: RGB, width: int, height: int) -> RGB:
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(cv2.resize(image, (width, height)), dtype=np.uint8)
