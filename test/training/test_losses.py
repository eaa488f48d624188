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

"""The loss against values computed by hand, and its gradient against differences."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from zeroco_ros.croco.descriptors import MatchDescriptors
from zeroco_ros.training.losses import (
    bilinear_targets,
    cost_volume,
    expected_flow,
    matching_terms,
    regression_term,
    Term,
)


def descriptors(queries: Tensor, keys: Tensor, grid: tuple[int, int]) -> MatchDescriptors:
    return MatchDescriptors(queries, keys, None, grid, grid)


def test_cost_volume_is_the_mean_of_the_layers() -> None:
    queries = torch.tensor([[[[1.0, 2.0]]], [[[3.0, 0.0]]]])  # two layers, one token, D = 2
    keys = torch.tensor([[[[5.0, 1.0]]], [[[2.0, 9.0]]]])
    volume = cost_volume(descriptors(queries, keys, (1, 1)))
    assert volume.tolist() == [[[(7.0 + 6.0) / 2]]]


def test_targets_between_cells_are_shared_by_them() -> None:
    flow = torch.zeros(1, 2, 3, 2)
    flow[0, 0, 0] = torch.tensor([4.0, 0.0])  # a quarter of a cell to the right
    flow[0, 1, 1] = torch.tensor([8.0, -8.0])  # half a cell right and up
    flow[0, 0, 2] = torch.tensor([5.0, -3.0])  # beyond the border cell's center
    indices, weights = bilinear_targets(flow, 16)

    def share(token: int) -> dict[int, float]:
        pairs = zip(indices[0, token].tolist(), weights[0, token].tolist(), strict=True)
        return {cell: weight for cell, weight in pairs if weight > 0}

    assert share(0) == {0: 0.75, 1: 0.25}
    assert share(4) == {1: 0.25, 2: 0.25, 4: 0.25, 5: 0.25}
    assert share(2) == {2: 1.0}
    torch.testing.assert_close(weights.sum(2), torch.ones(1, 6))


def mean(term: Term) -> Tensor:
    return term.sum / term.cells


def test_matching_terms_by_hand() -> None:
    logits = torch.tensor([[[math.log(3.0), 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [5.0, 0, 0, 0]]])
    flow = torch.zeros(1, 2, 2, 2)
    visible = torch.tensor([[[True, True], [True, False]]])
    match, occluded = matching_terms(logits, flow, visible, 16)
    assert float(mean(match)) == pytest.approx((math.log(2.0) + 2 * math.log(4.0)) / 3)
    total = math.exp(5) + 3
    uniform = math.log(total) - 5.0 / 4 - math.log(4)
    assert float(mean(occluded)) == pytest.approx(uniform, rel=1e-5)
    assert (float(match.cells), float(occluded.cells)) == (3, 1)


def test_a_cell_for_no_match_by_hand() -> None:
    logits = torch.zeros(1, 4, 4)
    flow = torch.zeros(1, 2, 2, 2)
    visible = torch.tensor([[[True, True], [True, False]]])
    match, occluded = matching_terms(logits, flow, visible, 16, torch.tensor(math.log(4.0)))
    assert float(mean(match)) == pytest.approx(math.log(8.0))  # e^0 of 4 e^0 + 4
    assert float(mean(occluded)) == pytest.approx(math.log(2.0))


def test_the_soft_argmax_is_in_pixels() -> None:
    logits = torch.full((1, 6, 6), -50.0)
    logits[0, :, 5] = 0.0  # every cell of 2 x 3 matches the last one
    flow = expected_flow(logits, (2, 3), 16)
    assert flow[0, 0, 0].tolist() == pytest.approx([32, 16])
    assert flow[0, 1, 2].tolist() == pytest.approx([0, 0])
    logits[0, 0, 4] = 0.0  # half of it one cell to the left
    assert expected_flow(logits, (2, 3), 16)[0, 0, 0].tolist() == pytest.approx([24, 16])


def test_the_regression_term_by_hand() -> None:
    logits = 100 * torch.eye(6).unsqueeze(0)  # no motion
    flow = torch.zeros(1, 2, 3, 2)
    flow[0, 0, 0] = torch.tensor([3.0, 4.0])
    flow[0, 1, 1] = 1e30  # where nothing is seen, anything may stand
    visible = torch.ones(1, 2, 3, dtype=torch.bool)
    visible[0, 1, 1] = False
    term = regression_term(logits, flow, visible, 16)
    assert float(term.sum) == pytest.approx(math.sqrt(25.01) + 4 * 0.1, rel=1e-5)
    assert float(term.cells) == 5


def test_gradient_of_the_logits_and_the_temperature() -> None:
    """In double precision through the row and column terms; cost_volume itself is float32."""
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(1, 6, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    log_scale = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    no_match = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    flow = 10 * torch.randn(1, 2, 3, 2, generator=generator, dtype=torch.float64)
    visible = torch.tensor([[[True, True, False], [True, False, True]]])

    def loss(volume: Tensor, scale: Tensor, cell: Tensor) -> Tensor:
        terms = []
        for side in (volume * scale.exp(), volume.transpose(1, 2) * scale.exp()):
            terms += matching_terms(side, flow, visible, 16)
            terms += matching_terms(side, flow, visible, 16, cell)
            terms.append(regression_term(side, flow, visible, 16))
        return torch.stack([mean(term) for term in terms]).sum()

    assert torch.autograd.gradcheck(loss, (logits, log_scale, no_match))
