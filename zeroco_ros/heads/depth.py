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
ZeroCo-depth: inverse depth of the target image up to a scale, from two views.

An et al., ZeroCo (CVPR 2025), whose code for this part was never released: depth = DPT(T_d(C_att,
D_t<-s)). T_d is the transformer cost aggregation of `heads.aggregation`; its tokens meet image
features in a light decoder with skip connections (Ranftl et al., DPT, ICCV 2021). Beside the
paper's inputs the head sees where the flow leads and what it means for the rays
(`heads.depth_geometry`). No pose is given.
"""

from __future__ import annotations

from dataclasses import dataclass
import math

import torch
from torch import nn, Tensor
from torch.nn import functional

from zeroco_ros.croco.layers import EncoderBlock
from zeroco_ros.croco.rope import rotary_table
from zeroco_ros.errors import ConfigError
from zeroco_ros.heads.aggregation import AggregationConfig, CostAggregation, Direction
from zeroco_ros.heads.config import HeadConfig
from zeroco_ros.heads.depth_geometry import CELL, CHANNELS
from zeroco_ros.heads.features import PixelNorm, Residual
from zeroco_ros.heads.upsampling import bilinear_mask, convex_upsample

TRIANGULATED = 6  # the channel of `geometry_channels` that holds log inverse depth
BOUND = 12.0  # largest logit of a convex combination's weights
SIGMAS = (math.log(0.01), math.log(3.0))  # range of the log of sigma


@dataclass(frozen=True)
class DepthHeadConfig(HeadConfig):
    """
    Sizes of the head.

    tokens: width of the backbone's decoder features; beta: temperature of its volume; dim: of the
    cost aggregation; guide: channels of the projected features in it; stem: channels at 1/2 of
    the image; widths: at 1/4, 1/8 and 1/16; blocks, heads: of the self-attention at 1/16; volume,
    geometry: whether the cost volume, and the channels of `geometry_channels`, are used.
    """

    tokens: int = 128
    beta: float = 0.1
    dim: int = 16
    guide: int = 16
    stem: int = 16
    widths: tuple[int, int, int] = (32, 64, 96)
    blocks: int = 3
    heads: int = 4
    volume: bool = True
    geometry: bool = True

    def __post_init__(self) -> None:
        """Refuse sizes that no network can have (ConfigError)."""
        self.check_counts("tokens", "dim", "guide", "stem", "blocks", "heads")
        widths = self.widths
        if (
            not isinstance(widths, tuple)
            or len(widths) != 3
            or any(type(width) is not int or not 1 <= width <= 4096 for width in widths)
        ):
            raise ConfigError(f"widths={widths!r}: three whole numbers from 1 to 4096 are needed")
        if widths[2] % (4 * self.heads):
            raise ConfigError(
                f"widths[2]={widths[2]} with heads={self.heads}: a multiple of 4 channels per head"
            )
        for name in ("volume", "geometry"):
            if type(getattr(self, name)) is not bool:
                raise ConfigError(f"{name}={getattr(self, name)!r}: true or false")
        self.aggregation()

    def aggregation(self) -> AggregationConfig:
        """Return the sizes of T_d."""
        return AggregationConfig(
            tokens=self.tokens, beta=self.beta, dim=self.dim, heads=1, halvings=3, guide=self.guide
        )


@dataclass(frozen=True)
class DepthMap:
    """
    A depth map.

    log_inverse: (B, H, W) float32, log of inverse depth up to a constant per image; log_sigma: (B,
    H, W) float32, log of its standard deviation, which is the relative one of depth.
    """

    log_inverse: Tensor
    log_sigma: Tensor


class CostTokens(CostAggregation):
    """T_d: the volume and the decoder's features as one vector per target token."""

    def __init__(self, config: AggregationConfig) -> None:
        super().__init__(config)
        del self.leave
        self.score = nn.Linear(config.dim, 1)

    def forward(self, direction: Direction) -> Tensor:
        """(B, Nt, dim): blocks of source cells, weighed by what is in them."""
        x = self.norm(self.mix(direction))
        mean: Tensor = (self.score(x).float().softmax(2) * x).sum(2)
        return mean


