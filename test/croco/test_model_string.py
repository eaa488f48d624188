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

"""The code-like model description in official files is read as data only."""

from __future__ import annotations

import math

import pytest

from zeroco_ros.croco.model_string import parse_model_string
from zeroco_ros.errors import WeightsError


def test_official_description() -> None:
    name, arguments = parse_model_string(
        "AsymmetricCroCo3DStereo(pos_embed='RoPE100', img_size=(512, 512), landscape_only=False, "
        "depth_mode=('exp', -inf, inf), enc_depth=24, mlp_ratio=4., heads=[1, 2], nothing=None)"
    )
    assert name == "AsymmetricCroCo3DStereo"
    assert arguments == {
        "pos_embed": "RoPE100",
        "img_size": (512, 512),
        "landscape_only": False,
        "depth_mode": ("exp", -math.inf, math.inf),
        "enc_depth": 24,
        "mlp_ratio": 4.0,
        "heads": (1, 2),
        "nothing": None,
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "CroCoNet",
        "CroCoNet(",
        "CroCoNet(24)",
        "CroCoNet(*x)",
        "CroCoNet(**{'enc_depth': 1})",
        "nets.CroCoNet(enc_depth=1)",
        "CroCoNet()(enc_depth=1)",
        "CroCoNet(enc_depth=1); x",
        "CroCoNet(enc_depth=open('made', 'w'))",
        "CroCoNet(enc_depth=__import__('os').system('touch made'))",
        "CroCoNet(enc_depth=print)",
        "CroCoNet(enc_depth=().__class__)",
        "CroCoNet(enc_depth=[x for x in (1, 2)])",
        "CroCoNet(enc_depth=(lambda: 1)())",
        "CroCoNet(enc_depth=f'{1}')",
        "CroCoNet(enc_depth=2**999999999)",
        "CroCoNet(enc_depth=-'a')",
        "CroCoNet(enc_depth=(y := 1))",
        "CroCoNet(enc_depth=" + "(" * 4000 + ")" * 4000 + ")",
        "CroCoNet(name='" + "x" * 20_000 + "')",
        "CroCoNet(name='\0')",
    ],
    ids=lambda text: repr(text[:40]),
)
def test_everything_else_is_refused(
    text: str, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError) as caught:
        parse_model_string(text)
    message = str(caught.value)
    assert "model description" in message
    assert "\n" not in message and len(message) < 300
    assert list(tmp_path.iterdir()) == []
