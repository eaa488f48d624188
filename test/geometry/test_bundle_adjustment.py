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

"""Dense bundle adjustment of exact flows of the procedural world."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bundle_world import disturbed, errors, FRAMES, make_world, SHAPE, World
import numpy as np
import pytest

from zeroco_ros.errors import ConfigError
from zeroco_ros.geometry.bundle_adjustment import DepthPrior, PosePrior


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(1)


@pytest.mark.parametrize("fixed", [1, 2])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_converges_from_a_disturbed_start(world: World, fixed: int, dtype: str) -> None:
    start = disturbed(world, fixed)
    found = world.adjust(*start, fixed=fixed, dtype=dtype, iterations=30)
    assert found.reason == "converged"
    assert all(after < before for before, after in zip(found.costs, found.costs[1:], strict=False))
    angle, place, depth = errors(world, found)
    assert angle < 1e-3
    assert place < 1e-5
    assert depth < 1e-4
    if fixed == 2:  # the scale of the fixed baseline
        assert np.median(found.inverse_depth / world.inverse_depth) == pytest.approx(1, abs=1e-5)
    else:  # the scale of the start
        arms = [np.linalg.norm((c2w - c2w[0])[:, :3, 3]) for c2w in (start[0], found.c2w)]
        assert arms[0] == pytest.approx(arms[1])
    assert np.array_equal(found.c2w[:fixed], start[0][:fixed])
    assert np.nanmax(found.residual[world.weights > 0]) < 1e-2


def test_result_does_not_depend_on_the_order_of_edges(world: World) -> None:
    start = disturbed(world, 2)
    order = np.random.default_rng(3).permutation(len(world.targets))
    shuffled = replace(
        world,
        edges=(world.edges[0][order], world.edges[1][order]),
        targets=world.targets[order],
        weights=world.weights[order],
    )
    one, other = world.adjust(*start, fixed=2), shuffled.adjust(*start, fixed=2)
    np.testing.assert_allclose(one.c2w, other.c2w, atol=1e-9)
    np.testing.assert_allclose(one.residual[order], other.residual, atol=1e-5)


def test_errors_are_as_large_as_the_variances_say(world: World) -> None:
    random, sigma = np.random.default_rng(7), 0.5
    noise = sigma * random.standard_normal(world.targets.shape)
    found = world.adjust(
        world.c2w,
        world.inverse_depth,
        fixed=2,
        robust="none",
        targets=world.targets + noise,
        weights=world.weights / sigma**2,
    )
    assert found.variance_factor == pytest.approx(1, abs=0.05)
    error = (found.inverse_depth - world.inverse_depth) / np.sqrt(found.inverse_depth_variance)
    near = np.sqrt(found.inverse_depth_variance) < 0.2 * world.inverse_depth  # linear enough
    assert near.mean() > 0.5
    assert np.std(error[near]) == pytest.approx(1, abs=0.15)
    turn = found.c2w[:, :3, :3] @ world.c2w[:, :3, :3].swapaxes(1, 2)
    angles = np.stack([turn[:, 2, 1], turn[:, 0, 2], turn[:, 1, 0]], 1)  # small rotations
    off = np.concatenate([(found.c2w - world.c2w)[:, :3, 3], angles], 1)[2:]
    squares = [
        e @ np.linalg.solve(c, e) for e, c in zip(off, found.pose_covariance[2:], strict=True)
    ]
    assert 1 < np.mean(squares) < 13  # 6 on average
    assert not found.pose_covariance[:2].any()


def test_focal_length_is_found(world: World) -> None:
    wrong = world.K * np.array([[1.1], [1.1], [1]])
    wrong[:2, 2] = world.K[:2, 2]
    start = disturbed(world, 1)
    found = world.adjust(*start, K=wrong, refine_focal=True, iterations=40)
    assert found.reason == "converged"
    assert found.K[0, 0, 0] == pytest.approx(world.K[0, 0], rel=1e-3)
    assert found.K[0, 1, 1] == pytest.approx(world.K[1, 1], rel=1e-3)
    assert found.K[0, 0, 2] == world.K[0, 2]
    assert 0 < found.focal_sigma < 0.05
    kept = world.adjust(*start, K=wrong, iterations=40)
    assert kept.costs[-1] > 100 * found.costs[-1]
    assert kept.focal_sigma == 0


def test_moving_objects_lose_their_weight() -> None:
    moved = make_world(4, moving=1.0)
    assert 0.02 < moved.moving.mean() < 0.5
    start = disturbed(moved, 1)
    told = moved.adjust(*start, motion_probability=moved.moving, iterations=30)
    plain = moved.adjust(*start, robust="none", iterations=30)
    still = moved.moving == 0
    assert errors(moved, told)[1] < 1e-4
    assert errors(moved, plain)[1] > 20 * errors(moved, told)[1]
    assert np.isinf(told.inverse_depth_variance[~still]).all()
    cauchy = moved.adjust(*start, robust="cauchy", robust_scale=0.5, iterations=60)
    assert errors(moved, cauchy)[1] < 0.5 * errors(moved, plain)[1]


def test_without_parallax_sigma_says_so_and_the_prior_decides(world: World) -> None:
    turning = make_world(1, motion=0.0, turn=4.0)
    noise = 0.5 * np.random.default_rng(2).standard_normal(turning.targets.shape)
    given = {"targets": turning.targets + noise, "weights": 4 * turning.weights}
    start = disturbed(turning, FRAMES)[1]
    known = turning.adjust(turning.c2w, start, fixed=FRAMES, **given)
    assert np.median(np.sqrt(known.inverse_depth_variance) / turning.inverse_depth) > 1e3
    at_one_place = turning.adjust(turning.c2w, start, **given)
    assert np.isfinite(at_one_place.inverse_depth).all()
    assert np.median(np.sqrt(at_one_place.inverse_depth_variance) / turning.inverse_depth) > 10
    # Held apart, the cameras see everything infinitely far away.
    apart = turning.adjust(disturbed(turning, 1)[0], start, iterations=20, **given)
    nearer = apart.inverse_depth > 3 * np.sqrt(apart.inverse_depth_variance)
    assert nearer.mean() < 0.25  # poses fitted to noise make some look near
    sigma = 0.1 * turning.inverse_depth
    prior = DepthPrior(turning.inverse_depth, sigma)
    held = turning.adjust(turning.c2w, start, depth_prior=prior, iterations=20)
    np.testing.assert_allclose(held.inverse_depth, turning.inverse_depth, rtol=1e-3)
    share = np.sqrt(held.inverse_depth_variance) / sigma
    assert 0.5 < np.median(share) < 1.001
    log = DepthPrior(turning.inverse_depth, 0.1, log=True)
    same = turning.adjust(turning.c2w, start, depth_prior=log, iterations=20)
    np.testing.assert_allclose(same.inverse_depth, held.inverse_depth, rtol=1e-2)
    # With parallax the same prior, wrong by a tenth, hardly matters.
    wrong = DepthPrior(1.1 * world.inverse_depth, 0.1 * world.inverse_depth)
    sure = {"weights": 400 * world.weights}  # flow to a twentieth of a pixel
    free = world.adjust(world.c2w, world.inverse_depth, fixed=2, depth_prior=wrong, **sure)
    assert np.median(np.abs(free.inverse_depth / world.inverse_depth - 1)) < 0.01


def test_a_pose_prior_brings_scale_and_covariance(world: World) -> None:
    depth = 1 / np.median(world.inverse_depth)
    covariance = np.diag([0.02 * depth] * 3 + [0.02] * 3) ** 2
    start, inverse_depth = disturbed(world, 0)
    found = world.adjust(
        start,
        0.7 * inverse_depth,
        fixed=0,
        pose_prior=PosePrior(world.c2w, covariance),
        iterations=40,
    )
    assert errors(world, found)[0] < 0.01
    assert np.abs(found.c2w - world.c2w)[:, :3, 3].max() < 1e-3 * depth
    assert np.median(found.inverse_depth / world.inverse_depth) == pytest.approx(1, abs=1e-3)
    assert (found.pose_covariance.diagonal(axis1=1, axis2=2) < np.diag(covariance)).all()
    some = world.c2w.copy()
    some[2:] = np.nan  # known for two frames only: still metric
    partly = world.adjust(
        start, inverse_depth, fixed=0, pose_prior=PosePrior(some, covariance), iterations=40
    )
    assert np.median(partly.inverse_depth / world.inverse_depth) == pytest.approx(1, abs=2e-3)


def test_known_poses_and_poses_alone(world: World) -> None:
    c2w, inverse_depth = disturbed(world, 1)
    depths = world.adjust(world.c2w, inverse_depth, fixed=FRAMES)
    assert np.array_equal(depths.c2w, world.c2w)
    assert errors(world, depths)[2] < 1e-4
    poses = world.adjust(c2w, world.inverse_depth, refine_depths=False)
    assert np.array_equal(poses.inverse_depth, world.inverse_depth)
    assert errors(world, poses)[1] < 1e-4
    assert not poses.inverse_depth_variance.any()
    middle = [True, False, False, False, True]
    both = world.adjust(world.c2w, inverse_depth, fixed=middle)
    assert np.array_equal(both.c2w[[0, 4]], world.c2w[[0, 4]])
    assert errors(world, both)[1] < 1e-4


def test_every_frame_may_have_its_own_camera(world: World) -> None:
    start = disturbed(world, 2)
    used = world.edges[0] != 2  # frame 2 is only looked into, through another lens
    some = replace(
        world,
        edges=(world.edges[0][used], world.edges[1][used]),
        targets=world.targets[used],
        weights=world.weights[used],
    )
    zoomed, cameras = some.targets.copy(), np.stack([world.K] * FRAMES)
    zoomed[some.edges[1] == 2] *= 1.5
    cameras[2, :2] *= 1.5
    one = some.adjust(*start, fixed=2)
    other = some.adjust(*start, fixed=2, K=cameras, targets=zoomed)
    np.testing.assert_allclose(other.c2w, one.c2w, atol=1e-5)
    assert other.K.shape == (FRAMES, 3, 3)
    into, seen = some.edges[1] == 2, some.weights > 0
    assert np.nanmax(other.residual[into][seen[into]]) < 0.01
    assert np.isinf(one.inverse_depth_variance[2]).all()


def test_inverse_depths_stay_within_their_bounds(world: World) -> None:
    c2w, inverse_depth = disturbed(world, 2)
    low, high = np.quantile(world.inverse_depth, [0.2, 0.8])
    found = world.adjust(c2w, inverse_depth, fixed=2, inverse_depth_range=(low, high))
    assert found.inverse_depth.min() >= low
    assert found.inverse_depth.max() <= high
    assert (found.inverse_depth == high).any()
    assert all(after < before for before, after in zip(found.costs, found.costs[1:], strict=False))


def test_a_start_with_points_behind_a_camera_is_left(world: World) -> None:
    c2w, inverse_depth = world.c2w.copy(), world.inverse_depth
    c2w[3, :3, 3] += (
        c2w[3, :3, 2] * 0.8 / np.median(inverse_depth)
    )  # far forward, past some points
    found = world.adjust(c2w, inverse_depth, fixed=2, robust="cauchy", iterations=60)
    assert all(after < before for before, after in zip(found.costs, found.costs[1:], strict=False))
    assert errors(world, found)[1] < 1e-4


def test_without_observations_nothing_changes(world: World) -> None:
    start = disturbed(world, 1)
    unseen = {
        "zero weights": {"weights": np.zeros_like(world.weights)},
        "NaN weights": {"weights": np.full_like(world.weights, np.nan)},
        "NaN targets": {"targets": np.full_like(world.targets, np.nan)},
    }
    for about, given in unseen.items():
        found = world.adjust(*start, **given)
        assert found.reason == "no observations", about
        np.testing.assert_allclose(found.c2w, start[0], atol=1e-6)
        assert np.array_equal(found.inverse_depth, np.maximum(start[1], 0))
        assert np.isinf(found.inverse_depth_variance).all()
        assert (found.pose_covariance[1:].diagonal(axis1=1, axis2=2) > 1e6).all()
        assert np.isnan(found.residual).all()


def test_nan_targets_count_as_unseen(world: World) -> None:
    start = disturbed(world, 2)
    hidden = np.where(world.weights[..., None] > 0, world.targets, np.nan)
    found = world.adjust(*start, fixed=2, targets=hidden, weights=np.ones_like(world.weights))
    same = world.adjust(*start, fixed=2)
    np.testing.assert_allclose(found.c2w, same.c2w, atol=1e-12)
    start[1][0, 0, 0] = np.nan
    assert np.isfinite(world.adjust(*start, fixed=2).inverse_depth).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"targets": np.zeros((0, *SHAPE, 2))}, "no edges"),
        ({"targets": np.zeros((20, 3, 3, 2))}, "targets is"),
        ({"weights": np.zeros((3, *SHAPE))}, "weights is"),
        ({"motion_probability": np.full((FRAMES, *SHAPE), 2.0)}, "motion_probability"),
        ({"K": np.zeros((3, 3))}, "focal length"),
        ({"c2w": np.ones((FRAMES, 4, 4))}, "no rotation"),
        ({"fixed": 9}, "fixed is 9"),
        ({"robust": "square"}, "robust is 'square'"),
        ({"near": 0.0}, "near is"),
        ({"depth_prior": DepthPrior(np.ones((2, 3)), 0.1)}, "depth prior"),
        ({"pose_prior": PosePrior(np.ones((5, 4, 4)), -np.eye(6))}, "positive definite"),
    ],
)
def test_errors_say_what_is_wrong(world: World, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        world.adjust(change.pop("c2w", world.c2w), world.inverse_depth, **change)
    with pytest.raises(ConfigError, match="itself"):
        replace(world, edges=(world.edges[0], world.edges[0])).adjust(
            world.c2w, world.inverse_depth
        )
