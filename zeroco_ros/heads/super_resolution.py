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
Super-resolution of matching flow by attention in windows of two sizes (ACTR).

Sun et al., Correspondence Transformers with Asymmetric Feature Learning and Matching Flow
Super-Resolution (CVPR 2023). The coarse flow is repeated four times finer, features are joined to
it, and two rounds of attention within windows of 8 and of 4 cells predict what is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import re

import torch
from torch import nn, Tensor
from torch.nn import functional

from zeroco_ros.errors import ConfigError
from zeroco_ros.heads.config import HeadConfig
from zeroco_ros.heads.local_correlation import local_correlation, warp_features
from zeroco_ros.heads.upsampling import bilinear_upflow
from zeroco_ros.heads.windows import WindowBlock

FACTOR = 4  # coarse cells to fine cells, per side
FLOW_UNIT = 16  # fine cells: the head sees flow of the size of its other channels


@dataclass(frozen=True)
class RefinementConfig(HeadConfig):
    """
    Sizes of the dual-window refinement; the defaults are the released ones.

    dim: channels, 2 of which are the flow. windows: sides in cells, one branch each. rounds: how
    often the branches run. reduction: of the channel gate. hidden: of the last convolutions.
    """

    dim: int = 96
    heads: int = 8
    windows: tuple[int, ...] = (8, 4)
    rounds: int = 2
    mlp_ratio: float = 4.0
    reduction: int = 16
    hidden: int = 32

    def __post_init__(self) -> None:
        """Refuse sizes that no network can have (ConfigError)."""
        self.check_counts("dim", "heads", "rounds", "reduction", "hidden")
        self.check_sides("windows")
        if self.dim < 3 or self.dim % self.heads:
            raise ConfigError(
                f"dim={self.dim} with heads={self.heads}: a multiple of the heads, at least 3"
            )


