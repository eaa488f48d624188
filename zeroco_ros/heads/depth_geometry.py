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
What a match and the intrinsics say about depth: channels for the depth head.

A relative pose is never given: it is estimated from the flow itself. Channels that need it are
zero where there is none, so that the head can also do without.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

CELL = 4  # pixels per cell of the depth head's finest grid
CHANNELS = 12
LIMIT = 3.0  # log inverse depth relative to its median is cut off at this
LEAST = 30  # points that a relative pose is estimated from, at the least
MOST = 800
EPIPOLAR = 0.5  # pixels from the epipolar line up to which a match may agree
NEAR_ZERO = 1e-6

FloatArray = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RelativeMotion:
    """
    Camera motions of a batch: point x of the target's camera frame is R x + t in the source's.

    rotation: (B, 3, 3); direction: (B, 3), unit length; known: (B,) float32, 1 or 0.
    """

    rotation: Tensor
    direction: Tensor
    known: Tensor


def cell_centers(grid: tuple[int, int], stride: int = CELL) -> Tensor:
    """Pixel coordinates (2, h, w) as x, y of the centers of stride x stride cells."""
    y, x = ((torch.arange(side, dtype=torch.float32) + 0.5) * stride - 0.5 for side in grid)
    return torch.stack([x.expand(grid[0], -1), y[:, None].expand(-1, grid[1])])


def rays(points: Tensor, K: Tensor) -> Tensor:
    """Return rays of depth 1, (B, 3, h, w), for pixels (B, 2, h, w) or (2, h, w); K: (B, 3, 3)."""
    points = points.expand(len(K), *points.shape[-3:])
    ones = torch.ones_like(points[:, :1])
    homogeneous = torch.cat([points, ones], 1)
    inverse = torch.linalg.inv(K.float())
    return torch.einsum("bij,bjhw->bihw", inverse, homogeneous)


def geometry_channels(
    flow: Tensor, certainty: Tensor, K_target: Tensor, K_source: Tensor, motion: RelativeMotion
) -> Tensor:
    """
    Channels (B, 12, h, w) float32 on the grid of 4-pixel cells.

    flow: (B, 2, h, w) pixels at the cells' centers, target to source; certainty: (B, 1, h, w)
    logits; K_target, K_source: (B, 3, 3) in the same pixels; motion: estimated, or not known.

    Channels: ray x, y; flow between rays; flow less that of the rotation; log inverse depth by
    triangulation relative to its median (midpoint of least algebraic error); whether that is
    positive; log distance to the epipolar line in pixels; log parallax in pixels; certainty;
    whether the motion is known.
    """
    grid = (flow.shape[2], flow.shape[3])
    centers = cell_centers(grid).to(flow.device)
    own = rays(centers, K_target)
    other = rays(centers + flow, K_source)
    focal = K_source[:, 0, 0].float().view(-1, 1, 1, 1)
    known = motion.known.view(-1, 1, 1, 1)
    turned = torch.einsum("bij,bjhw->bihw", motion.rotation, own)
    still = turned / turned[:, 2:].clamp(min=0.1)
    parallax = other - still
    direction = motion.direction.view(-1, 3, 1, 1).expand_as(other)
    a = torch.linalg.cross(other, turned, dim=1)
    b = torch.linalg.cross(other, direction, dim=1)
    inverse = -(a * b).sum(1, keepdim=True) / b.square().sum(1, keepdim=True).clamp(min=NEAR_ZERO)
    residual = (a + inverse * b).norm(dim=1, keepdim=True) * focal
    pixels = parallax[:, :2].norm(dim=1, keepdim=True) * focal
    probability = certainty.float().sigmoid()
    positive = (inverse > NEAR_ZERO).float() * known
    logs = _relative(inverse, (positive > 0) & (pixels > 1) & (probability > 0.5))
    return torch.cat(
        [
            own[:, :2],
            5 * (other - own)[:, :2].clamp(-1, 1),
            10 * parallax[:, :2].clamp(-0.5, 0.5) * known,
            logs * positive,
            positive,
            residual.log1p() / 2 * known,
            pixels.log1p() / 3 * known,
            probability,
            known.expand_as(probability),
        ],
        1,
    )


def _relative(inverse: Tensor, good: Tensor) -> Tensor:
    """Log of positive inverse depth over the median of the good ones, cut off at +-LIMIT."""
    logs = inverse.clamp(min=NEAR_ZERO).log()
    middle = torch.where(good, logs, torch.nan).flatten(1).nanmedian(1).values
    middle = middle.nan_to_num(0.0).view(-1, 1, 1, 1)
    return (logs - middle).clamp(-LIMIT, LIMIT)


def estimate_motion(
    flow: FloatArray, certainty: FloatArray, K_target: Matrix, K_source: Matrix
) -> tuple[Matrix, Matrix] | None:
    """
    Rotation (3, 3) and unit translation (3,) from a flow, or None where it does not show one.

    flow: (h, w, 2) pixels on the grid of 4-pixel cells; certainty: (h, w) logits, of which the
    positive ones count. Essential matrix by MAGSAC++ (Barath et al., CVPR 2020, in OpenCV), then
    the one of its four decompositions that sees the points in front of both cameras.
    """
    height, width = certainty.shape
    points = cell_centers((height, width)).permute(1, 2, 0).reshape(-1, 2).numpy()
    there = points + flow.reshape(-1, 2)
    sure = np.flatnonzero((certainty.reshape(-1) > 0) & np.isfinite(there).all(1))
    if len(sure) < LEAST:
        return None
    chosen = np.random.default_rng(0).permutation(sure)[:MOST]
    first = _normalized(points[chosen], K_target)
    second = _normalized(there[chosen], K_source)
    eye = np.eye(3)
    try:
        essential, inliers = cv2.findEssentialMat(
            first,
            second,
            eye,
            method=cv2.USAC_MAGSAC,
            prob=0.999,
            threshold=EPIPOLAR / float(K_source[0, 0]),
        )
        if essential is None or essential.shape != (3, 3) or int(inliers.sum()) < LEAST // 2:
            return None
        _, R, t, _ = cv2.recoverPose(essential, first, second, eye, mask=inliers)
    except cv2.error:
        return None
    if not (np.isfinite(R).all() and np.isfinite(t).all()):
        return None
    return np.asarray(R, dtype=np.float64), np.asarray(t, dtype=np.float64).reshape(3)


def _normalized(points: npt.NDArray[np.float32], K: Matrix) -> Matrix:
    ones = np.ones((len(points), 1))
    plane = np.concatenate([points, ones], 1) @ np.linalg.inv(K).T
    return np.ascontiguousarray(plane[:, :2] / plane[:, 2:])
