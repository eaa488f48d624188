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
From the backbone's descriptors of a pair to flow in pixels, by one of the heads on its volume.

Both images are of one size, multiples of 16, as the backbone sees them; flow is in their pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from zeroco_ros.croco.descriptors import MatchDescriptors, PairDescriptors
from zeroco_ros.croco.positions import Grid
from zeroco_ros.errors import ConfigError
from zeroco_ros.heads.aggregation import (
    AggregatedFlow,
    AggregationHead,
    Direction,
    exact,
    FACTOR,
)
from zeroco_ros.heads.super_resolution import SuperResolutionHead, to_pixels
from zeroco_ros.heads.upsampling import bilinear_upflow
from zeroco_ros.matching.argmax import match_volume
from zeroco_ros.matching.cost_volume import attention_volume, reciprocal_volume, select_tokens
from zeroco_ros.matching.flow import PATCH, token_flow

VolumeHead = AggregationHead | SuperResolutionHead
SURE = 1e-4  # certainties are cut off at these odds


@dataclass(frozen=True)
class DenseFlow:
    """
    A dense flow.

    flow: (B, 2, H, W) pixels, where each target pixel is in the source, relative to itself;
    certainty: (B, 1, H, W), the logit of the probability near the match.
    """

    flow: Tensor
    certainty: Tensor


def dense_flow(
    head: VolumeHead,
    pair: PairDescriptors,
    images: tuple[Tensor, Tensor],
    *,
    beta: float,
    readout: str = "window",
) -> tuple[DenseFlow, DenseFlow]:
    """
    Flow target to source and source to target.

    pair: with features (`CroCo.decode_pair(..., features=True)`); images: target and source
    (B, 3, H, W), normalized; beta: temperature of the backbone's volume; readout: "window" or
    "soft", of an aggregated volume. Raises ConfigError where the features are missing or are not
    those of the head's backbone.
    """
    sides = as_direction(pair.forward), as_direction(pair.backward)
    seen: tuple[Tensor | None, Tensor | None] = (None, None)
    if isinstance(head, SuperResolutionHead):
        seen = encode_images(head, images)
    return match_sides(head, sides, seen, beta=beta, readout=readout)


def match_sides(
    head: VolumeHead,
    sides: tuple[Direction, Direction],
    seen: tuple[Tensor | None, Tensor | None] = (None, None),
    *,
    beta: float,
    readout: str = "window",
) -> tuple[DenseFlow, DenseFlow]:
    """`dense_flow` from both directions; seen: `SuperResolutionHead.encode` of the two images."""
    if sides[0].features.shape[-1] != head.config.tokens:
        raise ConfigError(
            f"this head was trained on another backbone: its features have {head.config.tokens} "
            f"channels, these {sides[0].features.shape[-1]}"
        )
    if isinstance(head, AggregationHead):
        ahead, back = head(*sides, readout=readout)
        return _aggregated(ahead), _aggregated(back)
    return _super_resolved(head, sides, seen, beta)


def encode_images(
    head: SuperResolutionHead, images: tuple[Tensor, Tensor]
) -> tuple[Tensor | None, Tensor | None]:
    """Features of two images, as one batch where their sizes agree."""
    if not head.config.image or images[0].shape != images[1].shape:
        return head.encode(images[0]), head.encode(images[1])
    both = head.encode(torch.cat(images))
    assert both is not None
    first, second = both.chunk(2)
    return first, second


def as_direction(
    descriptors: MatchDescriptors,
    valid_target: Grid | None = None,
    valid_source: Grid | None = None,
) -> Direction:
    """
    Return the mean volume and the last decoder features of one direction.

    valid_target, valid_source: the top-left tokens that are not padding; default: all.
    """
    if descriptors.features is None:
        raise ConfigError("this head needs decoder features: decode_pair(..., features=True)")
    grids = descriptors.grid_target, descriptors.grid_source
    target, source = valid_target or grids[0], valid_source or grids[1]
    with exact(descriptors.queries):
        volume = attention_volume(
            select_tokens(descriptors.queries, grids[0], target),
            select_tokens(descriptors.keys, grids[1], source),
        )
    features = select_tokens(descriptors.features[-1], grids[0], target)
    return Direction(volume, features.float(), target, source)


def _aggregated(side: AggregatedFlow) -> DenseFlow:
    return DenseFlow(to_pixels(side.flow * FACTOR, PATCH // FACTOR), _certainty(side.mass, 4))


def _super_resolved(
    head: SuperResolutionHead,
    sides: tuple[Direction, Direction],
    seen: tuple[Tensor | None, Tensor | None],
    beta: float,
) -> tuple[DenseFlow, DenseFlow]:
    """Both directions of the reciprocal volume, as one batch where the grids are equal."""
    forward, backward = sides
    volume = reciprocal_volume(forward.volume, backward.volume)
    read = []
    for one, side in ((volume, forward), (volume.transpose(1, 2), backward)):
        with exact(one):
            match = match_volume(one, side.grid_source, "window", beta)
        flow = token_flow(match.position, side.grid_target).permute(0, 3, 1, 2)
        read.append((flow, match.mass.view(-1, 1, *side.grid_target)))
    target, source = seen
    if forward.grid_target == backward.grid_target:
        own = other = None
        if target is not None and source is not None:
            own, other = torch.cat([target, source]), torch.cat([source, target])
        both = torch.cat([forward.features, backward.features])
        fine = head(torch.cat([read[0][0], read[1][0]]), both, own, other).chunk(2)
    else:
        fine = (
            head(read[0][0], forward.features, target, source),
            head(read[1][0], backward.features, source, target),
        )
    ahead, back = (
        DenseFlow(to_pixels(flow, PATCH // FACTOR), _certainty(mass, PATCH))
        for flow, (_, mass) in zip(fine, read, strict=True)
    )
    return ahead, back


def _certainty(mass: Tensor, factor: int) -> Tensor:
    """Probability (B, 1, h, w) to its logit on the pixels, bilinear."""
    odds = mass.float().clamp(SURE, 1 - SURE).logit()
    return bilinear_upflow(odds, factor, align_corners=False) / factor
