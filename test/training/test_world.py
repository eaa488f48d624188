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

"""The procedural world: determinism, and correspondence that is exact in independent ways."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch

from zeroco_ros.training import homography as planar
from zeroco_ros.training.homography import HomographyPlan
from zeroco_ros.training.pairs import both_flows, ImagePair, make_pair, moving_views, WorldPlan
from zeroco_ros.training.photos import BUNDLED, bundled_photos
from zeroco_ros.training.raycast import exact_flow_at, grid_points, render, Scene
from zeroco_ros.training.scenes import (
    assemble,
    camera,
    look_at,
    ScenePlan,
)
from zeroco_ros.training.textures import SIZE, texture_pool, TexturePool

PICTURE = (96, 128)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def pool() -> TexturePool:
    return texture_pool([5, 1], 8, bundled_photos(), 0.5)


def dense_pair(pool: TexturePool, seed: int, homographies: float) -> ImagePair:
    plan = WorldPlan(homographies=homographies, degrade=False, scene=ScenePlan(moving=1.0))
    return make_pair([3, seed], plan, pool, PICTURE, 1)


def warped(image: npt.NDArray[np.uint8], flow: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    y, x = np.mgrid[0 : flow.shape[0], 0 : flow.shape[1]].astype(np.float32)
    moved = cv2.remap(image, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR)
    return moved.astype(np.float32)


def test_bundled_photos_are_all_in_the_wheel() -> None:
    photos = bundled_photos()
    assert len(photos) == len(BUNDLED)
    assert all(p.ndim == 3 and p.shape[2] == 3 and p.dtype == np.uint8 for p in photos)


def test_pairs_depend_on_the_seed_alone(pool: TexturePool) -> None:
    for homographies in (0.0, 1.0):
        plan = WorldPlan(homographies=homographies)
        first, again = (make_pair([9, 4], plan, pool, (64, 64), 16) for _ in range(2))
        other = make_pair([9, 5], plan, pool, (64, 64), 16)
        assert np.array_equal(first.images, again.images)
        assert np.array_equal(first.flow, again.flow)
        assert np.array_equal(first.visible, again.visible)
        assert not np.array_equal(first.images, other.images)


def test_pools_depend_on_the_seed_alone() -> None:
    first, again, other = (texture_pool([2, k], 3) for k in (0, 0, 1))
    assert torch.equal(first.texels, again.texels)
    assert not torch.equal(first.texels, other.texels)


@pytest.mark.parametrize("homographies", [0.0, 1.0])
def test_the_flow_brings_the_second_picture_onto_the_first(
    pool: TexturePool, homographies: float
) -> None:
    """Light may differ between the views, so patterns are compared, not brightness."""
    agreement, without = [], []
    for seed in range(6):
        pair = dense_pair(pool, seed, homographies)
        seen = pair.visible[0]
        assert seen.mean() > 0.1
        first = pair.images[0].astype(np.float32)[seen].ravel()
        moved = warped(pair.images[1], pair.flow[0])[seen].ravel()
        still = pair.images[1].astype(np.float32)[seen].ravel()
        agreement.append(np.corrcoef(first, moved)[0, 1])
        without.append(np.corrcoef(first, still)[0, 1])
    assert np.median(agreement) > 0.95
    assert np.median(agreement) > np.median(without) + 0.2


@pytest.mark.parametrize("homographies", [0.0, 1.0])
def test_forward_and_backward_flow_undo_each_other(pool: TexturePool, homographies: float) -> None:
    for seed in range(4):
        pair = dense_pair(pool, seed, homographies)
        back = warped(np.asarray(pair.flow[1]), pair.flow[0])  # type: ignore[arg-type]
        error = np.linalg.norm(pair.flow[0] + back, axis=-1)
        # Interpolation across an object's border mixes two motions: most, not all, must agree.
        assert np.mean(error[pair.visible[0]] < 0.1) > 0.85


def test_flow_of_a_static_scene_is_what_depth_and_pose_say(pool: TexturePool) -> None:
    plan = WorldPlan(homographies=0.0, scene=ScenePlan(moving=0.0))
    scene, views = moving_views(np.random.default_rng(4), plan, pool, PICTURE)
    _, depth = render(scene, views[0], 0)
    flow, visible = both_flows(scene, views, PICTURE, 1)
    y, x = np.mgrid[0 : PICTURE[0], 0 : PICTURE[1]]
    pixels = np.stack([x, y, np.ones_like(x)], -1).astype(np.float64)
    rays = pixels @ np.linalg.inv(views[0].K.numpy().astype(np.float64)).T
    local = rays * depth.numpy()[..., None]
    to_second = np.linalg.inv(views[1].c2w.numpy().astype(np.float64)) @ views[0].c2w.numpy()
    there = (local @ to_second[:3, :3].T + to_second[:3, 3]) @ views[1].K.numpy().T
    expected = there[..., :2] / there[..., 2:] - pixels[..., :2]
    assert visible[0].any()
    np.testing.assert_allclose(flow[0][visible[0]], expected[visible[0]], atol=0.02)


def wall_and_box(pool: TexturePool) -> Scene:
    """Return a room of 10 m with a cube of 1 m, 3 m in front of the world's origin, along x."""
    count = 2
    parts = {
        "half": np.array([[5.0, 5, 5], [0.5, 0.5, 0.5]]),
        "rotation": np.tile(np.eye(3), (2, count, 1, 1)),
        "center": np.array([[[0.0, 0, 0], [3, 0, 0]], [[0.0, 0, 0], [3, 1, 0]]]),
        "texture": np.zeros((count, 3, 2)),
        "texel": np.full(count, 10 / SIZE),
        "shift": np.zeros((count, 2)),
        "contrast": np.ones(count),
        "tint": np.ones((count, 3)),
        "light": np.array([[0, 0, 1, 1.0]] * 2),
    }
    return assemble(parts, count, pool)


