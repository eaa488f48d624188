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

"""Which flow heads can be trained, and how each runs on a batch with a frozen backbone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn, Tensor
from torch.nn import functional

from zeroco_ros.croco.checkpoint import LoadedCroco
from zeroco_ros.croco.descriptors import Encoding, PairDescriptors
from zeroco_ros.croco.model import CroCo
from zeroco_ros.croco.positions import Grid
from zeroco_ros.errors import ConfigError
from zeroco_ros.heads.aggregation import AggregationConfig, AggregationHead
from zeroco_ros.heads.checkpoint import KINDS
from zeroco_ros.heads.dense import dense_flow
from zeroco_ros.heads.features import Level
from zeroco_ros.heads.recurrent import HeadFlow, RecurrentConfig, RecurrentHead
from zeroco_ros.heads.super_resolution import SuperResolutionConfig, SuperResolutionHead
from zeroco_ros.matching.argmax import match_volume
from zeroco_ros.matching.cost_volume import attention_volume, reciprocal_volume
from zeroco_ros.matching.flow import PATCH, token_flow
from zeroco_ros.training.precision import has_bf16

FLOW_KINDS = ("recurrent", "aggregation", "super_resolution")
FlowHeadConfig = RecurrentConfig | AggregationConfig | SuperResolutionConfig


def head_config(kind: object, values: Mapping[str, Any]) -> FlowHeadConfig:
    """Return the configuration of a kind of head from plain values; raises ConfigError."""
    if not isinstance(kind, str) or kind not in FLOW_KINDS:
        raise ConfigError(f"kind {kind!r} of a flow head: one of {', '.join(FLOW_KINDS)}")
    config: FlowHeadConfig = KINDS[kind][0].from_dict(values)
    return config


def make_head(config: FlowHeadConfig, tokens: int, beta: float) -> nn.Module:
    """Return an untrained head for `tokens` decoder channels and temperature `beta`."""
    if isinstance(config, AggregationConfig):
        return AggregationHead(replace(config, tokens=tokens, beta=beta))
    if isinstance(config, SuperResolutionConfig):
        return SuperResolutionHead(replace(config, tokens=tokens))
    kind = next(kind for kind, (type_, _) in KINDS.items() if type(config) is type_)
    head: nn.Module = KINDS[kind][1](config)
    return head


@dataclass(frozen=True)
class Coarse:
    """A batch of coarse matches: flow (N, 2, h, w) pixels, mass (N, 1, h, w) in [0, 1]."""

    flow: Tensor
    mass: Tensor


class CoarseMatcher:
    """The frozen backbone's match of image pairs, both directions, as the estimator reads it."""

    def __init__(self, loaded: LoadedCroco) -> None:
        self.model: CroCo = loaded.model
        self.beta = float(loaded.metadata.get("matching", {}).get("beta", 0.1))

    @torch.no_grad()
    def describe(
        self, images: Tensor, reduce: int = 1, *, features: bool = False
    ) -> PairDescriptors:
        """
        Map images (2, B, 3, H, W) to descriptors of both directions.

        reduce: the backbone sees the images this much smaller; features: see `decode_pair`.
        """
        flat = images.flatten(0, 1)
        if reduce > 1:
            flat = functional.avg_pool2d(flat, reduce)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=has_bf16()):
            both = self.model.encode(flat)
            target, source = (Encoding(tokens, both.grid) for tokens in both.tokens.chunk(2))
            return self.model.decode_pair(target, source, features=features)

    @torch.no_grad()
    def __call__(self, images: Tensor, reduce: int = 1) -> Coarse:
        """Match images (2, B, 3, H, W) in 2 B directions, view 0's pixels first."""
        pair = self.describe(images, reduce)
        ahead = attention_volume(pair.forward.queries, pair.forward.keys)
        back = attention_volume(pair.backward.queries, pair.backward.keys)
        return self.read(reciprocal_volume(ahead, back), pair.forward.grid_target, reduce)

    def read(self, volume: Tensor, grid: Grid, reduce: int = 1) -> Coarse:
        """Return a reciprocal volume (B, N, N) of images on one token grid to matches."""
        volume = torch.cat([volume, volume.transpose(1, 2)])
        match = match_volume(volume, grid, "window", self.beta)
        flow = token_flow(match.position, grid).permute(0, 3, 1, 2) * (PATCH * reduce)
        return Coarse(flow, match.mass.view(-1, 1, *grid))


def run_volume_head(
    head: nn.Module, images: Tensor, pair: PairDescriptors, beta: float
) -> HeadFlow:
    """
    Both directions of a batch: images (2, B, 3, H, W), results for 2 B directions.

    pair: both directions' descriptors, with features. Aggregated volumes are read by their mean,
    as in training everywhere: a window would not let go of a wrong peak.
    """
    assert isinstance(head, AggregationHead | SuperResolutionHead)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=has_bf16()):
        sides = dense_flow(head, pair, (images[0], images[1]), beta=beta, readout="soft")
    flow = torch.cat([side.flow for side in sides]).float().permute(0, 2, 3, 1)
    certainty = torch.cat([side.certainty for side in sides]).float()
    return HeadFlow(flow, certainty[:, 0], ())


def run_head(head: RecurrentHead, images: Tensor, coarse: Coarse) -> HeadFlow:
    """Both directions of a batch: images (2, B, 3, H, W), results for 2 B directions."""
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=has_bf16()):
        levels = head.encode(images.flatten(0, 1))
        count = images.shape[1]
        swapped = (swap(levels[0], count), swap(levels[1], count))
        result: HeadFlow = head(levels, swapped, coarse.flow, coarse.mass)
        return result


def run_any(head: nn.Module, matcher: CoarseMatcher, images: Tensor) -> HeadFlow:
    """Any kind of head on both directions of a batch, the backbone at the images' resolution."""
    if isinstance(head, RecurrentHead):
        return run_head(head, images, matcher(images))
    return run_volume_head(head, images, matcher.describe(images, features=True), matcher.beta)


def swap(level: Level, count: int) -> Level:
    """Return the other image's features of each of 2 `count` images."""
    return Level(level.match.roll(count, 0), level.context.roll(count, 0))


def disturbed(coarse: Coarse, generator: torch.Generator) -> Coarse:
    """Coarse matches of a weaker backbone: noise of one strength per pair, some random tokens."""
    shape = coarse.flow.shape
    strength = 12 * torch.rand(shape[0], 1, 1, 1, generator=generator) ** 2
    noise = strength * torch.randn(shape, generator=generator)
    lost = torch.rand(shape[0], 1, *shape[2:], generator=generator) < 0.06
    far = 60 * torch.randn(shape, generator=generator)
    return Coarse(coarse.flow + torch.where(lost, far, noise), coarse.mass)
