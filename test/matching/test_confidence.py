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

"""Forward-backward consistency, texture and the confidence made of them."""

from __future__ import annotations

import numpy as np
import pytest

from zeroco_ros.matching.confidence import (
    forward_backward_error,
    occlusion,
    texture,
    token_confidence,
)


def homography_flow(matrix: np.ndarray, height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width].astype(np.float64)
    point = np.stack([x, y, np.ones_like(x)], axis=-1) @ matrix.T
    return (point[..., :2] / point[..., 2:] - np.stack([x, y], axis=-1)).astype(np.float32)


def test_a_homography_and_its_inverse_lead_back():
    matrix = np.array([[1.02, 0.03, 4.0], [-0.02, 0.97, 3.0], [1e-4, -5e-5, 1.0]])
    forward = homography_flow(matrix, 60, 80)
    backward = homography_flow(np.linalg.inv(matrix), 60, 80)
    error = forward_backward_error(forward, backward)
    inside = np.isfinite(error)
    assert 0.7 < inside.mean() < 1
    # Bilinear sampling of a smooth field, and the half pixel at the border: well below a pixel.
    assert np.quantile(error[inside], 0.95) < 0.05
    assert error[inside].max() < 0.6
    outside_x = forward[..., 0] + np.arange(80) > 79.5
    assert np.isinf(error[outside_x]).all()


def test_an_inconsistent_match_shows_its_distance():
    forward = np.zeros((20, 30, 2), np.float32)
    backward = np.full((20, 30, 2), (3.0, 4.0), np.float32)
    np.testing.assert_allclose(forward_backward_error(forward, backward), 5.0, atol=1e-5)


def test_images_of_two_sizes():
    forward = homography_flow(np.diag([2.0, 2, 1]), 20, 30)
    backward = homography_flow(np.diag([0.5, 0.5, 1]), 40, 60)
    assert forward_backward_error(forward, backward).max() < 1e-3


@pytest.mark.parametrize("level", [0, 17, 255])
def test_a_constant_image_has_no_texture(level: int):
    assert texture(np.full((64, 96), level, np.uint8), (4, 6)).max() == 0


def test_noise_of_a_dark_sensor_is_not_texture_but_a_pattern_is():
    rng = np.random.default_rng(0)
    noise = np.clip(rng.normal(10, 1.0, (96, 96)), 0, 255).astype(np.uint8)
    assert texture(noise, (6, 6)).max() < 0.1
    pattern = (np.indices((96, 96)).sum(0) // 8 % 2 * 60 + 90).astype(np.uint8)
    assert texture(pattern, (6, 6)).min() == 1


def test_texture_is_local():
    image = np.full((96, 192), 100, np.uint8)
    image[:, :64] = np.random.default_rng(1).integers(0, 255, (96, 64))
    values = texture(image, (6, 12))
    assert values[:, :4].min() == 1 and values[:, 6:].max() == 0


def test_confidence_falls_with_every_cause_of_doubt():
    one = np.ones((1, 4), np.float32)
    error = np.array([[0, 0.6, 3, np.inf]], np.float32)
    falling = token_confidence(one, error, one, one)
    np.testing.assert_allclose(falling[0, :2], [1, 0.5], atol=1e-6)
    assert falling[0, 2] < 0.1 and falling[0, 3] == 0
    still = np.zeros((1, 4), np.float32)
    mass = np.array([[0, 0.3, 0.6, 1]], np.float32)
    np.testing.assert_allclose(token_confidence(mass, still, one, one), mass)
    assert token_confidence(one, still, still, one).max() == 0
    assert token_confidence(one, still, one, still).max() == 0


def test_occlusion_marks_what_does_not_lead_back():
    flow = np.zeros((1, 4, 2), np.float32)
    flow[0, 3] = (200, 0)
    error = np.array([[0.5, 4, np.inf, 8]], np.float32)
    confidence = np.ones((1, 4), np.float32)
    assert occlusion(flow, error, confidence).tolist() == [[False, True, True, False]]
    assert occlusion(flow, error, np.zeros_like(confidence)).all()
