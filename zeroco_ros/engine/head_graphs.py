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
Heads of an engine as modules of tensors in, tensors out, see `engine.graphs`.

The recurrent flow head works on images of its own size; heads on the backbone's volume, and the
depth head, on the tokens that are not padding: their sizes are fixed at export.
"""

from __future__ import annotations

import torch
from torch import nn, Tensor

from zeroco_ros.croco.positions import Grid
from zeroco_ros.engine.bundle import Signature
from zeroco_ros.engine.graphs import Graph, LAST, noise, PLAIN, Size
from zeroco_ros.heads.aggregation import AggregationHead, Direction
from zeroco_ros.heads.dense import match_sides
from zeroco_ros.heads.depth import DepthHead
from zeroco_ros.heads.depth_geometry import CELL, CHANNELS
from zeroco_ros.heads.features import Level
from zeroco_ros.heads.recurrent import RecurrentHead
from zeroco_ros.heads.super_resolution import SuperResolutionHead

PATCH = 16
LEVELS = ("match4", "context4", "match8", "context8")
VOLUME_HEAD = ("flow_ahead", "certainty_ahead", "flow_back", "certainty_back")


class HeadFeaturesGraph(nn.Module):
    """images (1, 3, h, w) normalized -> features at 1/4 and 1/8, see `RecurrentHead.encode`."""

    def __init__(self, head: RecurrentHead) -> None:
        super().__init__()
        self.head = head

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """See the class; ordered as `LEVELS`."""
        return tuple(part.float() for part in flat_levels(self.head.encode(images)))


class HeadGraph(nn.Module):
    """Features of both frames, coarse flow and its mass -> flow (1, h, w, 2) and certainty."""

    def __init__(self, head: RecurrentHead) -> None:
        super().__init__()
        self.head = head

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Run the head: 4 levels of the target, 4 of the source, coarse flow, mass."""
        target, source = nested_levels(inputs[:4]), nested_levels(inputs[4:8])
        found = self.head(target, source, inputs[8], inputs[9])
        return found.flow, found.certainty


class ImageFeaturesGraph(nn.Module):
    """images (1, 3, h, w) normalized, without padding -> `encode` of a head that looks at them."""

    def __init__(self, head: SuperResolutionHead | DepthHead) -> None:
        super().__init__()
        self.head = head

    def forward(self, images: Tensor) -> Tensor:
        """See the class."""
        features = self.head.encode(images)
        assert features is not None
        return features.float()


class VolumeHeadGraph(nn.Module):
    """
    Volumes, decoder and image features of both sides -> flow and certainty, both ways.

    Outputs as `heads.dense.DenseFlow`: (1, 2, H, W), pixels of the network's input, and
    (1, 1, H, W).
    """

    def __init__(
        self, head: AggregationHead | SuperResolutionHead, valid: Grid, beta: float
    ) -> None:
        super().__init__()
        self.head, self.valid, self.beta = head, valid, beta

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Run the head on inputs in the order of `volume_head_graphs`."""
        sides = (
            Direction(inputs[0], inputs[2], self.valid, self.valid),
            Direction(inputs[1], inputs[3], self.valid, self.valid),
        )
        seen = (inputs[4], inputs[5]) if len(inputs) > 4 else (None, None)
        ahead, back = match_sides(self.head, sides, seen, beta=self.beta)
        return ahead.flow, ahead.certainty, back.flow, back.certainty


class DepthHeadGraph(nn.Module):
    """Reciprocal volume, decoder and image features, geometry -> log inverse depth, log sigma."""

    def __init__(self, head: DepthHead, valid: Grid) -> None:
        super().__init__()
        self.head, self.valid = head, valid

    def forward(
        self, volume: Tensor, last: Tensor, seen: Tensor, geometry: Tensor
    ) -> tuple[Tensor, Tensor]:
        """See `DepthHead.forward`; both outputs are (1, H, W)."""
        found = self.head(Direction(volume, last, self.valid, self.valid), seen, geometry)
        return found.log_inverse, found.log_sigma


def head_graphs(head: RecurrentHead, size: Size) -> dict[str, Graph]:
    """Build the recurrent head's two parts at its input size (h, w), multiples of 8."""
    images = noise(1, size)
    cells = size[0] // 8, size[1] // 8
    with torch.inference_mode(False), torch.no_grad():
        levels = flat_levels(head.encode(images))
        others = flat_levels(head.encode(noise(2, size)))
    coarse = 8 * noise(3, cells)[:, :2]
    mass = noise(4, cells)[:, :1].sigmoid()
    inputs = [f"{side}_{name}" for side in ("target", "source") for name in LEVELS]
    signature = Signature((*inputs, "coarse", "mass"), ("flow", "certainty"))
    return {
        "head_features": Graph(HeadFeaturesGraph(head), (images,), Signature(("images",), LEVELS)),
        "head": Graph(HeadGraph(head), (*levels, *others, coarse, mass), signature),
    }


