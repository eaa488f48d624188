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

"""The plain implementation computes what the package's own does."""

from __future__ import annotations

import copy

import pytest
import torch

from zeroco_ros.bench.plain import PlainTwoPass
from zeroco_ros.bench.subjects import moving_frames
from zeroco_ros.croco.config import CrocoConfig
from zeroco_ros.croco.model import CroCo
from zeroco_ros.errors import ConfigError
from zeroco_ros.estimate.config import FlowConfig
from zeroco_ros.estimate.flow import FlowEstimator
from zeroco_ros.estimate.frames import normalize

SIZE = (64, 96)


def network(**changes: object) -> CroCo:
    values = {
        "enc_embed_dim": 32,
        "enc_depth": 2,
        "enc_num_heads": 2,
        "dec_embed_dim": 24,
        "dec_depth": 3,
        "dec_num_heads": 3,
        "pos_embed": "rope100",
        "prediction_head": False,
    }
    torch.manual_seed(0)
    return CroCo(CrocoConfig(**{**values, **changes})).eval()  # type: ignore[arg-type]


@pytest.mark.parametrize("register_fix", [True, False])
@pytest.mark.parametrize(
    "changes",
    [{}, {"pos_embed": "cosine"}, {"stem": "conv", "cross_rope": False}],
    ids=["v2", "v1", "conv"],
)
def test_same_flow_as_the_stream(changes: dict, register_fix: bool):
    model = network(**changes)
    config = FlowConfig(size=SIZE, refine="none", register_fix=register_fix, precision="fp32")
    estimator = FlowEstimator.from_model(copy.deepcopy(model), config)
    target, source = moving_frames(SIZE, 2)
    plain = PlainTwoPass(model, register_fix=register_fix, beta=None)
    found = plain.flow(normalize(target), normalize(source))
    expected = estimator.estimate(target, source).flow
    torch.testing.assert_close(
        torch.from_numpy(found), torch.from_numpy(expected), atol=2e-3, rtol=0
    )
    assert expected.std() > 0.1


def test_all_maps_are_kept():
    model = network()
    plain = PlainTwoPass(model, register_fix=True, beta=None)
    images = [normalize(frame) for frame in moving_frames(SIZE, 2)]
    with torch.inference_mode():
        tokens = [plain.encode(image, (4, 6)) for image in images]
        maps = plain.maps(*tokens, (4, 6))
    assert [tuple(part.shape) for part in maps] == [(1, 3, 24, 24)] * 3
    assert not torch.allclose(maps[0].sum(-1), torch.ones(1, 3, 24))  # before the softmax


def test_two_decoders_are_refused():
    with pytest.raises(ConfigError, match="one decoder only"):
        PlainTwoPass(network(two_decoders=True), register_fix=True, beta=None)
