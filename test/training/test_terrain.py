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

"""Rough ground: hits against dense sampling, flow against a double-precision re-projection."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch

from zeroco_ros.training.pairs import moving_views, WorldPlan
from zeroco_ros.training.raycast import Camera, cast, correspond, grid_points, Scene
from zeroco_ros.training.scenes import assemble, camera, look_at, ScenePlan
from zeroco_ros.training.terrain import FAR, random_terrain, Terrain
from zeroco_ros.training.textures import SIZE, texture_pool, TexturePool

PICTURE = (48, 64)
Array = npt.NDArray[np.float64]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def pool() -> TexturePool:
    return texture_pool([5, 2], 3)


def gap(terrain: Terrain, points: Array) -> Array:
    """Height (N,) of points (N, 3) above the ground, in double precision."""
    u, v, phase, amplitude = terrain.waves.double().numpy().T
    angles = points[:, :1] * u + points[:, 1:2] * v + phase
    return np.asarray(points[:, 2] - np.sin(angles) @ amplitude)


def rays_of(view: Camera, points: torch.Tensor) -> tuple[Array, Array]:
    """Start (3,) and directions (N, 3) in double precision."""
    K, pose = view.K.double().numpy(), view.c2w.double().numpy()
    pixels = np.concatenate([points.double().numpy(), np.ones((len(points), 1))], 1)
    return pose[:3, 3], pixels @ np.linalg.inv(K).T @ pose[:3, :3].T


def ground_of(pool: TexturePool, seed: int) -> tuple[Scene, tuple[Camera, Camera]]:
    scenes = ScenePlan(terrain=1.0, moving=0.0, boxes=2)
    plan = WorldPlan(homographies=0, scene=scenes)
    return moving_views(np.random.default_rng([8, seed]), plan, pool, PICTURE)


@pytest.mark.parametrize("seed", range(6))
def test_rays_end_on_the_ground_where_they_first_meet_it(pool: TexturePool, seed: int) -> None:
    scene, (view, _) = ground_of(pool, seed)
    assert scene.terrain is not None
    points = grid_points(PICTURE, 1)
    start, rays = rays_of(view, points)
    hits = cast(scene, 0, view.c2w[:3, 3], view.directions(points))
    ground = (hits.primitive == len(scene.half) - 1).numpy()
    assert ground.mean() > 0.2
    reach = hits.distance.double().numpy()
    assert np.abs(gap(scene.terrain, start + (reach[:, None] * rays))[ground]).max() < 2e-5
    through = np.zeros(len(points), bool)  # below the ground before the hit, whatever that is
    for share in np.linspace(0.01, 0.998, 200):
        through |= gap(scene.terrain, start + share * reach[:, None] * rays) < 0
    assert through.mean() < 0.002  # crests narrower than a pixel


@pytest.mark.parametrize("seed", range(6))
def test_flow_on_the_ground_is_exact(pool: TexturePool, seed: int) -> None:
    """Each hit is solved again in double precision and projected into the other camera."""
    scene, (first, second) = ground_of(pool, seed)
    assert scene.terrain is not None
    points = grid_points(PICTURE, 1)
    found = correspond(scene, (first, second), (0, 1), points)
    hits = cast(scene, 0, first.c2w[:3, 3], first.directions(points))
    chosen = ((hits.primitive == len(scene.half) - 1) & found.visible).numpy()
    assert chosen.any()
    start, rays = rays_of(first, points)
    rays, reach = rays[chosen], hits.distance.double().numpy()[chosen]
    low, high = reach * (1 - 1e-3), reach * (1 + 1e-3)
    crossing = gap(scene.terrain, start + low[:, None] * rays) > 0
    crossing &= gap(scene.terrain, start + high[:, None] * rays) < 0
    assert crossing.mean() > 0.99  # the others graze a crest
    for _ in range(50):
        middle = (low + high) / 2
        above = gap(scene.terrain, start + middle[:, None] * rays) > 0
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    K, pose = second.K.double().numpy(), second.c2w.double().numpy()
    local = (start + low[:, None] * rays - pose[:3, 3]) @ pose[:3, :3]
    there = (local @ K.T)[:, :2] / local[:, 2:]
    expected = there - points.double().numpy()[chosen]
    error = np.linalg.norm(found.flow.double().numpy()[chosen] - expected, axis=1)
    assert error[crossing].max() < 1e-3, error[crossing].max()


def test_a_flat_ground_by_hand(pool: TexturePool) -> None:
    parts = {
        "half": np.array([[50.0, 50, 50], [50, 50, 1]]),
        "rotation": np.tile(np.eye(3), (2, 2, 1, 1)),
        "center": np.zeros((2, 2, 3)),
        "texture": np.zeros((2, 3, 2)),
        "texel": np.full(2, 10 / SIZE),
        "shift": np.zeros((2, 2)),
        "contrast": np.ones(2),
        "tint": np.ones((2, 3)),
        "light": np.array([[0, 0, 1, 1.0]] * 2),
    }
    flat = Terrain(torch.zeros(1, 4))
    scene = assemble(parts, 1, pool, flat)
    K = np.array([[100.0, 0, 50], [0, 100, 50], [0, 0, 1]])
    eye = np.array([0, 0, 2.0])
    view = camera(K, look_at(eye, eye + np.array([1.0, 0, 0])), (101, 101))
    points = torch.tensor([[50.0, 100.0], [50.0, 75.0], [50.0, 0.0]])
    hits = cast(scene, 0, view.c2w[:3, 3], view.directions(points))
    assert hits.distance.tolist() == pytest.approx([4, 8, 50], rel=1e-6)  # 100 * 2 m / rows below
    assert hits.primitive.tolist() == [1, 1, 0]
    assert flat.normal(torch.zeros(1, 2)).tolist() == [[0, 0, 1]]


def test_slopes_are_the_derivative_of_heights() -> None:
    terrain = random_terrain(np.random.default_rng(3))
    exact = Terrain(terrain.waves.double())
    ground = torch.rand(20, 2, dtype=torch.float64) * 30
    assert torch.autograd.gradcheck(exact.height, ground.clone().requires_grad_(True))
    moved = ground.clone().requires_grad_(True)
    exact.height(moved).sum().backward()
    torch.testing.assert_close(moved.grad, exact.slope(ground))


def test_rays_into_the_sky_hit_nothing() -> None:
    terrain = random_terrain(np.random.default_rng(1))
    start = torch.tensor([0.0, 0.0, 100.0])
    rays = torch.tensor([[0.0, 0, 1], [1, 0, 0], [0.6, 0, 0.8], [0, 0, -1]])
    limit = torch.full((4,), FAR)
    assert (terrain.cast(start, rays, limit) < FAR).tolist() == [False, False, False, True]
    assert float(terrain.cast(start, rays[3:], torch.tensor([50.0]))[0]) == FAR
