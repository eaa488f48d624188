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

"""What the frozen networks see in a pair: the depth head's inputs, computed once per pair."""

from __future__ import annotations

from dataclasses import dataclass
import hashlib

import torch
from torch import Tensor
from torch.nn import functional

from zeroco_ros.croco.checkpoint import load_croco
from zeroco_ros.errors import ConfigError
from zeroco_ros.heads.checkpoint import load_head
from zeroco_ros.heads.dense import as_direction
from zeroco_ros.heads.depth_geometry import CELL
from zeroco_ros.heads.recurrent import RecurrentHead
from zeroco_ros.matching.cost_volume import reciprocal_volume
from zeroco_ros.training.flow_heads import CoarseMatcher, run_head
from zeroco_ros.weights import resolve


@dataclass(frozen=True)
class Observation:
    """
    A batch of pairs; index 0 of a pair of directions has view 0 as target.

    volume: (B, N, N) mean logits of both directions, rows are view 0's tokens; features: (2, B, N,
    C) after the decoder; flow: (2, B, 2, h, w) pixels at the centers of 4-pixel cells; certainty:
    (2, B, h, w) logits.
    """

    volume: Tensor
    features: Tensor
    flow: Tensor
    certainty: Tensor


class Observer:
    """
    The frozen backbone and flow head.

    backbone, flow: shipped names or files; flow may be "none": then the coarse match is used.
    Raises ConfigError for a flow head of another kind than recurrent.
    """

    def __init__(self, backbone: str = "default", flow: str = "flow_head") -> None:
        loaded = load_croco(resolve(backbone))
        self.backbone_sha256 = loaded.sha256
        self.tokens = loaded.config.dec_embed_dim
        self.matcher = CoarseMatcher(loaded)
        self.beta = self.matcher.beta
        self.head: RecurrentHead | None = None
        self.flow_sha256 = "none"
        if flow != "none":
            file = resolve(flow)
            head = load_head(file).head
            self.flow_sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
            if not isinstance(head, RecurrentHead):
                raise ConfigError(f"flow head '{flow}': one of kind recurrent, or none")
            self.head = head

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Observation:
        """Observe images (2, B, 3, H, W) float32 normalized, sides multiples of 16."""
        pair = self.matcher.describe(images, features=True)
        forward, backward = as_direction(pair.forward), as_direction(pair.backward)
        volume = reciprocal_volume(forward.volume, backward.volume)
        coarse = self.matcher.read(volume, forward.grid_target)
        if self.head is None:
            flow = functional.interpolate(coarse.flow, scale_factor=4, mode="bilinear")
            mass = functional.interpolate(coarse.mass, scale_factor=4, mode="bilinear")
            certainty = mass[:, 0].clamp(1e-3, 1 - 1e-3).logit()
        else:
            dense = run_head(self.head, images, coarse)
            flow = functional.avg_pool2d(dense.flow.permute(0, 3, 1, 2), CELL)
            certainty = functional.avg_pool2d(dense.certainty[:, None], CELL)[:, 0]
        count = images.shape[1]
        return Observation(
            volume,
            torch.stack([forward.features, backward.features]),
            flow.view(2, count, *flow.shape[1:]),
            certainty.view(2, count, *certainty.shape[1:]),
        )
