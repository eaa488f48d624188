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

"""Warping by a flow field: the source image as seen from the target."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def warp(image: Tensor, flow: Tensor, *, padding: str = "zeros") -> Tensor:
    """
    Sample image (B, C, Hs, Ws) at p + flow(p) for each pixel p of flow (B, 2, H, W).

    flow: (dx, dy) in pixels of `image`. padding: "zeros" or "border" outside. Bilinear; pixel
    (x, y) is sampled exactly at whole coordinates. Returns (B, C, H, W).
    """
    height, width = flow.shape[-2:]
    rows, columns = image.shape[-2:]
    x = torch.arange(width, device=flow.device, dtype=flow.dtype) + flow[:, 0]
    y = torch.arange(height, device=flow.device, dtype=flow.dtype)[:, None] + flow[:, 1]
    grid = torch.stack([2 * x / max(columns - 1, 1) - 1, 2 * y / max(rows - 1, 1) - 1], dim=-1)
    return functional.grid_sample(
        image, grid, mode="bilinear", padding_mode=padding, align_corners=True
    )
