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

"""Correlation look-ups: the released numbers of RAFT and RAFT-Stereo, and the local forms."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from zeroco_ros.heads.correlation import (
    cell_positions,
    CorrelationPyramid,
    LocalCorrelation,
    StereoPyramid,
)

Noise = Callable[..., Tensor]
LOOKUPS = [CorrelationPyramid, LocalCorrelation]


def _raft(golden: Callable) -> tuple[dict[str, np.ndarray], list[Tensor]]:
    arrays = golden("raft")
    return arrays, [torch.from_numpy(arrays[key]) for key in ("fmap1", "fmap2", "coords")]


@pytest.mark.parametrize("kind", LOOKUPS)
def test_raft_lookup(kind: type, golden: Callable) -> None:
    arrays, (target, source, positions) = _raft(golden)
    out = kind(target, source)(positions, 4)
    np.testing.assert_allclose(out[..., ::4, ::4].numpy(), arrays["corr_r4_s4"], atol=1e-5)
    np.testing.assert_allclose(out.double().sum(1).numpy(), arrays["corr_r4_sum"], atol=1e-4)


@pytest.mark.parametrize("kind", LOOKUPS)
def test_raft_lookup_of_two_levels(kind: type, golden: Callable) -> None:
    arrays, (target, source, positions) = _raft(golden)
    out = kind(target, source, levels=2)(positions, 2)
    np.testing.assert_allclose(out[..., ::4, ::4].numpy(), arrays["corr_r2_l2_s4"], atol=1e-5)


def test_raft_pyramid_pools_the_source_only(golden: Callable) -> None:
    arrays, (target, source, _) = _raft(golden)
    for i, level in enumerate(CorrelationPyramid(target, source).levels):
        assert level.shape == tuple(arrays[f"pyr{i}_shape"])
        assert float(level.double().mean()) == pytest.approx(float(arrays[f"pyr{i}_mean"]), 1e-4)


def test_raft_stereo_lookup(golden: Callable) -> None:
    arrays = golden("raftstereo")
    target, source, positions = (
        torch.from_numpy(arrays[key]) for key in ("fmap1", "fmap2", "coords")
    )
    out = StereoPyramid(target, source)(positions[:, :1], 4)
    np.testing.assert_allclose(out.numpy(), arrays["corr"], atol=1e-5)


def test_local_equals_all_pairs_for_any_flow_and_unequal_grids(noise: Noise) -> None:
    target, source = noise(2, 6, 7, 11), noise(2, 6, 9, 8)
    positions = cell_positions(7, 11, target) + 4 * noise(2, 2, 7, 11)
    expected = CorrelationPyramid(target, source, 3)(positions, 2)
    torch.testing.assert_close(LocalCorrelation(target, source, 3)(positions, 2), expected)


@pytest.mark.parametrize("kind", LOOKUPS)
def test_x_major_order(kind: type) -> None:
    """One bright source cell one to the right of the position: offset (x, y) = (1, 0)."""
    target, source = torch.ones(1, 1, 3, 3), torch.zeros(1, 1, 3, 3)
    source[..., 1, 2] = 1
    out = kind(target, source, 1)(torch.ones(1, 2, 3, 3), 1)
    bright = (out[0, :, 1, 1] > 0.5).nonzero().flatten()
    assert bright.tolist() == [2 * 3 + 1]


@pytest.mark.parametrize("kind", LOOKUPS)
def test_levels_of_one_cell(kind: type, noise: Noise) -> None:
    """RAFT divides by zero here; the value is at 0 and falls off to zero at one cell."""
    target, source = noise(1, 4, 2, 3), noise(1, 4, 2, 3)
    out = kind(target, source, 4)(torch.zeros(1, 2, 2, 3), 1)
    assert bool(torch.isfinite(out).all())
    single = out.view(1, 4, 9, 2, 3)[:, 2:]
    assert bool((single[:, :, 4] != 0).all())
    others = single[:, :, [0, 1, 2, 3, 5, 6, 7, 8]]
    assert float(others.abs().max()) < 1e-5


def test_stereo_reads_only_its_own_row(noise: Noise) -> None:
    target, source = noise(1, 4, 5, 9), noise(1, 4, 5, 9)
    x = cell_positions(5, 9, target)[:, :1]
    out = StereoPyramid(target, source, 2)(x, 1)
    source[:, :, 3] = 0
    changed = (StereoPyramid(target, source, 2)(x, 1) != out).any(dim=1)[0].any(dim=1)
    assert changed.tolist() == [False, False, False, True, False]


@pytest.mark.parametrize("kind", LOOKUPS)
def test_gradients_reach_features_and_positions(kind: type, noise: Noise) -> None:
    target, source = noise(1, 3, 4, 5).requires_grad_(), noise(1, 3, 4, 5).requires_grad_()
    positions = (cell_positions(4, 5, target) + 0.3).requires_grad_()
    kind(target, source, 2)(positions, 1).square().sum().backward()
    for leaf in (target, source, positions):
        assert leaf.grad is not None and float(leaf.grad.abs().sum()) > 0


def test_gradients_of_the_local_form_are_those_of_all_pairs(noise: Noise) -> None:
    features = noise(1, 3, 4, 5), noise(1, 3, 4, 5)
    positions = cell_positions(4, 5, features[0]) + 0.3
    grads = []
    for kind in LOOKUPS:
        leaves = [part.clone().requires_grad_() for part in (*features, positions)]
        kind(leaves[0], leaves[1], 2)(leaves[2], 1).square().sum().backward()
        grads.append([leaf.grad for leaf in leaves])
    for one, other in zip(*grads, strict=True):
        torch.testing.assert_close(one, other)
