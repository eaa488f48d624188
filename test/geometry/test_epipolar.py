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

"""The pose between two images: right, with a covariance that holds, and silent where blind."""

from __future__ import annotations

import numpy as np
import pytest

from zeroco_ros.errors import ConfigError
from zeroco_ros.geometry.epipolar import EpipolarOptions, relative_pose, RelativePose
from zeroco_ros.geometry.epipolar_refinement import epipolar_errors, Matches, refine_pose
from zeroco_ros.geometry.transforms import inverse, rotation_angle, se3_exp, so3_exp, so3_log

K0 = np.array([[500.0, 0, 319.5], [0, 505.0, 239.5], [0, 0, 1]])
K1 = np.array([[450.0, 0, 330.0], [0, 450.0, 235.0], [0, 0, 1]])
SIDEWAYS = se3_exp(np.array([0.3, 0.05, 0.1, 0.02, -0.1, 0.03]))
FORWARD = se3_exp(np.array([0.02, 0.01, 0.5, 0.01, 0.03, 0]))
TURN = se3_exp(np.array([0, 0, 0, 0.05, 0.1, 0.02]))
# Every match counts as one: these are drawn independently.
SINGLE = EpipolarOptions(cells=1000)


def matches(
    T: np.ndarray,
    *,
    seed: int = 0,
    count: int = 3000,
    noise: float | np.ndarray = 0.4,
    wrong: float = 0.0,
    plane: tuple[float, float, float] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Random points 2 to 8 in front of camera 0, or on a plane, seen in both images."""
    rng = np.random.default_rng(seed)
    points0 = rng.uniform(0, [639, 479], (count, 2))
    rays = np.column_stack([points0, np.ones(count)]) @ np.linalg.inv(K0).T
    depth = rng.uniform(2, 8, count) if plane is None else 4 / (rays @ np.array(plane))
    there = (rays * depth[:, None]) @ T[:3, :3].T + T[:3, 3]
    seen = there @ K1.T
    points1 = seen[:, :2] / seen[:, 2:] + rng.normal(size=(count, 2)) * np.reshape(noise, (-1, 1))
    bad = rng.random(count) < wrong
    points1[bad] = rng.uniform(0, [639, 479], (bad.sum(), 2))
    return points0, points1


def errors(found: RelativePose, T: np.ndarray) -> tuple[float, float]:
    """Degrees of rotation and of the translation's direction."""
    t = T[:3, 3] / np.linalg.norm(T[:3, 3])
    turned = float(rotation_angle(found.R.T @ T[:3, :3]))
    return np.rad2deg(turned), np.rad2deg(np.arccos(np.clip(found.t @ t, -1, 1)))


@pytest.mark.parametrize("T", [SIDEWAYS, FORWARD, inverse(SIDEWAYS), inverse(FORWARD)])
@pytest.mark.parametrize("wrong", [0.0, 0.3, 0.5])
def test_the_pose_is_found_among_wrong_matches(T: np.ndarray, wrong: float):
    found = relative_pose(*matches(T, wrong=wrong), K0, K1)
    assert found.kind == "general"
    turned, apart = errors(found, T)
    assert turned < 0.1
    assert apart < 0.8
    assert found.inliers.mean() == pytest.approx(1 - wrong, abs=0.04)
    assert found.noise_px == pytest.approx(0.4, rel=0.1)
    assert np.linalg.norm(found.t) == pytest.approx(1)
    assert not found.planar
    assert found.alternative is None


def test_the_covariance_is_the_scatter():
    """Monte Carlo: normalized squared errors have the mean of chi-square with 5 degrees."""
    t = SIDEWAYS[:3, 3] / np.linalg.norm(SIDEWAYS[:3, 3])
    squares = []
    for seed in range(40):
        found = relative_pose(*matches(SIDEWAYS, seed=seed, count=400), K0, K1, options=SINGLE)
        difference = np.r_[t - found.t, so3_log(SIDEWAYS[:3, :3] @ found.R.T)]
        assert np.linalg.matrix_rank(found.covariance, tol=1e-12) == 5
        squares.append(difference @ np.linalg.pinv(found.covariance, rcond=1e-6) @ difference)
    assert np.mean(squares) == pytest.approx(5, abs=1.4)


def test_the_information_is_that_of_finite_differences():
    points0, points1 = matches(SIDEWAYS, noise=0.4)
    rays = np.column_stack([points0, np.ones(len(points0))]) @ np.linalg.inv(K0).T
    given = Matches(rays, points1, K1, np.ones(len(rays)))
    fit = refine_pose(SIDEWAYS[:3, :3], SIDEWAYS[:3, 3], given, 30)
    step, columns = 1e-6, []
    for axis in range(5):
        move = np.eye(5)[axis] * step
        ends = []
        for side in (1, -1):
            t = fit.t + fit.basis @ (side * move[3:])
            R = so3_exp(side * move[:3]) @ fit.R
            ends.append(epipolar_errors(R, t / np.linalg.norm(t), given))
        columns.append((ends[0] - ends[1]) / (2 * step))
    jacobian = np.stack(columns, axis=1)
    error = epipolar_errors(fit.R, fit.t, given)
    share = np.clip(1 - (error / (4.685 * fit.sigma)) ** 2, 0, None) ** 2
    expected = (jacobian * share[:, None]).T @ jacobian / fit.sigma**2
    np.testing.assert_allclose(fit.information, expected, rtol=1e-4, atol=1e-4 * expected.max())
    # At the minimum the weighted errors have no slope left.
    slope = (jacobian * share[:, None]).T @ error
    assert np.abs(slope).max() < 1e-3 * np.abs(jacobian * share[:, None]).sum()


def test_weights_are_inverse_variances():
    rng = np.random.default_rng(7)
    noise = rng.choice([0.1, 2.0], 2000)
    plain, weighted = [], []
    for seed in range(4):
        points = matches(SIDEWAYS, seed=seed, count=2000, noise=noise)
        plain.append(errors(relative_pose(*points, K0, K1), SIDEWAYS))
        found = relative_pose(*points, K0, K1, 1 / noise**2)
        weighted.append(errors(found, SIDEWAYS))
        assert found.noise_px == pytest.approx(0.1, rel=0.1)
        assert found.inliers.mean() > 0.98
    assert np.mean(weighted) < 0.8 * np.mean(plain)


def test_matches_of_no_weight_or_value_are_not_used():
    points0, points1 = matches(SIDEWAYS)
    weights = np.ones(len(points0))
    points1[:1000], weights[:500], weights[500:1000] = 0, 0, np.nan
    points1[1000:1200] = np.nan
    found = relative_pose(points0, points1, K0, K1, weights)
    assert errors(found, SIDEWAYS)[1] < 0.8
    assert not found.inliers[:1200].any()
    assert found.inliers[1200:].mean() > 0.98


@pytest.mark.parametrize("noise", [0.1, 0.5, 1.5])
@pytest.mark.parametrize("wrong", [0.0, 0.2])
def test_a_pure_rotation_is_said(noise: float, wrong: float):
    found = relative_pose(*matches(TURN, noise=noise, wrong=wrong), K0, K1)
    assert found.kind == "rotation"
    assert np.rad2deg(rotation_angle(found.R.T @ TURN[:3, :3])) < 0.05
    np.testing.assert_array_equal(found.t, 0)
    np.testing.assert_array_equal(found.covariance[:3, :3], np.eye(3))
    assert found.covariance[3, 3] < 1e-4
    assert found.inliers.mean() == pytest.approx(1 - wrong, abs=0.05)


def test_a_rotations_covariance_is_the_scatter():
    squares = []
    for seed in range(30):
        found = relative_pose(*matches(TURN, seed=seed, count=500), K0, K1, options=SINGLE)
        difference = so3_log(TURN[:3, :3] @ found.R.T)
        squares.append(difference @ np.linalg.solve(found.covariance[3:, 3:], difference))
    assert np.mean(squares) == pytest.approx(3, abs=0.9)


def test_a_short_baseline_becomes_a_rotation_where_noise_hides_it():
    kinds = {}
    for length in (0.001, 0.1):
        T = TURN.copy()
        T[:3, 3] = [length, 0, 0]
        kinds[length] = relative_pose(*matches(T), K0, K1).kind
    assert kinds == {0.001: "rotation", 0.1: "general"}


def test_a_moving_thing_before_a_turning_camera_is_no_translation():
    points0, points1 = matches(TURN)
    thing = (points0[:, 0] > 200) & (points0[:, 0] < 400) & (points0[:, 1] > 120)
    assert 0.2 < thing.mean() < 0.3
    points1[thing] += [25, 6]
    found = relative_pose(points0, points1, K0, K1)
    assert found.kind == "rotation"
    assert np.rad2deg(rotation_angle(found.R.T @ TURN[:3, :3])) < 0.1
    assert not found.inliers[thing].any()


def test_a_static_camera_is_said_even_with_something_moving():
    points0 = matches(TURN)[0]
    points1 = points0 + np.random.default_rng(0).normal(size=points0.shape) * 0.1
    points1[points0[:, 0] < 120] += [10, 3]
    found = relative_pose(points0, points1, K0, K0)
    assert found.kind == "static"
    np.testing.assert_array_equal(found.R, np.eye(3))
    assert not found.inliers[points0[:, 0] < 120].any()


@pytest.mark.parametrize("wrong", [0.0, 0.2])
def test_a_plane_gives_the_pose(wrong: float):
    """Tilted and near: only one of the two poses of its homography sees all of it in front."""
    points = matches(SIDEWAYS, plane=(0.3, 0.1, 1), wrong=wrong)
    found = relative_pose(*points, K0, K1)
    assert found.kind == "general"
    assert found.planar
    turned, apart = errors(found, SIDEWAYS)
    assert turned < 0.2
    assert apart < 2


def test_flying_towards_a_tilted_wall_gives_both_poses():
    """Swapping the plane's normal with the direction of motion explains the same matches."""
    found = relative_pose(*matches(FORWARD, plane=(0.4, 0.1, 1), noise=0.2), K0, K1)
    assert found.kind == "general"
    assert found.planar
    assert found.alternative is not None
    t = FORWARD[:3, 3] / np.linalg.norm(FORWARD[:3, 3])
    poses = [(found.R, found.t), found.alternative]
    apart = sorted(np.rad2deg(np.arccos(np.clip(pose[1] @ t, -1, 1))) for pose in poses)
    assert apart[0] < 2
    assert apart[1] > 10


def test_a_guess_is_one_more_start_and_never_harms():
    points = matches(SIDEWAYS, wrong=0.3)
    for guess in (SIDEWAYS, inverse(SIDEWAYS), np.eye(4)):
        found = relative_pose(*points, K0, K1, guess=guess)
        assert errors(found, SIDEWAYS)[1] < 0.8


@pytest.mark.parametrize("seed", range(3))
def test_no_overlap_is_no_pose(seed: int):
    found = relative_pose(*matches(SIDEWAYS, wrong=1.0, seed=seed), K0, K1)
    assert found.kind == "degenerate"
    np.testing.assert_array_equal(found.covariance, np.eye(6))
    assert not found.inliers.any()
    assert np.isnan(found.parallax_px)


def test_a_few_good_matches_among_many_useless_ones_are_no_overlap():
    points0, points1 = matches(SIDEWAYS, count=5000)
    weights = np.zeros(5000)
    weights[:200] = 1
    assert relative_pose(points0, points1, K0, K1, weights).kind == "degenerate"
    weights[:400] = 1
    assert relative_pose(points0, points1, K0, K1, weights).kind == "general"


def test_matches_in_one_corner_are_no_pose():
    points0, points1 = matches(SIDEWAYS, count=20_000)
    for reach, kind in ((100, "degenerate"), (250, "general")):
        corner = (points0 < reach).all(axis=1)
        use = corner | (np.arange(20_000) % 100 == 0)
        found = relative_pose(points0[use], points1[use], K0, K1, corner[use].astype(float))
        assert corner[use].mean() > 0.5
        assert found.kind == kind


def test_a_wide_turn_with_a_poor_calibration_feigns_no_translation():
    """The focal length is 1 % off: the best rotation leaves more than a pixel unexplained."""
    T = se3_exp(np.array([0, 0, 0, 0.05, 0.35, 0]))
    points0, points1 = matches(T, noise=0.1)
    inside = (np.abs(points1 - K1[:2, 2]) < 500).all(axis=1)
    off = K1 * np.array([[1.01], [1.01], [1]])
    off[:2, 2] = K1[:2, 2]
    found = relative_pose(points0, points1, K0, off, inside.astype(float))
    assert found.kind == "rotation"
    trusting = EpipolarOptions(parallax_share=0)
    fooled = relative_pose(points0, points1, K0, off, inside.astype(float), options=trusting)
    assert fooled.kind == "general"
    assert np.rad2deg(rotation_angle(found.R.T @ T[:3, :3])) < 0.5


@pytest.mark.parametrize("count", [0, 1, 4, 29])
def test_too_few_matches_are_no_pose(count: int):
    assert relative_pose(*matches(SIDEWAYS, count=count), K0, K1).kind == "degenerate"


def test_bad_matches_never_raise():
    rng = np.random.default_rng(0)
    for points0, points1 in [
        (np.zeros((100, 2)), np.full((100, 2), 50.0)),
        (rng.uniform(0, 600, (100, 2)), np.full((100, 2), 50.0)),
        (np.column_stack([np.arange(100.0), np.zeros(100)]), rng.uniform(0, 9, (100, 2))),
        (rng.uniform(0, 600, (100, 2)), rng.uniform(-1e9, 1e9, (100, 2))),
        (np.full((100, 2), np.nan), np.zeros((100, 2))),
    ]:
        found = relative_pose(points0, points1, K0, K1)
        assert np.isfinite(found.R).all()
        assert np.isfinite(found.covariance).all()


def test_the_answer_is_the_same_every_time():
    points = matches(SIDEWAYS, wrong=0.3, count=30_000)
    first, second = (relative_pose(*points, K0, K1) for _ in range(2))
    np.testing.assert_array_equal(first.R, second.R)
    np.testing.assert_array_equal(first.t, second.t)
    assert len(first.inliers) == 30_000


def test_parallax_is_what_the_rotation_leaves():
    points0, points1 = matches(SIDEWAYS, noise=0.0)
    found = relative_pose(points0, points1, K0, K1)
    moved = np.column_stack([points0, np.ones(len(points0))]) @ np.linalg.inv(K0).T
    moved = moved @ (K1 @ SIDEWAYS[:3, :3]).T
    parallax = np.linalg.norm(points1 - moved[:, :2] / moved[:, 2:], axis=1)
    assert found.parallax_px == pytest.approx(np.median(parallax), rel=0.02)
    assert found.rotation_px < found.parallax_px


def test_shapes_that_do_not_fit_are_refused():
    points0, points1 = matches(SIDEWAYS, count=50)
    for arguments in (
        (points0, points1[:40], K0, K1),
        (points0.T, points1.T, K0, K1),
        (points0, points1, np.eye(4), K1),
        (points0, points1, K0, K1, np.ones(49)),
    ):
        with pytest.raises(ConfigError):
            relative_pose(*arguments)
