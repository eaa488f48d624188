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
CroCo: a ViT encoder and a decoder that attends from the target's tokens to the source's.

CroCo: Weinzaepfel et al., NeurIPS 2022 (v1) and ICCV 2023 (v2); DUSt3R: Wang et al., CVPR 2024.
ZeroCo (An et al., CVPR 2025) reads the decoder's cross-attention as a cost volume: `decode_pair`
therefore returns the queries and keys of every layer, never a map per head.
"""

from __future__ import annotations

import torch
from torch import nn, Tensor

from zeroco_ros.croco.config import CrocoConfig
from zeroco_ros.croco.decoder import (
    Collector,
    Decoder,
    DecoderFrame,
    Features,
    Side,
    Take,
    walk_lock_step,
)
from zeroco_ros.croco.descriptors import Encoding, MatchDescriptors, PairDescriptors
from zeroco_ros.croco.initialization import init_network, INITIAL_LOG_SCALE
from zeroco_ros.croco.layers import ConvStem, DecoderBlock, EncoderBlock, PatchStem
from zeroco_ros.croco.positions import cosine_table, Grid
from zeroco_ros.croco.pretraining import Completion, kept_and_masked, patchify, zero_patches
from zeroco_ros.croco.rope import rotary_table, RotaryTable
from zeroco_ros.errors import ConfigError, ImageError

__all__ = ["CroCo", "CrocoConfig", "Encoding", "MatchDescriptors", "PairDescriptors"]


class CroCo(nn.Module):
    """
    The network of a `CrocoConfig`; parameters are named as in the official files.

    match_log_scale: with the "conv" stem a learned scalar; training multiplies the head-mean
    logits by its exponential, inference uses beta = exp(-match_log_scale).
    """

    match_log_scale: nn.Parameter | None

    def __init__(self, config: CrocoConfig) -> None:
        super().__init__()
        self.config = config
        enc, dec = config.enc_embed_dim, config.dec_embed_dim
        conv = config.stem == "conv"
        self.patch_embed = ConvStem(enc) if conv else PatchStem(enc, config.patch_size)
        self.enc_blocks = nn.ModuleList(
            EncoderBlock(enc, config.enc_num_heads, config.mlp_ratio)
            for _ in range(config.enc_depth)
        )
        self.enc_norm = nn.LayerNorm(enc, eps=1e-6)
        self.decoder_embed = nn.Linear(enc, dec)
        self.dec_blocks = self._decoder()
        self.dec_blocks2 = self._decoder() if config.two_decoders else None
        self.dec_norm = nn.LayerNorm(dec, eps=1e-6)
        if config.prediction_head:
            self.mask_token = nn.Parameter(torch.zeros(1, 1, dec))
            self.prediction_head = nn.Linear(dec, 3 * config.patch_size**2)
        self.match_log_scale = nn.Parameter(torch.tensor(INITIAL_LOG_SCALE)) if conv else None
        init_network(self)

    def _decoder(self) -> nn.ModuleList:
        config = self.config
        return nn.ModuleList(
            DecoderBlock(
                config.dec_embed_dim,
                config.dec_num_heads,
                config.mlp_ratio,
                config.norm_im2_in_dec,
            )
            for _ in range(config.dec_depth)
        )

    def grid_of(self, images: Tensor) -> Grid:
        """Rows and columns of tokens; raises ImageError unless (B, 3, H, W) in whole patches."""
        patch = self.config.patch_size
        if images.ndim != 4 or images.shape[1] != 3:
            raise ImageError(f"images of shape {tuple(images.shape)}: (B, 3, H, W) is needed")
        height, width = int(images.shape[2]), int(images.shape[3])
        if height < patch or width < patch or height % patch or width % patch:
            raise ImageError(
                f"images of {height}x{width} pixels: both sides must be multiples of {patch}"
            )
        return height // patch, width // patch

    def encode(self, images: Tensor) -> Encoding:
        """
        Encode (B, 3, H, W) images, RGB in [0, 1] normalized with ImageNet's mean and std.

        H and W are multiples of the patch size and need not be equal. Raises ImageError otherwise.
        """
        grid = self.grid_of(images)
        return Encoding(self._encode(images, grid, None), grid)

    def _encode(self, images: Tensor, grid: Grid, kept: Tensor | None) -> Tensor:
        """Run the encoder over all tokens, or over those at the indices kept (B, K)."""
        # Under autocast the residual stream stays in the parameters' type.
        x: Tensor = self.patch_embed(images).to(self.enc_norm.weight.dtype)
        if self.config.pos_embed == "cosine":
            x = x + cosine_table(grid, self.config.enc_embed_dim, x)
        rotary = self._rotary(grid, self.config.enc_embed_dim, self.config.enc_num_heads, x)
        if kept is not None:
            x = x.gather(1, kept.unsqueeze(2).expand(-1, -1, x.shape[2]))
            rotary = None if rotary is None else rotary.select(kept)
        for block in self.enc_blocks:
            x = block(x, rotary)
        out: Tensor = self.enc_norm(x)
        return out

    def _rotary(self, grid: Grid, width: int, heads: int, like: Tensor) -> RotaryTable | None:
        if self.config.pos_embed != "rope100":
            return None
        return rotary_table(grid, width // heads, like)

    def _side(self, tokens: Tensor, grid: Grid) -> Side:
        """
        Return the decoder tokens with position embedding and tables.

        Tokens are of the decoder's width.
        """
        config = self.config
        tokens = tokens.to(self.dec_norm.weight.dtype)
        if config.pos_embed == "cosine":
            tokens = tokens + cosine_table(grid, config.dec_embed_dim, tokens)
        rotary = self._rotary(grid, config.dec_embed_dim, config.dec_num_heads, tokens)
        return Side(tokens, grid, rotary, rotary if config.cross_rope else None)

    @property
    def decoder(self) -> Decoder:
        """Return the decoder, of DUSt3R's two the target's."""
        return Decoder(list(self.dec_blocks), self.dec_norm)  # type: ignore[arg-type]

    def decode(
        self, target: Encoding, source: Encoding, *, features: bool = False
    ) -> MatchDescriptors:
        """Descriptors of target -> source only; with two decoders both sides have to be run."""
        if self.config.two_decoders:
            return self.decode_pair(target, source, features=features).forward
        side_t = self._side(self.decoder_embed(target.tokens), target.grid)
        side_s = self._side(self.decoder_embed(source.tokens), source.grid)
        return self._run(side_t, side_s, features)

    def _run(self, target: Side, source: Side, features: bool) -> MatchDescriptors:
        """Return the single decoder over every layer: the source's tokens stay as they are."""
        decoder, collector = self.decoder, Collector()
        offer = decoder.offer(source, keep=False)
        outputs = decoder.walk(decoder.query(target), [offer], collector, features)
        return collector.result(0, outputs, target.grid, source.grid)

    def decode_pair(
        self, target: Encoding, source: Encoding, *, features: bool = False
    ) -> PairDescriptors:
        """
        Descriptors of both directions, for frames of one batch size B.

        Grids of equal shape go through the decoder as one batch of 2 B. features: also return the
        decoder blocks' outputs; without, the unused half of the last block is skipped.
        """
        frames = self.prepare(target, keep=False), self.prepare(source, keep=False)
        return self.decode_frames(*frames, features=features)

    def prepare(self, frame: Encoding, *, keep: bool = True) -> DecoderFrame:
        """
        Return what the decoder makes of a frame alone, for as many pairs as the frame is in.

        keep: also the keys and values of all layers; without, each pair computes them anew.
        """
        side = self._side(self.decoder_embed(frame.tokens), frame.grid)
        if self.dec_blocks2 is not None:
            return DecoderFrame(side, None, None)
        decoder = self.decoder
        return DecoderFrame(side, decoder.query(side), decoder.offer(side, keep))

    def decode_frames(
        self, target: DecoderFrame, source: DecoderFrame, *, features: bool = False
    ) -> PairDescriptors:
        """`decode_pair` of two prepared frames."""
        collector = Collector()
        ahead, back = self.walk_pair(target, source, collector, features=features)
        grids = target.side.grid, source.side.grid
        return PairDescriptors(
            collector.result(0, ahead, *grids), collector.result(1, back, *grids[::-1])
        )

    def walk_pair(
        self, target: DecoderFrame, source: DecoderFrame, take: Take, *, features: bool = False
    ) -> tuple[Features, Features]:
        """
        Hand over each layer's descriptors as they come, of both directions, and keep none.

        take: called with 0 (target -> source) or 1, queries and keys, in the order of the layers,
        see `MatchDescriptors`. Returns the features of both directions, None where not asked.
        """
        decoder = self.decoder
        if self.dec_blocks2 is None:
            return decoder.walk_pair(target, source, take, features)
        second = Decoder(list(self.dec_blocks2), self.dec_norm)  # type: ignore[arg-type]
        return walk_lock_step((decoder, second), target.side, source.side, take, features)

    def forward_pretrain(self, target: Tensor, source: Tensor, mask: Tensor) -> Completion:
        """
        Cross-view completion: rebuild masked patches of `target` from the rest and `source`.

        target, source: (B, 3, H, W) normalized images of one size. mask: (B, N) bool, true where
        hidden, the same number in every row (`pretraining.random_mask`). The configuration needs
        prediction_head=True and one decoder. Raises ImageError for images of a wrong size and
        ConfigError for an unusable mask or network.
        """
        if not self.config.prediction_head or self.config.two_decoders:
            raise ConfigError("pre-training needs prediction_head=True and two_decoders=False")
        grid = self.grid_of(target)
        kept, hidden = kept_and_masked(mask, grid)
        visible = target
        if self.config.stem == "conv":  # its receptive field reaches into the hidden neighbors
            visible = zero_patches(target, mask, grid)
        tokens = self.decoder_embed(self._encode(visible, grid, kept))
        full = self._fill(tokens, kept, hidden)
        memory = self.decoder_embed(self._encode(source, self.grid_of(source), None))
        out = self._run(self._side(full, grid), self._side(memory, self.grid_of(source)), True)
        assert out.features is not None
        prediction = self.prediction_head(out.features[-1])
        return Completion(prediction, mask, patchify(target, self.config.patch_size))

    def _fill(self, tokens: Tensor, kept: Tensor, hidden: Tensor) -> Tensor:
        """Put visible tokens (B, K, C) and the mask token back in image order."""
        masked = self.mask_token.to(tokens.dtype).expand(len(tokens), hidden.shape[1], -1)
        order = torch.cat([kept, hidden], dim=1).argsort(dim=1)
        both = torch.cat([tokens, masked], dim=1)
        return both.gather(1, order.unsqueeze(2).expand_as(both))
