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

"""Pairs for the depth head: pictures, true depth and poses, and what the frozen networks see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zeroco_ros.heads.aggregation import Direction
from zeroco_ros.heads.depth_geometry import estimate_motion, geometry_channels, RelativeMotion
from zeroco_ros.training.augment import MEAN, recolor, STD
from zeroco_ros.training.degrade import degrade
from zeroco_ros.training.depth_recipe import DepthDataPlan
from zeroco_ros.training.depth_views import Observation, Observer
from zeroco_ros.training.pairs import moving_views, WorldPlan
from zeroco_ros.training.patterns import Rng
from zeroco_ros.training.raycast import render
from zeroco_ros.training.textures import texture_pool, TexturePool

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class DepthShard:
    """
    n pairs of one size; axis 1 of most is the view, or the direction by its target.

    images (n, 2, H, W, 3) uint8; depth (n, 2, H, W) float16 meters along the optical axis; K (n,
    2, 3, 3) and c2w (n, 2, 4, 4) float32; volume (n, N, N), features (n, 2, N, C), flow (n, 2, 2,
    h, w) and certainty (n, 2, h, w) float16, as in `Observation`; motion (n, 3, 4) float32, [R t]
    from view 0 to view 1 as estimated from the flow, t of unit length, NaN where there is none.
    """

    images: npt.NDArray[np.uint8]
    depth: npt.NDArray[np.float16]
    K: npt.NDArray[np.float32]
    c2w: npt.NDArray[np.float32]
    volume: npt.NDArray[np.float16]
    features: npt.NDArray[np.float16]
    flow: npt.NDArray[np.float16]
    certainty: npt.NDArray[np.float16]
    motion: npt.NDArray[np.float32]


FIELDS = tuple(field.name for field in fields(DepthShard))


@dataclass(frozen=True)
class DepthBatch:
    """
    Directions of pairs, each with its own target.

    images (2, B, 3, H, W) float32 normalized, target first; direction: the head's; geometry (B,
    12, H / 4, W / 4); log_inverse (B, H, W) float32, true; K (2, B, 3, 3); source_from_target (B,
    4, 4) true motion in meters.
    """

    images: Tensor
    direction: Direction
    geometry: Tensor
    log_inverse: Tensor
    K: Tensor
    source_from_target: Tensor


@dataclass(frozen=True)
class PosedViews:
    """One pair: images (2, H, W, 3) uint8, depth (2, H, W), K (2, 3, 3), c2w (2, 4, 4)."""

    images: npt.NDArray[np.uint8]
    depth: npt.NDArray[np.float32]
    K: Array
    c2w: Array


def make_views(
    seed: Sequence[int], plan: WorldPlan, pool: TexturePool, size: tuple[int, int]
) -> PosedViews:
    """Two views of a scene with depth, from a seed."""
    rng = np.random.default_rng(list(seed))
    scene, views = moving_views(rng, plan, pool, size)
    pictures, depths = zip(*(render(scene, v, k) for k, v in enumerate(views)), strict=True)
    arrays = [picture.cpu().numpy() for picture in pictures]
    if plan.degrade:
        images = [degrade(rng, array, plan.sensor) for array in arrays]
    else:
        images = [np.clip(array + 0.5, 0, 255).astype(np.uint8) for array in arrays]
    return PosedViews(
        np.stack(images),
        torch.stack(depths).cpu().numpy(),
        np.stack([view.K.cpu().double().numpy() for view in views]),
        np.stack([view.c2w.cpu().double().numpy() for view in views]),
    )


def make_depth_shard(
    seed: int,
    number: int,
    plan: DepthDataPlan,
    photos: Sequence[npt.NDArray[np.uint8]],
    observer: Observer,
) -> DepthShard:
    """Render shard `number`: its own pool of textures, `plan.shard` pairs of one size."""
    pool = texture_pool([seed, number, 0], plan.textures, photos, plan.photo_share)
    size = plan.sizes[number % len(plan.sizes)]
    pairs = [make_views([seed, number, 1 + k], plan.world, pool, size) for k in range(plan.shard)]
    rng = np.random.default_rng([seed, number, 7]) if plan.recolor else None
    return observed(pairs, observer, rng)


def observed(pairs: Sequence[PosedViews], observer: Observer, rng: Rng | None) -> DepthShard:
    """Return rendered pairs, recolored by `rng`, with what the frozen networks see in them."""
    images = np.stack([pair.images for pair in pairs])
    if rng is not None:
        images = np.stack([as_bytes(recolor(rng, torch.from_numpy(i[:, None]))) for i in images])
    seen = [observer(normalized(torch.from_numpy(pair[:, None]))) for pair in images]
    K = np.stack([pair.K for pair in pairs])
    motions = [motion_of(one, k) for one, k in zip(seen, K, strict=True)]
    return DepthShard(
        images,
        np.stack([pair.depth for pair in pairs]).astype(np.float16),
        K.astype(np.float32),
        np.stack([pair.c2w for pair in pairs]).astype(np.float32),
        half([one.volume[0] for one in seen]),
        half([one.features[:, 0] for one in seen]),
        half([one.flow[:, 0] for one in seen]),
        half([one.certainty[:, 0] for one in seen]),
        np.stack(motions).astype(np.float32),
    )


def half(parts: Sequence[Tensor]) -> npt.NDArray[np.float16]:
    """Stacked and rounded to float16."""
    return torch.stack(list(parts)).clamp(-60000, 60000).half().numpy()


def normalized(images: Tensor) -> Tensor:
    """(..., H, W, 3) uint8 to (..., 3, H, W) float32 with ImageNet's mean and deviation."""
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    return (images.movedim(-1, -3).float() / 255 - mean) / std


