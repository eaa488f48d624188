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

"""From tokens to pixels: letterbox bookkeeping and upsampling without a half-pixel bias."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from zeroco_ros.matching.flow import (
    fit_letterbox,
    interpolation,
    Letterbox,
    token_flow,
    upsample_flow,
    upsample_map,
)

SIZES = [(480, 640), (360, 540), (370, 1226), (1000, 40), (16, 16), (33, 17), (3000, 4000)]


def token_centers(box: Letterbox) -> np.ndarray:
    """Image pixels (h, w, 2) under the centers of the valid tokens."""
    rows, columns = box.valid
    y, x = np.mgrid[:rows, :columns] * 16.0 + 7.5
    return box.to_image(np.stack([x, y], axis=-1).astype(np.float32))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("keep_aspect", [True, False])
@pytest.mark.parametrize("wanted", [None, (224, 224), (160, 320)])
def test_every_letterbox_is_whole_tokens_and_holds_its_content(size, keep_aspect, wanted):
    box = fit_letterbox(size, size=wanted, max_side=320, keep_aspect=keep_aspect)
    assert box.image == size
    assert box.model[0] % 16 == 0 and box.model[1] % 16 == 0
    assert 1 <= box.content[0] <= box.model[0] and 1 <= box.content[1] <= box.model[1]
    assert max(box.model) <= max(336, *(wanted or (0, 0)))
    assert 1 <= box.valid[0] <= box.grid[0] and 1 <= box.valid[1] <= box.grid[1]
    if wanted is not None:
        assert box.model == wanted
    if keep_aspect and min(box.content) > 30:
        assert box.content[0] / box.content[1] == pytest.approx(size[0] / size[1], rel=0.02)
    if not keep_aspect:
        assert box.content == box.model


@pytest.mark.parametrize("size", SIZES)
def test_points_go_into_the_network_and_back(size):
    box = fit_letterbox(size, max_side=320)
    points = np.random.default_rng(0).uniform(0, 1, (50, 2)) * (np.array(size[::-1]) - 1)
    points = points.astype(np.float32)
    np.testing.assert_allclose(box.to_image(box.to_model(points)), points, atol=1e-3)


def test_the_middle_of_the_image_stays_the_middle_of_the_content():
    box = fit_letterbox((480, 640), size=(224, 224), keep_aspect=False)
    middle = box.to_model(np.array([319.5, 239.5], dtype=np.float32))
    np.testing.assert_allclose(middle, [111.5, 111.5], atol=1e-4)


def test_a_token_counts_as_valid_when_its_center_is_image():
    assert Letterbox((0, 0), (24, 25), (32, 32)).valid == (1, 2)
    assert Letterbox((0, 0), (3, 32), (32, 32)).valid == (1, 2)


def affine_flow(box_t: Letterbox, box_s: Letterbox, matrix: np.ndarray) -> np.ndarray:
    """Token flow of the map x_source = matrix @ (x_target, 1), both in image pixels."""
    centers = token_centers(box_t)
    there = centers @ matrix[:, :2].T + matrix[:, 2]
    own = box_t.to_model(centers)
    return (box_s.to_model(there.astype(np.float32)) - own) / 16


@pytest.mark.parametrize("how", ["direct", "two_step"])
@pytest.mark.parametrize(
    ("target", "source"),
    [((480, 640), (480, 640)), ((360, 540), (300, 500)), ((200, 300), (400, 300))],
)
def test_an_affine_map_survives_tokens_and_upsampling(target, source, how):
    boxes = fit_letterbox(target, max_side=320), fit_letterbox(source, max_side=320)
    matrix = np.array([[0.9, 0.05, 12.3], [-0.02, 1.1, -7.7]])
    flow = upsample_flow(affine_flow(*boxes, matrix), *boxes, how)
    assert flow.shape == (*target, 2) and flow.dtype == np.float32
    y, x = np.mgrid[: target[0], : target[1]].astype(np.float64)
    expected = np.stack([x, y, np.ones_like(x)], axis=-1) @ matrix.T - np.stack([x, y], axis=-1)
    # Beyond the outermost token centers the flow in the network's input is extended unchanged.
    margin = int(np.ceil(16 * target[0] / boxes[0].content[0]))
    inner = np.s_[margin:-margin, margin:-margin]
    np.testing.assert_allclose(
        flow[inner], expected[inner], atol=0.02 if how == "direct" else 0.05
    )


@pytest.mark.parametrize("keep_aspect", [True, False])
@pytest.mark.parametrize("size", [(480, 640), (370, 1226), (100, 90)])
def test_a_translation_is_exact_everywhere(size, keep_aspect):
    box = fit_letterbox(size, max_side=320, keep_aspect=keep_aspect)
    move = np.array([[1.0, 0, 13.0], [0, 1, -5.5]])
    flow = upsample_flow(affine_flow(box, box, move).astype(np.float32), box, box)
    np.testing.assert_allclose(flow, np.broadcast_to([13.0, -5.5], flow.shape), atol=1e-3)


def test_same_pixels_of_two_sizes_match_by_the_scale():
    boxes = fit_letterbox((200, 300), size=(96, 144)), fit_letterbox((400, 600), size=(96, 144))
    flow = upsample_flow(np.zeros((6, 9, 2), np.float32), *boxes)
    y, x = np.mgrid[:200, :300]
    np.testing.assert_allclose(flow[..., 0], x + 0.5, atol=1e-3)
    np.testing.assert_allclose(flow[..., 1], y + 0.5, atol=1e-3)


def test_token_flow_is_relative_to_the_own_token():
    position = torch.tensor([[[0.0, 0], [3, 0], [2, 1], [0, 2]]])
    flow = token_flow(position, (2, 2))
    assert flow[0].tolist() == [[[0, 0], [2, 0]], [[2, 0], [-1, 1]]]


def test_interpolation_equals_torch_without_aligned_corners():
    values = np.random.default_rng(1).normal(size=(1, 1, 9, 1)).astype(np.float32)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(values), size=(50, 1), mode="bilinear", align_corners=False
    )
    mine = interpolation(50, 9, 9 / 50) @ values[0, 0]
    np.testing.assert_allclose(mine, expected[0, 0].numpy(), atol=1e-5)


def test_interpolation_weights_sum_to_one():
    for n_out, n_in in ((7, 1), (480, 15), (5, 40)):
        np.testing.assert_allclose(interpolation(n_out, n_in, n_in / n_out).sum(1), 1, atol=1e-6)


def test_maps_are_upsampled_within_their_range():
    box = fit_letterbox((100, 150), max_side=96)
    values = np.random.default_rng(2).uniform(size=box.valid).astype(np.float32)
    dense = upsample_map(values, box)
    assert dense.shape == (100, 150) and dense.dtype == np.float32
    assert values.min() - 1e-6 <= dense.min() and dense.max() <= values.max() + 1e-6
