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
The decoder's way through a pair of frames, layer by layer.

What a layer needs of one frame alone is computed once per frame (`DecoderFrame`) and serves every
pair that the frame is in: the source's tokens are never updated, so neither are their keys and
values, and the first block's self-attention knows nothing of the other image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn, Tensor

from zeroco_ros.croco.descriptors import MatchDescriptors
from zeroco_ros.croco.layers import DecoderBlock
from zeroco_ros.croco.positions import Grid
from zeroco_ros.croco.rope import RotaryTable

# Called with 0 (target to source) or 1 (back), and a layer's queries and keys.
Take = Callable[[int, Tensor, Tensor], None]
Features = tuple[Tensor, ...] | None
# Rows with which a CPU's matrix products are as fast as they get: more only take more memory.
_ENOUGH = 1024


class Side(NamedTuple):
    """One image's part in the decoder: its tokens, their grid and rotary tables."""

    tokens: Tensor
    grid: Grid
    rotary: RotaryTable | None
    cross_rotary: RotaryTable | None


class Query(NamedTuple):
    """A target after the first block's self-attention: tokens and queries."""

    x: Tensor
    q: Tensor
    rotary: RotaryTable | None
    cross_rotary: RotaryTable | None


@dataclass(frozen=True)
class Offer:
    """A source's keys and values: those kept as they are, the others made when asked for."""

    side: Side
    keys: tuple[Tensor, ...] = ()
    values: tuple[Tensor, ...] = ()

    def key(self, layer: int, block: DecoderBlock) -> Tensor:
        """Keys (B, Ns, heads, head_dim) of a layer."""
        if layer < len(self.keys):
            return self.keys[layer]
        return block.key(self.side.tokens, self.side.cross_rotary)

    def value(self, layer: int, block: DecoderBlock) -> Tensor:
        """Values (B, Ns, heads, head_dim) of a layer."""
        return self.values[layer] if layer < len(self.values) else block.value(self.side.tokens)


@dataclass(frozen=True)
class DecoderFrame:
    """What the decoder makes of one frame alone; query and offer are None with two decoders."""

    side: Side
    query: Query | None
    offer: Offer | None


class Decoder(NamedTuple):
    """The blocks of one decoder and its last normalization."""

    blocks: Sequence[DecoderBlock]
    norm: nn.Module

    def query(self, side: Side) -> Query:
        """Return the first block's half that needs the target only."""
        x, q = self.blocks[0].query(side.tokens, side.rotary, side.cross_rotary)
        return Query(x, q, side.rotary, side.cross_rotary)

    def offer(self, side: Side, keep: bool) -> Offer:
        """Keys and values of a source; keep: now and for every layer."""
        if not keep:
            return Offer(side)
        keys = tuple(block.key(side.tokens, side.cross_rotary) for block in self.blocks)
        return Offer(side, keys, tuple(block.value(side.tokens) for block in self.blocks[:-1]))

    def walk(
        self, target: Query, sources: Sequence[Offer], take: Take, features: bool
    ) -> Features:
        """
        All layers of one direction; sources: of the batch's parts, one after another.

        Without features the last block ends at its queries and keys.
        """
        x, q = target.x, target.q
        outputs = []
        last = len(self.blocks) - 1
        for i, block in enumerate(self.blocks):
            if i:
                x, q = block.query(x, target.rotary, target.cross_rotary)
            k = joined([source.key(i, block) for source in sources])
            take(0, *block.descriptors(q, k))
            if i < last or features:
                v = joined([source.value(i, block) for source in sources])
                x = block.finish(x, q, k, v)
            if features:
                outputs.append(x if i < last else self.norm(x))
        return tuple(outputs) if features else None

    def walk_pair(
        self, target: DecoderFrame, source: DecoderFrame, take: Take, features: bool
    ) -> tuple[Features, Features]:
        """Both directions, as one batch where the grids agree and a batch gains something."""
        assert target.query and source.query and target.offer and source.offer
        tokens = target.side.tokens
        large = tokens.device.type == "cpu" and tokens.shape[0] * tokens.shape[1] >= _ENOUGH
        if target.side.grid != source.side.grid or large:
            ahead = self.walk(target.query, [source.offer], take, features)
            back = self.walk(source.query, [target.offer], lambda _, q, k: take(1, q, k), features)
            return ahead, back

        def halves(_: int, queries: Tensor, keys: Tensor) -> None:
            for direction, parts in enumerate(zip(queries.chunk(2), keys.chunk(2), strict=True)):
                take(direction, *parts)

        query = target.query._replace(
            x=joined([target.query.x, source.query.x]), q=joined([target.query.q, source.query.q])
        )
        both = self.walk(query, [source.offer, target.offer], halves, features)
        if both is None:
            return None, None
        return tuple(x.chunk(2)[0] for x in both), tuple(x.chunk(2)[1] for x in both)


def walk_lock_step(
    decoders: tuple[Decoder, Decoder], target: Side, source: Side, take: Take, features: bool
) -> tuple[Features, Features]:
    """Two decoders, each attending to the other stream's previous output (DUSt3R)."""
    streams, sides = (target.tokens, source.tokens), (target, source)
    outputs: tuple[list[Tensor], list[Tensor]] = [], []
    last = len(decoders[0].blocks) - 1
    for i, pair in enumerate(zip(decoders[0].blocks, decoders[1].blocks, strict=True)):
        states = []
        for own, block in enumerate(pair):
            side, other = sides[own], sides[1 - own]
            x, q = block.query(streams[own], side.rotary, side.cross_rotary)
            k = block.key(streams[1 - own], other.cross_rotary)
            take(own, *block.descriptors(q, k))
            states.append((x, q, k))
        if i == last and not features:
            break
        first, second = (
            block.finish(*state, block.value(streams[1 - own]))
            for own, (block, state) in enumerate(zip(pair, states, strict=True))
        )
        streams = first, second
        for own, x in enumerate(streams):
            outputs[own].append(x if i < last else decoders[0].norm(x))
    return (tuple(outputs[0]), tuple(outputs[1])) if features else (None, None)


class Collector:
    """Keeps the descriptors of every layer and direction."""

    def __init__(self) -> None:
        self._queries: tuple[list[Tensor], list[Tensor]] = [], []
        self._keys: tuple[list[Tensor], list[Tensor]] = [], []

    def __call__(self, direction: int, queries: Tensor, keys: Tensor) -> None:
        """Keep one layer's."""
        self._queries[direction].append(queries)
        self._keys[direction].append(keys)

    def result(
        self, direction: int, features: Features, target: Grid, source: Grid
    ) -> MatchDescriptors:
        """All of a direction, between grids of these sizes."""
        queries, keys = torch.stack(self._queries[direction]), torch.stack(self._keys[direction])
        return MatchDescriptors(queries, keys, features, target, source)


def joined(parts: Sequence[Tensor]) -> Tensor:
    """One batch of several; a single one as it is."""
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))