def volume_head_graphs(
    head: AggregationHead | SuperResolutionHead, valid: Grid, beta: float
) -> dict[str, Graph]:
    """
    Build a head on the backbone's volume for `valid` rows and columns of tokens.

    beta: temperature of that volume.
    """
    graphs = {}
    example = (*_volumes(valid), *_features(head.config.tokens, valid))
    names: tuple[str, ...] = (*PLAIN, *LAST)
    if isinstance(head, SuperResolutionHead) and head.config.image:
        graphs["volume_head_features"] = features = _image_features(head, valid)
        with torch.inference_mode(False), torch.no_grad():
            example += tuple(features.module(noise(seed, _pixels(valid))) for seed in (1, 2))
        names += ("seen_target", "seen_source")
    module = VolumeHeadGraph(head, valid, beta)
    graphs["volume_head"] = Graph(module, example, Signature(names, VOLUME_HEAD))
    return graphs


def depth_head_graphs(head: DepthHead, valid: Grid) -> dict[str, Graph]:
    """Build the depth head's two parts for `valid` rows and columns of tokens."""
    features = _image_features(head, valid)
    with torch.inference_mode(False), torch.no_grad():
        seen = features.module(features.example[0])
    cells = tuple(PATCH // CELL * side for side in valid)
    generator = torch.Generator().manual_seed(4)
    geometry = torch.randn(1, CHANNELS, *cells, generator=generator)
    example = _volumes(valid)[0], _features(head.config.tokens, valid)[0], seen, geometry
    signature = Signature(("volume", "last", "seen", "geometry"), ("log_inverse", "log_sigma"))
    return {
        "depth_head_features": features,
        "depth_head": Graph(DepthHeadGraph(head, valid), example, signature),
    }


def _image_features(head: SuperResolutionHead | DepthHead, valid: Grid) -> Graph:
    signature = Signature(("images",), ("seen",))
    return Graph(ImageFeaturesGraph(head), (noise(1, _pixels(valid)),), signature)


def _pixels(valid: Grid) -> Size:
    return PATCH * valid[0], PATCH * valid[1]


def _volumes(valid: Grid) -> tuple[Tensor, ...]:
    """Return example volumes (1, N, N) of both directions."""
    count = valid[0] * valid[1]
    generator = torch.Generator().manual_seed(5)
    return tuple(torch.randn(1, count, count, generator=generator) for _ in range(2))


def _features(channels: int, valid: Grid) -> tuple[Tensor, ...]:
    """Return example decoder features (1, N, C) of both sides."""
    generator = torch.Generator().manual_seed(6)
    shape = (1, valid[0] * valid[1], channels)
    return tuple(torch.randn(shape, generator=generator) for _ in range(2))


def flat_levels(levels: tuple[Level, Level]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return both levels' tensors in the order of `LEVELS`."""
    fine, rough = levels
    return fine.match, fine.context, rough.match, rough.context


def nested_levels(parts: tuple[Tensor, ...]) -> tuple[Level, Level]:
    """Undo `flat_levels`."""
    return Level(parts[0], parts[1]), Level(parts[2], parts[3])
