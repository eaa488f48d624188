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

"""
The read-out of a pair's cost volumes as part of a graph: fixed sizes, padding by masks.

The numbers are those of `matching.argmax` on the tokens that are not padding. Here every step is a
comparison, an exponential or a sum over the whole volume, in float32: no indices into it, which
TensorRT would have to gather, and no product of positions, which a GPU might round to TF32.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from zeroco_ros.croco.positions import Grid
from zeroco_ros.engine.bundle import Readout
from zeroco_ros.matching.argmax import token_positions
from zeroco_ros.matching.cost_volume import reciprocal_volume

# Attention logits of weights that bring no temperature: this share of the volume's spread.
SPREAD_BETA = 0.1
FAR = 1e30  # below every logit, and finite after a division by the smallest temperature


class PairRead(NamedTuple):
    """
    Matches of both directions of a batch of pairs.

    forward: (B, Nt, 2) token flow (dx, dy), target to source; forward_mass: (B, Nt) in [0, 1], the
    share of the probability near the match; backward, backward_mass: source to target.
    """

    forward: Tensor
    forward_mass: Tensor
    backward: Tensor
    backward_mass: Tensor


def read_pair(
    volumes: tuple[Tensor, Tensor], valid: tuple[Tensor, Tensor], grid: Grid, how: Readout
) -> PairRead:
    """
    Read both volumes of a pair.

    volumes: (B, N, N) float32 ahead and back; valid: (B, N) of the target and of the source, 1
    where a token holds image and 0 where it is padding, which is not matched; what is returned
    for padding has no meaning. grid: rows and columns of both images' tokens.
    """
    ahead, back = volumes
    if how.reciprocity:
        ahead = reciprocal_volume(ahead, back)
        back = ahead.transpose(1, 2)
    return PairRead(*_read(ahead, valid, grid, how), *_read(back, valid[::-1], grid, how))


def _read(
    volume: Tensor, valid: tuple[Tensor, Tensor], grid: Grid, how: Readout
) -> tuple[Tensor, Tensor]:
    """Return flow (B, N, 2) and mass (B, N); see `read_pair`."""
    logits = torch.where(valid[1][:, None] > 0.5, volume, -FAR)
    peak = logits.amax(-1, keepdim=True)
    own = token_positions(grid, volume.device)
    at = own[logits.argmax(-1)]  # (B, N, 2): where the peak is
    if how.kind == "hard":
        center = torch.zeros_like(at)
    beta = _spread(volume, valid) if how.beta is None else how.beta
    weight = torch.exp((logits - peak) / beta)
    dx, dy = (own[:, axis] - at[..., axis, None] for axis in (0, 1))
    radius = how.window // 2
    near = weight * ((dx.abs() <= radius) & (dy.abs() <= radius))
    everything, total = weight.sum(-1), near.sum(-1)
    if how.kind == "window":
        center = torch.stack([(near * dx).sum(-1), (near * dy).sum(-1)], -1) / total[..., None]
    elif how.kind == "soft":
        both = torch.stack([(weight * dx).sum(-1), (weight * dy).sum(-1)], -1)
        center = both / everything[..., None]
    return at - own + center, (total / everything).clamp(0, 1)


def _spread(volume: Tensor, valid: tuple[Tensor, Tensor]) -> Tensor:
    """Return `SPREAD_BETA` times the standard deviation of each volume's valid part, (B, 1, 1)."""
    both = valid[0][:, :, None] * valid[1][:, None]
    count = both.sum((1, 2), keepdim=True)
    mean = (volume * both).sum((1, 2), keepdim=True) / count
    squares = ((volume - mean).square() * both).sum((1, 2), keepdim=True)
    deviation = (squares / (count - 1).clamp(min=1)).sqrt()
    return (SPREAD_BETA * deviation).clamp(min=1e-6)
