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
Rotary position embedding in two dimensions, as CroCo v2 uses it ("RoPE100").

RoPE: Su et al., RoFormer (2021). CroCo v2: Weinzaepfel et al. (ICCV 2023), base frequency 100. Of
each head's channels the first half rotates with the token's row (y), the second half with its
column (x); inside a half, channel i is paired with channel i + head_dim / 4.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from zeroco_ros.croco.positions import Grid, TableCache

BASE = 100.0


class RotaryTable(NamedTuple):
    """Cosines and signed sines per token: (N, 1, head_dim), or (B, N, 1, head_dim) when masked."""

    cos: Tensor
    sin: Tensor

    def select(self, kept: Tensor) -> RotaryTable:
        """Return the rows of the kept tokens, kept (B, K) int64 -> tables (B, K, 1, head_dim)."""
        return RotaryTable(self.cos[kept], self.sin[kept])


def _rotary_table(grid: Grid, head_dim: int) -> Tensor:
    """(2, N, 1, head_dim) float64: cosines, and sines whose first of each pair is negated."""
    quarter = head_dim // 4
    frequency = BASE ** (-torch.arange(quarter, dtype=torch.float64) / quarter)
    height, width = grid
    y, x = torch.meshgrid(
        torch.arange(height, dtype=torch.float64),
        torch.arange(width, dtype=torch.float64),
        indexing="ij",
    )
    angle_y = y.reshape(-1, 1) * frequency
    angle_x = x.reshape(-1, 1) * frequency
    cos = torch.cat([angle_y.cos(), angle_y.cos(), angle_x.cos(), angle_x.cos()], dim=1)
    sin = torch.cat([-angle_y.sin(), angle_y.sin(), -angle_x.sin(), angle_x.sin()], dim=1)
    return torch.stack([cos, sin]).unsqueeze(2)


_tables = TableCache(_rotary_table)


def rotary_table(grid: Grid, head_dim: int, like: Tensor) -> RotaryTable:
    """Give rotary table of a token grid (h, w) on the device and in the type of `like`; cached."""
    table = _tables.get(grid, head_dim, like.device, like.dtype)
    return RotaryTable(table[0], table[1])


def rotate(channels: Tensor, table: RotaryTable) -> Tensor:
    """Rotate (B, N, heads, head_dim) queries or keys by their tokens' positions."""
    half_y, half_x = channels.chunk(2, dim=-1)
    y1, y2 = half_y.chunk(2, dim=-1)
    x1, x2 = half_x.chunk(2, dim=-1)
    partner = torch.cat([y2, y1, x2, x1], dim=-1)
    cos, sin = table.cos.to(channels.dtype), table.sin.to(channels.dtype)
    return torch.addcmul(channels * cos, partner, sin)
