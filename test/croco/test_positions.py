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

"""Position embeddings against their formulas."""

from __future__ import annotations

import math

import pytest
import torch

from zeroco_ros.croco.positions import cosine_table, TableCache
from zeroco_ros.croco.rope import rotary_table, rotate

LIKE = torch.zeros(1, dtype=torch.float64)


def test_cosine_table_by_formula() -> None:
    """Coordinate x is in the first half of the channels, y in the second; sines before cosines."""
    table = cosine_table((5, 7), 24, LIKE)
    assert table.shape == (35, 24)
    y, x, i = 3, 6, 4
    frequency = 10000 ** (-i / 6)
    token = table[y * 7 + x]
    expected = [f(p * frequency) for p in (x, y) for f in (math.sin, math.cos)]
    assert token[[i, 6 + i, 12 + i, 18 + i]].tolist() == pytest.approx(expected)


def test_rotation_by_formula() -> None:
    """Channels (i, i + head_dim / 4) turn by y * 100^(-4 i / head_dim), the upper half by x."""
    grid, head_dim, (y, x), i = (3, 6), 16, (2, 5), 3
    frequency = 100 ** (-i / 4)
    vector = torch.zeros(1, 18, 1, head_dim, dtype=torch.float64)
    vector[..., i] = vector[..., 8 + i] = 1
    token = rotate(vector, rotary_table(grid, head_dim, LIKE))[0, y * 6 + x, 0]
    expected = torch.zeros(head_dim, dtype=torch.float64)
    for half, position in ((0, y), (8, x)):
        expected[half + i] = math.cos(position * frequency)
        expected[half + 4 + i] = math.sin(position * frequency)
    torch.testing.assert_close(token, expected)


def test_rotated_products_depend_on_the_offset_only() -> None:
    grid, head_dim = (6, 9), 8
    table = rotary_table(grid, head_dim, LIKE)
    q, k = torch.randn(2, 1, 1, 1, head_dim, dtype=torch.float64)
    q, k = (rotate(v.expand(1, 54, 1, head_dim), table)[0, :, 0] for v in (q, k))
    product = (q @ k.T).reshape(*grid, *grid)
    torch.testing.assert_close(product[0, 0, 2, 3], product[3, 5, 5, 8])
    torch.testing.assert_close(product[4, 6, 1, 7], product[5, 1, 2, 2])
    assert abs(product[0, 0, 2, 3] - product[0, 0, 3, 2]) > 1e-6


def test_tables_are_made_once_per_grid_type_and_width() -> None:
    built: list[tuple[tuple[int, int], int]] = []

    def build(grid: tuple[int, int], channels: int) -> torch.Tensor:
        built.append((grid, channels))
        return torch.full((grid[0] * grid[1], channels), 0.1, dtype=torch.float64)

    cache, cpu = TableCache(build), torch.device("cpu")
    first = cache.get((2, 3), 4, cpu, torch.float32)
    assert cache.get((2, 3), 4, cpu, torch.float32) is first
    assert built == [((2, 3), 4)]
    assert cache.get((3, 2), 4, cpu, torch.float32) is not first
    assert cache.get((2, 3), 4, cpu, torch.float16).dtype == torch.float16
    for width in range(100):  # a stream of ever new sizes does not fill the memory
        cache.get((1, width + 1), 4, cpu, torch.float32)
    assert len(cache._tables) <= 64
