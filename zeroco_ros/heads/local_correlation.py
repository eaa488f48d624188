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

"""Correlation of each target feature with a window of source features around the current flow."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def warp_features(source: Tensor, flow: Tensor) -> Tensor:
    """
    Source features (B, Hs, Ws, C) at the target's positions plus flow (B, H, W, 2), in cells.

    Bilinear, zero outside; returns (B, H, W, C).
    """
    rows, columns = flow.shape[1:3]
    height, width = source.shape[1:3]
    y = torch.arange(rows, device=flow.device, dtype=flow.dtype)[:, None]
    x = torch.arange(columns, device=flow.device, dtype=flow.dtype)
    # align_corners=False: cell i is centered at (2 i + 1) / n - 1, also for a single cell.
    grid = torch.stack(
        [
            (2 * (x + flow[..., 0]) + 1) / width - 1,
            (2 * (y + flow[..., 1]) + 1) / height - 1,
        ],
        -1,
    )
    warped = functional.grid_sample(source.permute(0, 3, 1, 2), grid, align_corners=False)
    return warped.permute(0, 2, 3, 1)


def window_offsets(radius: int, device: torch.device | None = None) -> Tensor:
    """((2r + 1)^2, 2) float32: the (dx, dy) of a window, row by row."""
    step = torch.arange(-radius, radius + 1, device=device, dtype=torch.float32)
    y, x = torch.meshgrid(step, step, indexing="ij")
    return torch.stack([x, y], -1).reshape(-1, 2)


def local_correlation(target: Tensor, warped: Tensor, radius: int) -> Tensor:
    """
    Dot products with the (2r + 1)^2 neighbors of each warped source feature, over sqrt(C).

    target, warped: (B, H, W, C) float32. Returns (B, H, W, (2r + 1)^2), row by row; outside the
    image features are zero. The window follows the flow of its center, as in PWC-Net (Sun et al.,
    CVPR 2018), which needs no all-pairs volume.
    """
    if torch.is_grad_enabled() and (target.requires_grad or warped.requires_grad):
        apply = _LocalCorrelation.apply
        result: Tensor = apply(target, warped, radius)  # type: ignore[no-untyped-call]
        return result
    return _correlate(target, warped, radius)


def _shifts(padded: Tensor, radius: int, shape: tuple[int, int]) -> list[Tensor]:
    rows, columns = shape
    side = 2 * radius + 1
    return [padded[:, y : y + rows, x : x + columns] for y in range(side) for x in range(side)]


def _correlate(target: Tensor, warped: Tensor, radius: int) -> Tensor:
    rows, columns, channels = target.shape[1:]
    padded = functional.pad(warped, (0, 0, radius, radius, radius, radius))
    query = target * channels**-0.5
    if torch.compiler.is_exporting():  # a graph of a few large nodes instead of hundreds
        return _correlate_rows(query, padded, radius)
    shifts = _shifts(padded, radius, (rows, columns))
    return torch.stack([(query * shift).sum(-1) for shift in shifts], -1)


def _correlate_rows(query: Tensor, padded: Tensor, radius: int) -> Tensor:
    """Return the same, a row of the window at a time, by a gather and a matrix product."""
    rows, columns = query.shape[1:3]
    side = 2 * radius + 1
    window = (torch.arange(columns)[:, None] + torch.arange(side)).reshape(-1)
    column, shape = query.unsqueeze(-1), (*query.shape[:3], side, query.shape[3])
    parts = [
        padded[:, y : y + rows].index_select(2, window).view(shape) @ column for y in range(side)
    ]
    return torch.cat(parts, -2).squeeze(-1)


class _LocalCorrelation(torch.autograd.Function):
    """The same with a backward pass that adds in place: slices' own gradients are full copies."""

    @staticmethod
    def forward(ctx: Any, target: Tensor, warped: Tensor, radius: int) -> Tensor:
        ctx.save_for_backward(target, warped)
        ctx.radius = radius
        return _correlate(target, warped, radius)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        target, warped = ctx.saved_tensors
        radius, shape = ctx.radius, target.shape[1:3]
        padding = (0, 0, radius, radius, radius, radius)
        padded = functional.pad(warped, padding)
        gradient = (gradients[0] * target.shape[-1] ** -0.5).movedim(-1, 0).contiguous()
        to_target, to_padded = torch.zeros_like(target), torch.zeros_like(padded)
        sources = _shifts(padded, radius, shape)
        sinks = _shifts(to_padded, radius, shape)
        for weight, source, sink in zip(gradient, sources, sinks, strict=True):
            to_target.addcmul_(source, weight.unsqueeze(-1))
            sink.addcmul_(target, weight.unsqueeze(-1))
        rows, columns = shape
        return to_target, to_padded[:, radius : radius + rows, radius : radius + columns], None
