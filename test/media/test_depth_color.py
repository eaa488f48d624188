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

from __future__ import annotations

import numpy as np
import pytest

from zeroco_ros.media.depth_color import (
    depth_to_color,
    DepthRange,
    sigma_to_color,
    typical_range,
)
from zeroco_ros.media.depth_panels import depth_panel, depth_row, depth_strip, sigma_panel

METERS = DepthRange(1.0, 4.0, metric=True)


def _is_gray(colors: np.ndarray) -> np.ndarray:
    return (colors[..., 0] == colors[..., 1]) & (colors[..., 1] == colors[..., 2])


def test_near_is_red_far_is_blue_and_equal_ratios_are_equal_steps() -> None:
    near, middle, far = depth_to_color(np.array([[1.0, 2.0, 4.0]]), METERS)[0].astype(int)
    assert near[0] > 150 > near[2] and far[2] > 80 > far[0]
    assert middle[1] > 220
    # twice as far is the same color on a scale that is twice as far
    double = depth_to_color(np.array([[2.0, 4.0, 8.0]]), DepthRange(2.0, 8.0, True))[0]
    assert np.array_equal(double, np.array([near, middle, far]))


def test_beyond_the_ends_is_the_end() -> None:
    colors = depth_to_color(np.array([[0.1, 1.0, 4.0, 900.0]]), METERS)[0]
    assert np.array_equal(colors[0], colors[1]) and np.array_equal(colors[2], colors[3])


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, -1.0])
def test_unknown_is_a_gray_pattern_that_no_depth_has(value: float) -> None:
    picture = depth_to_color(np.full((32, 32), value), METERS)
    assert _is_gray(picture).all() and len(np.unique(picture)) == 2
    every = depth_to_color(np.geomspace(0.5, 8, 5000)[None], METERS)
    assert not _is_gray(every).any()
    sigma = sigma_to_color(np.full((32, 32), value), np.ones((32, 32)))
    assert np.array_equal(sigma, picture)


def test_a_larger_share_of_the_depth_is_brighter_whatever_the_unit() -> None:
    sigma = np.array([[0.001, 0.01, 0.1, 0.9]])
    colors = sigma_to_color(np.ones_like(sigma), sigma).astype(int)
    assert (np.diff(colors[0] @ (299, 587, 114)) > 0).all()
    assert np.array_equal(sigma_to_color(10 * np.ones_like(sigma), 10 * sigma), colors)
    assert _is_gray(sigma_to_color(np.ones((1, 3)), np.array([[np.nan, np.inf, -1.0]]))).all()


def test_the_typical_range_leaves_outliers_out() -> None:
    depth = np.linspace(1, 3, 10_000).reshape(100, 100)
    depth[0, :50], depth[1, :50] = np.nan, 1e6
    shown = typical_range(depth, metric=False)
    assert shown.near == pytest.approx(1.04, abs=0.03) and shown.far == pytest.approx(3, abs=0.06)
    assert (shown.metric, shown.unit) == (False, "relative")


def test_a_wall_and_nothing_have_a_range_too() -> None:
    wall = typical_range(np.full((5, 5), 2.0), metric=True)
    assert wall.far / wall.near == pytest.approx(1.5) and wall.near < 2 < wall.far
    assert wall.unit == "m"
    nothing = typical_range(np.full((5, 5), np.nan), metric=True)
    assert 0 < nothing.near < nothing.far


@pytest.mark.parametrize("shape", [(200, 300), (9, 9), (1, 1)])
def test_panels_keep_the_size(shape: tuple[int, int]) -> None:
    depth = np.full(shape, 2.0)
    assert depth_panel(depth, METERS).shape == (*shape, 3)
    assert sigma_panel(depth, depth).shape == (*shape, 3)


def test_the_bar_shows_the_colors_of_the_picture() -> None:
    panel = depth_panel(np.full((200, 300), np.nan), METERS)
    row = panel[200 - 12]
    colored = ~_is_gray(row)
    ends = depth_to_color(np.array([[1.0, 4.0]]), METERS)[0].astype(int)
    bar = row[colored].astype(int)
    assert colored.sum() >= 90
    assert np.abs(bar[0] - ends[0]).max() < 12 and np.abs(bar[-1] - ends[1]).max() < 12


def test_the_strip_has_three_columns_and_a_row_per_frame() -> None:
    image = np.full((60, 80, 3), 7, np.uint8)
    depth = np.full((60, 80), 2.0)
    row = depth_row(image, depth, depth, METERS, "0.1 s")
    assert [label for label, _ in row] == ["image 0.1 s", "depth", "standard deviation"]
    one, two = depth_strip([row]), depth_strip([row, row])
    assert one.shape[1] == 3 * 80 + 2 * 4 and two.shape == (2 * one.shape[0] + 4, one.shape[1], 3)
    assert (one[-60:, :80] == 7).all()
    relative = depth_row(image, depth, depth, DepthRange(1.0, 2.0, False))
    assert relative[1][0] == "depth, scale unknown"
    with pytest.raises(ValueError, match="equal length"):
        depth_strip([row, row[:2]])
