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

"""Cost volumes from descriptors and features."""

from __future__ import annotations

import pytest
import torch

from zeroco_ros.matching.cost_volume import (
    attention_volume,
    feature_volume,
    l2_normalize,
    reciprocal_volume,
    select_tokens,
)


def descriptors(layers: int = 3, batch: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return (
        torch.randn(layers, batch, 6, 8, generator=generator),
        torch.randn(layers, batch, 10, 8, generator=generator),
    )


def test_one_product_is_the_mean_of_the_layers():
    queries, keys = descriptors()
    expected = (queries @ keys.mT).mean(dim=0)
    torch.testing.assert_close(attention_volume(queries, keys), expected)


def test_descriptors_of_half_precision_are_summed_in_float32():
    queries, keys = descriptors()
    half = attention_volume(queries.bfloat16(), keys.bfloat16())
    exact = attention_volume(queries.bfloat16().float(), keys.bfloat16().float())
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, exact)


def test_register_fix_sets_the_first_column_of_each_layer_to_its_minimum():
    queries, keys = descriptors(layers=2, batch=1)
    layers = queries @ keys.mT
    expected = layers.clone()
    for layer in expected:
        layer[0, :, 0] = layer.min()
    fixed = attention_volume(queries, keys, register_fix=True)
    torch.testing.assert_close(fixed, expected.mean(dim=0))


def test_register_fix_does_not_depend_on_batch_mates():
    queries, keys = descriptors()
    both = attention_volume(queries, keys, register_fix=True)
    for item in range(2):
        alone = attention_volume(
            queries[:, item : item + 1], keys[:, item : item + 1], register_fix=True
        )
        torch.testing.assert_close(both[item : item + 1], alone)


def test_no_layers_are_refused():
    with pytest.raises(ValueError, match="no layers"):
        attention_volume([], [], register_fix=True)


def test_reciprocity_transposes_when_the_images_are_swapped():
    forward, backward = torch.randn(1, 4, 6), torch.randn(1, 6, 4)
    one, other = reciprocal_volume(forward, backward), reciprocal_volume(backward, forward)
    assert torch.equal(one, other.mT)
    assert one[0, 1, 2].item() == pytest.approx((forward[0, 1, 2] + backward[0, 2, 1]).item() / 2)


def test_features_are_compared_by_cosine():
    features = torch.tensor([[[3.0, 4.0], [0.0, 2.0]]])
    volume = feature_volume(features, features)
    torch.testing.assert_close(volume, torch.tensor([[[1.0, 0.8], [0.8, 1.0]]]), atol=1e-6, rtol=0)


def test_a_zero_feature_normalizes_to_zero():
    assert torch.equal(l2_normalize(torch.zeros(1, 2, 4)), torch.zeros(1, 2, 4))


def test_selected_tokens_are_the_top_left_of_the_grid():
    tokens = torch.arange(12.0).reshape(1, 12, 1)
    kept = select_tokens(tokens, (3, 4), (2, 3))
    assert kept.flatten().tolist() == [0, 1, 2, 4, 5, 6]
    layered = select_tokens(tokens.expand(5, 1, 12, 1), (3, 4), (2, 3))
    assert layered.shape == (5, 1, 6, 1)
    assert select_tokens(tokens, (3, 4), (3, 4)) is tokens


def test_dropping_padding_is_masking_it():
    queries, keys = descriptors(batch=1)
    volume = attention_volume(queries, keys)
    grid, valid = (2, 5), (2, 3)
    mask = torch.zeros(2, 5, dtype=torch.bool)
    mask[:, :3] = True
    dropped = attention_volume(queries, select_tokens(keys, grid, valid))
    torch.testing.assert_close(dropped, volume[..., mask.flatten()])
