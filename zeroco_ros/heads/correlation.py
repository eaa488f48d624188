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
Correlation of two feature maps, looked up around a current estimate (the RAFT family).

The target is the image whose pixels get a match, the source the one that is searched; RAFT calls
them image 1 and image 2. A position is (x, y) in cells of the source's full-resolution features,
0 at the center of the first cell. A look-up of radius r returns (2 r + 1)^2 channels per level,
x-major: channel a * (2 r + 1) + b belongs to the offset (x, y) = (a - r, b - r).

`CorrelationPyramid` forms all pairs once; `LocalCorrelation` answers the same question from the
features, in memory that grows with the image and not with its square. (Warping once and shifting,
as in `heads.local_correlation`, is cheaper still and equal where the flow is constant.)
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def cell_positions(height: int, width: int, like: Tensor) -> Tensor:
    """(1, 2, H, W): the (x, y) of each cell, in the type and on the device of `like`."""
    x = torch.arange(width, device=like.device, dtype=like.dtype)
    y = torch.arange(height, device=like.device, dtype=like.dtype)
    cells = torch.stack([x.expand(height, width), y[:, None].expand(height, width)])
    return cells.unsqueeze(0)


def all_pairs(target: Tensor, source: Tensor) -> Tensor:
    """Dot products over sqrt(C): (B, C, H, W), (B, C, h, w) -> (B, H, W, h, w)."""
    volume = torch.matmul(target.flatten(2).transpose(1, 2), source.flatten(2))
    shape = (len(target), *target.shape[2:], *source.shape[2:])
    scaled: Tensor = volume.view(shape) / target.shape[1] ** 0.5
    return scaled


class CorrelationPyramid:
    """
    All-pairs correlation, average-pooled over the source's dimensions only (RAFT, ECCV 2020).

    target: (B, C, H, W), source: (B, C, h, w). Level i has source sides h // 2^i and w // 2^i, at
    least 1 (RAFT's code fails there). Memory: B * H * W * h * w values and a third more.
    """

    def __init__(self, target: Tensor, source: Tensor, levels: int = 4) -> None:
        volume = all_pairs(target, source).flatten(0, 2).unsqueeze(1)
        self.levels = [volume]
        for _ in range(levels - 1):
            self.levels.append(_halve(self.levels[-1]))

    def __call__(self, positions: Tensor, radius: int = 4) -> Tensor:
        """Look up around positions (B, 2, H, W): (B, levels * (2 radius + 1)^2, H, W)."""
        batch, _, height, width = positions.shape
        centers = positions.permute(0, 2, 3, 1).reshape(-1, 1, 1, 2)
        offsets = _offsets(radius, positions)
        found = [
            _sample(level, centers / 2**i + offsets).view(batch, height, width, -1)
            for i, level in enumerate(self.levels)
        ]
        return torch.cat(found, dim=-1).permute(0, 3, 1, 2).contiguous()


class StereoPyramid:
    """
    The same along the row only (RAFT-Stereo, 3DV 2021): a volume of H x W x w.

    target: (B, C, H, W), source: (B, C, H, w), rectified.
    """

    def __init__(self, target: Tensor, source: Tensor, levels: int = 4) -> None:
        volume = torch.einsum("bchi,bchj->bhij", target, source) / target.shape[1] ** 0.5
        self.levels = [volume.reshape(-1, 1, 1, source.shape[-1])]
        for _ in range(levels - 1):
            self.levels.append(_halve(self.levels[-1]))

    def __call__(self, x: Tensor, radius: int = 4) -> Tensor:
        """Look up around x (B, 1, H, W) in cells: (B, levels * (2 radius + 1), H, W)."""
        batch, _, height, width = x.shape
        step = torch.arange(-radius, radius + 1, device=x.device, dtype=x.dtype)
        offsets = torch.stack([step, torch.zeros_like(step)], dim=-1).view(1, 1, -1, 2)
        centers = torch.stack([x, torch.zeros_like(x)], dim=-1).reshape(-1, 1, 1, 2)
        scale = centers.new_tensor([1.0, 0.0])  # the row does not shrink
        found = [
            _sample(level, centers * scale / 2**i + offsets).view(batch, height, width, -1)
            for i, level in enumerate(self.levels)
        ]
        return torch.cat(found, dim=-1).permute(0, 3, 1, 2).contiguous()


