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

"""Attention, MLP and the transformer blocks; parameter names are those of the official files."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn, Tensor
from torch.nn import functional

from zeroco_ros.croco.rope import RotaryTable, rotate

# Logits of half precision that are formed at once on a CPU: 1 MB, which its caches hold.
_LOGITS_AT_ONCE = 2**19


def attend(q: Tensor, k: Tensor, v: Tensor, *, rough: bool = False) -> Tensor:
    """
    Scaled-dot-product attention on (B, N, heads, head_dim) -> (B, Nq, heads * head_dim).

    rough: logits of half precision may be rounded to it, where that is faster.
    """
    if torch.compiler.is_exporting():
        return _attend_plainly(q, k, v)
    half_on_cpu = q.dtype == torch.bfloat16 and q.device.type == "cpu"
    if rough and half_on_cpu and not (torch.is_grad_enabled() or torch.compiler.is_compiling()):
        return _attend_in_parts(q, k, v)
    mixed = functional.scaled_dot_product_attention(
        q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
    )
    return mixed.transpose(1, 2).flatten(2)


def _attend_in_parts(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """
    Return the same a few heads at a time, so that the logits never leave the cache.

    On a CPU with bf16 products 1.5 times as fast as the fused kernel, at 196 to 1200 tokens.
    """
    mixed = torch.empty_like(q, memory_format=torch.contiguous_format)
    heads = max(1, _LOGITS_AT_ONCE // (q.shape[1] * k.shape[1]))
    q = q * q.shape[-1] ** -0.5
    for item in range(len(q)):
        for first in range(0, q.shape[2], heads):
            part = item, slice(None), slice(first, first + heads)
            keys = k[part].transpose(0, 1).contiguous()
            logits = torch.bmm(q[part].transpose(0, 1), keys.transpose(1, 2))
            weights = logits.softmax(-1)
            mixed[part] = torch.bmm(weights, v[part].transpose(0, 1)).transpose(0, 1)
    return mixed.flatten(2)


def _attend_plainly(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Give same as products and a softmax; TensorRT fuses it when q is scaled before the first."""
    scaled = (q * q.shape[-1] ** -0.5).transpose(1, 2)
    logits = (scaled @ k.permute(0, 2, 3, 1)).float()
    mixed: Tensor = logits.softmax(-1).to(v.dtype) @ v.transpose(1, 2)
    return mixed.transpose(1, 2).flatten(2)


class SelfAttention(nn.Module):
    """
    Multi-head self-attention with one joint projection for queries, keys and values.

    rough: see `attend`. The flow shows the encoder's rounding, and hardly the decoder's: in bf16
    the former moved it by 0.09 px in the median, the latter by 0.02 (shipped weights).
    """

    def __init__(self, dim: int, heads: int, *, rough: bool = False) -> None:
        super().__init__()
        self.heads, self.rough = heads, rough
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor, rotary: RotaryTable | None) -> Tensor:
        """(B, N, dim) -> (B, N, dim)."""
        q, k, v = self.qkv(x).unflatten(2, (3, self.heads, -1)).unbind(2)
        if rotary is not None:
            q, k = rotate(q, rotary), rotate(k, rotary)
        out: Tensor = self.proj(attend(q, k, v, rough=self.rough))
        return out


class CrossAttention(nn.Module):
    """Multi-head attention from the target's tokens (queries) to the source's (keys, values)."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.projq = nn.Linear(dim, dim)
        self.projk = nn.Linear(dim, dim)
        self.projv = nn.Linear(dim, dim)
        self.proj = nn.Linear(dim, dim)

    @property
    def descriptor_scale(self) -> float:
        """Folded into the queries it makes queries . keys the head mean of the scaled logits."""
        head_dim = self.projq.out_features // self.heads
        return float(1.0 / (self.heads * head_dim**0.5))

    def query(self, x: Tensor, rotary: RotaryTable | None) -> Tensor:
        """(B, Nt, dim) -> (B, Nt, heads, head_dim), rotated."""
        q: Tensor = self.projq(x).unflatten(2, (self.heads, -1))
        return q if rotary is None else rotate(q, rotary)

    def key(self, y: Tensor, rotary: RotaryTable | None) -> Tensor:
        """(B, Ns, dim) -> (B, Ns, heads, head_dim), rotated."""
        k: Tensor = self.projk(y).unflatten(2, (self.heads, -1))
        return k if rotary is None else rotate(k, rotary)

    def value(self, y: Tensor) -> Tensor:
        """(B, Ns, dim) -> (B, Ns, heads, head_dim)."""
        v: Tensor = self.projv(y).unflatten(2, (self.heads, -1))
        return v

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Map queries, keys and values (B, N, heads, head_dim) to (B, Nt, dim)."""
        out: Tensor = self.proj(attend(q, k, v, rough=True))
        return out


