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

"""Losses of the depth head: supervised up to scale, and self-supervised by reprojection."""

from __future__ import annotations

from dataclasses import dataclass
import math

import torch
from torch import Tensor
from torch.nn import functional

from zeroco_ros.heads.depth import DepthMap
from zeroco_ros.heads.depth_geometry import cell_centers, rays
from zeroco_ros.training.augment import MEAN, STD
from zeroco_ros.training.depth_pairs import DepthBatch
from zeroco_ros.training.depth_recipe import DepthLossPlan

SCALES = (1, 2, 4, 8)
ALPHA = 0.85  # share of the structural similarity in the photometric error (Monodepth2)


@dataclass(frozen=True)
class DepthLoss:
    """
    A depth loss.

    total: what is minimized; error: mean absolute error of the logarithm after the median's
    alignment (about the relative error of depth), without gradient.
    """

    total: Tensor
    error: Tensor


def depth_loss(found: DepthMap, batch: DepthBatch, plan: DepthLossPlan) -> DepthLoss:
    """All terms of a plan; those of weight 0 are not computed."""
    shift = median(batch.log_inverse - found.log_inverse.detach())
    error = found.log_inverse + shift - batch.log_inverse
    total = found.log_inverse.new_zeros(())
    if plan.log:
        total = total + plan.log * scale_invariant(error)
    if plan.sigma:
        total = total + plan.sigma * laplace(error, found.log_sigma)
    if plan.gradient:
        total = total + plan.gradient * gradient(error)
    if plan.reprojection:
        aligned = (found.log_inverse + shift).clamp(-7, 4)
        total = total + plan.reprojection * reprojection(aligned, batch)
    if plan.smoothness:
        total = total + plan.smoothness * smoothness(found.log_inverse, batch.images[0])
    return DepthLoss(total, error.detach().abs().mean())


def median(values: Tensor) -> Tensor:
    """Median (B, 1, 1) of each map (B, H, W)."""
    return values.flatten(1).median(1).values.view(-1, 1, 1)


def scale_invariant(error: Tensor) -> Tensor:
    """
    Return the standard deviation of the logarithm's error.

    Eigen et al., NeurIPS 2014, lambda = 1.
    """
    variance = error.flatten(1).var(1, unbiased=False)
    return (variance + 1e-4).sqrt().mean()


def laplace(error: Tensor, log_sigma: Tensor) -> Tensor:
    """Mean negative log-likelihood of a Laplace distribution of this standard deviation."""
    return (math.sqrt(2) * error.abs() * (-log_sigma).exp() + log_sigma).mean()


def gradient(error: Tensor) -> Tensor:
    """Differences of neighboring errors (Li and Snavely, MegaDepth, CVPR 2018), several scales."""
    total = error.new_zeros(())
    for scale in SCALES:
        part = error[:, ::scale, ::scale]
        total = total + part.diff(dim=1).abs().mean() + part.diff(dim=2).abs().mean()
    return total


def reprojection(log_inverse: Tensor, batch: DepthBatch) -> Tensor:
    """
    Photometric error of the source seen from the target (Godard et al., Monodepth2, ICCV 2019).

    log_inverse: (B, H, W), 1 / meters. Pixels that leave the source, or that fit as well without
    any motion (auto-mask), do not count.
    """
    images = pictures(batch.images)
    height, width = log_inverse.shape[1:]
    own = rays(cell_centers((height, width), 1), batch.K[0])
    motion = batch.source_from_target
    turned = torch.einsum("bij,bjhw->bihw", motion[:, :3, :3], own)
    there = turned + log_inverse.exp()[:, None] * motion[:, :3, 3].view(-1, 3, 1, 1)
    depth = there[:, 2:].clamp(min=1e-3)
    pixels = torch.einsum("bij,bjhw->bihw", batch.K[1], there / depth)[:, :2]
    size = pixels.new_tensor([width, height]).view(1, 2, 1, 1)
    place = (2 * (pixels + 0.5) / size - 1).permute(0, 2, 3, 1)
    warped = functional.grid_sample(
        images[1], place, mode="bilinear", padding_mode="border", align_corners=False
    )
    inside = (place.abs() < 1).all(3) & (there[:, 2] > 1e-3)
    error = photometric(images[0], warped)
    still = photometric(images[0], images[1])
    counts = (inside & (error.detach() < still)).float()
    return (error * counts).sum() / counts.sum().clamp(min=1.0)


def pictures(images: Tensor) -> Tensor:
    """Bring normalized images (..., 3, H, W) back to [0, 1]."""
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    return images * std + mean


def photometric(first: Tensor, second: Tensor) -> Tensor:
    """(B, H, W): structural dissimilarity of 3x3 windows and absolute difference."""
    distance = (first - second).abs().mean(1)
    return ALPHA * dissimilarity(first, second) + (1 - ALPHA) * distance


def dissimilarity(first: Tensor, second: Tensor) -> Tensor:
    """(1 - SSIM) / 2 in [0, 1], (B, H, W) (Wang et al., 2004)."""
    one, two = (functional.pad(x, (1, 1, 1, 1), mode="reflect") for x in (first, second))
    mean_1, mean_2 = (functional.avg_pool2d(x, 3, 1) for x in (one, two))
    var_1 = functional.avg_pool2d(one * one, 3, 1) - mean_1 * mean_1
    var_2 = functional.avg_pool2d(two * two, 3, 1) - mean_2 * mean_2
    both = functional.avg_pool2d(one * two, 3, 1) - mean_1 * mean_2
    a, b = 0.01**2, 0.03**2
    above = (2 * mean_1 * mean_2 + a) * (2 * both + b)
    below = (mean_1 * mean_1 + mean_2 * mean_2 + a) * (var_1 + var_2 + b)
    return ((1 - above / below) / 2).clamp(0, 1).mean(1)


def smoothness(log_inverse: Tensor, images: Tensor) -> Tensor:
    """Edge-aware first differences of inverse depth over its mean (Monodepth2)."""
    inverse = (log_inverse - log_inverse.mean((1, 2), keepdim=True)).exp()
    inverse = inverse / inverse.mean((1, 2), keepdim=True)
    seen = pictures(images)
    total = inverse.new_zeros(())
    for axis in (1, 2):
        edge = seen.diff(dim=axis + 1).abs().mean(1)
        total = total + (inverse.diff(dim=axis).abs() * (-edge).exp()).mean()
    return total
