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
The same network the plain way: what the published method costs without any of our choices.

An, Kim, Han, Hong et al., ZeroCo (CVPR 2025), as its description has it: per pair both images are
encoded, the decoder runs once per direction, and the cross-attention logits of every head and
layer are kept and averaged afterwards. float32, cross-attention as two products and a softmax,
self-attention by PyTorch's own function as the released code has it, no state between pairs.
Where a choice was open the faster one was taken. Written for comparison, used by nothing else.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import nn, Tensor
from torch.nn import functional

from zeroco_ros.croco.layers import CrossAttention, DecoderBlock, EncoderBlock, SelfAttention
from zeroco_ros.croco.model import CroCo
from zeroco_ros.croco.positions import cosine_table, Grid
from zeroco_ros.croco.rope import BASE
from zeroco_ros.errors import ConfigError
from zeroco_ros.matching.argmax import match_volume
from zeroco_ros.matching.flow import Letterbox, token_flow, upsample_flow

FloatArray = npt.NDArray[np.float32]


class PlainTwoPass:
    """
    Two-pass matching with a `CroCo` network's weights, on the CPU in float32.

    register_fix, beta, window: as in `FlowConfig`; the read-out is the windowed soft-argmax of
    the reciprocal cost volume. Raises ConfigError for a network with two decoders.
    """

    def __init__(
        self, model: CroCo, *, register_fix: bool, beta: float | None, window: int = 3
    ) -> None:
        if model.config.two_decoders:
            raise ConfigError("the plain implementation knows networks with one decoder only")
        self.model = model.float().cpu().eval()
        self.register_fix, self.beta, self.window = register_fix, beta, window

    @torch.inference_mode()
    def flow(self, target: Tensor, source: Tensor) -> FloatArray:
        """Flow (H, W, 2) in pixels from target to source, both (1, 3, H, W) normalized."""
        volume = self.volume(target, source)
        height, width = target.shape[2:]
        box = Letterbox((height, width), (height, width), (height, width))
        beta = self.beta if self.beta is not None else max(1e-6, 0.1 * float(volume.std()))
        match = match_volume(volume, box.grid, "window", beta, self.window)
        tokens = token_flow(match.position, box.grid)[0].numpy()
        return upsample_flow(tokens, box, box)

    @torch.inference_mode()
    def volume(self, target: Tensor, source: Tensor) -> Tensor:
        """Return what both directions' means say of the cost, (1, Nt, Ns)."""
        grid = self.model.grid_of(target)
        return self.combined(self.encode(target, grid), self.encode(source, grid), grid)

    @torch.inference_mode()
    def combined(self, target: Tensor, source: Tensor, grid: Grid) -> Tensor:
        """Give cost volume of two images' encoder tokens (1, N, C); both directions' maps live."""
        maps = self.maps(target, source, grid), self.maps(source, target, grid)
        ahead, back = (mean_map(part, register_fix=self.register_fix) for part in maps)
        return (ahead + back.transpose(1, 2)) / 2

    @torch.inference_mode()
    def encode(self, images: Tensor, grid: Grid) -> Tensor:
        """Return the encoder tokens (1, N, C)."""
        model = self.model
        x: Tensor = model.patch_embed(images)
        rope = None
        if model.config.pos_embed == "cosine":
            x = x + cosine_table(grid, x.shape[2], x)
        else:
            rope = _angles(grid, x.shape[2] // model.config.enc_num_heads)
        for block in model.enc_blocks:
            assert isinstance(block, EncoderBlock)
            x = x + _self_attention(block.attn, block.norm1(x), rope)
            x = x + _mlp(block.mlp.fc1, block.mlp.fc2, block.norm2(x))
        out: Tensor = model.enc_norm(x)
        return out

    def maps(self, target: Tensor, source: Tensor, grid: Grid) -> list[Tensor]:
        """Cross-attention logits (1, heads, Nt, Ns) of every layer."""
        model = self.model
        x, y = model.decoder_embed(target), model.decoder_embed(source)
        rope = None
        if model.config.pos_embed == "cosine":
            x, y = (part + cosine_table(grid, part.shape[2], part) for part in (x, y))
        else:
            rope = _angles(grid, x.shape[2] // model.config.dec_num_heads)
        maps = []
        for block in model.dec_blocks:
            assert isinstance(block, DecoderBlock)
            x = x + _self_attention(block.attn, block.norm1(x), rope)
            crossing = rope if model.config.cross_rope else None
            mixed, logits = _cross_attention(
                block.cross_attn, block.norm2(x), block.norm_y(y), crossing
            )
            maps.append(logits)
            x = x + mixed
            x = x + _mlp(block.mlp.fc1, block.mlp.fc2, block.norm3(x))
        return maps


def mean_map(layers: list[Tensor], *, register_fix: bool) -> Tensor:
    """Mean over heads and layers of the logits (1, Nt, Ns), the register fixed per layer."""
    maps = torch.stack([layer.mean(dim=1) for layer in layers])
    if register_fix:
        maps[..., 0] = maps.amin(dim=(2, 3))[..., None]
    return maps.mean(dim=0)


def attended(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Give queries, keys, values (1, N, heads, head_dim) -> outputs (1, Nt, C) and the logits."""
    logits = _logits(q.transpose(1, 2), k.transpose(1, 2))
    return _attend(logits, v.transpose(1, 2)), logits


def _self_attention(layer: SelfAttention, x: Tensor, rope: Tensor | None) -> Tensor:
    q, k, v = (_heads(part, layer.heads) for part in layer.qkv(x).chunk(3, dim=2))
    if rope is not None:
        q, k = _rotated(q, rope), _rotated(k, rope)
    mixed = functional.scaled_dot_product_attention(q, k, v)
    out: Tensor = layer.proj(mixed.transpose(1, 2).flatten(2))
    return out


def _cross_attention(
    layer: CrossAttention, x: Tensor, y: Tensor, rope: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return the layer's output (1, Nt, C) and its logits (1, heads, Nt, Ns)."""
    q, k, v = (
        _heads(part, layer.heads) for part in (layer.projq(x), layer.projk(y), layer.projv(y))
    )
    if rope is not None:
        q, k = _rotated(q, rope), _rotated(k, rope)
    logits = _logits(q, k)
    return layer.proj(_attend(logits, v)), logits


def _mlp(first: nn.Linear, second: nn.Linear, x: Tensor) -> Tensor:
    out: Tensor = second(functional.gelu(first(x)))
    return out


def _heads(x: Tensor, heads: int) -> Tensor:
    """(B, N, C) -> (B, heads, N, C / heads)."""
    parts: Tensor = x.reshape(x.shape[0], x.shape[1], heads, -1)
    return parts.transpose(1, 2)


def _logits(q: Tensor, k: Tensor) -> Tensor:
    scale: float = q.shape[-1] ** -0.5
    return torch.matmul(q, k.transpose(2, 3)) * scale


def _attend(logits: Tensor, v: Tensor) -> Tensor:
    return torch.matmul(logits.softmax(dim=-1), v).transpose(1, 2).flatten(2)


def _angles(grid: Grid, head_dim: int) -> Tensor:
    """Angles (2, N, head_dim / 2) of the rows' and the columns' rotations (CroCo v2)."""
    quarter = head_dim // 4
    frequency = BASE ** (-torch.arange(quarter, dtype=torch.float64) / quarter)
    rows, columns = (torch.arange(side, dtype=torch.float64) for side in grid)
    y = rows.repeat_interleave(grid[1])
    x = columns.repeat(grid[0])
    return torch.stack([part[:, None] * frequency.repeat(2) for part in (y, x)]).float()


def _rotated(x: Tensor, angles: Tensor) -> Tensor:
    """Rotate (B, heads, N, head_dim): its first half by the rows' angles, then the columns'."""
    halves = []
    for half, angle in zip(x.chunk(2, dim=-1), angles, strict=True):
        a, b = half.chunk(2, dim=-1)
        halves.append(half * angle.cos() + torch.cat([-b, a], dim=-1) * angle.sin())
    return torch.cat(halves, dim=-1)
