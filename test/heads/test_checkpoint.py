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

"""Heads' weights files: round trip, and every way in which a file can be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
import torch
from torch import nn

from zeroco_ros.errors import ConfigError, WeightsError
from zeroco_ros.heads.aggregation import AggregationConfig, AggregationHead
from zeroco_ros.heads.checkpoint import build_head, load_head, save_head
from zeroco_ros.heads.recurrent import RecurrentConfig, RecurrentHead
from zeroco_ros.heads.super_resolution import (
    RefinementConfig,
    SuperResolutionConfig,
    SuperResolutionHead,
)

AGGREGATION = AggregationConfig(tokens=12, dim=8, heads=2, guide=4, fine=4, beta=0.07)
RECURRENT = RecurrentConfig((4, 4, 8), match=4, context=4, hidden=8, iterations=(1, 1))
SUPER = SuperResolutionConfig(
    tokens=12, image=4, radius=2, refinement=RefinementConfig(dim=16, heads=4, windows=(4,))
)


@pytest.fixture(params=["aggregation", "super_resolution", "recurrent"])
def head(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(1)
    if request.param == "aggregation":
        return AggregationHead(AGGREGATION)
    if request.param == "recurrent":
        return RecurrentHead(RECURRENT)
    return SuperResolutionHead(SUPER)


def test_round_trip(head: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "head.safetensors"
    save_head(path, head, {"backbone": "1234", "minutes": 3.5})
    loaded = load_head(path)
    assert type(loaded.head) is type(head)
    assert loaded.head.config == head.config
    assert loaded.metadata == {"backbone": "1234", "minutes": 3.5}
    assert not loaded.head.training
    for key, value in head.state_dict().items():
        assert torch.equal(loaded.head.state_dict()[key], value)
    assert [entry.name for entry in tmp_path.iterdir()] == ["head.safetensors"]


def test_half_precision_is_read_as_float32(tmp_path: Path) -> None:
    path = tmp_path / "head.safetensors"
    save_head(path, AggregationHead(AGGREGATION).half())
    assert all(p.dtype == torch.float32 for p in load_head(path).head.parameters())


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "head.safetensors"
    with pytest.raises(WeightsError, match="no such file"):
        load_head(path)
    path.write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{}")
    with pytest.raises(WeightsError, match="damaged or truncated"):
        load_head(path)
    save_file({"a": torch.ones(1)}, path)
    with pytest.raises(WeightsError, match="not a head of this package"):
        load_head(path)


def _rewrite(path: Path, change: str) -> None:
    """Save a head, then its tensors again with one thing wrong."""
    from safetensors import safe_open

    save_head(path, AggregationHead(AGGREGATION))
    with safe_open(path, framework="pt") as file:
        notes = dict(file.metadata())
    state = load_file(path)
    key = "aggregation.leave.weight"
    if change == "missing":
        del state[key]
    elif change == "shape":
        state[key] = state[key][:1].clone()
    elif change == "nan":
        state[key][0] = torch.nan
    elif change == "kind":
        notes["kind"] = '"other"'
    else:
        notes["config"] = '{"dim": 7}'
    save_file(state, path, notes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("missing", "1 tensors missing or not expected"),
        ("shape", "the described head needs"),
        ("nan", "not finite"),
        ("kind", "head 'other': one of recurrent, aggregation, super_resolution"),
        ("config", "dim=7"),
    ],
)
def test_files_that_contradict_themselves(change: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "head.safetensors"
    _rewrite(path, change)
    with pytest.raises(WeightsError, match=message):
        load_head(path)


def test_what_cannot_be_saved(tmp_path: Path) -> None:
    path = tmp_path / "head.safetensors"
    with pytest.raises(ConfigError, match="Linear is no head"):
        save_head(path, nn.Linear(1, 1))
    with pytest.raises(ConfigError, match="are taken"):
        save_head(path, AggregationHead(AGGREGATION), {"kind": 1})
    with pytest.raises(ConfigError, match="as JSON"):
        save_head(path, AggregationHead(AGGREGATION), {"loss": float("nan")})
    with pytest.raises(WeightsError, match="cannot be written"):
        save_head(tmp_path / "no" / "head.safetensors", AggregationHead(AGGREGATION))
    with pytest.raises(ConfigError, match="one of recurrent, aggregation"):
        build_head("none", {})
