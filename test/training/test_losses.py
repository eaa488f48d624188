"""The loss against values computed by hand, and its gradient against differences."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from zeroco_ros.croco.descriptors import MatchDescriptors, PairDescriptors
from zeroco_ros.training.losses import bilinear_targets, cost_volume, match_loss, side_loss


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


def test_side_loss_by_hand() -> None:
    logits = torch.tensor([[[math.log(3.0), 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [5.0, 0, 0, 0]]])
    flow = torch.zeros(1, 2, 2, 2)
    visible = torch.tensor([[[True, True], [True, False]]])
    match, occluded = side_loss(logits, flow, visible, 16)
    assert float(match) == pytest.approx((math.log(2.0) + 2 * math.log(4.0)) / 3)
    total = math.exp(5) + 3
    uniform = math.log(total) - 5.0 / 4 - math.log(4)
    assert float(occluded) == pytest.approx(uniform, rel=1e-5)


def random_pair(seed: int) -> tuple[PairDescriptors, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    sets = [torch.randn(2, 1, 6, 4, generator=generator, dtype=torch.float64) for _ in range(4)]
    forward, backward = (descriptors(sets[i], sets[i + 1], (2, 3)) for i in (0, 2))
    flow = 20 * torch.randn(2, 1, 2, 3, 2, generator=generator, dtype=torch.float64)
    visible = torch.rand(2, 1, 2, 3, generator=generator) > 0.3
    return PairDescriptors(forward, backward), flow, visible


def test_exchanging_the_views_changes_nothing() -> None:
    pair, flow, visible = random_pair(0)
    scale = torch.tensor(1.0)
    loss = match_loss(pair, flow, visible, scale, occluded_weight=0.1)
    turned = PairDescriptors(pair.backward, pair.forward)
    swapped = match_loss(turned, flow.flip(0), visible.flip(0), scale, occluded_weight=0.1)
    torch.testing.assert_close(loss.total, swapped.total)


def test_cells_without_a_match_do_not_enter_the_matching_term() -> None:
    pair, flow, visible = random_pair(1)
    other = torch.where(visible.unsqueeze(-1), flow, flow + 100)
    scale = torch.tensor(1.0)
    assert not visible.all()
    first, second = (match_loss(pair, f, visible, scale).total for f in (flow, other))
    torch.testing.assert_close(first, second)


def test_right_descriptors_have_a_small_loss() -> None:
    tokens = torch.eye(6).view(1, 1, 6, 6)
    same = descriptors(tokens, tokens, (2, 3))
    still = torch.zeros(2, 1, 2, 3, 2)
    seen = torch.ones(2, 1, 2, 3, dtype=torch.bool)
    loss = match_loss(PairDescriptors(same, same), still, seen, torch.tensor(3.0))
    assert float(loss.match) == pytest.approx(math.log(1 + 5 * math.exp(-math.exp(3.0))), abs=1e-6)


def test_gradient_of_the_temperature_and_the_descriptors() -> None:
    """In double precision through the row and column terms; cost_volume itself is float32."""
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(1, 6, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    log_scale = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    flow = 10 * torch.randn(1, 2, 3, 2, generator=generator, dtype=torch.float64)
    visible = torch.tensor([[[True, True, False], [True, False, True]]])

    def both(volume: Tensor, scale: Tensor) -> Tensor:
        sides = [volume * scale.exp(), volume.transpose(1, 2) * scale.exp()]
        terms = [side_loss(side, flow, visible, 16) for side in sides]
        return sum((match + 0.1 * hidden for match, hidden in terms), torch.zeros(()))

    assert torch.autograd.gradcheck(both, (logits, log_scale))


def test_gradient_reaches_both_images_descriptors() -> None:
    pair, flow, visible = random_pair(5)
    leaves = [pair.forward.queries, pair.forward.keys, pair.backward.queries, pair.backward.keys]
    for leaf in leaves:
        leaf.requires_grad_(True)
    match_loss(pair, flow, visible, torch.tensor(1.0)).total.backward()
    assert all(leaf.grad is not None and bool(leaf.grad.abs().sum() > 0) for leaf in leaves)
