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

"""Pairs with the truth at every pixel, on disk and as batches for a flow head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from zeroco_ros.training.augment import recolor
from zeroco_ros.training.flow_recipe import FlowDataPlan, View
from zeroco_ros.training.pairs import make_pair
from zeroco_ros.training.patterns import Rng
from zeroco_ros.training.textures import texture_pool

# Flow is stored in 64ths of a pixel, up to FAR pixels; longer vectors are marked unknown.
UNIT, FAR = 64, 500
# Largest difference of neighboring vectors, in pixels, across which they may be averaged.
TORN = 1.0


@dataclass(frozen=True)
class DenseShard:
    """
    A dense shard.

    images (n, 2, H, W, 3) uint8; flow (n, 2, H, W, 2) int16 in 64ths of a pixel, unknown where
    -32768; visible (n, 2, H, W) bool.
    """

    images: npt.NDArray[np.uint8]
    flow: npt.NDArray[np.int16]
    visible: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class DenseBatch:
    """
    A dense batch.

    images (2, B, 3, H, W) float32 normalized; flow (2, B, H, W, 2) float32 pixels, NaN where
    unknown; visible (2, B, H, W) bool. Index 0: view 0 to view 1.
    """

    images: Tensor
    flow: Tensor
    visible: Tensor


def make_dense_shard(
    seed: int, number: int, plan: FlowDataPlan, photos: Sequence[npt.NDArray[np.uint8]]
) -> DenseShard:
    """Render shard `number`: its own pool of textures, `plan.shard` pairs."""
    pool = texture_pool([seed, number, 0], plan.textures, photos, plan.photo_share)
    pairs = [
        make_pair([seed, number, 1 + k], plan.world, pool, plan.size, 1) for k in range(plan.shard)
    ]
    return DenseShard(
        np.stack([pair.images for pair in pairs]),
        np.stack([packed(pair.flow) for pair in pairs]),
        np.stack([pair.visible for pair in pairs]),
    )


def packed(flow: npt.NDArray[np.float32]) -> npt.NDArray[np.int16]:
    """Flow in pixels as whole 64ths; -32768 for vectors beyond what a picture can use."""
    near = (np.abs(flow) < FAR).all(-1, keepdims=True)
    return np.where(near, np.rint(flow * UNIT), -32768).astype(np.int16)


def dense_batch(rng: Rng, samples: Sequence[tuple[DenseShard, int]], view: View) -> DenseBatch:
    """Cut samples as `view` says and vary them; everything random comes from `rng`."""
    cut = [flip(rng, *cut_sample(rng, shard, index, view.size)) for shard, index in samples]
    images, flows, masks = (np.stack(parts, 1) for parts in zip(*cut, strict=True))
    pictures = recolor(rng, torch.from_numpy(images))
    batch = DenseBatch(pictures, torch.from_numpy(flows), torch.from_numpy(masks))
    return batch if view.reduce == 1 else reduced(batch, view.reduce)


Sample = tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32], npt.NDArray[np.bool_]]


def cut_sample(rng: Rng, shard: DenseShard, index: int, size: tuple[int, int]) -> Sample:
    """Cut both views: at one place, after the mean motion, or each anywhere."""
    room = np.array(shard.images.shape[2:4], dtype=np.int64) - np.array(size, dtype=np.int64)
    first = rng.integers(0, room + 1)
    kind = rng.random()
    seen = shard.visible[index, 0]
    if kind < 0.6 or (kind < 0.85 and not seen.any()):
        second = first
    elif kind < 0.85:
        motion = np.median(shard.flow[index, 0][seen], axis=0)[::-1] / UNIT
        second = first + np.rint(motion + rng.normal(0, 12, 2)).astype(np.int64)
    else:
        second = rng.integers(0, room + 1)
    places = first, np.clip(second, 0, room)
    images, flows, masks = [], [], []
    for side, (y, x) in enumerate(places):
        window = (index, side, slice(y, y + size[0]), slice(x, x + size[1]))
        images.append(shard.images[window])
        raw = shard.flow[window]
        shift = (places[side] - places[1 - side])[::-1].astype(np.float32)
        flow = np.asarray(raw.astype(np.float32) / UNIT + shift, dtype=np.float32)
        flow[(raw == -32768).any(-1)] = np.nan
        flows.append(flow)
        masks.append(shard.visible[window] & inside(flow))
    return np.stack(images), np.stack(flows), np.stack(masks)


def inside(flow: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Whether each pixel's match (H, W, 2) lies in a picture of the same size."""
    height, width = flow.shape[:2]
    x = flow[..., 0] + np.arange(width, dtype=np.float32)
    y = flow[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    return np.asarray((x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5))


def flip(
    rng: Rng,
    images: npt.NDArray[np.uint8],
    flow: npt.NDArray[np.float32],
    visible: npt.NDArray[np.bool_],
) -> Sample:
    """Mirror both views left-right or top-down, permute the color channels."""
    for axis, component, share in ((2, 0, 0.5), (1, 1, 0.25)):
        if rng.random() < share:
            images, visible = np.flip(images, axis), np.flip(visible, axis)
            flow = np.flip(flow, axis).copy()
            flow[..., component] *= -1
    if rng.random() < 0.5:
        images = images[..., rng.permutation(3)]
    return np.ascontiguousarray(images), flow, np.ascontiguousarray(visible)


def reduced(batch: DenseBatch, factor: int) -> DenseBatch:
    """Return the same pairs at 1/factor of the size."""
    images = functional.avg_pool2d(batch.images.flatten(0, 1), factor)
    flow, _ = at_cells(batch.flow.flatten(0, 1), factor)
    seen = functional.avg_pool2d(batch.visible.flatten(0, 1).float(), factor) == 1
    parts = (images, flow / factor, seen)
    return DenseBatch(*(part.view(2, -1, *part.shape[1:]) for part in parts))


def at_cells(flow: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    """
    Give true flow at the centers of stride x stride cells: (B, h, w, 2), and whether it is known.

    flow: (B, H, W, 2), NaN where unknown. The center of an even cell lies between four pixels;
    where these move apart the cell is unknown (NaN).
    """
    before = stride // 2 - 1
    corners = [
        flow[:, before + dy :: stride, before + dx :: stride] for dy in (0, 1) for dx in (0, 1)
    ]
    four = torch.stack(corners)
    mean = four.mean(0)
    spread = (four.amax(0) - four.amin(0)).amax(-1)
    known = spread < TORN  # False for NaN
    return torch.where(known[..., None], mean, torch.nan), known
