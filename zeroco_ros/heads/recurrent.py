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
From the attention's coarse match to dense flow: recurrent updates at 1/8 and 1/4 resolution.

Each update compares features in a small window around the current flow (Teed and Deng, RAFT, ECCV
2020), takes the window's own soft-argmax through a learned gate, and adds a learned correction; a
convex combination brings the last flow to full resolution. The state is updated by depth-wise
convolution blocks instead of a gated recurrent unit (Wang et al., SEA-RAFT, ECCV 2024).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn, Tensor
from torch.nn import functional

from zeroco_ros.errors import ConfigError
from zeroco_ros.heads.features import FeaturePyramid, Level
from zeroco_ros.heads.local_correlation import local_correlation, warp_features, window_offsets

# Largest logit of a convex combination's weights.
BOUND = 12.0


@dataclass(frozen=True)
class RecurrentConfig:
    """
    A recurrent config.

    widths: feature channels at 1/2, 1/4, 1/8; match: compared channels; context: channels of the
    image's own description; hidden: channels of the state; iterations and radius: updates and half
    window at (1/8, 1/4) resolution.
    """

    widths: tuple[int, int, int] = (32, 48, 80)
    match: int = 40
    context: int = 32
    hidden: int = 64
    iterations: tuple[int, int] = (3, 2)
    radius: tuple[int, int] = (4, 3)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, the inverse of `from_dict`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> RecurrentConfig:
        """From plain values; raises ConfigError naming a key that is unknown."""
        unknown = sorted(set(values) - set(cls.__dataclass_fields__))
        if unknown:
            raise ConfigError(f"unknown key of a recurrent head: {', '.join(unknown)}")
        ready: dict[str, Any] = {}
        for key, value in values.items():
            ready[key] = tuple(value) if isinstance(value, list) else value
        return cls(**ready)


@dataclass(frozen=True)
class Update:
    """
    What one iteration knows.

    flow: (B, h, w, 2) float32 in cells of its level; logits: the window's correlations as logits
    (B, h, w, (2r + 1)^2); center: the flow they are around; stride: pixels per cell.
    """

    flow: Tensor
    logits: Tensor
    center: Tensor
    stride: int


@dataclass(frozen=True)
class HeadFlow:
    """
    A head flow.

    flow: (B, H, W, 2) float32 pixels; certainty: (B, H, W) float32, logit of being right; updates:
    the course, in training only.
    """

    flow: Tensor
    certainty: Tensor
    updates: tuple[Update, ...]