def test_depth_and_occlusion_of_a_scene_computed_by_hand(pool: TexturePool) -> None:
    scene = wall_and_box(pool)
    K = np.array([[100.0, 0, 50], [0, 100, 50], [0, 0, 1]])
    ahead = np.array([1.0, 0, 0])
    eyes = np.zeros(3), np.array([0, -1.0, 0])  # the second one meter to the right (y is left)
    first, second = (camera(K, look_at(eye, eye + ahead), (101, 101)) for eye in eyes)
    _, depth = render(scene, first, 0)
    assert float(depth[50, 50]) == pytest.approx(2.5, abs=1e-4)  # the cube's front
    assert float(depth[50, 5]) == pytest.approx(5.0, abs=1e-4)  # the wall
    points = torch.tensor([[50.0, 50.0], [10.0, 50.0]])
    flow, visible = exact_flow_at(scene, (first, second), (0, 0), points)
    np.testing.assert_allclose(flow.numpy(), [[-40, 0], [-20, 0]], atol=1e-3)  # f * baseline / z
    assert visible.tolist() == [True, False]  # the second leaves the picture to the left
    hidden, seen = exact_flow_at(scene, (first, second), (0, 0), torch.tensor([[28.0, 50.0]]))
    assert float(hidden[0, 0]) == pytest.approx(-20, abs=1e-3) and not bool(seen[0])
    moved, _ = exact_flow_at(scene, (first, first), (0, 1), points[:1])
    assert float(moved[0, 0]) == pytest.approx(-40, abs=1e-3)  # the cube itself moved by a meter


