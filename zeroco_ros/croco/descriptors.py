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

"""What the backbone hands over: encoded frames and the descriptors of a pair."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from zeroco_ros.croco.positions import Grid


@dataclass(frozen=True)
class Encoding:
    """
    Frames after the encoder: computed once per frame, used for every pair the frame is in.

    tokens: (B, N, enc_embed_dim), after the encoder's last normalization, row by row.
    grid: rows and columns of tokens, N = h * w.
    kept: what a backend wants to find again when the frame is in another pair, under a key of its
    own; it goes with the frame.
    """

    tokens: Tensor
    grid: Grid
    kept: dict[object, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class MatchDescriptors:
    """
    Cross-attention of one direction as two descriptor sets.

    queries: (L, B, Nt, D) of the target's tokens, one set per decoder layer: all heads side by
    side, after the rotary embedding, with 1 / (heads * sqrt(head_dim)) folded in.
    keys: (L, B, Ns, D) of the source's tokens. queries[l] @ keys[l].mT is the mean over the heads
    of layer l's pre-softmax logits.
    features: outputs of the decoder blocks (B, Nt, D), the last one normalized; None if not asked.
    grid_target, grid_source: rows and columns of tokens.
    """

    queries: Tensor
    keys: Tensor
    features: tuple[Tensor, ...] | None
    grid_target: Grid
    grid_source: Grid


@dataclass(frozen=True)
class PairDescriptors:
    """Both directions of a pair: forward target -> source, backward source -> target."""

    forward: MatchDescriptors
    backward: MatchDescriptors