class ConvNextBlock(nn.Module):
    """
    Depth-wise convolution and a per-pixel MLP around a shortcut (Liu et al., CVPR 2022).

    Two 3x3 kernels stand for the paper's 7x7, whose gradient costs 15 times theirs on a CPU.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.spread = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, groups=width),
            nn.Conv2d(width, width, 3, padding=1, groups=width),
        )
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.grow = nn.Linear(width, 2 * width)
        self.shrink = nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, h, w, C) -> (B, h, w, C)."""
        y = self.spread(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        out: Tensor = x + self.shrink(functional.gelu(self.grow(self.norm(y))))
        return out


class UpdateBlock(nn.Module):
    """One level's update, shared by its iterations."""

    def __init__(self, config: RecurrentConfig, radius: int) -> None:
        super().__init__()
        hidden, window = config.hidden, (2 * radius + 1) ** 2
        self.radius = radius
        self.begin = nn.Linear(config.context, hidden)
        self.enter = nn.Linear(window + 5 + config.context + hidden, hidden)
        self.blocks = nn.ModuleList(ConvNextBlock(hidden) for _ in range(2))
        self.norm = nn.LayerNorm(hidden, eps=1e-6)
        self.leave = nn.Linear(hidden, 3)
        self.log_scale = nn.Parameter(torch.tensor(1.0))
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(
        self, state: Tensor, flow: Tensor, sure: Tensor, target: Level, source: Level, stride: int
    ) -> tuple[Tensor, Update]:
        """Return the next state (B, h, w, hidden) and flow."""
        flow = flow.detach()
        warped = warp_features(source.match, flow)
        logits = local_correlation(target.match, warped, self.radius) * self.log_scale.exp()
        place = logits.softmax(-1) @ window_offsets(self.radius, logits.device)
        known = [logits, place, flow / 8, sure, target.context, state]
        x = self.enter(torch.cat([part.to(state.dtype) for part in known], -1))
        for block in self.blocks:
            x = block(x)
        state = self.norm(state + x)
        change = self.leave(state).float()
        gate = change[..., 2:].sigmoid()
        moved = flow + gate * place + change[..., :2]
        return state, Update(moved, logits, flow, stride)


class RecurrentHead(nn.Module):
    """Coarse flow and two images to dense flow with a certainty."""

    def __init__(self, config: RecurrentConfig | None = None) -> None:
        super().__init__()
        self.config = config or RecurrentConfig()
        self.features = FeaturePyramid(self.config.widths, self.config.match, self.config.context)
        self.eighth = UpdateBlock(self.config, self.config.radius[0])
        self.quarter = UpdateBlock(self.config, self.config.radius[1])
        hidden = self.config.hidden
        self.carry = nn.Linear(hidden, hidden)
        self.mask = nn.Sequential(
            nn.Linear(hidden, 2 * hidden), nn.GELU(), nn.Linear(2 * hidden, 9 * 16)
        )
        self.sure = nn.Linear(hidden, 1)

    def encode(self, images: Tensor) -> tuple[Level, Level]:
        """Everything that depends on one image only. images: (B, 3, H, W), multiples of 8."""
        levels: tuple[Level, Level] = self.features(images)
        return levels

    def forward(
        self,
        target: tuple[Level, Level],
        source: tuple[Level, Level],
        coarse: Tensor,
        mass: Tensor,
    ) -> HeadFlow:
        """
        Dense flow from target to source.

        target, source: from `encode`; coarse: (B, 2, h, w) pixels of the encoded images on any
        grid over the target, mass: (B, 1, h, w) in [0, 1], the coarse match's confidence.
        """
        fine, rough = target
        shape = rough.match.shape[1:3]
        flow = _resize(coarse, (shape[0], shape[1])) / 8
        sure = _resize(mass, (shape[0], shape[1]))
        updates = []
        state = self.eighth.begin(rough.context).tanh()
        for _ in range(self.config.iterations[0]):
            state, update = self.eighth(state, flow, sure, rough, source[1], 8)
            flow = update.flow
            updates.append(update)
        size = (fine.match.shape[1], fine.match.shape[2])
        flow, sure = _enlarge(flow, size) * 2, _enlarge(sure, size)
        state = (self.quarter.begin(fine.context) + self.carry(_enlarge(state, size))).tanh()
        for _ in range(self.config.iterations[1]):
            state, update = self.quarter(state, flow, sure, fine, source[0], 4)
            flow = update.flow
            updates.append(update)
        mask = self.mask(state).float()
        certainty = _enlarge(self.sure(state).float(), (4 * size[0], 4 * size[1]))
        return HeadFlow(convex_upsample(flow * 4, mask), certainty[..., 0], tuple(updates))


def convex_upsample(flow: Tensor, mask: Tensor) -> Tensor:
    """
    Four times finer flow: each new vector a convex combination of the 3x3 coarse ones (RAFT).

    flow: (B, h, w, 2) pixels; mask: (B, h, w, 9 * 16) logits, cut off at +-BOUND. Returns
    (B, 4 h, 4 w, 2). `upsampling.convex_upsample` has RAFT's own layout and border.
    """
    batch, rows, columns = flow.shape[:3]
    padded = functional.pad(flow.permute(0, 3, 1, 2), (1, 1, 1, 1), mode="replicate")
    # Written out: a softmax over nine values takes torch 20 times longer on a CPU.
    weights = mask.clamp(-BOUND, BOUND).exp().view(batch, rows, columns, 9, 16).unbind(-2)
    total = sum(weights)
    fine: list[Tensor] = []
    for axis in (0, 1):
        near = [padded[:, axis, y : y + rows, x : x + columns] for y in range(3) for x in range(3)]
        mixed: Any = sum(w * part[..., None] for w, part in zip(weights, near, strict=True))
        fine.append(mixed / total)
    cells = torch.stack(fine, -1).view(batch, rows, columns, 4, 4, 2)
    return cells.permute(0, 1, 3, 2, 4, 5).reshape(batch, 4 * rows, 4 * columns, 2)


def _resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, C, h, w) -> (B, H, W, C), bilinear between cell centers."""
    return functional.interpolate(x, size, mode="bilinear").permute(0, 2, 3, 1)


def _enlarge(x: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, h, w, C) -> (B, H, W, C), bilinear between cell centers."""
    return _resize(x.permute(0, 3, 1, 2), size)
