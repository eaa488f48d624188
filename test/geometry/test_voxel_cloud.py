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

"""Depth maps fused into a thinned cloud."""

from __future__ import annotations

import numpy as np
import pytest

from zeroco_ros.errors import ConfigError
from zeroco_ros.geometry.transforms import so3_exp, transform
from zeroco_ros.geometry.voxel_cloud import at_edges, VoxelCloud

RANDOM = np.random.default_rng(0)


def test_one_point_per_voxel_at_the_weighted_mean() -> None:
    cloud = VoxelCloud(0.1)
    points = np.array([[0.01, 0.01, 0.01], [0.05, 0.03, 0.01], [-0.05, 0.0, 0.0]])
    colors = np.array([[0, 100, 200], [40, 100, 200], [9, 9, 9]], np.uint8)
    cloud.add(points, colors, np.array([1.0, 3.0, 1.0]))
    found, shades = cloud.points()
    assert len(cloud) == 2 and found.dtype == np.float32
    order = np.argsort(found[:, 0])
    np.testing.assert_allclose(found[order], [[-0.05, 0, 0], [0.04, 0.025, 0.01]], atol=1e-6)
    assert shades[order].tolist() == [[9, 9, 9], [30, 100, 200]]


def test_adding_view_by_view_is_adding_at_once() -> None:
    points = RANDOM.normal(0, 3, (5000, 3))
    colors = RANDOM.integers(0, 256, (5000, 3), dtype=np.uint8)
    weights = RANDOM.uniform(1, 100, 5000)
    once, often = VoxelCloud(0.25), VoxelCloud(0.25)
    once.add(points, colors, weights)
    for part in np.split(np.arange(5000), 10):
        often.add(points[part], colors[part], weights[part])
        len(often)  # merges
    for one, two in zip(once.points(), often.points(), strict=True):
        np.testing.assert_allclose(one.astype(float), two.astype(float), atol=1.01)
    np.testing.assert_allclose(once.points()[0], often.points()[0], atol=1e-5)
    # a voxel of several views is one that several views agree on
    assert len(once.points(least_views=2)[0]) == 0
    assert 0 < len(often.points(least_views=2)[0]) < len(often)


def test_two_views_of_a_plane_meet() -> None:
    """The plane z = 3 of the world, from two places and directions."""
    K = np.array([[80.0, 0, 49.5], [0, 80, 39.5], [0, 0, 1]])
    cloud = VoxelCloud(0.02)
    image = np.full((80, 100, 3), 50, np.uint8)
    for pose in (np.eye(4), transform(so3_exp([0.1, -0.2, 0.3]), [0.4, 0.1, 0.5])):
        y, x = np.mgrid[:80, :100]
        rays = np.stack([(x - K[0, 2]) / 80, (y - K[1, 2]) / 80, np.ones(x.shape)], -1)
        world = rays @ pose[:3, :3].T
        depth = (3 - pose[2, 3]) / world[..., 2]
        sigma = 0.01 * depth
        assert cloud.add_view(depth, sigma, image, K, pose, max_relative_sigma=0.05) == 8000
    points, colors = cloud.points()
    np.testing.assert_allclose(points[:, 2], 3, atol=1e-5)
    assert (colors == 50).all() and 1000 < len(points) < 16000


def test_only_sure_points_away_from_edges() -> None:
    depth = np.full((40, 60), 2.0)
    depth[:, 30:] = 4.0
    depth[0] = np.nan
    depth[1, :5], depth[2, :5] = 0.0, -1.0
    sigma = np.full_like(depth, 0.01)
    sigma[30:] = 1.0
    sigma[20, 3] = np.nan
    K = np.array([[50.0, 0, 30], [0, 50, 20], [0, 0, 1]])
    image = np.zeros((40, 60, 3), np.uint8)
    added = VoxelCloud(0.001).add_view(depth, sigma, image, K, np.eye(4), max_relative_sigma=0.1)
    # rows 1 to 29 of 60 columns, less two columns along the jump, ten holes and one NaN
    assert added == 29 * 58 - 10 - 1
    edges = at_edges(depth)
    assert edges[5, 29:31].all() and edges.sum() == 39 * 2


def test_nothing_and_far_away() -> None:
    cloud = VoxelCloud(1e-3)
    nothing = np.full((4, 4), np.nan)
    image = np.zeros((4, 4, 3), np.uint8)
    cloud.add_view(nothing, nothing, image, np.eye(3), np.eye(4), max_relative_sigma=1.0)
    cloud.add(np.array([[1e9, 0, 0], [0, 0, np.inf]]), image[0, :2], np.ones(2))
    assert len(cloud) == 0 and cloud.points()[0].shape == (0, 3)
    for voxel in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match="voxel size"):
            VoxelCloud(voxel)
