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
ZeroCo-flow: the cost volume aggregated by a transformer, finer along the target, read out.

An et al., ZeroCo (CVPR 2025), whose code for this part was never released:
C' = T_c(C_att, D_t<-s) + T_c(C_att_swap, D_s<-t)^T, with the transformer cost aggregation T_c in
the style of CATs (Cho et al., NeurIPS 2021) and CAT-Seg (Cho et al., CVPR 2024): tokens are pairs
of a target cell and a source cell, attention runs along the target with the decoder's features as
guidance, then along the source. Here the sum is halved, so that C' keeps the volume's units.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn, Tensor
from torch.nn import functional

from zeroco_ros.croco.layers import attend, Mlp
from zeroco_ros.croco.positions import Grid
from zeroco_ros.croco.rope import rotary_table, RotaryTable, rotate
from zeroco_ros.errors import ConfigError
from zeroco_ros.heads.config import HeadConfig
from zeroco_ros.matching.argmax import match_volume, token_positions

FACTOR = 4  # target cells become this much finer, per side
FLOOR = 1e-6  # probabilities below this are all the same: not there
SPAN = 8.0  # logits are divided by this where the network sees them


@dataclass(frozen=True)
class AggregationConfig(HeadConfig):
    """
    Sizes of the head.

    tokens: width of the backbone's decoder features. beta: temperature of the backbone's volume,
    whose logits are volume / beta. dim, heads, blocks, mlp_ratio: of the aggregation; dim / heads
    is a multiple of 4. halvings: how often the source's sides are halved before it. guide:
    channels of the projected features. fine: channels of the convolutions that make the target
    finer.
    """

    tokens: int = 128
    beta: float = 0.1
    dim: int = 32
    heads: int = 2
    blocks: int = 1
    halvings: int = 2
    mlp_ratio: float = 2.0
    guide: int = 32
    fine: int = 16

    def __post_init__(self) -> None:
        """Refuse sizes that no network can have (ConfigError)."""
        self.check_counts("tokens", "dim", "heads", "blocks", "halvings", "guide", "fine")
        if self.halvings > 4:
            raise ConfigError(f"halvings={self.halvings}: at most 4")
        if self.dim % (4 * self.heads):
            raise ConfigError(
                f"dim={self.dim} with heads={self.heads}: a multiple of 4 channels per head"
            )
        if type(self.beta) not in (int, float) or not 0 < self.beta <= 100:
            raise ConfigError(f"beta={self.beta!r}: a number above 0, at most 100")


@dataclass(frozen=True)
class Direction:
    """
    One direction of a pair, as the backbone gives it.

    volume: (B, Nt, Ns) mean logits, before the temperature; features: (B, Nt, C) of the target's
    tokens after the decoder; grid_target, grid_source: rows and columns of tokens.
    """

    volume: Tensor
    features: Tensor
    grid_target: Grid
    grid_source: Grid


@dataclass(frozen=True)
class AggregatedFlow:
    """
    An aggregated flow.

    volume: C' (B, Nt, Ns), the backbone's units; logits: (B, 16 Nt, Ns) over the source, on the
    finer target; flow: (B, 2, 4 h, 4 w) in source tokens; mass: (B, 1, 4 h, 4 w) in [0, 1], the
    probability near the match.
    """

    volume: Tensor
    logits: Tensor
    flow: Tensor
    mass: Tensor


class AxisAttention(nn.Module):
    """Pre-norm self-attention along one axis; queries and keys may be guided by features."""

    def __init__(self, dim: int, heads: int, guide: int = 0) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.guide = nn.Linear(guide, 2 * dim) if guide else None

    def forward(self, x: Tensor, rotary: RotaryTable, guide: Tensor | None = None) -> Tensor:
        """Attend along N of x (B, K, N, dim); guide (B, N, channels). Returns x's shape."""
        q, k, v = self.qkv(self.norm(x)).chunk(3, -1)
        if self.guide is not None and guide is not None:
            guide_q, guide_k = self.guide(guide).unsqueeze(1).chunk(2, -1)
            q, k = q + guide_q, k + guide_k
        q, k, v = (part.flatten(0, 1).unflatten(2, (self.heads, -1)) for part in (q, k, v))
        mixed = attend(rotate(q, rotary), rotate(k, rotary), v)
        out: Tensor = x + self.proj(mixed).view_as(x)
        return out


