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

"""Encoder and decoder on grids of all shapes, alone and in batches."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn, Tensor

from zeroco_ros.croco.config import CrocoConfig
from zeroco_ros.croco.initialization import init_tied_cross_attention
from zeroco_ros.croco.layers import CrossAttention
from zeroco_ros.croco.model import CroCo, Encoding, MatchDescriptors
from zeroco_ros.errors import ConfigError, ImageError

VARIANTS = {
    "v1": {"pos_embed": "cosine"},
    "v2": {},
    "conv": {"stem": "conv", "cross_rope": False},
    "two_decoders": {"two_decoders": True, "prediction_head": False},
    "no_norm_y": {"norm_im2_in_dec": False},
}

pytestmark = pytest.mark.usefixtures("_inference")


@pytest.fixture
def _inference():
    with torch.no_grad():
        yield


@pytest.fixture(params=VARIANTS)
def model(request: pytest.FixtureRequest, build: Callable[..., CroCo]) -> CroCo:
    return build(**VARIANTS[request.param])


def images(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def encoded_pair(model: CroCo, batch: int = 1) -> tuple[Encoding, Encoding]:
    return model.encode(images(batch, 3, 48, 80)), model.encode(images(batch, 3, 48, 80, seed=1))


def same(a: MatchDescriptors, b: MatchDescriptors, **tolerance: float) -> None:
    """All arrays of two descriptor sets are equal."""
    torch.testing.assert_close((a.queries, a.keys), (b.queries, b.keys), **tolerance)
    torch.testing.assert_close(a.features, b.features, **tolerance)
    assert (a.grid_target, a.grid_source) == (b.grid_target, b.grid_source)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (16, 96), (80, 48)])
def test_any_grid(model: CroCo, height: int, width: int) -> None:
    encoding = model.encode(images(2, 3, height, width))
    rows, cols = height // 16, width // 16
    assert encoding.grid == (rows, cols)
    assert encoding.tokens.shape == (2, rows * cols, 32)
    pair = model.decode_pair(encoding, encoding)
    assert pair.forward.queries.shape == pair.forward.keys.shape == (3, 2, rows * cols, 24)
    assert torch.isfinite(pair.forward.queries).all()


def test_two_sizes_in_one_pair(model: CroCo) -> None:
    target, source = model.encode(images(1, 3, 48, 80)), model.encode(images(1, 3, 96, 32))
    pair = model.decode_pair(target, source, features=True)
    assert (pair.forward.grid_target, pair.forward.grid_source) == ((3, 5), (6, 2))
    assert (pair.backward.grid_target, pair.backward.grid_source) == ((6, 2), (3, 5))
    assert pair.forward.queries.shape[2] == pair.backward.keys.shape[2] == 15
    assert pair.forward.keys.shape[2] == pair.backward.queries.shape[2] == 12
    assert [x.shape[1] for x in pair.backward.features] == [12] * 3
    same(model.decode(target, source, features=True), pair.forward)


def test_width_and_height_are_told_apart(model: CroCo) -> None:
    """Turning image and grid does not give the turned tokens: positions are really used."""
    image = images(1, 3, 16, 16).repeat(1, 1, 2, 3)
    tokens = model.encode(image).tokens
    turned = model.encode(image.transpose(2, 3).contiguous()).tokens
    assert not torch.allclose(
        tokens.view(2, 3, -1), turned.view(3, 2, -1).transpose(0, 1), atol=1e-3
    )


def test_batch_mates_do_not_matter(model: CroCo) -> None:
    target, source = encoded_pair(model, batch=3)
    pair = model.decode_pair(target, source, features=True)
    for i in range(3):
        alone = [model.encode(images(3, 3, 48, 80, seed=seed)[i : i + 1]) for seed in (0, 1)]
        torch.testing.assert_close(alone[0].tokens, target.tokens[i : i + 1])
        single = model.decode_pair(*alone, features=True)
        for one, many in ((single.forward, pair.forward), (single.backward, pair.backward)):
            torch.testing.assert_close(one.queries, many.queries[:, i : i + 1])
            torch.testing.assert_close(one.keys, many.keys[:, i : i + 1])
            torch.testing.assert_close(one.features[-1], many.features[-1][i : i + 1])


def test_one_direction_is_half_of_the_pair(model: CroCo) -> None:
    target, source = encoded_pair(model, batch=2)
    pair = model.decode_pair(target, source, features=True)
    same(model.decode(target, source, features=True), pair.forward)
    if not model.config.two_decoders:  # with two, the sides are not interchangeable
        same(model.decode(source, target, features=True), pair.backward)


def test_an_encoded_frame_serves_many_pairs(model: CroCo) -> None:
    """Streaming relies on it: decoding leaves the encoding as it was, bit for bit."""
    target, source = encoded_pair(model)
    before = source.tokens.clone()
    first = model.decode_pair(target, source)
    model.decode_pair(source, model.encode(images(1, 3, 48, 80, seed=2)))
    assert torch.equal(source.tokens, before)
    same(model.decode_pair(target, source).forward, first.forward, rtol=0, atol=0)
    assert torch.equal(model.encode(images(1, 3, 48, 80, seed=1)).tokens, before)


def test_unused_half_of_the_last_block_is_skipped(model: CroCo) -> None:
    calls: list[str] = []
    for name in ("dec_blocks", "dec_blocks2"):
        for i, block in enumerate(getattr(model, name) or ()):
            block.mlp.register_forward_hook(lambda *_, key=f"{name}.{i}": calls.append(key))
    names = ["dec_blocks", "dec_blocks2"] if model.config.two_decoders else ["dec_blocks"]
    target, source = encoded_pair(model)
    without = model.decode_pair(target, source)
    assert calls == [f"{name}.{i}" for i in range(2) for name in names]
    calls.clear()
    complete = model.decode_pair(target, source, features=True)
    assert calls == [f"{name}.{i}" for i in range(3) for name in names]
    assert without.forward.features is None
    assert len(complete.forward.features) == 3
    assert torch.equal(without.forward.queries, complete.forward.queries)
    assert torch.equal(without.backward.keys, complete.backward.keys)


def test_descriptors_are_what_the_attention_uses(build: Callable[..., CroCo]) -> None:
    """Their product is the head mean of q.k / sqrt(head_dim), with q and k seen from outside."""
    model = build(pos_embed="cosine")
    seen: dict[str, Tensor] = {}
    attention = model.dec_blocks[1].cross_attn
    attention.projq.register_forward_hook(lambda _m, _a, out: seen.update(q=out))
    attention.projk.register_forward_hook(lambda _m, _a, out: seen.update(k=out))
    target, source = encoded_pair(model)
    descriptors = model.decode(target, source)
    heads = 3
    q, k = (seen[name][0].reshape(15, heads, 8) for name in "qk")
    logits = torch.stack([q[:, h] @ k[:, h].T / 8**0.5 for h in range(heads)]).mean(dim=0)
    torch.testing.assert_close(descriptors.queries[1, 0] @ descriptors.keys[1, 0].T, logits)


def test_cross_attention_without_rotary_ignores_the_source_position(
    build: Callable[..., CroCo],
) -> None:
    """cross_rope=False: equal source tokens have equal keys; with it their places show."""
    for cross_rope in (False, True):
        model = build(cross_rope=cross_rope)
        target = model.encode(images(1, 3, 32, 32))
        source = Encoding(torch.ones(1, 4, 32), (2, 2))
        keys = model.decode(target, source).keys[0, 0]
        assert torch.allclose(keys, keys[:1].expand_as(keys)) is not cross_rope


def test_position_tables_are_not_part_of_the_weights(model: CroCo) -> None:
    encoded_pair(model)
    assert list(model.buffers()) == []
    assert set(model.state_dict()) == {name for name, _ in model.named_parameters()}


def test_training_after_inference_on_the_same_grid(model: CroCo) -> None:
    """Cached tables made in inference mode must not break a later backward pass."""
    with torch.inference_mode():
        model.encode(images(1, 3, 112, 16))
    with torch.enable_grad():
        target = model.encode(images(1, 3, 112, 16))
        model.decode_pair(target, target).forward.queries.square().sum().backward()
    gradient = next(iter(model.patch_embed.parameters())).grad
    assert gradient is not None and gradient.abs().max() > 0


def test_exporting_leaves_the_tables_usable(build: Callable[..., CroCo]) -> None:
    """A tracer sees placeholders instead of numbers; none may stay in the cache."""
    model = build()
    image = images(1, 3, 16, 144)

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, image: Tensor) -> Tensor:
            return self.model.encode(image).tokens

    exported = torch.export.export(Encoder(), (image,), strict=False)
    torch.testing.assert_close(exported.module()(image), model.encode(image).tokens)


def test_autocast_keeps_the_residual_stream(model: CroCo) -> None:
    stream: list[torch.dtype] = []
    for block in model.enc_blocks:
        block.register_forward_hook(lambda _m, _a, out: stream.append(out.dtype))
    with torch.autocast("cpu", torch.bfloat16):
        target, source = encoded_pair(model)
        features = model.decode_pair(target, source, features=True).forward.features
    assert {target.tokens.dtype, *stream} == {torch.float32}
    assert {x.dtype for x in features} == {torch.float32}
    exact = model.encode(images(1, 3, 48, 80)).tokens
    assert (target.tokens - exact).abs().max() < 0.05 * exact.abs().max()


@pytest.mark.parametrize(
    "shape", [(3, 32, 32), (1, 1, 32, 32), (1, 3, 8, 32), (1, 3, 32, 40), (1, 3, 0, 16)]
)
def test_unusable_images(build: Callable[..., CroCo], shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match="images of"):
        build().encode(torch.zeros(shape))


def test_tied_initialization(build: Callable[..., CroCo]) -> None:
    """Queries and keys start as one scaled rotation: the volume is a self-similarity."""
    model = build(stem="conv", cross_rope=False, dec_embed_dim=48)
    init_tied_cross_attention(model, gain=1.5)
    attentions = [m for m in model.modules() if isinstance(m, CrossAttention)]
    assert len(attentions) == 3
    for attention in attentions:
        weight = attention.projq.weight
        assert torch.equal(weight, attention.projk.weight)
        assert weight.data_ptr() != attention.projk.weight.data_ptr()
        torch.testing.assert_close(weight @ weight.T, 2.25 * torch.eye(48), atol=1e-4, rtol=0)
    assert not torch.equal(attentions[0].projq.weight, attentions[1].projq.weight)
    target = model.encode(images(1, 3, 96, 96))
    descriptors = model.decode(target, target)
    best = (descriptors.queries[0, 0] @ descriptors.keys[0, 0].T).argmax(dim=1)
    assert (best == torch.arange(36)).float().mean() > 0.5  # one in 36 by chance


def test_match_scale_belongs_to_the_conv_stem(build: Callable[..., CroCo]) -> None:
    assert float(build(stem="conv").match_log_scale) == pytest.approx(2.3)
    assert build().match_log_scale is None


@pytest.mark.parametrize(
    "changes",
    [
        {"enc_embed_dim": 0},
        {"enc_embed_dim": 33},
        {"dec_num_heads": 5},
        {"dec_num_heads": 12},
        {"dec_depth": 1e9},
        {"dec_depth": 257},
        {"mlp_ratio": -1},
        {"pos_embed": "RoPE50"},
        {"stem": "fancy"},
        {"stem": "conv", "patch_size": 8},
        {"cross_rope": 1},
        {"img_size": [224]},
        {"img_size": 224},
        {"layers": 3},
    ],
    ids=str,
)
def test_impossible_configurations(build: Callable[..., CroCo], changes: dict) -> None:
    with pytest.raises(ConfigError):
        build(**changes)


def test_configuration_round_trip() -> None:
    config = CrocoConfig(stem="conv", cross_rope=False, pos_embed="rope100", img_size=(96, 160))
    assert CrocoConfig.from_dict(config.to_dict()) == config
    assert config.to_dict()["img_size"] == [96, 160]