class Mlp(nn.Module):
    """Two linear layers with GELU between."""

    def __init__(self, dim: int, ratio: float) -> None:
        super().__init__()
        hidden = int(dim * ratio)
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, dim) -> (B, N, dim)."""
        out: Tensor = self.fc2(functional.gelu(self.fc1(x)))
        return out


class EncoderBlock(nn.Module):
    """Pre-norm transformer block of the encoder."""

    def __init__(self, dim: int, heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = SelfAttention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = Mlp(dim, mlp_ratio)

    def forward(self, x: Tensor, rotary: RotaryTable | None) -> Tensor:
        """(B, N, dim) -> (B, N, dim)."""
        x = x + self.attn(self.norm1(x), rotary)
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class DecoderBlock(nn.Module):
    """
    Self-attention, cross-attention, MLP; split where the match descriptors appear.

    `query` runs the target's tokens up to the queries of the cross-attention, `key` and `value`
    need the source's tokens only, `finish` is the rest: the last block of a matcher does without
    values and rest.
    """

    def __init__(self, dim: int, heads: int, mlp_ratio: float, norm_source: bool) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = SelfAttention(dim, heads, rough=True)
        self.cross_attn = CrossAttention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.norm3 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = Mlp(dim, mlp_ratio)
        self.norm_y = nn.LayerNorm(dim, eps=1e-6) if norm_source else nn.Identity()

    def query(
        self, x: Tensor, rotary: RotaryTable | None, rotary_q: RotaryTable | None
    ) -> tuple[Tensor, Tensor]:
        """Target tokens (B, Nt, dim) -> the same after self-attention, and queries."""
        x = x + self.attn(self.norm1(x), rotary)
        return x, self.cross_attn.query(self.norm2(x), rotary_q)

    def key(self, y: Tensor, rotary_k: RotaryTable | None) -> Tensor:
        """Source tokens (B, Ns, dim) -> keys (B, Ns, heads, head_dim)."""
        return self.cross_attn.key(self.norm_y(y), rotary_k)

    def value(self, y: Tensor) -> Tensor:
        """Source tokens (B, Ns, dim) -> values (B, Ns, heads, head_dim)."""
        return self.cross_attn.value(self.norm_y(y))

    def finish(self, x: Tensor, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """From the target tokens after self-attention to the block's output (B, Nt, dim)."""
        x = x + self.cross_attn(q, k, v)
        out: Tensor = x + self.mlp(self.norm3(x))
        return out

    def descriptors(self, q: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
        """Return the queries (B, Nt, dim), with the scale folded in, and keys (B, Ns, dim)."""
        return q.flatten(2) * self.cross_attn.descriptor_scale, k.flatten(2)


class PatchStem(nn.Module):
    """Linear embedding of non-overlapping patches (`patch_embed` of a ViT)."""

    def __init__(self, dim: int, patch_size: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, dim, patch_size, stride=patch_size)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, N, dim)."""
        tokens: Tensor = self.proj(images)
        return tokens.flatten(2).transpose(1, 2)


class ConvStem(nn.Module):
    """
    Four 3x3 convolutions of stride 2, normalized per pixel, in place of the patch embedding.

    Xiao et al., Early Convolutions Help Transformers See Better (2021).
    """

    WIDTHS = (32, 64, 128)

    def __init__(self, dim: int) -> None:
        super().__init__()
        widths = (3, *self.WIDTHS, dim)
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairwise(widths)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width, eps=1e-6) for width in self.WIDTHS)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, N, dim)."""
        x = images.contiguous(memory_format=torch.channels_last)
        for conv, norm in zip(self.convs, self.norms, strict=False):
            x = norm(conv(x).permute(0, 2, 3, 1))
            x = functional.relu(x).permute(0, 3, 1, 2)
        tokens: Tensor = self.convs[-1](x)
        return tokens.permute(0, 2, 3, 1).flatten(1, 2)
