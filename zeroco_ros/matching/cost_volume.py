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
Cost volumes: how well every target token agrees with every source token.

ZeroCo (CVPR 2025) averages the pre-softmax cross-attention logits over heads and layers. Since the
head mean of q.k is one product of the full projections, the whole volume is one matrix product of
descriptors concatenated over layers; per-layer maps are formed only when the register fix needs
each layer's minimum.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def attention_volume(
    queries: Tensor | Sequence[Tensor],
    keys: Tensor | Sequence[Tensor],
    *,
    register_fix: bool = False,
) -> Tensor:
    """
    Mean over layers of queries @ keys^T.

    queries: (L, B, Nt, D); keys: (L, B, Ns, D), as in croco's MatchDescriptors, scale included.
    register_fix: per layer and per item, set the map's column 0 (the top-left source token, which
        ViTs use as a register) to that map's minimum. The released code takes the minimum over the
        whole batch, which makes results depend on batch mates.
    Returns (B, Nt, Ns) float32.
    """
    if register_fix:
        return _fixed_volume(queries, keys)
    layers = len(queries)
    q = torch.cat([layer.float() for layer in queries], dim=-1)
    k = torch.cat([layer.float() for layer in keys], dim=-1)
    return torch.matmul(q, k.transpose(-1, -2)) / layers


def _fixed_volume(queries: Tensor | Sequence[Tensor], keys: Tensor | Sequence[Tensor]) -> Tensor:
    total = VolumeSum(register_fix=True)
    for q, k in zip(queries, keys, strict=True):
        total.add(q, k)
    return total.mean()


class VolumeSum:
    """`attention_volume` layer by layer, for descriptors that need not be kept."""

    def __init__(self, *, register_fix: bool) -> None:
        self._register_fix = register_fix
        self._total: Tensor | None = None
        self._layers = 0

    def add(self, queries: Tensor, keys: Tensor) -> None:
        """Add a layer: queries (B, Nt, D) and keys (B, Ns, D)."""
        q, k = queries.float(), keys.float().transpose(-1, -2)
        self._layers += 1
        if self._total is not None and not self._register_fix:
            self._total.baddbmm_(q, k)
            return
        layer = torch.bmm(q, k)
        if self._register_fix:
            layer[:, :, 0] = layer.amin(dim=(1, 2))[:, None]
        self._total = layer if self._total is None else self._total.add_(layer)

    def mean(self) -> Tensor:
        """Return the volume (B, Nt, Ns) float32; raises ValueError without a layer."""
        if self._total is None:
            raise ValueError("no layers: queries and keys are empty")
        return self._total / self._layers


def reciprocal_volume(forward: Tensor, backward: Tensor) -> Tensor:
    """(C[t, s] + C'[s, t]) / 2 of the volumes (B, Nt, Ns) and, images swapped, (B, Ns, Nt)."""
    return (forward + backward.transpose(-1, -2)) / 2


def feature_volume(target: Tensor, source: Tensor, *, over_tokens: bool = False) -> Tensor:
    """
    Cosine similarity of features (B, Nt, C) and (B, Ns, C): (B, Nt, Ns) float32 in [-1, 1].

    over_tokens: normalize each channel over the tokens instead, as the released DUSt3R code does
    by mistake; then it is no cosine.
    """
    dim = -2 if over_tokens else -1
    target, source = l2_normalize(target.float(), dim), l2_normalize(source.float(), dim)
    return torch.matmul(target, source.transpose(-1, -2))


def l2_normalize(features: Tensor, dim: int = -1) -> Tensor:
    """Divide by sqrt(sum x^2 + 1e-6), the norm that the paper's code uses."""
    return features / torch.sqrt(features.square().sum(dim=dim, keepdim=True) + 1e-6)


def select_tokens(tokens: Tensor, grid: tuple[int, int], valid: tuple[int, int]) -> Tensor:
    """
    Keep the top-left `valid` (h, w) of the tokens (..., N, C): those that are not padding.

    A padded token can then neither be matched nor ask for a match, which is what masking it in the
    cost volume would do, at less work.
    """
    if valid == grid:
        return tokens
    (h, w), (rows, columns) = grid, valid
    *lead, _, channels = tokens.shape
    kept = tokens.reshape(*lead, h, w, channels)[..., :rows, :columns, :]
    return kept.reshape(*lead, rows * columns, channels)
