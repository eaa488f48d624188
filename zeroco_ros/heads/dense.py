"""From the backbone's descriptors of a pair to flow in pixels, by one of the heads on its volume.

Both images are of one size, multiples of 16, as the backbone sees them; flow is in their pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from zeroco_ros.croco.descriptors import MatchDescriptors, PairDescriptors
from zeroco_ros.errors import ConfigError
from zeroco_ros.heads.aggregation import (
    FACTOR,
    AggregatedFlow,
    AggregationHead,
    Direction,
    exact,
)
from zeroco_ros.heads.super_resolution import SuperResolutionHead, to_pixels
from zeroco_ros.heads.upsampling import bilinear_upflow
from zeroco_ros.matching.argmax import match_volume
from zeroco_ros.matching.cost_volume import attention_volume, reciprocal_volume
from zeroco_ros.matching.flow import PATCH, token_flow

VolumeHead = AggregationHead | SuperResolutionHead
SURE = 1e-4  # certainties are cut off at these odds


@dataclass(frozen=True)
class DenseFlow:
    """flow: (B, 2, H, W) pixels, where each target pixel is in the source, relative to itself;
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
    """Flow target to source and source to target.

    pair: with features (`CroCo.decode_pair(..., features=True)`); images: target and source
    (B, 3, H, W), normalized; beta: temperature of the backbone's volume; readout: "window" or
    "soft", of an aggregated volume. Raises ConfigError where the features are missing.
    """
    sides = as_direction(pair.forward), as_direction(pair.backward)
    if isinstance(head, AggregationHead):
        ahead, back = head(*sides, readout=readout)
        return _aggregated(ahead), _aggregated(back)
    return _super_resolved(head, sides, images, beta)


def as_direction(descriptors: MatchDescriptors) -> Direction:
    """The mean volume and the last decoder features of one direction."""
    if descriptors.features is None:
        raise ConfigError("this head needs decoder features: decode_pair(..., features=True)")
    with exact(descriptors.queries):
        volume = attention_volume(descriptors.queries, descriptors.keys)
    return Direction(
        volume,
        descriptors.features[-1].float(),
        descriptors.grid_target,
        descriptors.grid_source,
    )


def _aggregated(side: AggregatedFlow) -> DenseFlow:
    return DenseFlow(to_pixels(side.flow * FACTOR, PATCH // FACTOR), _certainty(side.mass, 4))


def _super_resolved(
    head: SuperResolutionHead,
    sides: tuple[Direction, Direction],
    images: tuple[Tensor, Tensor],
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
    if forward.grid_target == backward.grid_target:
        own = head.encode(torch.cat(images))
        other = None if own is None else own.roll(len(images[0]), 0)
        both = torch.cat([forward.features, backward.features])
        fine = head(torch.cat([read[0][0], read[1][0]]), both, own, other).chunk(2)
    else:
        target, source = (head.encode(image) for image in images)
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
