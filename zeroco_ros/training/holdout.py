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

"""A held-out procedural test set and the error of a network on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from zeroco_ros.croco.descriptors import Encoding
from zeroco_ros.croco.model import CroCo
from zeroco_ros.training import homography as planar
from zeroco_ros.training.augment import recolor
from zeroco_ros.training.losses import cost_volume
from zeroco_ros.training.pairs import ImagePair, make_pair, WorldPlan
from zeroco_ros.training.photos import bundled_photos
from zeroco_ros.training.textures import texture_pool

SEED = 987_654_321  # far from any training seed
STRIDE = 4


@dataclass(frozen=True)
class HeldOut:
    """
    Test pairs of one kind.

    images (n, 2, 3, H, W) normalized, flow (n, h, w, 2) and visibility (n, h, w) at a stride of 4
    pixels.
    """

    images: Tensor
    flow: Tensor
    visible: Tensor


@lru_cache(maxsize=2)
def held_out_sets(count: int, size: tuple[int, int] = (224, 224)) -> dict[str, HeldOut]:
    """`count` pairs each: homographies `mild`, `medium`, `hard`, and ray-cast `scenes`."""
    pool = texture_pool([SEED, 0], 48, bundled_photos())
    plans = {
        "mild": WorldPlan(homographies=1, homography=planar.MILD),
        "medium": WorldPlan(homographies=1, homography=planar.MEDIUM),
        "hard": WorldPlan(homographies=1, homography=planar.HARD),
        "scenes": WorldPlan(homographies=0),
    }
    sets = {}
    for number, (name, plan) in enumerate(plans.items()):
        pairs = [make_pair([SEED, number, k], plan, pool, size, STRIDE) for k in range(count)]
        sets[name] = as_set(pairs, number)
    return sets


def as_set(pairs: Sequence[ImagePair], number: int) -> HeldOut:
    """Stack pairs, with the photometric changes of training."""
    rng = np.random.default_rng([SEED, number])
    images = torch.from_numpy(np.stack([pair.images for pair in pairs], 1))
    return HeldOut(
        recolor(rng, images).transpose(0, 1).contiguous(),
        torch.from_numpy(np.stack([pair.flow[0] for pair in pairs])),
        torch.from_numpy(np.stack([pair.visible[0] for pair in pairs])),
    )


def read_out(cost: Tensor, grid: tuple[int, int], scale: float) -> Tensor:
    """Flow (B, h, w, 2) in cells from a cost volume (B, N, N): 3x3 soft-argmax around the peak."""
    rows, columns = grid
    volume = (cost * scale).view(-1, 1, rows, columns)
    peak = volume.flatten(1).argmax(1)
    y0, x0 = peak // columns, peak % columns
    padded = functional.pad(volume, (1, 1, 1, 1), value=-torch.inf).squeeze(1)
    offsets = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    item = torch.arange(len(volume))
    window = torch.stack([padded[item, y0 + 1 + dy, x0 + 1 + dx] for dy, dx in offsets], 1)
    weights = window.softmax(1)
    shift = torch.tensor(offsets, dtype=weights.dtype)
    place = torch.stack([x0, y0], 1) + weights @ shift.flip(1)
    own_y, own_x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    own = torch.stack([own_x, own_y], -1).float()
    return place.view(len(cost), rows, columns, 2) - own


@torch.no_grad()
def predict(model: CroCo, images: Tensor) -> Tensor:
    """Flow (B, h, w, 2) in pixels on the token grid from images (B, 2, 3, H, W)."""
    both = model.encode(images.transpose(0, 1).flatten(0, 1))
    target, source = (Encoding(tokens, both.grid) for tokens in both.tokens.chunk(2))
    pair = model.decode_pair(target, source)
    cost = cost_volume(pair.forward) + cost_volume(pair.backward).transpose(1, 2)
    scale = 0.5 * float(model.match_log_scale.exp()) if model.match_log_scale is not None else 0.5
    return read_out(cost, both.grid, scale) * model.config.patch_size


def no_motion_errors(sets: dict[str, HeldOut]) -> dict[str, list[float]]:
    """Return what `endpoint_errors` would be for a flow of zero: the size of the motion."""
    errors = {}
    for name, held in sets.items():
        lengths = held.flow.norm(dim=3)
        pairs = zip(lengths, held.visible, strict=True)
        errors[name] = [float(length[seen].mean()) for length, seen in pairs]
    return errors


def endpoint_errors(model: CroCo, sets: dict[str, HeldOut]) -> dict[str, list[float]]:
    """
    Mean end-point error on visible pixels, in pixels, of every pair of every set.

    The token grid's flow is interpolated bilinearly to the ground truth's grid.
    """
    errors: dict[str, list[float]] = {}
    for name, held in sets.items():
        errors[name] = []
        for images, flow, visible in zip(held.images, held.flow, held.visible, strict=True):
            coarse = predict(model, images.unsqueeze(0)).permute(0, 3, 1, 2)
            fine = functional.interpolate(coarse, visible.shape, mode="bilinear")
            error = (fine[0].permute(1, 2, 0) - flow).norm(dim=2)
            errors[name].append(float(error[visible].mean()))
    return errors


def summary(errors: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Mean ("aepe") and median over the pairs of each set, for the log."""
    return {
        "aepe": {name: round(float(np.mean(values)), 3) for name, values in errors.items()},
        "median": {name: round(float(np.median(values)), 3) for name, values in errors.items()},
    }
