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

"""Exact flows of a small world for dense bundle adjustment, and how far a result is off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from zeroco_ros.geometry.bundle_adjustment import bundle_adjust, BundleOptions, BundleResult
from zeroco_ros.training.raycast import correspond, grid_points
from zeroco_ros.training.scenes import camera, random_scene, rotation, ScenePlan
from zeroco_ros.training.textures import TexturePool

Array = npt.NDArray[np.float64]
SIZE, STRIDE, FRAMES = (120, 160), 8, 5
SHAPE = (SIZE[0] // STRIDE, SIZE[1] // STRIDE)


@dataclass(frozen=True)
class World:
    """Truth of a few frames; `moving` (N, h, w): points of objects that move by themselves."""

    c2w: Array
    inverse_depth: Array
    K: Array
    edges: tuple[Array, Array]
    targets: Array
    weights: Array
    pixels: Array
    moving: Array

    def adjust(self, c2w: Array, inverse_depth: Array, **more: Any) -> BundleResult:
        """Adjust a first guess; keywords are fields of BundleOptions or arguments."""
        names = {"weights", "motion_probability", "depth_prior", "pose_prior", "K", "targets"}
        given = {"K": self.K, "targets": self.targets, "weights": self.weights}
        given |= {key: more.pop(key) for key in names & set(more)}
        options = BundleOptions(**more)
        return bundle_adjust(
            c2w, inverse_depth, edges=self.edges, pixels=self.pixels, options=options, **given
        )


def make_world(
    seed: int, *, motion: float = 0.08, turn: float = 1.5, moving: float = 0.0
) -> World:
    """
    Return frames of a camera that goes sideways and, a little, up and down and forth.

    By `motion` of the scene's depth per frame, turning by `turn` degrees; every ordered pair of
    frames is an edge.
    """
    random = np.random.default_rng(seed)
    pool = TexturePool(torch.zeros(4), torch.zeros(4, 3))  # colors are not looked at
    scene, first, depth = random_scene(random, ScenePlan(moving=moving), pool, SIZE)
    K, start = first.K.double().numpy(), first.c2w.double().numpy()
    views = []
    for k in range(FRAMES):
        pose = np.eye(4)
        way = (k, 0.3 * (-1) ** k if k else 0.0, 0.2 * k * k)
        pose[:3, 3] = motion * depth * np.array(way)
        pose[:3, :3] = rotation(np.array([0.2 * k, -1.0, 0.3]), np.radians(turn * k))
        views.append(camera(K, start @ pose, SIZE))
    points = grid_points(SIZE, STRIDE)
    edges = [(i, j) for i in range(FRAMES) for j in range(FRAMES) if i != j]
    seen = [correspond(scene, (views[i], views[j]), (i % 2, j % 2), points) for i, j in edges]
    depths, moves = np.empty((FRAMES, *SHAPE)), np.empty((FRAMES, *SHAPE))
    for (i, _), found in zip(edges, seen, strict=True):
        depths[i] = found.depth.view(SHAPE).numpy()
        moves[i] = found.moving.view(SHAPE).numpy()
    return World(
        np.stack([view.c2w.double().numpy() for view in views]),
        1 / depths,
        K,
        tuple(np.array(edges).T),
        np.stack([(points + found.flow).view(*SHAPE, 2).numpy() for found in seen]).astype(float),
        np.stack([found.visible.view(SHAPE).numpy() for found in seen]).astype(float),
        points.view(*SHAPE, 2).double().numpy(),
        moves,
    )


def disturbed(world: World, fixed: int, seed: int = 0) -> tuple[Array, Array]:
    """2 degrees and 5 % of the scene's depth off in each pose, 10 % in each depth."""
    random = np.random.default_rng(seed)
    c2w, depth = world.c2w.copy(), 1 / np.median(world.inverse_depth)
    for k in range(fixed, FRAMES):
        away = random.normal(size=3)
        c2w[k, :3, 3] += 0.05 * depth * away / np.linalg.norm(away)
        c2w[k, :3, :3] = rotation(random.normal(size=3), np.radians(2.0)) @ c2w[k, :3, :3]
    noise = 1 + 0.1 * random.standard_normal(world.inverse_depth.shape)
    return c2w, world.inverse_depth * noise


def errors(world: World, found: BundleResult) -> tuple[float, float, float]:
    """
    Largest errors after the best scale.

    Rotations in degrees, places as a share of the scene's depth, and the 99th percentile of the
    relative errors of depths seen elsewhere.
    """
    seen = np.isfinite(found.inverse_depth_variance)
    scale = float(np.median(found.inverse_depth[seen] / world.inverse_depth[seen]))
    turns = found.c2w[:, :3, :3].swapaxes(1, 2) @ world.c2w[:, :3, :3]
    angle = np.degrees(np.arccos(np.clip((np.trace(turns, axis1=1, axis2=2) - 1) / 2, -1, 1)))
    arm = (found.c2w - found.c2w[0])[:, :3, 3] * scale - (world.c2w - world.c2w[0])[:, :3, 3]
    place = np.linalg.norm(arm, axis=1).max() * np.median(world.inverse_depth)
    depth = np.abs(found.inverse_depth / scale / world.inverse_depth - 1)[seen]
    return float(angle.max()), float(place), float(np.percentile(depth, 99))
