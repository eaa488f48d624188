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

"""The count of operations against PyTorch's own counter."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from zeroco_ros.bench.flops import product_rate, Work
from zeroco_ros.bench.plain import PlainTwoPass
from zeroco_ros.bench.subjects import open_subject, RANDOM
from zeroco_ros.croco.config import CrocoConfig
from zeroco_ros.croco.model import CroCo
from zeroco_ros.matching.cost_volume import VolumeSum

GRID = (6, 7)
CONFIGS = {
    "tiny": RANDOM["tiny"],
    "conv": CrocoConfig(
        enc_embed_dim=32,
        enc_depth=3,
        enc_num_heads=2,
        dec_embed_dim=24,
        dec_depth=2,
        dec_num_heads=3,
        pos_embed="rope100",
        stem="conv",
        cross_rope=False,
        prediction_head=False,
    ),
}


@pytest.fixture(params=CONFIGS)
def model(request: pytest.FixtureRequest) -> CroCo:
    torch.manual_seed(0)
    return CroCo(CONFIGS[request.param]).eval()


def counted(run) -> float:
    """
    Return PyTorch's count, attention as plain products.

    Its counter knows no fused one on a CPU.
    """
    from torch.nn.attention import sdpa_kernel, SDPBackend

    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        run()
    return float(counter.get_total_flops())


def test_a_plain_pair(model: CroCo):
    work = Work(model.config, GRID)
    plain = PlainTwoPass(model, register_fix=False, beta=None)
    images = torch.randn(2, 1, 3, 16 * GRID[0], 16 * GRID[1])
    encode, volume = PlainTwoPass.encode, PlainTwoPass.volume
    assert counted(lambda: encode.__wrapped__(plain, images[0], GRID)) == pytest.approx(
        work.encoder, rel=1e-6
    )
    del volume


def test_a_step_of_the_stream(model: CroCo):
    work = Work(model.config, GRID)
    images = torch.randn(2, 1, 3, 16 * GRID[0], 16 * GRID[1])
    with torch.no_grad():
        known = model.prepare(model.encode(images[0]))
        sums = [VolumeSum(register_fix=True) for _ in range(2)]

        def step() -> None:
            new = model.prepare(model.encode(images[1]))
            model.walk_pair(new, known, lambda at, q, k: sums[at].add(q, k))

        found = counted(step)
    # the new frame's last keys are made either way; of what is kept nothing is made twice
    assert found == pytest.approx(work.stream_step, rel=1e-6)
    assert work.stream_step < 0.8 * work.plain_step


def test_vit_b_is_what_its_papers_say():
    """ViT-B at 196 tokens: 17.5 GMAC less classifier and class token (Touvron et al., 2021)."""
    work = Work(RANDOM["vit_b"], (14, 14))
    assert work.encoder == pytest.approx(35e9, rel=0.01)
    assert work.plain_step == pytest.approx(165e9, rel=0.02)
    parameters = sum(p.numel() for p in _shapes(RANDOM["vit_b"]))
    assert parameters == pytest.approx(199e6, rel=0.02)


def _shapes(config: CrocoConfig) -> list[nn.Parameter]:
    with torch.device("meta"):
        return list(CroCo(config).parameters())


def test_products_are_timed():
    assert product_rate("fp32", 64, 2) > 0 and product_rate("bf16", 64, 2) > 0


def test_unknown_network():
    from zeroco_ros.errors import ConfigError

    with pytest.raises(ConfigError, match="vit_b, tiny, default"):
        open_subject("vit_x")
