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

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from zeroco_ros.errors import ConfigError
from zeroco_ros.estimate.config import PRESETS
from zeroco_ros.evaluation import classical
from zeroco_ros.evaluation.methods import configuration, make_method, NAMES, OURS
from zeroco_ros.evaluation.protocols import homography_flow

TURN = np.array([[0.9, 0.35, -20.0], [-0.3, 0.95, 40.0], [1e-4, 2e-4, 1.0]])


def _picture(height: int, width: int) -> np.ndarray:
    """Blobs of many sizes, for SIFT to find."""
    random = np.random.default_rng(3)
    image = np.full((height, width), 128, np.uint8)
    for _ in range(400):
        center = (int(random.integers(width)), int(random.integers(height)))
        cv2.circle(image, center, int(random.integers(2, 12)), int(random.integers(256)), -1)
    return np.repeat(image[..., None], 3, axis=2)


def test_sift_finds_a_plane_that_moved() -> None:
    source = _picture(240, 320)
    flow = homography_flow(TURN, 240, 320)
    place = flow + np.stack(np.meshgrid(np.arange(320), np.arange(240)), axis=-1)
    target = cv2.remap(source, place.astype(np.float32), None, cv2.INTER_LINEAR)
    estimate = make_method("sift").estimate(target, source)
    assert not estimate.failed and estimate.flow.dtype == np.float32
    assert np.median(np.hypot(*(estimate.flow - flow).transpose(2, 0, 1))) < 0.3


@pytest.mark.parametrize("seed", [None, 0])
def test_without_a_homography_the_answer_is_zero_and_a_failure(seed: int | None) -> None:
    """Nothing to detect, or nothing in common."""
    target = np.zeros((100, 120, 3), np.uint8)
    if seed is not None:
        target = np.random.default_rng(seed).integers(0, 256, target.shape, dtype=np.uint8)
    source = _picture(100, 120)
    assert classical.sift_homography(target, source) is None
    estimate = make_method("sift").estimate(target, source)
    assert estimate.failed and not estimate.flow.any() and estimate.uncertainty() == {}


@pytest.mark.parametrize("method", [classical.dis, classical.farneback])
def test_thin_and_differing_images_are_no_trouble(
    method: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> None:
    picture = _picture(120, 160)
    for target, source in (
        (picture[:24, :150], picture[:24, :150]),
        (picture, picture[:110, :130]),
        (picture[:100, :140], picture),
    ):
        flow = method(target, source)
        assert flow.shape == (*target.shape[:2], 2) and flow.dtype == np.float32
        assert np.abs(np.median(flow, axis=(0, 1))).max() < 0.5


def test_names_are_one_list_and_parts_vary_the_default() -> None:
    assert len(set(NAMES)) == len(NAMES) and set(OURS) < set(NAMES)
    for name, head, refine in (
        ("coarse", "none", "none"),
        ("coarse-dis", "none", "dis"),
        ("head", "x", "none"),
        ("default", "x", PRESETS["default"].refine),
        ("paper", "none", "none"),
    ):
        config = configuration(name, head="x")
        assert (config.head, config.refine) == (head, refine)
    with pytest.raises(ConfigError, match="no learned head"):
        configuration("head", head="none")
