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

"""Depth, poses, devices and the rarer features of the procedural world."""

from __future__ import annotations

from dataclasses import fields, replace

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch

from zeroco_ros.training import homography as planar
from zeroco_ros.training.degrade import (
    degrade,
    happens,
    motion_kernel,
    rolling_exposure,
    SensorPlan,
)
from zeroco_ros.training.homography import HomographyPlan
from zeroco_ros.training.pairs import both_flows, make_pair, moving_views, WorldPlan
from zeroco_ros.training.photos import bundled_photos
from zeroco_ros.training.raycast import grid_points, render
from zeroco_ros.training.scenes import (
    camera,
    object_extent,
    ScenePlan,
    second_camera,
    surface,
)
from zeroco_ros.training.textures import SIZE, texture_pool, TexturePool

PICTURE = (96, 128)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def pool() -> TexturePool:
    return texture_pool([5, 1], 8, bundled_photos(), 0.5)


def warped(image: npt.NDArray[np.uint8], flow: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    y, x = np.mgrid[0 : flow.shape[0], 0 : flow.shape[1]].astype(np.float32)
    moved = cv2.remap(image, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR)
    return moved.astype(np.float32)


def everything() -> WorldPlan:
    """Return a world in which each of the rarer features is common."""
    scenes = ScenePlan(
        terrain=0.4, thin=0.4, plain=0.3, repeated=0.3, approach=0.4, moving=0.6, big_roll=0.2
    )
    return WorldPlan(homographies=0.0, degrade=False, scene=scenes)


@pytest.mark.parametrize("seed", range(8))
def test_depth_and_poses_explain_the_flow_where_nothing_moves(
    pool: TexturePool, seed: int
) -> None:
    """Warping by depth, intrinsics and pose, both ways, in double precision."""
    pair = make_pair([12, seed], everything(), pool, PICTURE, 1)
    geometry = pair.geometry
    assert geometry is not None and geometry.depth.dtype == np.float32
    assert geometry.depth.shape == geometry.moving.shape == pair.visible.shape
    y, x = np.mgrid[0 : PICTURE[0], 0 : PICTURE[1]]
    pixels = np.stack([x, y, np.ones_like(x)], -1).astype(np.float64)
    for view in (0, 1):
        rays = pixels @ np.linalg.inv(geometry.K[view]).T
        local = rays * geometry.depth[view][..., None]
        change = np.linalg.inv(geometry.c2w[1 - view]) @ geometry.c2w[view]
        there = (local @ change[:3, :3].T + change[:3, 3]) @ geometry.K[1 - view].T
        expected = there[..., :2] / there[..., 2:] - pixels[..., :2]
        error = np.linalg.norm(pair.flow[view] - expected, axis=-1)
        still = pair.visible[view] & ~geometry.moving[view]
        assert still.any() and error[still].max() < 0.02
        moved = pair.visible[view] & geometry.moving[view]
        assert not moved.any() or np.median(error[moved]) > 0.1


def test_depth_of_the_other_view_agrees_where_both_see_the_same(pool: TexturePool) -> None:
    pair = make_pair([12, 3], everything(), pool, PICTURE, 1)
    assert pair.geometry is not None
    depth, c2w, K = pair.geometry.depth, pair.geometry.c2w, pair.geometry.K
    y, x = np.mgrid[0 : PICTURE[0], 0 : PICTURE[1]]
    rays = np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(K[0]).T
    change = np.linalg.inv(c2w[1]) @ c2w[0]
    expected = (rays * depth[0][..., None]) @ change[2, :3] + change[2, 3]
    seen = warped(depth[1], pair.flow[0])  # type: ignore[arg-type]
    still = pair.visible[0] & ~pair.geometry.moving[0]
    close = np.abs(seen - expected)[still] < 0.02 * expected[still]
    assert close.mean() > 0.85  # interpolation across an object's border mixes two depths


def test_homographies_have_no_geometry(pool: TexturePool) -> None:
    assert make_pair([3, 1], WorldPlan(homographies=1.0), pool, (64, 64), 16).geometry is None


def test_rendering_names_the_device_of_every_tensor(pool: TexturePool) -> None:
    """A tensor made without one would land on "meta" here, and could not meet the others."""
    plan = replace(everything(), scene=replace(everything().scene, terrain=1.0))
    rng = np.random.default_rng(0)
    scene, views = moving_views(rng, plan, pool, (32, 48))
    matrix = planar.random_homography(rng, HomographyPlan(), (32, 48))
    points = grid_points((32, 48), 1)
    with torch.device("meta"):
        picture, depth = render(scene, views[0], 0)
        flow, visible = both_flows(scene, views, (32, 48), 4)
        colors = planar.paint(pool, 0, matrix, points)
        planar.flow_at(matrix, points, (32, 48))
    assert picture.device == depth.device == colors.device == pool.device == torch.device("cpu")
    assert flow.shape == (2, 8, 12, 2) and visible.shape == (2, 8, 12)


def test_scenes_and_cameras_move_to_a_device(pool: TexturePool) -> None:
    plan = replace(everything(), scene=replace(everything().scene, terrain=1.0))
    scene, views = moving_views(np.random.default_rng(0), plan, pool, (32, 48))
    moved = scene.to(torch.device("meta"))
    assert moved.device.type == moved.pool.device.type == moved.light.device.type == "meta"
    assert moved.terrain is not None and moved.terrain.waves.device.type == "meta"
    assert views[1].to(torch.device("meta")).K.device.type == "meta"


def test_shares_of_nothing_draw_nothing() -> None:
    """New features must not change the pairs of recipes that do not use them."""
    first, second = (np.random.default_rng(4) for _ in range(2))
    assert not happens(first, 0.0)
    assert first.random() == second.random()
    assert happens(first, 1.0) and first.random() != second.random()


def test_rarer_features_are_drawn(pool: TexturePool) -> None:
    extent = np.ones(3)
    plain = surface(np.random.default_rng(0), ScenePlan(plain=1.0), pool, extent)
    assert float(plain["contrast"]) <= 0.03
    often = surface(np.random.default_rng(0), ScenePlan(repeated=1.0), pool, extent)
    assert 2 * extent[0] / (float(often["texel"]) * SIZE) > 8  # repetitions across the surface
    wire = np.sort(object_extent(np.random.default_rng(0), True, 4.0, 1.0))
    assert wire[1] <= 0.032 and wire[2] >= 1.2
    view = camera(np.eye(3), np.eye(4), (32, 48))
    for seed in range(5):
        plan = ScenePlan(approach=1.0, motion=(0.001, 0.002))
        after = second_camera(np.random.default_rng(seed), plan, view, 3.0, 1.0)
        assert abs(float(after.c2w[2, 3])) > 0.6  # of 3 m toward or from what is looked at


@pytest.mark.parametrize("effect", [field.name for field in fields(SensorPlan)])
def test_each_effect_of_the_sensor_changes_the_picture(effect: str) -> None:
    if effect == "smear":
        kernel = motion_kernel(np.random.default_rng(0), 12)
        assert kernel.shape[0] <= 25 and float(kernel.sum()) == pytest.approx(1)
        return
    off = {field.name: 0.0 for field in fields(SensorPlan) if field.name != "smear"}
    rng = np.random.default_rng(0)
    picture = cv2.resize(rng.uniform(40, 200, (12, 16, 3)).astype(np.float32), (64, 48))
    plain = degrade(rng, picture, SensorPlan(**off))  # type: ignore[arg-type]
    assert np.abs(plain - picture).max() <= 0.5
    changed = degrade(rng, picture, SensorPlan(**{**off, effect: 1.0}))  # type: ignore[arg-type]
    assert changed.shape == plain.shape and not np.array_equal(changed, plain)


def test_rolling_exposure_changes_from_row_to_row_only() -> None:
    gain = rolling_exposure(np.random.default_rng(2), 50)
    assert gain.shape == (50,) and gain.dtype == np.float32
    steps = np.diff(gain)
    assert (steps >= 0).all() or (steps <= 0).all()
    assert 0.4 <= gain.min() < gain.max() <= 2.5
