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

"""A pool of square textures with mip levels, sampled without aliasing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zeroco_ros.training.patterns import draw_pattern, Rng

SIZE = 512
LEVELS = 8


@dataclass(frozen=True)
class TexturePool:
    """
    Textures of SIZE x SIZE with LEVELS mip levels, all texels in one table.

    texels: (count * TEXELS,) int32, each the bytes R, G, B, 255 of one texel (one gather fetches a
    color); mean: (count, 3) float32 mean colors in [0, 255].
    """

    texels: Tensor
    mean: Tensor

    @property
    def count(self) -> int:
        """Return the number of textures."""
        return self.mean.shape[0]

    @property
    def device(self) -> torch.device:
        """Where the textures are, and with them everything that is rendered from them."""
        return self.texels.device

    def to(self, device: torch.device) -> TexturePool:
        """Return the pool on a device."""
        return TexturePool(self.texels.to(device), self.mean.to(device))

    def sample(self, index: Tensor, u: Tensor, v: Tensor, level: Tensor) -> Tensor:
        """
        Colors (N, 3) float32 in [0, 255] by trilinear filtering, mirrored at the borders.

        index: (N,) int64 texture; u, v: (N,) texel coordinates of level 0 (integers are texel
        centers); level: (N,) float mip level, log2 of the footprint in texels.
        """
        level = level.clamp(0, LEVELS - 1.001)
        below = level.floor()
        part = level - below
        base, low = (index * TEXELS).int(), below.int()
        taps = [*_taps(base, u, v, low, 1 - part), *_taps(base, u, v, low + 1, part)]
        indices = torch.stack([tap[0] for tap in taps])
        weights = torch.stack([tap[1] for tap in taps])
        packed = self.texels.index_select(0, indices.view(-1)).view_as(indices)
        channels = [(packed >> shift & 255).float().mul_(weights).sum(0) for shift in (0, 8, 16)]
        return torch.stack(channels, 1)


_SIZES = [SIZE >> level for level in range(LEVELS)]
TEXELS = sum(side * side for side in _SIZES)
OFFSETS = torch.tensor([sum(s * s for s in _SIZES[:level]) for level in range(LEVELS)]).int()


def _taps(
    base: Tensor, u: Tensor, v: Tensor, level: Tensor, share: Tensor
) -> list[tuple[Tensor, Tensor]]:
    """Return four texels around (u, v) in one mip level: table index and weight (N,) of each."""
    size = torch.full_like(level, SIZE) >> level
    shrink = size.to(u.dtype) / SIZE
    x, y = (u + 0.5) * shrink - 0.5, (v + 0.5) * shrink - 0.5
    x0, y0 = x.floor(), y.floor()
    fx, fy = x - x0, y - y0
    start = base + OFFSETS.to(level.device).index_select(0, level)
    columns = [(_mirror(x0.int() + k, size), fx if k else 1 - fx) for k in (0, 1)]
    rows = [(_mirror(y0.int() + k, size) * size, fy if k else 1 - fy) for k in (0, 1)]
    return [(start + r + c, share * wr * wc) for r, wr in rows for c, wc in columns]


def _mirror(index: Tensor, size: Tensor) -> Tensor:
    folded = torch.bitwise_and(index, 2 * size - 1)  # sizes are powers of two
    return torch.minimum(folded, 2 * size - 1 - folded)


def photo_texture(rng: Rng, photo: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return a random square crop of a photograph, turned, recolored and scaled to SIZE x SIZE."""
    height, width = photo.shape[:2]
    side = int(min(height, width) * rng.uniform(0.35, 1.0))
    y, x = int(rng.integers(0, height - side + 1)), int(rng.integers(0, width - side + 1))
    crop = np.rot90(photo[y : y + side, x : x + side], int(rng.integers(0, 4)))
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    shrinking = side > SIZE
    mode = cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC
    image = cv2.resize(np.ascontiguousarray(crop), (SIZE, SIZE), interpolation=mode)
    if rng.random() < 0.6:
        image = image[..., rng.permutation(3)]
    gain = rng.uniform(0.6, 1.4, 3)
    return np.asarray(np.clip(image * gain + rng.uniform(-30, 30, 3), 0, 255), dtype=np.uint8)


def texture_pool(
    seed: int | Sequence[int],
    count: int,
    photos: Sequence[npt.NDArray[np.uint8]] = (),
    photo_share: float = 0.5,
) -> TexturePool:
    """
    Return a pool of `count` textures.

    `photo_share` of them from `photos`, the rest procedural.
    """
    rng = np.random.default_rng(seed)
    tables, means = [], []
    for _ in range(count):
        if photos and rng.random() < photo_share:
            image = photo_texture(rng, photos[int(rng.integers(len(photos)))])
        else:
            image = draw_pattern(rng, SIZE)
        means.append(image.reshape(-1, 3).mean(0))
        for _ in range(LEVELS):
            tables.append(
                cv2.cvtColor(image, cv2.COLOR_RGB2RGBA).reshape(-1, 4).view(np.int32).ravel()
            )
            half = (image.shape[1] // 2, image.shape[0] // 2)
            image = np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA))
    texels = torch.from_numpy(np.ascontiguousarray(np.concatenate(tables)))
    return TexturePool(texels, torch.from_numpy(np.array(means, np.float32)))