class DepthHead(nn.Module):
    """Two views to the target's inverse depth; sides of the image are multiples of 16."""

    def __init__(self, config: DepthHeadConfig) -> None:
        super().__init__()
        self.config = config
        quarter, eighth, sixteenth = config.widths
        self.stem = nn.Conv2d(3, config.stem, 3, stride=2, padding=1)
        self.stem_norm = PixelNorm(config.stem)
        self.down4 = nn.Conv2d(config.stem, quarter, 3, stride=2, padding=1)
        self.norm4 = PixelNorm(quarter)
        self.enter = nn.Conv2d(quarter + CHANNELS, quarter, 3, padding=1)
        self.enter_norm = PixelNorm(quarter)
        self.block4 = Residual(quarter)
        self.down8 = nn.Conv2d(quarter, eighth, 3, stride=2, padding=1)
        self.norm8 = PixelNorm(eighth)
        self.block8 = Residual(eighth)
        self.down16 = nn.Conv2d(eighth, sixteenth, 3, stride=2, padding=1)
        self.cost = CostTokens(config.aggregation()) if config.volume else None
        self.cost_in = nn.Linear(config.dim, sixteenth) if config.volume else None
        self.decoder_norm = nn.LayerNorm(config.tokens, eps=1e-6)
        self.decoder_in = nn.Linear(config.tokens, sixteenth)
        self.blocks = nn.ModuleList(
            EncoderBlock(sixteenth, config.heads, 2.0) for _ in range(config.blocks)
        )
        self.up8 = nn.Conv2d(sixteenth, eighth, 1)
        self.fuse8 = Residual(eighth)
        self.up4 = nn.Conv2d(eighth, quarter, 1)
        self.fuse4 = Residual(quarter)
        self.hidden = nn.Conv2d(quarter, 2 * quarter, 3, padding=1)
        self.leave = nn.Conv2d(2 * quarter, 3, 1)  # value, share of the triangulated, log sigma
        self.mask = nn.Conv2d(2 * quarter, 9 * CELL * CELL, 1)
        nn.init.zeros_(self.leave.weight)
        assert self.leave.bias is not None
        with torch.no_grad():
            self.leave.bias.copy_(torch.tensor([0.0, 0.0, math.log(0.4)]))
        nn.init.zeros_(self.mask.weight)
        assert self.mask.bias is not None
        nn.init.zeros_(self.mask.bias)

    def encode(self, images: Tensor) -> Tensor:
        """Features (B, C, H / 4, W / 4) of normalized images (B, 3, H, W)."""
        mean = images.mean((2, 3), keepdim=True)
        deviation = images.std((1, 2, 3), keepdim=True)
        x = ((images - mean) / (deviation + 0.05)).contiguous(memory_format=torch.channels_last)
        x = functional.relu(self.stem_norm(self.stem(x)))
        return functional.relu(self.norm4(self.down4(x)))

    def forward(self, direction: Direction, seen: Tensor, geometry: Tensor) -> DepthMap:
        """
        Depth of the target's pixels.

        direction: the target's side of the pair; seen: `encode` of the target; geometry: (B, 12,
        H / 4, W / 4) of `geometry_channels`. Raises ConfigError for the features of another
        backbone.
        """
        if direction.features.shape[-1] != self.config.tokens:
            raise ConfigError(
                f"this head was trained on another backbone: its features have "
                f"{self.config.tokens} channels, these {direction.features.shape[-1]}"
            )
        if not self.config.geometry:
            geometry = torch.zeros_like(geometry)
        x = torch.cat([seen, geometry.to(seen.dtype)], 1)
        quarter = self.block4(functional.relu(self.enter_norm(self.enter(x))))
        eighth = self.block8(functional.relu(self.norm8(self.down8(quarter))))
        tokens = self._attend(self.down16(eighth), direction)
        eighth = self.fuse8(self.up8(_twice(tokens)) + eighth)
        quarter = self.fuse4(self.up4(_twice(eighth)) + quarter)
        return self._read(functional.relu(self.hidden(quarter)), geometry)

    def _attend(self, x: Tensor, direction: Direction) -> Tensor:
        """Features (B, C, h, w) at 1/16 after the volume and attention between all tokens."""
        grid = direction.grid_target
        tokens = x.flatten(2).transpose(1, 2)
        tokens = tokens + self.decoder_in(self.decoder_norm(direction.features))
        if self.cost is not None and self.cost_in is not None:
            tokens = tokens + self.cost_in(self.cost(direction))
        width = self.config.widths[2] // self.config.heads
        table = rotary_table(grid, width, direction.volume)
        for block in self.blocks:
            tokens = block(tokens, table)
        out: Tensor = tokens.transpose(1, 2).unflatten(2, grid)
        return out

    def _read(self, hidden: Tensor, geometry: Tensor) -> DepthMap:
        values = self.leave(hidden).float()
        share = values[:, 1:2].sigmoid()
        triangulated = geometry[:, TRIANGULATED : TRIANGULATED + 1].float()
        coarse = torch.cat([values[:, :1] + share * triangulated, values[:, 2:]], 1)
        mask = self.mask(hidden).float().clamp(-BOUND, BOUND)
        mask = mask + bilinear_mask(CELL, mask.device)
        fine = _upsampled(coarse, mask)
        return DepthMap(fine[:, 0], fine[:, 1].clamp(*SIGMAS))


def _twice(x: Tensor) -> Tensor:
    fine: Tensor = functional.interpolate(x, scale_factor=2, mode="bilinear")
    return fine


def _upsampled(coarse: Tensor, mask: Tensor) -> Tensor:
    """Convex upsampling by 4 that continues the border's values beyond it."""
    border = (1, 1, 1, 1)
    coarse = functional.pad(coarse, border, mode="replicate")
    mask = functional.pad(mask, border, mode="replicate")
    return convex_upsample(coarse, mask, CELL, scale_values=False)[..., CELL:-CELL, CELL:-CELL]