def as_bytes(images: Tensor) -> npt.NDArray[np.uint8]:
    """Turn normalized (2, 1, 3, H, W) to (2, H, W, 3) uint8, the inverse of `normalized`."""
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    levels = (images[:, 0] * std + mean) * 255
    return levels.add(0.5).clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous().numpy()


def motion_of(seen: Observation, K: Array) -> Array:
    """[R t] (3, 4) from view 0 to 1 as its flow shows it, NaN where it does not; one pair."""
    flow = seen.flow[0, 0].permute(1, 2, 0).numpy()
    found = estimate_motion(flow, seen.certainty[0, 0].numpy(), K[0], K[1])
    if found is None:
        return np.full((3, 4), np.nan)
    return np.concatenate([found[0], found[1][:, None]], 1)


def depth_batch(
    rng: Rng, samples: Sequence[tuple[DepthShard, int, int]], plan: DepthDataPlan
) -> DepthBatch:
    """Return the samples (shard, pair, target view) of one size as a batch."""
    draws = rng.random(len(samples))
    rows = []
    for (shard, index, side), draw in zip(samples, draws, strict=True):
        order = [side, 1 - side]
        volume = shard.volume[index].astype(np.float32)
        posed = relative(shard.c2w[index][order])
        if draw < plan.given:
            motion = unit(posed[:3])
        elif draw < plan.given + plan.blind:
            motion = np.full((3, 4), np.nan)
        else:
            motion = turned(shard.motion[index], side)
        rows.append(
            (
                shard.images[index][order],
                volume if side == 0 else volume.T,
                shard.features[index, side].astype(np.float32),
                shard.flow[index, side].astype(np.float32),
                shard.certainty[index, side][None].astype(np.float32),
                motion.astype(np.float32),
                -np.log(shard.depth[index, side].astype(np.float32)),
                shard.K[index][order],
                posed.astype(np.float32),
            )
        )
    parts = [torch.from_numpy(np.stack(part)) for part in zip(*rows, strict=True)]
    images, volume, features, flow, certainty, known, truth, K, there = parts
    grid = images.shape[2] // 16, images.shape[3] // 16
    K = K.transpose(0, 1)
    geometry = geometry_channels(flow, certainty, K[0], K[1], as_motion(known))
    return DepthBatch(
        normalized(images).transpose(0, 1),
        Direction(volume, features, grid, grid),
        geometry,
        truth,
        K,
        there,
    )


def as_motion(matrix: Tensor) -> RelativeMotion:
    """[R t] (B, 3, 4), NaN where not known."""
    known = torch.isfinite(matrix).flatten(1).all(1)
    still = torch.eye(3, 4).expand_as(matrix).clone()
    still[:, 2, 3] = 1.0
    matrix = torch.where(known[:, None, None], matrix, still)
    return RelativeMotion(matrix[:, :, :3], matrix[:, :, 3], known.float())


def relative(c2w: npt.NDArray[np.float32]) -> Array:
    """Poses (2, 4, 4) of target and source to source-from-target (4, 4)."""
    poses = c2w.astype(np.float64)
    return np.asarray(np.linalg.inv(poses[1]) @ poses[0])


def unit(motion: Array) -> Array:
    """[R t] (3, 4) with t of unit length; NaN where the camera did not move."""
    length = float(np.linalg.norm(motion[:, 3]))
    if length < 1e-6:
        return np.full((3, 4), np.nan)
    return np.concatenate([motion[:, :3], motion[:, 3:] / length], 1)


def turned(motion: npt.NDArray[np.float32], side: int) -> Array:
    """[R t] of view 0 to 1 as it is for target view `side`."""
    matrix = motion.astype(np.float64)
    if side == 0:
        return matrix
    R = matrix[:, :3].T
    return np.concatenate([R, -R @ matrix[:, 3:]], 1)