class ChannelGate(nn.Module):
    """x + x * sigmoid(f(mean) + f(max)): channels weighed by what the whole map holds (CBAM)."""

    def __init__(self, dim: int, reduction: int) -> None:
        super().__init__()
        small = max(1, dim // reduction)
        self.shrink = nn.Linear(dim, small, bias=False)
        self.grow = nn.Linear(small, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, dim) -> (B, H, W, dim)."""
        pooled = torch.stack([x.mean((1, 2)), x.amax((1, 2))])
        gate = self.grow(functional.relu(self.shrink(pooled))).sum(0).sigmoid()
        out: Tensor = x + x * gate[:, None, None]
        return out


class WindowBranch(nn.Module):
    """One window size of one round: a window block around a shortcut, then the channel gate."""

    def __init__(self, config: RefinementConfig, window: int) -> None:
        super().__init__()
        self.block = WindowBlock(config.dim, config.heads, window, config.mlp_ratio)
        self.norm = nn.LayerNorm(config.dim)
        self.gate = ChannelGate(config.dim, config.reduction)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, dim) -> (B, H, W, dim)."""
        out: Tensor = self.gate(x + self.norm(self.block(x)))
        return out


class DualWindowRefinement(nn.Module):
    """Fine flow and features to the residual of the flow."""

    def __init__(self, config: RefinementConfig) -> None:
        super().__init__()
        self.config = config
        self.rounds = nn.ModuleList(
            nn.ModuleList(WindowBranch(config, window) for window in config.windows)
            for _ in range(config.rounds)
        )
        self.conv1 = nn.Conv2d(config.dim, config.hidden, 3, padding=1)
        self.conv2 = nn.Conv2d(config.hidden, 2, 3, padding=1)

    def forward(self, flow: Tensor, features: Tensor) -> Tensor:
        """Fine flow (B, 2, H, W), features (B, dim - 2, H, W) -> the flow's residual."""
        x = torch.cat([flow, features], 1).permute(0, 2, 3, 1)
        for branches in self.rounds:
            assert isinstance(branches, nn.ModuleList)
            x = torch.stack([branch(x) for branch in branches]).sum(0)
        hidden = functional.relu(self.conv1(x.permute(0, 3, 1, 2)))
        residual: Tensor = self.conv2(hidden)
        return residual


def repeat_flow(flow: Tensor) -> Tensor:
    """Flow (B, 2, h, w) in coarse cells, each repeated 4 x 4, in fine cells (B, 2, 4 h, 4 w)."""
    return functional.interpolate(flow, scale_factor=FACTOR, mode="nearest") * FACTOR


@dataclass(frozen=True)
class SuperResolutionConfig(HeadConfig):
    """
    The head: refinement, and what it sees beside the flow.

    tokens: width of the backbone's decoder features. image: channels of 1/4-resolution features
    of the two images, compared in a window of `radius` cells around the interpolated coarse flow;
    0 is ACTR as published: it starts from the repeated coarse flow and sees nothing finer than a
    patch, which leaves little that could tell where within a patch the match is.
    """

    tokens: int = 128
    image: int = 32
    radius: int = 3
    refinement: RefinementConfig = RefinementConfig(dim=64, heads=4, hidden=32)

    def __post_init__(self) -> None:
        """Refuse sizes that no network can have (ConfigError)."""
        self.check_counts("tokens", "radius")
        if type(self.image) is not int or not 0 <= self.image <= 4096:
            raise ConfigError(f"image={self.image!r}: a whole number of channels from 0 to 4096")


class QuarterFeatures(nn.Module):
    """Features of an image at 1/4 of its resolution, for comparison between images."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            [
                nn.Conv2d(3, width, 3, stride=2, padding=1),
                nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
                nn.Conv2d(2 * width, width, 3, padding=1),
            ]
        )
        self.norms = nn.ModuleList([nn.GroupNorm(4, width), nn.GroupNorm(4, 2 * width)])

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W), sides multiples of 4 -> (B, width, H / 4, W / 4)."""
        x = images
        for conv, norm in zip(self.convs, self.norms, strict=False):
            x = functional.relu(norm(conv(x)))
        out: Tensor = self.convs[-1](x)
        return out


class SuperResolutionHead(nn.Module):
    """Coarse flow to flow on a grid four times finer; untrained it only enlarges the flow."""

    def __init__(self, config: SuperResolutionConfig) -> None:
        super().__init__()
        self.config = config
        dim = config.refinement.dim
        self.project = nn.Conv2d(config.tokens, dim - 2, 1)
        self.refine = DualWindowRefinement(config.refinement)
        if config.image:
            self.quarter = QuarterFeatures(config.image)
            window = (2 * config.radius + 1) ** 2
            self.compare = nn.Conv2d(window + config.image, dim - 2, 1)
        nn.init.zeros_(self.refine.conv2.weight)
        assert self.refine.conv2.bias is not None
        nn.init.zeros_(self.refine.conv2.bias)

    def encode(self, images: Tensor) -> Tensor | None:
        """
        Everything that depends on one image only: (B, 3, H, W), normalized, multiples of 4.

        None where the configuration has no `image`.
        """
        if not self.config.image:
            return None
        features: Tensor = self.quarter(images).float()
        return features

    def forward(
        self,
        flows: Tensor | list[Tensor],
        tokens: Tensor,
        target: Tensor | None = None,
        source: Tensor | None = None,
    ) -> Tensor:
        """
        Flow (B, 2, 4 h, 4 w) in fine cells, four times smaller than the coarse ones.

        flows: (B, 2, h, w) in coarse cells, or several, such as one per decoder layer, whose
        refined flows are averaged (ACTR's multi-path). tokens: decoder features (B, h * w, tokens)
        of the target. target, source: from `encode`; raises ConfigError where they are needed and
        missing.
        """
        paths = [flows] if isinstance(flows, Tensor) else flows
        height, width = paths[0].shape[-2:]
        coarse = self.project(tokens.transpose(1, 2).reshape(len(tokens), -1, height, width))
        features = functional.interpolate(
            functional.relu(coarse), scale_factor=FACTOR, mode="bilinear", align_corners=False
        )
        if self.config.image and (target is None or source is None):
            raise ConfigError(
                "this super-resolution head compares images: give encode()'s results"
            )
        fine = [self._path(flow, features, target, source) for flow in paths]
        return torch.stack(fine).mean(0)

    def _path(
        self, flow: Tensor, features: Tensor, target: Tensor | None, source: Tensor | None
    ) -> Tensor:
        start = repeat_flow(flow)
        if target is not None and source is not None:
            # Comparing shifted copies of the warped image asks for a smooth flow.
            start = bilinear_upflow(flow, FACTOR, align_corners=False)
            warped = warp_features(source.permute(0, 2, 3, 1), start.permute(0, 2, 3, 1))
            found = local_correlation(target.permute(0, 2, 3, 1), warped, self.config.radius)
            seen = torch.cat([found.permute(0, 3, 1, 2), target], 1)
            features = features + functional.relu(self.compare(seen))
        out: Tensor = start + self.refine(start / FLOW_UNIT, features)
        return out


def to_pixels(flow: Tensor, stride: int) -> Tensor:
    """Fine flow (B, 2, h, w) in cells of `stride` pixels to pixels (B, 2, stride h, stride w)."""
    return bilinear_upflow(flow, stride, align_corners=False)


# Released names of the parts of a branch, and ours.
_BRANCH = {
    "0.transformer.layers.0.blocks.0.norm1.": "block.norm1.",
    "0.transformer.layers.0.blocks.0.attn.relative_position_bias_table": "block.position_bias",
    "0.transformer.layers.0.blocks.0.attn.qkv.": "block.qkv.",
    "0.transformer.layers.0.blocks.0.attn.proj.": "block.proj.",
    "0.transformer.layers.0.blocks.0.norm2.": "block.norm2.",
    "0.transformer.layers.0.blocks.0.mlp.": "block.mlp.",
    "0.transformer.norm.": "norm.",
    "1.fc.0.": "gate.shrink.",
    "1.fc.2.": "gate.grow.",
}
_LAST = {"refine2.0.": "conv1.", "refine2.2.": "conv2."}


def from_released(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """
    Tensors of the released refinement by our names, for `DualWindowRefinement`.

    `refine_swin_decoder_W_R` (or, shortened, `dWR`) is the branch of window 4 (W = 1) or 8 (W = 2)
    in round R, counted from 1. 1x1 convolutions become linear layers; index buffers are derived
    anew. Other names are left out. Raises ConfigError if nothing is left.
    """
    ours: dict[str, Tensor] = {}
    for name, value in state.items():
        branch = re.fullmatch(r"(?:d|refine_swin_decoder_)([12])_?([12])\.(.+)", name)
        if branch:
            prefix = f"rounds.{int(branch[2]) - 1}.{2 - int(branch[1])}."
            table, rest = _BRANCH, branch[3]
        else:
            prefix, table, rest = "", _LAST, name
        for theirs, mine in table.items():
            if rest.startswith(theirs):
                flat = value.flatten(1) if "1.fc." in theirs else value
                ours[prefix + mine + rest.removeprefix(theirs)] = flat
    if not ours:
        raise ConfigError("no tensor of a released ACTR refinement: names start with d11, refine2")
    return ours
