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
Arithmetic of a network, counted from its configuration; and what a matrix product reaches.

A multiplication with its addition counts as two. Normalization, softmax, GELU, rotary embedding
and positions are not counted: they are below one in a hundred.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
import time

import numpy as np
import torch

from zeroco_ros.croco.config import CrocoConfig
from zeroco_ros.croco.layers import ConvStem

Grid = tuple[int, int]


@dataclass(frozen=True)
class Work:
    """Floating-point operations of one frame or one pair on a token grid."""

    config: CrocoConfig
    grid: Grid

    @property
    def tokens(self) -> int:
        """Tokens of a frame."""
        return self.grid[0] * self.grid[1]

    @property
    def encoder(self) -> float:
        """Of one frame."""
        config, n = self.config, self.tokens
        width = config.enc_embed_dim
        block = 2 * n * width**2 * (4 + 2 * config.mlp_ratio) + self._attention(width)
        return self._stem() + config.enc_depth * block

    @property
    def volume(self) -> float:
        """Of both directions' products of descriptors."""
        return 2 * 2 * self.tokens**2 * self.config.dec_embed_dim * self.config.dec_depth

    def decoder(self, *, last_block_whole: bool) -> float:
        """Of one direction, with the projections of both frames' tokens for this direction."""
        config, n = self.config, self.tokens
        width, product = config.dec_embed_dim, 2.0 * self.tokens * config.dec_embed_dim**2
        embed = 2 * (2 * n * config.enc_embed_dim * width)
        block = product * (8 + 2 * config.mlp_ratio) + 2 * self._attention(width)
        last = block if last_block_whole else product * 6 + self._attention(width)
        return embed + (config.dec_depth - 1) * block + last

    @property
    def plain_step(self) -> float:
        """Two frames encoded, two directions decoded, every logit a product of its own."""
        return 2 * self.encoder + 2 * self.decoder(last_block_whole=True)

    @property
    def stream_step(self) -> float:
        """
        Return what is left for a frame of a stream.

        One frame encoded, its own keys, values and first queries made, both directions without the
        half of the last block that nothing reads.
        """
        config, n = self.config, self.tokens
        width, product = config.dec_embed_dim, 2.0 * self.tokens * config.dec_embed_dim**2
        known = 2.0 * n * config.enc_embed_dim * width * 3  # of four embeddings one is new
        known += product * (2 * config.dec_depth - 1)  # the other frame's keys and values
        known += 5 * product + self._attention(width)  # its first self-attention and queries
        once = 2 * self.decoder(last_block_whole=False) - known
        return self.encoder + once + self.volume

    def _attention(self, width: int) -> float:
        """Logits and their product with the values."""
        return 4.0 * self.tokens**2 * width

    def _stem(self) -> float:
        config, n = self.config, self.tokens
        if config.stem == "patch":
            return 2.0 * n * 3 * config.patch_size**2 * config.enc_embed_dim
        widths = (3, *ConvStem.WIDTHS, config.enc_embed_dim)
        cells = [n * 4 ** (len(widths) - 2 - i) for i in range(len(widths) - 1)]
        total: float = sum(
            2.0 * 9 * a * b * cell for a, b, cell in zip(widths, widths[1:], cells, strict=False)
        )
        return total


def product_rate(precision: str, side: int = 2048, repeats: int = 5) -> float:
    """Operations per second of a square matrix product in "fp32", "bf16" or "int8", the median."""
    run = _int8_product(side) if precision == "int8" else _product(precision, side)
    taken = []
    with torch.inference_mode():
        run()
        for _ in range(repeats):
            started = time.perf_counter()
            run()
            taken.append(time.perf_counter() - started)
    return 2.0 * side**3 / float(np.median(taken))


def _product(precision: str, side: int) -> Callable[[], object]:
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    a, b = (torch.randn(side, side).to(dtype) for _ in range(2))
    return lambda: a @ b


def _int8_product(side: int) -> Callable[[], object]:
    from zeroco_ros.engine.layers import Int8Linear

    layer = Int8Linear(torch.nn.Linear(side, side), torch.float32)
    x = torch.randn(side, side)
    return lambda: layer(x)
