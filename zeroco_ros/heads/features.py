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

"""A small convolutional pyramid: what sub-patch matching compares, at 1/4 and 1/8 resolution."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn, Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Level:
    """
    One resolution of an image's features, channels last.

    match: (B, h, w, C) float32, compared between images; context: (B, h, w, K), describes the
    image's own pixels.
    """

    match: Tensor
    context: Tensor


class PixelNorm(nn.LayerNorm):
    """Layer normalization over the channels of (B, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Residual(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.norm1 = PixelNorm(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.norm2 = PixelNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        y = functional.relu(self.norm1(self.conv1(x)))
        return functional.relu(x + self.norm2(self.conv2(y)))


class FeaturePyramid(nn.Module):
    """
    Features of an image at 1/4 and 1/8 of its resolution.

    widths: channels at 1/2, 1/4 and 1/8; match: channels that are compared; context: channels of
    the image's own description.
    """

    def __init__(self, widths: tuple[int, int, int], match: int, context: int) -> None:
        super().__init__()
        half, quarter, eighth = widths
        self.match_width = match
        self.stem = nn.Conv2d(3, half, 3, stride=2, padding=1)
        self.stem_norm = PixelNorm(half)
        self.down4 = nn.Conv2d(half, quarter, 3, stride=2, padding=1)
        self.norm4 = PixelNorm(quarter)
        self.block4 = Residual(quarter)
        self.down8 = nn.Conv2d(quarter, eighth, 3, stride=2, padding=1)
        self.norm8 = PixelNorm(eighth)
        self.block8 = Residual(eighth)
        self.out4 = nn.Conv2d(quarter, match + context, 1)
        self.out8 = nn.Conv2d(eighth, match + context, 1)

    def forward(self, images: Tensor) -> tuple[Level, Level]:
        """
        (B, 3, H, W), H and W multiples of 8 -> the levels 1/4 and 1/8.

        Each image is first brought to zero mean and unit deviation, so that a changed exposure
        changes little.
        """
        mean = images.mean((2, 3), keepdim=True)
        deviation = images.std((1, 2, 3), keepdim=True)
        x = ((images - mean) / (deviation + 0.05)).contiguous(memory_format=torch.channels_last)
        x = functional.relu(self.stem_norm(self.stem(x)))
        quarter = self.block4(functional.relu(self.norm4(self.down4(x))))
        eighth = self.block8(functional.relu(self.norm8(self.down8(quarter))))
        return self._level(self.out4(quarter)), self._level(self.out8(eighth))

    def _level(self, x: Tensor) -> Level:
        x = x.permute(0, 2, 3, 1)
        match = x[..., : self.match_width].float().contiguous()
        return Level(match, functional.relu(x[..., self.match_width :]))
