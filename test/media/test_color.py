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

from zeroco_ros.media.color import (
    color_wheel,
    confidence_to_color,
    flow_to_color,
    typical_magnitude,
    wheel_legend,
)
from zeroco_ros.media.panels import confidence_panel, flow_panel, side_by_side, warped


def _color(u: float, v: float, max_magnitude: float = 1.0) -> tuple[int, ...]:
    return tuple(int(c) for c in flow_to_color(np.array([[[u, v]]]), max_magnitude)[0, 0])


def test_the_wheel_is_middleburys() -> None:
    wheel = np.round(color_wheel() * 255).astype(int)
    assert wheel.shape == (55, 3)
    # first hues of the six stretches, then one inside of each kind of ramp
    assert [tuple(wheel[i]) for i in (0, 15, 21, 25, 36, 49)] == [
        (255, 0, 0),
        (255, 255, 0),
        (0, 255, 0),
        (0, 255, 255),
        (0, 0, 255),
        (255, 0, 255),
    ]
    assert tuple(wheel[1]) == (255, 17, 0) and tuple(wheel[16]) == (213, 255, 0)


@pytest.mark.parametrize(
    ("direction", "expected"),
    [
        ((1, 0), (255, 0, 0)),  # right: red
        ((0, 1), (255, 229, 0)),  # down: yellow
        ((-1, 0), (0, 209, 255)),  # left: toward cyan
        ((0, -1), (88, 0, 255)),  # up: violet
    ],
)
def test_directions_have_their_hues(direction: tuple[int, int], expected: tuple[int, ...]) -> None:
    assert np.abs(np.subtract(_color(*direction), expected)).max() <= 1


def test_length_is_saturation_and_beyond_the_maximum_it_darkens() -> None:
    assert _color(0, 0) == (255, 255, 255)
    assert _color(2, 0, 4) == (255, 127, 127)
    assert _color(9, 0, 4) == (191, 0, 0)


def test_unknown_is_black_and_does_not_set_the_scale() -> None:
    flow = np.full((4, 4, 2), 3.0)
    flow[0, 0] = np.nan
    flow[0, 1] = 1e9
    flow[0, 2] = (np.inf, 0)
    picture = flow_to_color(flow)
    assert (picture[0, :3] == 0).all()
    assert (picture[0, 3] == _color(1, 1, np.sqrt(2))).all()


def test_outliers_do_not_bleach_the_picture() -> None:
    flow = np.full((20, 20, 2), 3.0)
    flow[0, 0] = 5000
    assert typical_magnitude(flow) == pytest.approx(3 * np.sqrt(2))


def test_nothing_known_and_no_motion_have_a_picture() -> None:
    assert (flow_to_color(np.full((3, 3, 2), np.nan)) == 0).all()
    assert (flow_to_color(np.zeros((3, 3, 2))) == 255).all()


def test_confidence_grows_brighter_and_nan_is_black() -> None:
    colors = confidence_to_color(np.array([[0.0, 0.5, 1.0, np.nan, 7.0]]))[0].astype(int)
    brightness = colors @ (299, 587, 114)
    assert brightness[0] < brightness[1] < brightness[2]
    assert (colors[3] == 0).all() and (colors[4] == colors[2]).all()


def test_legend_shows_each_direction_where_it_points() -> None:
    wheel = wheel_legend(65)
    assert (wheel[0, 0] == 0).all() and (wheel[32, 32] > 240).all()
    right, left = wheel[32, 62].astype(int), wheel[32, 2].astype(int)
    assert right[0] > 200 > right[2] and left[2] > 200 > left[0]


def test_side_by_side_keeps_pictures_and_shapes() -> None:
    wide = np.full((60, 100, 3), 10, dtype=np.uint8)
    small = np.full((30, 20, 3), 200, dtype=np.uint8)
    row = side_by_side([("one", wide), ("two", small)])
    assert (row[-60:, :100] == 10).all()
    assert row.shape[1] == 100 + 4 + 40 and (row[-60:, 104:] == 200).all()
    grid = side_by_side([("a", wide), ("b", wide), ("c", wide)], columns=2)
    assert grid.shape == (2 * row.shape[0] + 4, 204, 3)


def test_panels_keep_the_size_and_small_ones_have_no_legend() -> None:
    for shape in ((200, 300), (9, 9), (1, 1)):
        assert flow_panel(np.ones((*shape, 2))).shape == (*shape, 3)
        assert confidence_panel(np.ones(shape)).shape == (*shape, 3)
    small = np.ones((9, 9, 2))
    assert np.array_equal(flow_panel(small), flow_to_color(small))


def test_warped_pulls_the_source_to_the_target() -> None:
    source = np.random.default_rng(0).integers(1, 256, (20, 30, 3), dtype=np.uint8)
    flow = np.zeros((20, 30, 2))
    flow[..., 0] = 4
    flow[5, 5] = np.nan
    image = warped(source, flow)
    assert np.array_equal(image[6:, :26], source[6:, 4:])
    assert (image[:, 26:] == 0).all() and (image[5, 5] == 0).all()
