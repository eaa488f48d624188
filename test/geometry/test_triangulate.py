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

"""Triangulation: exact without noise, honest with it, robust against wrong matches."""

from __future__ import annotations

import numpy as np
import pytest

from zeroco_ros.errors import ConfigError
from zeroco_ros.geometry.transforms import se3_exp
from zeroco_ros.geometry.triangulate import triangulate, View

H, W = 60, 80
K = np.array([[70.0, 0, 39.5], [0, 72.0, 30.0], [0, 0, 1]])
K_VIEW = np.array([[90.0, 0, 42.0], [0, 88.0, 28.0], [0, 0, 1]])
TWISTS = [
    (0.4, 0, 0, 0, 0.05, 0),
    (-0.3, 0.2, 0.05, 0.02, 0, 0.05),
    (0.1, -0.4, 0.3, 0.04, 0, 0),
    (0.3, 0.1, -0.2, 0, 0.06, 0.02),
]
Y, X = np.indices((H, W)).astype(float)
RAYS = np.stack([(X - 39.5) / 70, (Y - 30) / 72, np.ones((H, W))], axis=-1)


def depths(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(1.5, 8, (H, W))


def flow_to(twist, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    T = se3_exp(np.array(twist, dtype=float))
    seen = (RAYS * depth[..., None]) @ T[:3, :3].T + T[:3, 3]
    seen = seen @ K_VIEW.T
    return seen[..., :2] / seen[..., 2:] - np.stack([X, Y], axis=-1), T


def views(depth, rng=None, sigma=0.3, count=4) -> list[View]:
    out = []
    for twist in TWISTS[:count]:
        flow, T = flow_to(twist, depth)
        noise = np.broadcast_to(sigma, depth.shape)
        if rng is not None:
            flow = flow + rng.normal(size=flow.shape) * noise[..., None]
        out.append(View(flow.astype(np.float32), noise.astype(np.float32), T, K_VIEW))
    return out


@pytest.mark.parametrize("count", [1, 2, 4])
def test_exact_matches_give_the_exact_depth(count: int):
    depth = depths()
    got = triangulate(K, None, views(depth, count=count))
    np.testing.assert_allclose(got.value, 1 / depth, atol=2e-5)
    assert (got.inliers == count).all()
    assert got.residual.max() < 1e-3
    assert got.value.dtype == got.sigma.dtype == got.residual.dtype == np.float32


def test_any_pixels_of_any_shape():
    depth = depths()
    given = views(depth)
    whole = triangulate(K, None, given)
    pick = (np.array([3, 50, 20]), np.array([70, 1, 33]))
    points = np.stack([X[pick], Y[pick]], axis=-1)
    some = [(v.flow[pick], v.sigma_px[pick], v.T_view_from_ref, v.K_view) for v in given]
    got = triangulate(K, points, some)
    np.testing.assert_allclose(got.value, whole.value[pick], rtol=1e-5)
    number = [(v.flow, 0.3, v.T_view_from_ref, v.K_view) for v in given]
    np.testing.assert_array_equal(triangulate(K, None, number).sigma, whole.sigma)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_sigma_is_the_scatter(count: int):
    """Monte Carlo: the same scene under new noise, whose size differs from pixel to pixel."""
    depth = depths()
    rng = np.random.default_rng(1)
    sigma = rng.uniform(0.1, 0.6, (H, W))
    runs = [triangulate(K, None, views(depth, rng, sigma, count)) for _ in range(40)]
    errors = np.stack([(run.value - 1 / depth) / run.sigma for run in runs])
    known = np.isfinite(errors)
    assert known.mean() > 0.95
    assert abs(np.nanmean(errors)) < 0.05
    middle = np.nanmedian(np.abs(errors)) / 0.6745
    assert middle == pytest.approx(1, abs=0.05)
    assert (np.abs(errors[known]) < 1.96).mean() == pytest.approx(0.95, abs=0.015)


def test_sigma_is_the_slope_of_the_answer():
    """With one view: sigma is |d value / d match| times the match's, by finite differences."""
    depth = depths()
    (view,) = views(depth, count=1, sigma=0.5)
    value = triangulate(K, None, [view]).value
    step = 0.25
    slopes = []
    for axis in (0, 1):
        moved = view.flow.copy()
        moved[..., axis] += step
        slopes.append((triangulate(K, None, [view._replace(flow=moved)]).value - value) / step)
    sigma = triangulate(K, None, [view]).sigma
    np.testing.assert_allclose(0.5 * np.hypot(*slopes), sigma, rtol=0.02)


def test_wrong_matches_lose_against_agreeing_views():
    depth = depths()
    rng = np.random.default_rng(2)
    given = views(depth, rng)
    wrong = rng.integers(0, 4, (H, W))
    for index, view in enumerate(given):
        view.flow[wrong == index] += rng.uniform(15, 40, ((wrong == index).sum(), 2))
    got = triangulate(K, None, given)
    error = np.abs(got.value - 1 / depth) / got.sigma
    assert (error < 3).mean() > 0.97
    assert (got.inliers <= 3).mean() > 0.97
    plain = np.abs(triangulate(K, None, views(depth, np.random.default_rng(2))).value - 1 / depth)
    assert np.median(np.abs(got.value - 1 / depth)) < 1.5 * np.median(plain)


def test_a_match_off_the_epipolar_line_says_so():
    depth = depths()
    (view,) = views(depth, count=1)
    # The first view lies to the side: its epipolar lines are nearly level.
    view.flow[..., 1] += 5
    got = triangulate(K, None, [view])
    assert np.isnan(got.value).mean() > 0.9
    assert np.isinf(got.sigma[np.isnan(got.value)]).all()
    loose = triangulate(K, None, [view._replace(sigma_px=np.full((H, W), 5, np.float32))])
    assert np.isfinite(loose.value).all()
    assert np.median(loose.residual) == pytest.approx(5, rel=0.2)


def test_no_translation_means_no_depth():
    depth = depths()
    flow, T = flow_to((0, 0, 0, 0.1, 0.05, 0), depth)
    got = triangulate(K, None, [(flow, 0.3, T, K_VIEW)])
    assert np.isnan(got.value).all()
    assert np.isinf(got.sigma).all()
    assert (got.inliers == 0).all()


def test_far_away_the_answer_scatters_about_zero_with_its_sigma():
    depth = np.full((H, W), 1e5)
    got = triangulate(K, None, views(depth, np.random.default_rng(3)))
    error = got.value / got.sigma
    assert (got.value < 0).mean() == pytest.approx(0.5, abs=0.05)
    assert np.median(np.abs(error)) / 0.6745 == pytest.approx(1, abs=0.06)


def test_unknown_matches_are_left_out():
    depth = depths()
    given = views(depth)
    given[0].flow[:, :40] = np.nan
    given[1].sigma_px[:30] = np.inf
    given[2].sigma_px[30:] = 0
    got = triangulate(K, None, given)
    assert (got.inliers == 4 - (X < 40) - 1).all()
    np.testing.assert_allclose(got.value, 1 / depth, atol=2e-5)
    for view in given:
        view.flow[:5] = np.inf
    assert np.isnan(triangulate(K, None, given).value[:5]).all()


def test_points_behind_a_view_do_not_count():
    depth = depths()
    flow, T = flow_to((0, 0, -10, 0, 0, 0), depth)
    got = triangulate(K, None, [*views(depth), View(flow, 0.3, T, K_VIEW)])
    assert (got.inliers == 4).all()
    np.testing.assert_allclose(got.value, 1 / depth, atol=2e-5)


def test_pose_uncertainty_adds_in_quadrature():
    depth = depths()
    given = views(depth, sigma=0.3)
    plain, poses = (triangulate(K, None, given, pose_sigma_px=p) for p in (0.0, 0.4))
    np.testing.assert_allclose(poses.sigma, plain.sigma * 0.5 / 0.3, rtol=1e-3)
    each = triangulate(K, None, given, pose_sigma_px=[0.4] * 4)
    np.testing.assert_array_equal(each.sigma, poses.sigma)


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch):
    given = views(depths(), np.random.default_rng(4))
    whole = triangulate(K, None, given)
    monkeypatch.setattr("zeroco_ros.geometry.triangulate.BLOCK", 1200)
    parts = triangulate(K, None, given)
    # The order of candidates comes from a block's mean, so a rare tie may fall the other way.
    same = np.isclose(parts.value, whole.value, rtol=1e-4, equal_nan=True)
    assert same.mean() > 0.995


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"flow": np.zeros((H, W + 1, 2))}, "shape"),
        ({"T_view_from_ref": np.eye(3)}, "needed"),
        ({"K_view": np.full((3, 3), np.nan)}, "NaN"),
    ],
)
def test_what_does_not_fit_is_refused(change, words: str):
    given = views(depths())
    given[1] = given[1]._replace(**change)
    with pytest.raises(ConfigError, match=words):
        triangulate(K, None, given)


def test_no_view_and_no_focal_length_are_refused():
    with pytest.raises(ConfigError, match="at least one view"):
        triangulate(K, None, [])
    with pytest.raises(ConfigError, match="focal"):
        triangulate(np.zeros((3, 3)), None, views(depths()))
    with pytest.raises(ConfigError, match="without pixels"):
        triangulate(K, None, [View(np.zeros((5, 2)), 1.0, np.eye(4), K)])
