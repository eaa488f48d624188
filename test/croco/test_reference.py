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

"""The authors' numbers: encoder, decoder and logits of tiny networks in the official formats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
import re

import numpy as np
import pytest
import torch
from torch import Tensor

from zeroco_ros.croco.model import CroCo, MatchDescriptors, PairDescriptors

TOLERANCE = 1e-4  # relative to the largest value of the array

V1 = ("zeroco_v1_224", "croco_v1_tiny", 224)
V2 = ("zeroco_v2_224", "croco_v2_tiny", 224)
SMALL = ("zeroco_v2_small96", "croco_v2_tiny", 96)
DUST3R_224 = ("dust3r_tiny_224", "dust3r_tiny", 224)
DUST3R_160 = ("dust3r_tiny_160", "dust3r_tiny", 160)
MAST3R = ("mast3r_tiny_nohead_160", "mast3r_tiny_nohead", 160)
FEATURES = ("enc_target", "enc_source", "dec_target", "dec_source")
KEYS = {
    V1: (
        "target_norm224_s9",
        "source_norm224_s9",
        *FEATURES,
        "logits_mean_t2s_r6",
        "softmax_mean_t2s_r3",
        "softmax_mean_s2t_r6",
    ),
    V2: (
        "target_norm224_s9",
        "source_norm224_s9",
        *FEATURES,
        "logits_mean_t2s_r2",
        "logits_mean_s2t_r3",
        "logits_t2s_lastlayer_allheads_r7",
        "softmax_mean_t2s_r3",
        "softmax_mean_s2t_r6",
    ),
    SMALL: (
        "target_norm96_s4",
        "source_norm96_s4",
        *FEATURES,
        "logits_t2s",
        "logits_s2t",
        "softmax_t2s",
        "softmax_s2t",
    ),
    DUST3R_224: (
        *FEATURES,
        "logits_mean_dec1_target_queries_r7",
        "logits_mean_dec2_source_queries_r7",
    ),
    DUST3R_160: (
        *FEATURES,
        "logits_mean_dec1_target_queries_r4",
        "logits_mean_dec2_source_queries_r4",
        "logits_dec1_lastlayer_allheads_r3",
    ),
    MAST3R: (
        *FEATURES,
        "logits_mean_dec1_target_queries_r10",
        "logits_mean_dec2_source_queries_r10",
        "logits_dec1_lastlayer_allheads_r3",
    ),
}
CASES = [(case, key) for case, keys in KEYS.items() for key in keys]


@dataclass(frozen=True)
class Run:
    """What the network made of the reference pair, by side (0 target, 1 source)."""

    images: tuple[Tensor, Tensor]
    encoder: tuple[list[Tensor], list[Tensor]]
    pair: PairDescriptors
    heads: int

    def direction(self, side: int) -> MatchDescriptors:
        return self.pair.backward if side else self.pair.forward

    def logits(self, side: int) -> Tensor:
        """(L, heads, Nt, Ns), from the descriptors of the queries' side."""
        descriptors = self.direction(side)
        split = (self.heads, -1)
        q = descriptors.queries[:, 0].unflatten(2, split).transpose(1, 2) * self.heads
        k = descriptors.keys[:, 0].unflatten(2, split).transpose(1, 2)
        return q @ k.mT


def encoder_outputs(model: CroCo, images: Tensor) -> list[Tensor]:
    """Return the outputs of all encoder blocks, the last one normalized."""
    outputs: list[Tensor] = []
    handles = [
        block.register_forward_hook(lambda _m, _a, out: outputs.append(out))
        for block in model.enc_blocks
    ]
    tokens = model.encode(images).tokens
    for handle in handles:
        handle.remove()
    return [*outputs[:-1], tokens]


@pytest.fixture(scope="module")
def run(official: Callable, reference_pair: Callable) -> Callable[[str, int], Run]:
    done: dict[tuple[str, int], Run] = {}

    def get(checkpoint: str, size: int) -> Run:
        if (checkpoint, size) not in done:
            model, images = official(checkpoint), reference_pair(size)
            with torch.inference_mode():
                encoder = tuple(encoder_outputs(model, image) for image in images)
                pair = model.decode_pair(*map(model.encode, images), features=True)
            done[checkpoint, size] = Run(images, encoder, pair, model.config.dec_num_heads)
        return done[checkpoint, size]

    return get


def produce(run: Run, key: str, shape: tuple[int, ...]) -> Tensor:
    """Our value of a reference array, by its name."""
    side = int(not re.search("target|t2s|dec1", key))
    step = int(match[1]) if (match := re.search(r"_[sr](\d+)$", key)) else 1
    if "_norm" in key:
        return run.images[side][..., ::step, ::step]
    if key.startswith("enc_"):
        return torch.cat(run.encoder[side][-shape[0] :])
    if key.startswith("dec_"):  # of deep decoders the reference keeps every third layer
        features = run.direction(side).features
        return torch.cat(features[:: 1 if len(features) == shape[0] else 3])
    maps = run.logits(side)
    if key.startswith("softmax"):
        maps = maps.softmax(dim=-1)
    if "_mean_" in key:
        maps = maps.mean(dim=1)
    if "_lastlayer_" in key:
        maps = maps[-1]
    return maps[..., ::step, :].reshape(shape)


@pytest.mark.parametrize(("case", "key"), CASES, ids=[f"{c[0]}-{k}" for c, k in CASES])
def test_array(
    case: tuple[str, str, int], key: str, run: Callable[[str, int], Run], golden: Callable
) -> None:
    stem, checkpoint, size = case
    expected = golden(stem)[key]
    actual = produce(run(checkpoint, size), key, expected.shape).numpy()
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max() <= TOLERANCE * np.abs(expected).max()


@pytest.mark.parametrize("case", [V2, DUST3R_160, MAST3R], ids=lambda case: case[0])
def test_one_product_is_the_head_mean(
    case: tuple[str, str, int], run: Callable[[str, int], Run], golden: Callable
) -> None:
    """What `matching` relies on: queries times keys, without looking at heads at all."""
    stem, checkpoint, size = case
    descriptors = run(checkpoint, size).pair.forward
    maps = (descriptors.queries @ descriptors.keys.mT)[:, 0].numpy()
    key = next(k for k in KEYS[case] if re.search("logits_mean_(t2s|dec1)", k))
    expected = golden(stem)[key]
    actual = maps[:, :: int(key.rpartition("_r")[2])]
    assert np.abs(actual - expected).max() <= TOLERANCE * np.abs(expected).max()
