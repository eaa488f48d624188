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

"""Heads on the backbone's volume: flow in pixels, on any grid."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn, Tensor
from torch.nn import functional

from zeroco_ros.croco.descriptors import MatchDescriptors, PairDescriptors
from zeroco_ros.errors import ConfigError
from zeroco_ros.heads.aggregation import AggregationConfig, AggregationHead
from zeroco_ros.heads.dense import dense_flow
from zeroco_ros.heads.super_resolution import (
    RefinementConfig,
    SuperResolutionConfig,
    SuperResolutionHead,
)

Noise = Callable[..., Tensor]
Grid = tuple[int, int]
HEADS: dict[str, Callable[[], nn.Module]] = {
    "aggregation": lambda: AggregationHead(
        AggregationConfig(tokens=12, dim=8, heads=2, guide=4, fine=4, beta=0.02)
    ),
    "super_resolution": lambda: SuperResolutionHead(
        SuperResolutionConfig(
            tokens=12, image=4, radius=1, refinement=RefinementConfig(dim=16, heads=4, hidden=8)
        )
    ),
}


def _side(
    queries: Tensor, keys: Tensor, target: Grid, source: Grid, features: bool = True
) -> MatchDescriptors:
    tokens = torch.zeros(1, target[0] * target[1], 12)
    return MatchDescriptors(
        queries[None, None], keys[None, None], (tokens,) if features else None, target, source
    )


def _shifted(grid: Grid, by: int, features: bool = True) -> PairDescriptors:
    """Descriptors of a pair in which everything is `by` tokens further right in the source."""
    rows, columns = grid
    codes = torch.eye(rows * (columns + by)).view(rows, columns + by, -1)
    target, source = codes[:, by:].flatten(0, 1), codes[:, :columns].flatten(0, 1)
    return PairDescriptors(
        _side(target, source, grid, grid, features), _side(source, target, grid, grid, features)
    )


@pytest.mark.parametrize("grid", [(4, 4), (3, 6)])
@pytest.mark.parametrize("kind", HEADS)
def test_untrained_heads_find_a_shift(kind: str, grid: Grid) -> None:
    images = torch.zeros(1, 3, 16 * grid[0], 16 * grid[1])
    with torch.inference_mode():
        ahead, back = dense_flow(
            HEADS[kind]().eval(), _shifted(grid, 1), (images, images), beta=0.02
        )
    # A token of the target is one further right in the source; the last column has no match.
    inner = (0, slice(None), slice(None), slice(8, -28))
    expected = torch.tensor([16.0, 0.0])[:, None, None]
    torch.testing.assert_close(
        ahead.flow[inner], expected.expand_as(ahead.flow[inner]), atol=0.01, rtol=0
    )
    inner = (0, slice(None), slice(None), slice(28, -8))
    torch.testing.assert_close(
        back.flow[inner], -expected.expand_as(back.flow[inner]), atol=0.01, rtol=0
    )
    assert ahead.certainty.shape == (1, 1, *images.shape[2:])


@pytest.mark.parametrize("kind", HEADS)
def test_grids_may_differ(kind: str, noise: Noise) -> None:
    target, source = (3, 5), (4, 2)
    pair = PairDescriptors(
        _side(noise(15, 6), noise(8, 6), target, source),
        _side(noise(8, 6), noise(15, 6), source, target),
    )
    images = noise(1, 3, 48, 80), noise(1, 3, 64, 32)
    ahead, back = dense_flow(HEADS[kind](), pair, images, beta=0.1)
    assert ahead.flow.shape == (1, 2, 48, 80)
    assert back.flow.shape == (1, 2, 64, 32)
    assert bool(torch.isfinite(ahead.flow).all() & torch.isfinite(back.certainty).all())


@pytest.mark.parametrize("kind", HEADS)
def test_missing_features_are_named(kind: str) -> None:
    images = torch.zeros(1, 3, 64, 64)
    with pytest.raises(ConfigError, match="features=True"):
        dense_flow(HEADS[kind](), _shifted((4, 4), 1, False), (images, images), beta=0.1)


@pytest.mark.parametrize("kind", HEADS)
def test_a_few_steps_lower_the_error(kind: str, noise: Noise) -> None:
    """Both heads can learn a constant error of the coarse match away."""
    torch.manual_seed(0)
    head = HEADS[kind]()
    images = noise(1, 3, 64, 64), noise(1, 3, 64, 64)
    pair = _shifted((4, 4), 1)
    wanted = torch.tensor([12.0, 3.0]).view(1, 2, 1, 1).expand(1, 2, 64, 64)
    optimizer = torch.optim.Adam(head.parameters(), lr=5e-3)
    errors = []
    for _ in range(15):
        ahead, _ = dense_flow(head, pair, images, beta=0.02, readout="soft")
        error = (ahead.flow - wanted).norm(dim=1).mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        errors.append(float(error.detach()))
    assert errors[-1] < 0.8 * errors[0]


def test_certainty_is_the_logit_of_the_mass(noise: Noise) -> None:
    """A match that nothing competes with is surer than one among equals."""
    images = torch.zeros(1, 3, 64, 64)
    flat = PairDescriptors(*(_side(torch.zeros(16, 3), torch.zeros(16, 3), (4, 4), (4, 4)),) * 2)
    head = HEADS["super_resolution"]()
    sure, _ = dense_flow(head, _shifted((4, 4), 1), (images, images), beta=0.02)
    unsure, _ = dense_flow(head, flat, (images, images), beta=0.02)
    assert float(functional.sigmoid(sure.certainty).median()) > 0.9
    assert float(functional.sigmoid(unsure.certainty).max()) < 0.6


@pytest.mark.parametrize("kind", HEADS)
def test_autocast_does_not_round_positions(kind: str) -> None:
    """As training runs: convolutions in bfloat16, positions exact."""
    images = torch.zeros(1, 3, 64, 96)
    head = HEADS[kind]().eval()
    pair = _shifted((4, 6), 1)
    with torch.inference_mode():
        expected, _ = dense_flow(head, pair, (images, images), beta=0.02)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            ahead, _ = dense_flow(head, pair, (images, images), beta=0.02)
    torch.testing.assert_close(ahead.flow, expected.flow, atol=0.02, rtol=0)
