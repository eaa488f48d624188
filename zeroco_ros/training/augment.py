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

"""From raw pairs to a batch: crops, flips, swap, colors; the flow follows exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zeroco_ros.training.patterns import Rng
from zeroco_ros.training.shards import Shard, STRIDE

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Batch:
    """
    A batch.

    images (2, B, 3, H, W) float32 normalized; flow (2, B, h, w, 2) float32 pixels between the
    views at the centers of the 16-pixel cells; visible (2, B, h, w) bool. Index 0: view 0 to 1.
    chance: (B, h, w) float32 uniform random numbers, for objectives that hide cells.
    """

    images: Tensor
    flow: Tensor
    visible: Tensor
    chance: Tensor

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device."""
        return Batch(*(getattr(self, field.name).to(device) for field in fields(self)))


def make_batch(
    rngs: Sequence[Rng], samples: Sequence[tuple[Shard, int]], size: tuple[int, int]
) -> Batch:
    """
    Cut samples to `size` and vary them.

    Everything random about a sample comes from its own generator: it does not matter which
    process has the sample and which others are in its batch.
    """
    parts = [
        vary(rng, shard, index, size) for rng, (shard, index) in zip(rngs, samples, strict=True)
    ]
    images, flows, masks, chances = zip(*parts, strict=True)
    return Batch(
        torch.cat(images, 1),
        torch.from_numpy(np.stack(flows, 1)),
        torch.from_numpy(np.stack(masks, 1)),
        torch.from_numpy(np.stack(chances)),
    )


def vary(
    rng: Rng, shard: Shard, index: int, size: tuple[int, int]
) -> tuple[Tensor, npt.NDArray[np.float32], npt.NDArray[np.bool_], npt.NDArray[np.float32]]:
    """One sample of a batch: images (2, 1, 3, H, W), flow, visibility and chance."""
    cut = crop_sample(rng, shard, index, size)
    images, flow, visible = flip_and_swap(rng, *cut)
    colors = recolor(rng, torch.from_numpy(images[:, None]))
    chance = rng.random((size[0] // STRIDE, size[1] // STRIDE), dtype=np.float32)
    return colors, flow, visible, chance


Sample = tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32], npt.NDArray[np.bool_]]


def crop_sample(rng: Rng, shard: Shard, index: int, size: tuple[int, int]) -> Sample:
    """Cut both views at independent offsets (multiples of 16, so that cells stay cells)."""
    whole = shard.images.shape[2:4]
    room = [(whole[axis] - size[axis]) // STRIDE for axis in (0, 1)]
    cells = np.stack([rng.integers(0, extent + 1, 2) for extent in room], 1)  # (view, y x)
    cells[1] = np.clip(second_offset(rng, shard, index, cells), 0, room)
    rows, columns = size[0] // STRIDE, size[1] // STRIDE
    images, flows, masks = [], [], []
    for view in (0, 1):
        y, x = (int(c) for c in cells[view])
        pixels = slice(y * STRIDE, y * STRIDE + size[0]), slice(x * STRIDE, x * STRIDE + size[1])
        images.append(shard.images[(index, view, *pixels)])
        window = (index, view, slice(y, y + rows), slice(x, x + columns))
        shift = (cells[view] - cells[1 - view])[::-1] * STRIDE
        flow = shard.flow[window] + shift.astype(np.float32)
        flows.append(flow)
        masks.append(shard.visible[window] & inside(flow, size))
    return np.stack(images), np.stack(flows), np.stack(masks)


def second_offset(
    rng: Rng, shard: Shard, index: int, cells: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Where to cut view 1, in cells (y, x): as view 0, anywhere, or after the mean motion."""
    kind = rng.random()
    if kind < 0.5:
        return np.asarray(cells[0])
    visible = shard.visible[index, 0]
    if kind < 0.7 or not visible.any():
        return np.asarray(cells[1])
    motion = shard.flow[index, 0][visible].mean(0)[::-1] / STRIDE
    return np.asarray(cells[0] + np.rint(motion + rng.normal(0, 1.5, 2)).astype(np.int64))


def inside(flow: npt.NDArray[np.float32], size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Whether the match of each cell (h, w, 2) lies in a picture of `size`."""
    y, x = np.mgrid[0 : flow.shape[0], 0 : flow.shape[1]]
    there = flow + (np.stack([x, y], -1) + 0.5) * STRIDE - 0.5
    limit = np.array([size[1], size[0]]) - 0.5
    return np.asarray(((there >= -0.5) & (there <= limit)).all(-1))


def flip_and_swap(
    rng: Rng,
    images: npt.NDArray[np.uint8],
    flow: npt.NDArray[np.float32],
    visible: npt.NDArray[np.bool_],
) -> Sample:
    """Mirror both views, exchange them, permute the color channels."""
    for axis, component in ((2, 0), (1, 1)):
        if rng.random() < (0.5 if axis == 2 else 0.2):
            images, visible = np.flip(images, axis), np.flip(visible, axis)
            flow = np.flip(flow, axis).copy()
            flow[..., component] *= -1
    if rng.random() < 0.5:
        images, flow, visible = images[::-1], flow[::-1], visible[::-1]
    if rng.random() < 0.5:
        images = images[..., rng.permutation(3)]
    arrays = (np.ascontiguousarray(a) for a in (images, flow, visible))
    return tuple(arrays)  # type: ignore[return-value]


def recolor(rng: Rng, images: Tensor) -> Tensor:
    """
    Exposure, contrast, gamma, white balance and gray, mostly independent per view.

    images: (2, B, H, W, 3) uint8 -> (2, B, 3, H, W) float32, normalized for the network.
    """
    batch = images.shape[1]
    x = images.permute(0, 1, 4, 2, 3).float() / 255
    shape = (2, batch, 1, 1, 1)
    gray = torch.from_numpy(rng.random(batch) < 0.2).view(1, batch, 1, 1, 1)
    x = torch.where(gray, x.mean(2, keepdim=True), x)
    gamma = draw(rng, 0.2, shape).exp()
    x = x.clamp(min=1e-3) ** gamma
    gain = draw(rng, 0.2, shape).exp() * draw(rng, 0.07, (2, batch, 3, 1, 1)).exp()
    middle = x.mean((2, 3, 4), keepdim=True)
    contrast = draw(rng, 0.2, shape).exp()
    x = ((x - middle) * contrast + middle) * gain + draw(rng, 0.05, shape)
    x = x.clamp(0, 1)
    mean, std = (torch.tensor(v).view(1, 1, 3, 1, 1) for v in (MEAN, STD))
    return (x - mean) / std


def draw(rng: Rng, deviation: float, shape: tuple[int, ...]) -> Tensor:
    """Return the normal numbers of a standard deviation, float32."""
    return torch.from_numpy(rng.normal(0, deviation, shape).astype(np.float32))
