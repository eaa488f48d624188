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

"""What a flow head is trained for: the flow of every update, its window, its certainty."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from zeroco_ros.heads.recurrent import HeadFlow, Update
from zeroco_ros.training.flow_pairs import at_cells
from zeroco_ros.training.flow_recipe import FlowLossPlan

# A vector counts as right within this share of the image's longer side (3.2 px at 640x480).
RIGHT_WITHIN = 1 / 200


@dataclass(frozen=True)
class FlowLoss:
    """
    A flow loss.

    total: what is minimized; error: mean end-point error of visible pixels, in pixels; certainty:
    mean cross-entropy of the certainty in nats.
    """

    total: Tensor
    error: Tensor
    certainty: Tensor


def flow_loss(result: HeadFlow, flow: Tensor, visible: Tensor, plan: FlowLossPlan) -> FlowLoss:
    """
    Loss of a batch of directions: flow (N, H, W, 2) with NaN where unknown, visible (N, H, W).

    Distances are sqrt-free Euclidean up to `plan.bend` pixels and logarithmic beyond, so that
    hopeless pixels do not drown the others; every update counts, earlier ones less (RAFT).
    """
    known = torch.isfinite(flow).all(-1)
    weight = (visible + plan.hidden * ~visible) * known
    distance = (result.flow - flow.nan_to_num(0)).norm(dim=-1)
    total = mean_of(bent(distance, plan.bend), weight)
    for age, update in enumerate(reversed(result.updates)):
        truth, there = at_cells(flow, update.stride)
        seen = visible[:, :: update.stride, :: update.stride]
        total = total + plan.decay ** (age + 1) * update_loss(update, truth, there, seen, plan)
    longer = max(flow.shape[1:3])
    right = (distance.detach() < RIGHT_WITHIN * longer) & visible & known
    terms = functional.binary_cross_entropy_with_logits(
        result.certainty, right.float(), reduction="none"
    )
    certainty = mean_of(terms, known.float())
    error = mean_of(distance.detach(), (visible & known).float())
    return FlowLoss(total + plan.certainty * certainty, error, certainty.detach())


def update_loss(
    update: Update, truth: Tensor, known: Tensor, visible: Tensor, plan: FlowLossPlan
) -> Tensor:
    """One update against the truth (N, h, w, 2) in pixels at its cells' centers."""
    truth = truth.nan_to_num(0)
    weight = (visible + plan.hidden * ~visible) * known
    distance = (update.flow * update.stride - truth).norm(dim=-1)
    loss = mean_of(bent(distance, plan.bend), weight)
    return loss + plan.window * window_loss(update, truth / update.stride, known & visible)


def window_loss(update: Update, truth: Tensor, seen: Tensor) -> Tensor:
    """Cross-entropy of the window's logits where the truth (N, h, w, 2), in cells, lies inside."""
    side = round(update.logits.shape[-1] ** 0.5)
    place = truth - update.center + side // 2
    within = seen & ((place >= 0) & (place <= side - 1)).all(-1)
    place = place.clamp(0, side - 1)
    low = place.floor().clamp(max=side - 2)
    fx, fy = (place - low).unbind(-1)
    first = (low[..., 1] * side + low[..., 0]).long()
    near = torch.stack([first, first + 1, first + side, first + side + 1], -1)
    share = torch.stack([(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy], -1)
    log_probability = update.logits.log_softmax(-1)
    return mean_of(-(log_probability.gather(-1, near) * share).sum(-1), within.float())


def bent(distance: Tensor, bend: float) -> Tensor:
    """Give bend * log(1 + d / bend): the distance where it is small, its logarithm where large."""
    return bend * torch.log1p(distance / bend)


def mean_of(values: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean; zero where nothing has weight."""
    return (values * weight).sum() / weight.sum().clamp(min=1)
