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

"""The dense zoom-in, with a matcher that reads the answer from images of coordinates."""

from __future__ import annotations

import pytest
import torch

from zeroco_ros.geometry.warp import warp
from zeroco_ros.matching.zoom import dense_zoom, resize_flow

HEIGHT, WIDTH, TILE = 120, 160, (48, 64)


def coordinates() -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    return torch.stack([x, y, torch.ones(HEIGHT, WIDTH)]).float()[None]


class Oracle:
    """Tiles whose pixels say where they come from: their difference is the residual flow."""

    def __init__(self, ratio: int, *, align_corners: bool) -> None:
        pinned = 1 if align_corners else 0
        self.scale = torch.tensor(
            [
                (TILE[1] * ratio - pinned) / (WIDTH - pinned),
                (TILE[0] * ratio - pinned) / (HEIGHT - pinned),
            ]
        ).view(1, 2, 1, 1)
        self.calls: list[int] = []

    def __call__(self, target: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
        assert target.shape[-2:] == TILE and target.shape == source.shape
        self.calls.append(len(target))
        return (target - source)[:, :2] * self.scale


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("ratio", [2, 3])
def test_a_wrong_first_flow_is_corrected(ratio: int, align_corners: bool):
    """The truth is (7.3, -4.6); the first flow says (4, -2) there and (0, 0) back."""
    truth = torch.tensor([7.3, -4.6]).view(1, 2, 1, 1)
    source = coordinates()
    target = source.clone()
    target[:, :2] += truth
    first = torch.tensor([4.0, -2.0]).view(1, 2, 1, 1).expand(1, 2, HEIGHT, WIDTH)
    oracle = Oracle(ratio, align_corners=align_corners)
    result = dense_zoom(
        (target, source), (first, 0 * first), TILE, [ratio], oracle, align_corners=align_corners
    )
    inner = (..., slice(24, -24), slice(24, -24))
    torch.testing.assert_close(
        result.flow[inner], truth.expand_as(result.flow)[inner], atol=0.02, rtol=0
    )
    torch.testing.assert_close(
        result.backward[inner], -truth.expand_as(result.flow)[inner], atol=0.02, rtol=0
    )
    assert result.uncertainty[inner].max() < 0.05
    assert oracle.calls == [2 * ratio**2]  # all tiles of both directions at once


def test_the_best_candidate_per_pixel_wins():
    """Left half: the first flow is right and the zoom wrong; right half: the other way round."""
    truth = torch.zeros(1, 2, HEIGHT, WIDTH)
    first = truth.clone()
    first[..., WIDTH // 2 :] = 5

    def half_right(target: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
        flow = (target - source)[:, :2] * 2 * TILE[0] / HEIGHT
        left = target[:, :1] < WIDTH / 2
        return torch.where(left, torch.full_like(flow, 9.0), flow)

    result = dense_zoom(
        (coordinates(), coordinates()), (first, truth), TILE, [2], half_right, align_corners=False
    )
    for columns in (slice(8, 70), slice(90, 140)):
        assert result.flow[..., 20:-20, columns].abs().max() < 0.05


def test_uncertainty_is_the_forward_backward_error():
    first = torch.full((1, 2, HEIGHT, WIDTH), 3.0)
    image = torch.zeros(1, 3, HEIGHT, WIDTH)
    result = dense_zoom((image, image), (first, first), TILE, [2], lambda t, s: (t - s)[:, :2] * 0)
    expected = torch.linalg.vector_norm(first + warp(first, first), dim=1, keepdim=True)
    torch.testing.assert_close(result.uncertainty, expected)


def test_resizing_a_flow_scales_its_vectors():
    flow = torch.ones(1, 2, 10, 20)
    plain = resize_flow(flow, (40, 30))
    assert plain.shape == (1, 2, 40, 30)
    assert plain[:, 0].unique().item() == pytest.approx(1.5)
    assert plain[:, 1].unique().item() == pytest.approx(4.0)
    pinned = resize_flow(flow, (40, 30), align_corners=True)
    assert pinned[:, 0].mean().item() == pytest.approx(29 / 19)
    assert pinned[:, 1].mean().item() == pytest.approx(39 / 9)
