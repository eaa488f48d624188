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

"""Attention within windows of a map of any size (Liu et al., Swin Transformer, ICCV 2021)."""

from __future__ import annotations

import torch
from torch import nn, Tensor
from torch.nn import functional

from zeroco_ros.croco.layers import Mlp


class WindowBlock(nn.Module):
    """
    A pre-norm transformer block whose attention stays within window x window cells.

    Windows do not shift. A learned bias per head and relative position is added to the logits.
    Maps whose sides are no multiples of the window are padded; padding takes no part.
    """

    def __init__(self, dim: int, heads: int, window: int, mlp_ratio: float = 4.0) -> None:
        super().__init__()
        self.heads, self.window = heads, window
        self.norm1 = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.position_bias = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = Mlp(dim, mlp_ratio)
        index = relative_index(window)
        self.register_buffer("index", index, persistent=False)
        self.index: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, dim) -> (B, H, W, dim)."""
        x = x + self._attend(self.norm1(x))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out

    def _attend(self, x: Tensor) -> Tensor:
        _, height, width, _ = x.shape
        down, right = -height % self.window, -width % self.window
        padded = functional.pad(x, (0, 0, 0, right, 0, down)) if down or right else x
        cells = split_windows(padded, self.window)  # (B * windows, window^2, dim)
        q, k, v = self.qkv(cells).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        bias = self.position_bias[self.index].permute(2, 0, 1).unsqueeze(0).to(q.dtype)
        if down or right:
            bias = bias + self._absent(x, padded)
        mixed = _mixed(q, k, v, bias)
        joined = self.proj(mixed.transpose(1, 2).flatten(2))
        return join_windows(joined, self.window, padded.shape)[:, :height, :width]

    def _absent(self, x: Tensor, padded: Tensor) -> Tensor:
        """(B * windows, 1, 1, window^2): minus infinity where a cell is padding."""
        outside = torch.full_like(padded[..., :1], -torch.inf)
        outside[:, : x.shape[1], : x.shape[2]] = 0
        return split_windows(outside, self.window)[..., 0][:, None, None]


def _mixed(q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
    """Attention with a bias on (B, heads, N, head_dim); as plain products in an exported graph."""
    if not torch.compiler.is_exporting():
        return functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
    logits = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    mixed: Tensor = (logits.float() + bias.float()).softmax(-1).to(v.dtype) @ v
    return mixed


def relative_index(window: int) -> Tensor:
    """(window^2, window^2) int64: row of the bias table of two cells, (dy, dx) row by row."""
    y, x = torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")
    dy = y.reshape(-1, 1) - y.reshape(1, -1) + window - 1
    dx = x.reshape(-1, 1) - x.reshape(1, -1) + window - 1
    return dy * (2 * window - 1) + dx


def split_windows(x: Tensor, window: int) -> Tensor:
    """(B, H, W, C), sides multiples of the window -> (B * windows, window^2, C)."""
    batch, height, width, channels = x.shape
    grid = x.reshape(batch, height // window, window, width // window, window, channels)
    return grid.transpose(2, 3).reshape(-1, window * window, channels)


def join_windows(cells: Tensor, window: int, shape: torch.Size) -> Tensor:
    """Return the inverse of `split_windows`, to `shape` (B, H, W, C)."""
    batch, height, width, channels = shape
    grid = cells.reshape(batch, height // window, width // window, window, window, channels)
    return grid.transpose(2, 3).reshape(shape)
