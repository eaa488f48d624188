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

"""Poses of an image and the way back from their pixels."""

from __future__ import annotations

import numpy as np
import pytest

from zeroco_ros.matching.alignment import Pose, posed, SQUEEZES, TURNS


def spotted(height: int, width: int, places: list[tuple[int, int]]) -> np.ndarray:
    """Black with white 5x5 spots around (x, y)."""
    image = np.zeros((height, width, 3), np.uint8)
    for x, y in places:
        image[y - 2 : y + 3, x - 2 : x + 3] = 255
    return image


@pytest.mark.parametrize("stretch", [(1.0, 1.0), *SQUEEZES])
@pytest.mark.parametrize("angle", [0.0, *TURNS])
def test_a_spot_is_found_where_it_came_from(angle: float, stretch: tuple[float, float]):
    for place in [(20, 15), (60, 70), (110, 30)]:
        copy = posed(spotted(90, 130, [place]), Pose(angle, stretch))
        weight = copy.image[..., 0].astype(np.float64)
        y, x = np.mgrid[0 : weight.shape[0], 0 : weight.shape[1]]
        center = np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()
        np.testing.assert_allclose(copy.to_source(center.astype(np.float32)), place, atol=0.4)


def test_a_quarter_turn_moves_pixels_exactly():
    image = np.random.default_rng(1).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    np.testing.assert_array_equal(posed(image, Pose(90)).image, np.rot90(image, -1))
    np.testing.assert_array_equal(posed(image, Pose(180)).image, image[::-1, ::-1])
    np.testing.assert_array_equal(posed(image, Pose()).image, image)


def test_flow_to_a_posed_image_leads_to_the_source():
    image = np.zeros((48, 64, 3), np.uint8)
    copy = posed(image, Pose(90))
    y, x = np.mgrid[0:48, 0:64].astype(np.float32)
    there = np.stack([47 - y, x], -1)  # where a quarter turn takes each pixel
    flow = copy.flow_to_source((there - np.stack([x, y], -1)).astype(np.float32))
    np.testing.assert_allclose(flow, 0, atol=1e-4)


def test_nothing_is_cut_off_and_thin_images_survive():
    for size in [(16, 200), (200, 16), (17, 19)]:
        image = np.full((*size, 3), 255, np.uint8)
        for angle in TURNS:
            copy = posed(image, Pose(angle))
            assert min(copy.image.shape[:2]) >= 16
            total = copy.image[..., 0].sum() / 255
            assert total == pytest.approx(size[0] * size[1], rel=0.06)
