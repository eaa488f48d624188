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
Cross-view completion, CroCo's pre-training task: masks, patches and the loss.

Weinzaepfel et al., CroCo (NeurIPS 2022): most of the target's patches are hidden and rebuilt from
the rest and from the source view. Loss and patch order follow MAE (He et al., CVPR 2022).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from zeroco_ros.croco.positions import Grid
from zeroco_ros.errors import ConfigError


@dataclass(frozen=True)
class Completion:
    """
    One pre-training pass.

    prediction: (B, N, 3 * p * p) rebuilt patches. mask: (B, N) bool, true where hidden.
    target: (B, N, 3 * p * p) the true patches, in the units of the normalized images.
    """

    prediction: Tensor
    mask: Tensor
    target: Tensor

    def loss(self, *, norm_pix: bool = True, masked: bool = True) -> Tensor:
        """Return the mean squared error, see `completion_loss`."""
        return completion_loss(
            self.prediction, self.target, self.mask, norm_pix=norm_pix, masked=masked
        )


def random_mask(
    batch: int,
    tokens: int,
    ratio: float = 0.9,
    *,
    generator: torch.Generator | None = None,
    device: torch.device | str = "cpu",
) -> Tensor:
    """
    (batch, tokens) bool: int(ratio * tokens) random patches hidden in every row.

    ratio is in [0, 1). A `generator`, if given, lives on `device`. Raises ConfigError.
    """
    return hide(torch.rand(batch, tokens, generator=generator, device=device), ratio)


def hide(chance: Tensor, ratio: float) -> Tensor:
    """
    (B, N) bool: the int(ratio * N) patches of lowest `chance` (B, N) hidden in every row.

    ratio is in [0, 1). Raises ConfigError.
    """
    if not 0 <= ratio < 1:
        raise ConfigError(f"mask ratio {ratio}: a number from 0 up to, not including, 1 is needed")
    return chance.argsort(dim=1).argsort(dim=1) < int(ratio * chance.shape[1])


def kept_and_masked(mask: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
    """
    Token indices (B, K) kept and (B, N - K) hidden, both ascending.

    Raises ConfigError unless mask is (B, h * w) bool with as many hidden patches in every row.
    """
    count = grid[0] * grid[1]
    if mask.dtype != torch.bool or mask.ndim != 2 or mask.shape[1] != count:
        raise ConfigError(
            f"mask of shape {tuple(mask.shape)} and type {mask.dtype}: (B, {count}) bool is needed"
        )
    hidden = mask.sum(dim=1)
    number = int(hidden[0])
    if not bool((hidden == number).all()) or number == count:
        raise ConfigError(
            "mask: every row must hide the same number of patches, and not all of them"
        )
    order = mask.to(torch.uint8).argsort(dim=1, stable=True)
    return order[:, : count - number], order[:, count - number :]


def zero_patches(images: Tensor, mask: Tensor, grid: Grid) -> Tensor:
    """Images (B, 3, H, W) with the hidden patches set to 0, the mean color."""
    height, width = grid
    patch = images.shape[2] // height
    shown = (~mask).to(images.dtype).view(-1, 1, height, width)
    return images * shown.repeat_interleave(patch, dim=2).repeat_interleave(patch, dim=3)


def patchify(images: Tensor, patch_size: int = 16) -> Tensor:
    """(B, 3, H, W) -> (B, N, p * p * 3): patches row by row, pixels row by row, then color."""
    batch, channels, height, width = images.shape
    rows, cols = height // patch_size, width // patch_size
    blocks = images.reshape(batch, channels, rows, patch_size, cols, patch_size)
    return blocks.permute(0, 2, 4, 3, 5, 1).reshape(batch, rows * cols, -1)


def unpatchify(patches: Tensor, grid: Grid, patch_size: int = 16) -> Tensor:
    """Return the inverse of `patchify`: (B, h * w, p * p * 3) -> (B, 3, h * p, w * p)."""
    rows, cols = grid
    blocks = patches.reshape(len(patches), rows, cols, patch_size, patch_size, 3)
    images = blocks.permute(0, 5, 1, 3, 2, 4)
    return images.reshape(len(patches), 3, rows * patch_size, cols * patch_size)


def completion_loss(
    prediction: Tensor, target: Tensor, mask: Tensor, *, norm_pix: bool = True, masked: bool = True
) -> Tensor:
    """
    Mean squared error of patches (B, N, P): a scalar.

    norm_pix: each true patch is first brought to mean 0 and (unbiased) variance 1. masked: the
    mean over the hidden patches, mask (B, N) true, instead of over all.
    """
    if norm_pix:
        mean = target.mean(dim=-1, keepdim=True)
        variance = target.var(dim=-1, keepdim=True)
        target = (target - mean) / (variance + 1e-6).sqrt()
    error = (prediction - target).square().mean(dim=-1)
    if masked:
        weight = mask.to(error.dtype)
        return (error * weight).sum() / weight.sum()
    return error.mean()