def test_a_wall_point_behind_the_cube_is_hidden(pool: TexturePool) -> None:
    scene = wall_and_box(pool)
    K = np.array([[100.0, 0, 100], [0, 100, 50], [0, 0, 1]])
    eyes = np.zeros(3), np.array([0, 1.0, 0])
    first, second = (camera(K, look_at(e, e + np.array([1.0, 0, 0])), (101, 201)) for e in eyes)
    # From the right eye's ray to the wall point (5, -1.5, 0): x = 100 + 100 * 1.5 / 5 = 130.
    point = torch.tensor([[130.0, 50.0]])
    flow, visible = exact_flow_at(scene, (first, second), (0, 0), point)
    assert float(flow[0, 0]) == pytest.approx(20, abs=1e-3)
    # From (0, 1, 0) it is seen through y = 1 - 2.5 * t, which at x = 2.5 .. 3.5 is -0.25 .. -0.75.
    assert not bool(visible[0])
    _, without = exact_flow_at(scene, (first, second), (0, 1), point)  # the cube has moved away
    assert bool(without[0])


def test_homographies_map_as_their_matrix(pool: TexturePool) -> None:
    rng = np.random.default_rng(0)
    matrix = planar.random_homography(rng, HomographyPlan(big=0), PICTURE)
    points = grid_points(PICTURE, 16)
    flow, inside = planar.flow_at(matrix, points, PICTURE)
    homogeneous = np.concatenate([points.numpy(), np.ones((len(points), 1))], 1) @ matrix.T
    there = homogeneous[:, :2] / homogeneous[:, 2:]
    np.testing.assert_allclose((points + flow).numpy(), there, atol=1e-3)
    within = ((there >= -0.5) & (there <= np.array([127.5, 95.5]))).all(1)
    assert inside.numpy().tolist() == within.tolist()


def test_mild_homographies_are_milder_than_hard_ones() -> None:
    def mean_motion(plan: HomographyPlan) -> float:
        motions = []
        for seed in range(40):
            matrix = planar.random_homography(np.random.default_rng(seed), plan, PICTURE)
            motions.append(
                planar.flow_at(matrix, grid_points(PICTURE, 16), PICTURE)[0].norm(dim=1)
            )
        return float(torch.stack(motions).mean())

    mild, medium, hard = map(mean_motion, (planar.MILD, planar.MEDIUM, planar.HARD))
    assert mild * 1.5 < medium and medium * 1.3 < hard


def test_texels_are_returned_at_their_own_coordinates(pool: TexturePool) -> None:
    table = pool.texels.view(torch.uint8).view(pool.count, -1, 4)
    u, v = torch.tensor([0.0, 3, 511]), torch.tensor([0.0, 7, 500])
    index = torch.tensor([0, 2, 5])
    colors = pool.sample(index, u, v, torch.zeros(3))
    for k in range(3):
        at = int(v[k]) * SIZE + int(u[k])
        assert colors[k].tolist() == table[int(index[k]), at, :3].tolist()


def test_textures_continue_mirrored_and_shrink_to_their_mean(pool: TexturePool) -> None:
    index = torch.tensor([1, 1])
    inside_and_mirror = pool.sample(
        index, torch.tensor([2.0, -3.0]), torch.tensor([9.0, 9.0]), torch.zeros(2)
    )
    torch.testing.assert_close(inside_and_mirror[0], inside_and_mirror[1])
    spread = torch.linspace(0, SIZE - 1, 64)
    y, x = torch.meshgrid(spread, spread, indexing="ij")
    which = torch.full((64 * 64,), 1)
    small = pool.sample(which, x.reshape(-1), y.reshape(-1), torch.full((64 * 64,), 6.0))
    np.testing.assert_allclose(small.mean(0).numpy(), pool.mean[1].numpy(), atol=3)


def test_camera_effects_change_pictures_but_not_the_truth(pool: TexturePool) -> None:
    clean = WorldPlan(homographies=0.0, degrade=False)
    first, second = (
        make_pair([1, 8], plan, pool, (64, 96), 16)
        for plan in (clean, replace(clean, degrade=True))
    )
    assert np.array_equal(first.flow, second.flow)
    assert not np.array_equal(first.images, second.images)
