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
The backbone of an engine as modules of tensors in, tensors out: what is exported and compiled.

Each runs one frame or one pair at a fixed resolution. Whatever a half-precision engine computes
inside, inputs and outputs are float32 and the cost volume is a float32 product.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn, Tensor

from zeroco_ros.croco.descriptors import Encoding, MatchDescriptors
from zeroco_ros.croco.model import CroCo
from zeroco_ros.croco.positions import Grid
from zeroco_ros.engine.bundle import Readout, Signature
from zeroco_ros.engine.readout import FAR, read_pair
from zeroco_ros.matching.cost_volume import attention_volume

Size = tuple[int, int]

VOLUMES = ("ahead", "back")
READ = ("flow_ahead", "mass_ahead", "flow_back", "mass_back")
PLAIN = ("plain_ahead", "plain_back")
FIRST = ("first_ahead", "first_back")
LAST = ("last_ahead", "last_back")


@dataclass(frozen=True)
class Graph:
    """A module with example inputs and the names of both ends."""

    module: nn.Module
    example: tuple[Tensor, ...]
    signature: Signature


@dataclass(frozen=True)
class MatcherOutputs:
    """
    What a matcher graph returns beside the volumes.

    register_fix: of these volumes, see `attention_volume`; readout: None for none; first, last:
    outputs of the first decoder block, and of the last one, normalized, which come with the
    volumes without register fix.
    """

    register_fix: bool
    readout: Readout | None = None
    first: bool = False
    last: bool = False

    @property
    def signature(self) -> Signature:
        """Names of the matcher's inputs and outputs."""
        outputs: tuple[str, ...] = VOLUMES
        outputs += READ if self.readout is not None else ()
        outputs += PLAIN if self.last and self.register_fix else ()
        outputs += FIRST if self.first else ()
        outputs += LAST if self.last else ()
        return Signature(("target", "source", "valid_target", "valid_source"), outputs)


class EncoderGraph(nn.Module):
    """images (1, 3, H, W) normalized -> tokens (1, N, C)."""

    def __init__(self, model: CroCo) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """See the class."""
        return self.model.encode(images).tokens.float()


class MatcherGraph(nn.Module):
    """
    Tokens of two frames -> what `MatcherOutputs` says, of both directions.

    valid_target, valid_source: (1, N) float32, 1 where a token holds image, 0 for padding.
    ahead[0, t, s], (1, N, N): mean over heads and layers of the logits of target token t and
    source token s, without reciprocity; back the same with the images swapped. The read-out's
    flows are (1, N, 2), its masses (1, N), see `readout.PairRead`; decoder features (1, N, C).
    """

    def __init__(self, model: CroCo, grid: Grid, outputs: MatcherOutputs) -> None:
        super().__init__()
        self.model, self.grid, self.outputs = model, grid, outputs

    def forward(
        self, target: Tensor, source: Tensor, valid_target: Tensor, valid_source: Tensor
    ) -> tuple[Tensor, ...]:
        """See the class."""
        wanted = self.outputs
        pair = self.model.decode_pair(
            Encoding(target, self.grid),
            Encoding(source, self.grid),
            features=wanted.first or wanted.last,
        )
        sides, masks = (pair.forward, pair.backward), (valid_target, valid_source)
        volumes = (
            self._volume(pair.forward, *masks),
            self._volume(pair.backward, *masks[::-1]),
        )
        found = list(volumes)
        if wanted.readout is not None:
            found += read_pair(volumes, masks, self.grid, wanted.readout)
        if wanted.last and wanted.register_fix:
            found += [attention_volume(side.queries, side.keys) for side in sides]
        for block, asked in ((0, wanted.first), (-1, wanted.last)):
            features = [side.features[block] for side in sides if side.features] if asked else []
            found += [value.float() for value in features]
        return tuple(found)

    def _volume(self, side: MatchDescriptors, own: Tensor, other: Tensor) -> Tensor:
        """Return one direction's volume; padding has no say in the register fix."""
        if not self.outputs.register_fix:
            return attention_volume(side.queries, side.keys)
        padding = (own[:, :, None] * other[:, None]) < 0.5
        total = torch.zeros(())
        for queries, keys in zip(side.queries, side.keys, strict=True):
            layer = torch.matmul(queries.float(), keys.float().transpose(-1, -2))
            least = torch.where(padding, FAR, layer).amin(dim=(1, 2), keepdim=True)
            total = total + torch.cat([least.expand(-1, layer.shape[1], 1), layer[..., 1:]], -1)
        return total / len(side.queries)


def backbone_graphs(model: CroCo, size: Size, outputs: MatcherOutputs) -> dict[str, Graph]:
    """Return the encoder and matcher at the network's input size (H, W)."""
    images, others = noise(1, size), noise(2, size)
    with torch.inference_mode(False), torch.no_grad():
        # Two tensors: given one of them twice, the exporter would make one input of both.
        grid, tokens = model.grid_of(images), model.encode(images).tokens
        other_tokens = model.encode(others).tokens
    masks = [torch.ones(1, grid[0] * grid[1]) for _ in range(2)]
    return {
        "encoder": Graph(EncoderGraph(model), (images,), Signature(("images",), ("tokens",))),
        "matcher": Graph(
            MatcherGraph(model, grid, outputs), (tokens, other_tokens, *masks), outputs.signature
        ),
    }


def noise(seed: int, size: Size) -> Tensor:
    """(1, 3, H, W) of normal deviates."""
    return torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(seed))
