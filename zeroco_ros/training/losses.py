"""Supervision of the cost volume: cross-entropy of its rows and columns against exact matches."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from zeroco_ros.croco.descriptors import MatchDescriptors, PairDescriptors


@dataclass(frozen=True)
class MatchLoss:
    """total: what is minimized; match: mean cross-entropy of visible cells in nats; occluded: mean
    cross-entropy of cells without a match against the uniform distribution, less its minimum.
    """

    total: Tensor
    match: Tensor
    occluded: Tensor


def cost_volume(descriptors: MatchDescriptors) -> Tensor:
    """Mean over layers and heads of the cross-attention logits, (B, Nt, Ns), in one product."""
    layers = descriptors.queries.shape[0]
    queries = descriptors.queries.float().permute(1, 2, 0, 3).flatten(2)
    keys = descriptors.keys.float().permute(1, 2, 0, 3).flatten(2)
    return queries @ keys.transpose(1, 2) / layers


def bilinear_targets(flow: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    """The four cells around each match: indices (B, N, 4) int64 and weights (B, N, 4).

    flow: (B, h, w, 2) pixels at the cells' centers. Matches beyond the centers of the border cells
    count for the border cells; weights sum to one.
    """
    _, rows, columns, _ = flow.shape
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    column = (x + flow[..., 0] / stride).clamp(0, columns - 1)
    row = (y + flow[..., 1] / stride).clamp(0, rows - 1)
    x0, y0 = column.floor().clamp(max=columns - 2), row.floor().clamp(max=rows - 2)
    fx, fy = column - x0, row - y0
    first = (y0 * columns + x0).long()
    indices = torch.stack([first, first + 1, first + columns, first + columns + 1], -1)
    weights = torch.stack([(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy], -1)
    return indices.flatten(1, 2), weights.flatten(1, 2)


def side_loss(logits: Tensor, flow: Tensor, visible: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    """Cross-entropy of the rows of `logits` (B, N, M): of visible cells against their matches, of
    the others against the uniform distribution (minus log M, so that zero is the best).
    """
    log_probability = logits.log_softmax(2)
    indices, weights = bilinear_targets(flow, stride)
    matched = -(log_probability.gather(2, indices) * weights).sum(2)
    uniform = -log_probability.mean(2) - torch.log(torch.tensor(float(logits.shape[2])))
    seen = visible.flatten(1).to(matched.dtype)
    hidden = 1 - seen
    match = (matched * seen).sum() / seen.sum().clamp(min=1)
    return match, (uniform * hidden).sum() / hidden.sum().clamp(min=1)


def match_loss(
    pair: PairDescriptors,
    flow: Tensor,
    visible: Tensor,
    log_scale: Tensor,
    *,
    occluded_weight: float = 0.0,
    stride: int = 16,
) -> MatchLoss:
    """Loss of both directions' cost volumes, rows and columns.

    flow: (2, B, h, w, 2) pixels, target to source and source to target; visible: (2, B, h, w);
    log_scale: the learned logarithm of the factor on the logits.
    """
    there = cost_volume(pair.forward) * log_scale.exp()
    back = cost_volume(pair.backward) * log_scale.exp()
    sides = [
        side_loss(there, flow[0], visible[0], stride),
        side_loss(there.transpose(1, 2), flow[1], visible[1], stride),
        side_loss(back, flow[1], visible[1], stride),
        side_loss(back.transpose(1, 2), flow[0], visible[0], stride),
    ]
    match = torch.stack([side[0] for side in sides]).mean()
    occluded = torch.stack([side[1] for side in sides]).mean()
    return MatchLoss(match + occluded_weight * occluded, match.detach(), occluded.detach())
