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
Read-outs: from a cost volume to the position of each target token's match.

Positions are in source tokens, x to the right and y down, 0 at the center of the first token. The
cost volume is (B, Nt, Ns) with the Ns source tokens in row-major order of `grid` = (h, w).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Match:
    """
    Where each target token's match is.

    position: (B, Nt, 2) float32, (x, y) in source tokens.
    mass: (B, Nt) float32 in [0, 1], the share of the softmax over all source tokens that lies in
        the window around the peak; the read-out's own view of how unique the match is.
    """

    position: Tensor
    mass: Tensor


def token_positions(grid: tuple[int, int], device: torch.device | None = None) -> Tensor:
    """(h * w, 2) float32: the (x, y) of each token of a row-major grid."""
    h, w = grid
    y, x = torch.meshgrid(
        torch.arange(h, device=device), torch.arange(w, device=device), indexing="ij"
    )
    return torch.stack([x, y], dim=-1).reshape(h * w, 2).float()


def hard_argmax(volume: Tensor, grid: tuple[int, int]) -> Tensor:
    """Position (B, Nt, 2) of the largest value (the first of equal ones)."""
    return token_positions(grid, volume.device)[volume.argmax(dim=-1)]


def soft_argmax(volume: Tensor, grid: tuple[int, int], beta: float) -> Tensor:
    """Mean position (B, Nt, 2) under softmax(volume / beta) over all source tokens (SFNet)."""
    return torch.matmul(_softmax(volume, beta), token_positions(grid, volume.device))


def window_soft_argmax(
    volume: Tensor, grid: tuple[int, int], beta: float, window: int = 3
) -> Tensor:
    """
    Mean position under a softmax restricted to a window x window square around the peak.

    The window is cut off at the border of the grid. `window` is odd. GeoAware-SC (CVPR 2024)
    introduced it; here values outside the window are masked, they take no part.
    """
    return _window_match(volume, grid, beta, window).position


def leaking_window_soft_argmax(
    volume: Tensor, grid: tuple[int, int], beta: float = 0.02, window: int = 15
) -> Tensor:
    """
    Return released GeoAware-SC form: values outside the window become 0 and stay in the softmax.

    They leak into the mean, and win where all correlations are negative. For parity only.
    """
    positions = token_positions(grid, volume.device)
    peak = hard_argmax(volume, grid)
    reach = (positions - peak[..., None, :]).abs().amax(dim=-1) <= window // 2
    return torch.matmul(_softmax(volume * reach, beta), positions)


def match_volume(
    volume: Tensor, grid: tuple[int, int], readout: str, beta: float, window: int = 3
) -> Match:
    """Read a volume out as "hard", "soft" or "window", together with the mass at the peak."""
    local = _window_match(volume, grid, beta, window)
    if readout == "window":
        return local
    if readout == "hard":
        return Match(hard_argmax(volume, grid), local.mass)
    if readout == "soft":
        return Match(soft_argmax(volume, grid, beta), local.mass)
    raise ValueError(f"unknown read-out {readout!r}: hard, soft or window")


def _softmax(volume: Tensor, beta: float) -> Tensor:
    # Subtracting the peak before dividing keeps a tiny beta from overflowing.
    return torch.softmax((volume - volume.amax(dim=-1, keepdim=True)) / beta, dim=-1)


def _window_match(volume: Tensor, grid: tuple[int, int], beta: float, window: int) -> Match:
    if window < 1 or window % 2 == 0:
        raise ValueError(f"window is {window}: an odd number is needed")
    h, w = grid
    value, index = volume.max(dim=-1, keepdim=True)
    radius = window // 2
    step = torch.arange(-radius, radius + 1, device=volume.device)
    dy, dx = (part.reshape(-1) for part in torch.meshgrid(step, step, indexing="ij"))
    x, y = index % w + dx, torch.div(index, w, rounding_mode="floor") + dy
    inside = (x >= 0) & (x < w) & (y >= 0) & (y < h)
    at = (y.clamp(0, h - 1) * w + x.clamp(0, w - 1)).expand(*volume.shape[:-1], -1)
    weight = torch.exp((volume.gather(-1, at) - value) / beta) * inside
    total = weight.sum(dim=-1)
    mean = torch.stack([(weight * x).sum(-1), (weight * y).sum(-1)], dim=-1) / total[..., None]
    everything = torch.exp((volume - value) / beta).sum(dim=-1)
    return Match(mean, (total / everything).clamp(0, 1))
