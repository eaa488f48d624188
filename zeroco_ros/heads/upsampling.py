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

"""Flow from a coarse to a fine grid: convex combination of neighbors (RAFT), and bilinear."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from zeroco_ros.errors import ConfigError

NEIGHBORS = 9  # the 3x3 cells that a fine pixel is a combination of


def convex_upsample(
    field: Tensor, mask: Tensor, factor: int, *, scale_values: bool = True
) -> Tensor:
    """
    Upsample by a learned convex combination of each cell's 3x3 neighbors.

    RAFT (Teed and Deng, ECCV 2020). field: (N, C, H, W), flow in cells or any other map.
    mask: (N, 9 * factor^2, H, W), logits; channel n * factor^2 + r * factor + c weighs neighbor n
    (row by row) for the fine pixel at row r and column c of the cell. Beyond the border the field
    is ZERO, as in the released code: a mask has to learn to give these neighbors no weight.
    scale_values: multiply by the factor, so that flow in cells becomes flow in fine cells; False
    for depth, disparity at a fixed scale or confidence. Returns (N, C, factor * H, factor * W).
    Raises ConfigError where the mask does not fit the field.
    """
    batch, channels, height, width = field.shape
    needed = (batch, NEIGHBORS * factor * factor, height, width)
    if mask.shape != needed:
        raise ConfigError(
            f"mask of shape {tuple(mask.shape)}: upsampling {tuple(field.shape)} by {factor} "
            f"needs {needed}"
        )
    weights = mask.view(batch, 1, NEIGHBORS, factor, factor, height, width).softmax(dim=2)
    values = field * factor if scale_values else field
    near = functional.unfold(values, (3, 3), padding=1)
    near = near.view(batch, channels, NEIGHBORS, 1, 1, height, width)
    fine = (weights * near).sum(dim=2)  # (N, C, factor, factor, H, W)
    return fine.permute(0, 1, 4, 2, 5, 3).reshape(batch, channels, factor * height, factor * width)


def bilinear_upflow(flow: Tensor, factor: int, *, align_corners: bool = True) -> Tensor:
    """
    Flow (N, 2, H, W) in cells, bilinear to (N, 2, factor * H, factor * W) in fine cells.

    align_corners: True is what RAFT does (its `upflow8`): the corner cells' centers stay in the
    corners, which shifts the rest by up to half a cell; False puts every center where it is.
    """
    fine: Tensor = functional.interpolate(
        flow * factor, scale_factor=factor, mode="bilinear", align_corners=align_corners
    )
    return fine


def bilinear_mask(factor: int, device: torch.device | None = None) -> Tensor:
    """
    Logits (1, 9 * factor^2, 1, 1) whose convex combination is bilinear interpolation.

    Added to the predicted mask, they let an untrained head start as plain interpolation
    (align_corners=False); exactly so away from the border, where zero padding pulls to zero.
    """
    at = (torch.arange(factor, device=device, dtype=torch.float32) + 0.5) / factor - 0.5
    weight = torch.stack([(-at).clamp(min=0), 1 - at.abs(), at.clamp(min=0)])  # (3, factor)
    joint = torch.einsum("ir,jc->ijrc", weight, weight)
    return joint.clamp(min=1e-4).log().reshape(1, NEIGHBORS * factor * factor, 1, 1)