class LocalCorrelation:
    """
    `CorrelationPyramid`'s numbers without the volume, for grids too large for all pairs.

    Pooling the volume over the source equals pooling the source's features, and interpolating it
    equals interpolating dot products at the (2 r + 2)^2 whole cells around the position, which all
    share the position's fraction. Same arguments, same look-up; memory of the features.
    """

    def __init__(self, target: Tensor, source: Tensor, levels: int = 4) -> None:
        self._target = (target / target.shape[1] ** 0.5).flatten(2).transpose(1, 2)
        sources = [source]
        for _ in range(levels - 1):
            sources.append(_halve(sources[-1]))
        self._sources = sources

    def __call__(self, positions: Tensor, radius: int = 4) -> Tensor:
        """Look up around positions (B, 2, H, W): (B, levels * (2 radius + 1)^2, H, W)."""
        found = [
            self._level(source, positions / 2**i, radius) for i, source in enumerate(self._sources)
        ]
        return torch.cat(found, dim=1)

    def _level(self, source: Tensor, positions: Tensor, radius: int) -> Tensor:
        batch, _, height, width = positions.shape
        corner = positions.detach().floor()
        fraction = (positions - corner).unsqueeze(1)  # (B, 1, 2, H, W)
        near = self._whole_cells(source, corner.long().flatten(2), radius)
        side = 2 * radius + 2
        near = near.view(batch, side, side, height, width)  # (dx, dy)
        x, y = fraction[:, :, :1], fraction[:, :, 1:]
        near = near[:, :-1] * (1 - x) + near[:, 1:] * x
        near = near[:, :, :-1] * (1 - y) + near[:, :, 1:] * y
        return near.reshape(batch, -1, height, width)

    def _whole_cells(self, source: Tensor, corner: Tensor, radius: int) -> Tensor:
        """Dot products (B, (2 r + 2)^2, N) at the cells around corner (B, 2, N); 0 outside."""
        h, w = source.shape[-2:]
        cells = source.flatten(2).transpose(1, 2)  # (B, h * w, C)
        batch = torch.arange(len(cells), device=cells.device)[:, None]
        found = []
        for dx in range(-radius, radius + 2):
            for dy in range(-radius, radius + 2):
                x, y = corner[:, 0] + dx, corner[:, 1] + dy
                inside = (x >= 0) & (x < w) & (y >= 0) & (y < h)
                at = y.clamp(0, h - 1) * w + x.clamp(0, w - 1)
                found.append((self._target * cells[batch, at]).sum(dim=-1) * inside)
        return torch.stack(found, dim=1)


def _offsets(radius: int, like: Tensor) -> Tensor:
    """(1, 2r + 1, 2r + 1, 2): the first axis moves x, the second y, as RAFT's code has it."""
    step = torch.arange(-radius, radius + 1, device=like.device, dtype=like.dtype)
    return torch.stack(torch.meshgrid(step, step, indexing="ij"), dim=-1)[None]


def _sample(maps: Tensor, at: Tensor) -> Tensor:
    """
    Bilinear values of maps (N, 1, h, w) at at (N, I, J, 2), zeros outside: (N, 1, I, J).

    The numbers of grid_sample with align_corners=True. Normalizing with the side instead of the
    side minus 1, and saying align_corners=False, is the same map and defined for a side of 1.
    """
    sides = at.new_tensor([maps.shape[-1], maps.shape[-2]])
    return functional.grid_sample(
        maps, (2 * at + 1) / sides - 1, mode="bilinear", padding_mode="zeros", align_corners=False
    )


def _halve(maps: Tensor) -> Tensor:
    """Average over 2x2 of the last two dimensions; a side of 1 stays."""
    window: Sequence[int] = [min(2, side) for side in maps.shape[-2:]]
    return functional.avg_pool2d(maps, tuple(window), stride=tuple(window))
