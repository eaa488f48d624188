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

"""Position tables: CroCo v1's sine-cosine embedding, and the cache that all tables share."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import Tensor

Grid = tuple[int, int]  # rows and columns of tokens

_MAX_TABLES = 64  # a table per resolution in use; zoom tiles and mixed-size training stay below


class TableCache:
    """
    Tables per (grid, channels, device, dtype), computed in float64 once, outside state_dict.

    build(grid, channels) returns the float64 table on the CPU.
    """

    def __init__(self, build: Callable[[Grid, int], Tensor]) -> None:
        self._build = build
        self._tables: OrderedDict[tuple[Grid, int, torch.device, torch.dtype], Tensor] = (
            OrderedDict()
        )

    def get(self, grid: Grid, channels: int, device: torch.device, dtype: torch.dtype) -> Tensor:
        """Return the table on this device and in this type; do not write into it."""
        if torch.compiler.is_compiling():  # a tracer's placeholder must not enter the cache
            return self._build(grid, channels).to(device=device, dtype=dtype)
        key = (grid, channels, device, dtype)
        table = self._tables.get(key)
        if table is None:
            # A table made in inference mode could not take part in training later.
            with torch.inference_mode(False), torch.no_grad():
                table = self._build(grid, channels).to(device=device, dtype=dtype)
            self._tables[key] = table
            while len(self._tables) > _MAX_TABLES:
                self._tables.popitem(last=False)
        return table


def _waves(position: Tensor, channels: int) -> Tensor:
    """(N,) positions -> (N, channels): sines, then cosines, wavelengths 2 pi .. 10000 * 2 pi."""
    half = channels // 2
    frequency = 10000.0 ** (-torch.arange(half, dtype=torch.float64) / half)
    angle = position.reshape(-1, 1) * frequency
    return torch.cat([angle.sin(), angle.cos()], dim=1)


def _cosine_table(grid: Grid, channels: int) -> Tensor:
    """(N, channels) float64: the first half of the channels encodes x, the second y."""
    height, width = grid
    y, x = torch.meshgrid(
        torch.arange(height, dtype=torch.float64),
        torch.arange(width, dtype=torch.float64),
        indexing="ij",
    )
    return torch.cat([_waves(x, channels // 2), _waves(y, channels // 2)], dim=1)


_tables = TableCache(_cosine_table)


def cosine_table(grid: Grid, channels: int, like: Tensor) -> Tensor:
    """
    Return CroCo v1's embedding (h * w, channels) of a token grid; channels is a multiple of 4.

    Computed anew for each grid with positions in tokens (MAE, He et al. 2022, as CroCo v1 has it).
    """
    return _tables.get(grid, channels, like.device, like.dtype)
