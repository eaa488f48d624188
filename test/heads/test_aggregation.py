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

"""Cost aggregation: what an untrained head returns, symmetry under image swap, any grid."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from zeroco_ros.croco.model import CroCo, CrocoConfig
from zeroco_ros.errors import ConfigError
from zeroco_ros.heads.aggregation import AggregationConfig, AggregationHead, Direction
from zeroco_ros.matching.argmax import soft_argmax
from zeroco_ros.matching.cost_volume import attention_volume
from zeroco_ros.matching.flow import token_flow

Noise = Callable[..., Tensor]
Grid = tuple[int, int]
TINY = AggregationConfig(tokens=12, dim=8, heads=2, guide=4, fine=4)
GRIDS = [((4, 4), (4, 4)), ((3, 5), (3, 5)), ((3, 5), (4, 2)), ((7, 6), (1, 9))]


def _pair(noise: Noise, target: Grid, source: Grid, batch: int = 2) -> tuple[Direction, Direction]:
    there, back = target[0] * target[1], source[0] * source[1]
    return (
        Direction(noise(batch, there, back), noise(batch, there, 12), target, source),
        Direction(noise(batch, back, there), noise(batch, back, 12), source, target),
    )


def _trained(config: AggregationConfig = TINY) -> AggregationHead:
    """Return a head whose last layers are not zero."""
    torch.manual_seed(0)
    head = AggregationHead(config).eval()
    for layer in (head.aggregation.leave, head.upsampling.leave):
        torch.nn.init.normal_(layer.weight, std=0.5)
    return head


@pytest.mark.parametrize(("target", "source"), GRIDS)
def test_an_untrained_head_keeps_the_volume(target: Grid, source: Grid, noise: Noise) -> None:
    forward, backward = _pair(noise, target, source)
    head = AggregationHead(TINY)
    assert torch.equal(head.aggregation(forward), forward.volume)
    expected = (forward.volume + backward.volume.transpose(1, 2)) / 2
    assert torch.equal(head.volume(forward, backward), expected)


@pytest.mark.parametrize(("target", "source"), GRIDS)
def test_an_untrained_head_interpolates_the_flow(target: Grid, source: Grid, noise: Noise) -> None:
    forward, backward = _pair(noise, target, source)
    with torch.inference_mode():
        ahead, _ = AggregationHead(TINY)(forward, backward)
    position = soft_argmax(ahead.volume, source, TINY.beta)
    coarse = token_flow(position, target).permute(0, 3, 1, 2)
    expected = functional.interpolate(coarse, scale_factor=4, mode="bilinear")
    torch.testing.assert_close(ahead.flow, expected, atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(("target", "source"), GRIDS)
def test_swapping_the_images_transposes_the_volume(
    target: Grid, source: Grid, batch: int, noise: Noise
) -> None:
    forward, backward = _pair(noise, target, source, batch)
    head = _trained()
    with torch.inference_mode():
        volume = head.volume(forward, backward)
        swapped = head.volume(backward, forward)
        ahead, back = head(forward, backward)
        back_2, ahead_2 = head(backward, forward)
    assert float((volume - (forward.volume + backward.volume.mT) / 2).abs().max()) > 0.01
    torch.testing.assert_close(swapped.mT, volume, atol=1e-5, rtol=0)
    torch.testing.assert_close(ahead_2.flow, ahead.flow, atol=1e-3, rtol=0)
    torch.testing.assert_close(back_2.flow, back.flow, atol=1e-3, rtol=0)


@pytest.mark.parametrize("readout", ["soft", "window"])
@pytest.mark.parametrize(("target", "source"), GRIDS)
def test_shapes_and_ranges(target: Grid, source: Grid, readout: str, noise: Noise) -> None:
    forward, backward = _pair(noise, target, source)
    with torch.inference_mode():
        sides = _trained()(forward, backward, readout=readout)
    for side, own, other in zip(sides, (target, source), (source, target), strict=True):
        fine = (4 * own[0], 4 * own[1])
        assert side.flow.shape == (2, 2, *fine)
        assert side.mass.shape == (2, 1, *fine)
        assert bool(((side.mass >= 0) & (side.mass <= 1)).all())
        assert side.logits.shape == (2, fine[0] * fine[1], other[0] * other[1])


def test_batch_mates_do_not_matter(noise: Noise) -> None:
    forward, backward = _pair(noise, (3, 4), (3, 4), 3)
    head = _trained()
    with torch.inference_mode():
        whole = head.volume(forward, backward)
        alone = head.volume(
            *(
                Direction(d.volume[1:2], d.features[1:2], d.grid_target, d.grid_source)
                for d in (forward, backward)
            )
        )
    torch.testing.assert_close(alone, whole[1:2], atol=1e-5, rtol=0)


def test_the_decoder_features_guide_the_aggregation(noise: Noise) -> None:
    forward, backward = _pair(noise, (3, 4), (3, 4))
    other = Direction(forward.volume, noise(2, 12, 12), (3, 4), (3, 4))
    head = _trained()
    with torch.inference_mode():
        assert not torch.allclose(head.volume(forward, backward), head.volume(other, backward))


def test_gradients_reach_every_parameter(noise: Noise) -> None:
    head = _trained()
    sides = head(*_pair(noise, (3, 4), (3, 4)))
    torch.stack([side.flow.square().mean() for side in sides]).sum().backward()
    silent = [
        name
        for name, parameter in head.named_parameters()
        if parameter.grad is None or not bool((parameter.grad != 0).any())
    ]
    assert not silent


def test_the_backbone_feeds_the_head(noise: Noise) -> None:
    config = CrocoConfig(
        enc_embed_dim=16,
        enc_depth=1,
        enc_num_heads=2,
        dec_embed_dim=12,
        dec_depth=2,
        dec_num_heads=3,
        pos_embed="rope100",
        prediction_head=False,
    )
    torch.manual_seed(0)
    model = CroCo(config).eval()
    encodings = [model.encode(noise(1, 3, 48, 64)) for _ in range(2)]
    pair = model.decode_pair(*encodings, features=True)
    sides = []
    for side in (pair.forward, pair.backward):
        assert side.features is not None
        volume = attention_volume(side.queries, side.keys)
        sides.append(Direction(volume, side.features[-1], side.grid_target, side.grid_source))
    ahead, back = AggregationHead(TINY)(*sides)
    assert ahead.flow.shape == back.flow.shape == (1, 2, 12, 16)
    assert ahead.volume.shape == (1, 12, 12)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"dim": 12, "heads": 2}, "dim=12 with heads=2"),
        ({"beta": 0}, "beta=0"),
        ({"halvings": 5}, "halvings=5: at most 4"),
        ({"blocks": "1"}, "blocks='1'"),
        ({"depth": 1}, "unknown field of AggregationConfig: depth"),
    ],
)
def test_impossible_configurations_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        AggregationConfig.from_dict(values)
