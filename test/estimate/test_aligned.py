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

"""Hard pairs: the source is tried in other poses."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from zeroco_ros.estimate.config import FlowConfig
from zeroco_ros.estimate.flow import FlowEstimator

PLAIN = FlowConfig(max_side=256, readout="hard", refine="none", register_fix=False, alignment=True)
METADATA = {"matching": {"beta": 0.05, "register_fix": False}}


def estimator(backend: Any, **changes: Any) -> FlowEstimator:
    config = dataclasses.replace(PLAIN, **changes)
    return FlowEstimator.from_backend(backend, config, metadata=METADATA)


def window(scene: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(scene[96:288, 96:352])


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_turned_image_is_matched(patches, scene, quarters: int):
    image = window(scene)
    turned = np.ascontiguousarray(np.rot90(image, quarters))
    result = estimator(patches).estimate(image, turned)
    height, width = image.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    there = {
        1: (y, width - 1 - x),
        2: (width - 1 - x, height - 1 - y),
        3: (height - 1 - y, x),
    }[quarters]
    truth = np.stack(there, -1) - np.stack([x, y], -1)
    error = np.linalg.norm(result.flow - truth, axis=2)
    assert np.median(error) < 0.01
    assert (error < 1).mean() > 0.9
    assert result.flow.shape == (*image.shape[:2], 2) and result.flow.dtype == np.float32
    assert (result.forward_backward_error < 1).mean() > 0.9
    tokens = result.coarse
    rows, columns = tokens.shape[:2]
    at = result.flow[8::16, 8::16][:rows, :columns] / 16
    assert np.median(np.abs(tokens - at)) < 0.07


def test_without_alignment_a_turned_image_is_not_matched(patches, scene):
    image = window(scene)
    turned = np.ascontiguousarray(image[::-1, ::-1])
    result = estimator(patches, alignment=False).estimate(image, turned)
    height, width = image.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    truth = np.stack([width - 1 - 2 * x, height - 1 - 2 * y], -1)
    assert np.median(np.linalg.norm(result.flow - truth, axis=2)) > 20


def test_a_pair_that_agrees_is_not_tried_in_other_poses(patches, scene):
    running = estimator(patches)
    before = patches.encoded
    running.estimate(window(scene), window(scene))
    assert patches.encoded - before == 2


def test_a_pair_without_anything_in_common_costs_nine_tries_and_keeps_its_pose(patches, scene):
    noise = np.random.default_rng(5).integers(0, 255, (192, 256, 3), dtype=np.uint8)
    flat = np.full_like(noise, 128)
    running = estimator(patches)
    before = patches.encoded
    result = running.estimate(window(scene), flat)
    assert patches.encoded - before <= 2 + 9 + 1
    assert np.isfinite(result.flow).all()
    assert np.isfinite(running.estimate(window(scene), noise).flow).all()


def test_the_largest_allowed_image_may_be_turned(patches, scene):
    image = window(scene)
    limit = image.shape[0] * image.shape[1]
    turned = np.ascontiguousarray(np.rot90(image, 1))
    assert np.isfinite(estimator(patches, max_pixels=limit).estimate(image, turned).flow).all()