class AggregationBlock(nn.Module):
    """Attention along the target, along the source, and an MLP."""

    def __init__(self, config: AggregationConfig) -> None:
        super().__init__()
        self.along_target = AxisAttention(config.dim, config.heads, config.guide)
        self.along_source = AxisAttention(config.dim, config.heads)
        self.norm = nn.LayerNorm(config.dim, eps=1e-6)
        self.mlp = Mlp(config.dim, config.mlp_ratio)

    def forward(self, x: Tensor, tables: tuple[RotaryTable, RotaryTable], guide: Tensor) -> Tensor:
        """
        Map x (B, Nt, M, dim), M blocks of source cells, to the same shape.

        tables: of the target's cells and of the source's blocks; guide: (B, Nt, channels).
        """
        x = self.along_target(x.transpose(1, 2), tables[0], guide).transpose(1, 2)
        x = self.along_source(x, tables[1])
        out: Tensor = x + self.mlp(self.norm(x))
        return out


class CostAggregation(nn.Module):
    """T_c: a volume and the decoder's features to a better volume; untrained, to the same one."""

    def __init__(self, config: AggregationConfig) -> None:
        super().__init__()
        self.config = config
        self.block = 2**config.halvings  # source cells per token, per side
        widths = (2, *[config.dim // 2] * (config.halvings - 1), config.dim)
        self.embed = nn.ModuleList(
            nn.Conv2d(a, b, 5, stride=2, padding=2) for a, b in pairwise(widths)
        )
        self.guide_norm = nn.LayerNorm(config.tokens, eps=1e-6)
        self.guide = nn.Linear(config.tokens, config.guide)
        self.blocks = nn.ModuleList(AggregationBlock(config) for _ in range(config.blocks))
        self.norm = nn.LayerNorm(config.dim, eps=1e-6)
        self.leave = nn.Linear(config.dim, self.block**2)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, direction: Direction) -> Tensor:
        """(B, Nt, Ns), in the units of the volume."""
        volume = direction.volume
        rows, columns = direction.grid_source
        x = self.mix(direction)
        change = self.leave(self.norm(x)).float().flatten(0, 1).transpose(1, 2)
        fine = functional.pixel_shuffle(change.unflatten(2, self._coarse(direction)), self.block)
        change = fine[:, 0, :rows, :columns].reshape(volume.shape)
        return volume + self.config.beta * change

    def mix(self, direction: Direction) -> Tensor:
        """
        Return what the attention makes of the volume.

        (B, Nt, M, dim), M blocks of source cells.
        """
        volume = direction.volume
        batch, cells, _ = volume.shape
        coarse = self._coarse(direction)
        x = self._seen(volume).reshape(-1, 2, *direction.grid_source)
        for number, conv in enumerate(self.embed):
            x = conv(functional.gelu(x) if number else x)
        x = x.flatten(2).transpose(1, 2).reshape(batch, cells, -1, self.config.dim)
        guide = self.guide(self.guide_norm(direction.features))
        head_dim = self.config.dim // self.config.heads
        tables = (
            rotary_table(direction.grid_target, head_dim, volume),
            rotary_table(coarse, head_dim, volume),
        )
        for block in self.blocks:
            x = block(x, tables, guide)
        return x

    def _coarse(self, direction: Direction) -> Grid:
        """Rows and columns of the blocks of source cells."""
        rows, columns = direction.grid_source
        return -(-rows // self.block), -(-columns // self.block)

    def _seen(self, volume: Tensor) -> Tensor:
        """(B, Nt, 2, Ns): log-probabilities, cut off and scaled, and probabilities."""
        logs = (volume / self.config.beta).log_softmax(-1)
        return torch.stack([logs.clamp(min=-2 * SPAN) / SPAN, logs.exp()], 2)


class TargetUpsampling(nn.Module):
    """
    Probabilities over the source for target cells four times finer, by shallow convolutions.

    Untrained it interpolates the probabilities bilinearly, which interpolates their mean position,
    and so the flow.
    """

    def __init__(self, config: AggregationConfig) -> None:
        super().__init__()
        self.beta = config.beta
        self.log_scale = nn.Parameter(torch.zeros(()))
        self.enter = nn.Conv2d(1, config.fine, 3, padding=1)
        self.guide = nn.Conv2d(config.tokens, config.fine, 3, padding=1)
        self.leave = nn.Conv2d(config.fine, FACTOR * FACTOR, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        assert self.leave.bias is not None
        nn.init.zeros_(self.leave.bias)

    def forward(self, volume: Tensor, features: Tensor, grid: Grid) -> Tensor:
        """Volume (B, Nt, Ns), features (B, Nt, C) -> logits (B, 16 Nt, Ns) over the source."""
        batch, _, sources = volume.shape
        share = (volume * self.log_scale.exp() / self.beta).softmax(-1)
        maps = share.transpose(1, 2).reshape(batch * sources, 1, *grid)
        guide = self.guide(features.transpose(1, 2).reshape(batch, -1, *grid))
        seen = self.enter((maps + FLOOR).log() / SPAN).unflatten(0, (batch, sources))
        hidden = functional.gelu(seen + guide.unsqueeze(1)).flatten(0, 1)
        change = functional.pixel_shuffle(self.leave(hidden), FACTOR).float()
        fine = (_finer(maps) + FLOOR).log() + change
        return fine.view(batch, sources, -1).transpose(1, 2).contiguous()


class AggregationHead(nn.Module):
    """Both directions of a pair to the flow on a target grid four times finer."""

    def __init__(self, config: AggregationConfig) -> None:
        super().__init__()
        self.config = config
        self.aggregation = CostAggregation(config)
        self.upsampling = TargetUpsampling(config)

    def volume(self, forward: Direction, backward: Direction) -> Tensor:
        """C' (B, Nt, Ns). Swapping the directions transposes it; the weights are the same."""
        if forward.grid_target != forward.grid_source:
            ahead, back = self.aggregation(forward), self.aggregation(backward)
        else:
            both = Direction(
                torch.cat([forward.volume, backward.volume]),
                torch.cat([forward.features, backward.features]),
                forward.grid_target,
                forward.grid_source,
            )
            ahead, back = self.aggregation(both).chunk(2)
        joint: Tensor = (ahead + back.transpose(1, 2)) / 2
        return joint

    def forward(
        self, forward: Direction, backward: Direction, *, readout: str = "soft", window: int = 5
    ) -> tuple[AggregatedFlow, AggregatedFlow]:
        """
        Flow target to source and source to target.

        readout: "soft", the mean over the whole source, which training uses, or "window", the mean
        over `window` x `window` source tokens around the peak.
        """
        volume = self.volume(forward, backward)
        return (
            self._read(volume, forward, readout, window),
            self._read(volume.transpose(1, 2), backward, readout, window),
        )

    def _read(self, volume: Tensor, side: Direction, readout: str, window: int) -> AggregatedFlow:
        grid = side.grid_target
        logits = self.upsampling(volume, side.features, grid)
        with exact(logits):
            match = match_volume(logits, side.grid_source, readout, 1.0, window)
        own = token_positions(grid, volume.device).view(1, *grid, 2).permute(0, 3, 1, 2)
        # Positions beyond the outermost tokens are theirs, as in the interpolated volume: there
        # the flow is continued, not the position.
        fine = FACTOR * grid[0], FACTOR * grid[1]
        place = match.position.transpose(1, 2).reshape(-1, 2, *fine)
        return AggregatedFlow(
            volume, logits, place - _finer(own), match.mass.reshape(-1, 1, *fine)
        )


def exact(like: Tensor) -> torch.autocast:
    """
    Return a context without autocast.

    Half precision would round positions to a pixel and more.
    """
    return torch.autocast(like.device.type, enabled=False)


def _finer(maps: Tensor) -> Tensor:
    fine: Tensor = functional.interpolate(maps, scale_factor=FACTOR, mode="bilinear")
    return fine
