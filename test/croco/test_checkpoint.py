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

"""Our own model files: what is written comes back, and what is damaged is refused."""

from __future__ import annotations

from collections.abc import Callable
import hashlib
import json
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
import torch

from zeroco_ros.croco.checkpoint import FORMAT, load_croco, save_croco
from zeroco_ros.croco.model import CroCo
from zeroco_ros.errors import ConfigError, WeightsError

VARIANTS = (
    {"pos_embed": "cosine"},
    {"stem": "conv", "cross_rope": False, "prediction_head": False},
    {"two_decoders": True, "prediction_head": False, "img_size": [96, 160]},
    {"norm_im2_in_dec": False, "mlp_ratio": 2.0},
)


@pytest.fixture
def saved(build: Callable[..., CroCo], tmp_path: Path) -> Path:
    path = tmp_path / "net.safetensors"
    save_croco(path, build(stem="conv"), {"matching": {"beta": 0.1, "register_fix": False}})
    return path


def rewrite(path: Path, tensors: dict | None = None, **notes: str | None) -> Path:
    """Return file again with other tensors, and metadata entries replaced or (None) removed."""
    header = json.loads(path.read_bytes()[8:].partition(b"}}")[0].decode() + "}}")
    metadata = header["__metadata__"] | notes
    metadata = {key: value for key, value in metadata.items() if value is not None}
    save_file(load_file(path) if tensors is None else tensors, path, metadata)
    return path


def refused(path: Path, *words: str) -> None:
    """One clear line that names the file and each of the words."""
    with pytest.raises(WeightsError) as caught:
        load_croco(path)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 500
    for word in (path.name, *words):
        assert word in message, message


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_round_trip_is_exact(build: Callable[..., CroCo], tmp_path: Path, changes: dict) -> None:
    model, path = build(**changes), tmp_path / "net.safetensors"
    metadata = {"matching": {"beta": 0.08}, "seed": 3, "note": "12", "steps": [1, 2.5, None]}
    save_croco(path, model, metadata)
    loaded = load_croco(path)
    assert loaded.config == loaded.model.config == model.config
    assert loaded.metadata == metadata
    assert loaded.license_note is None
    assert loaded.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    state, again = model.state_dict(), loaded.model.state_dict()
    assert state.keys() == again.keys()
    assert all(torch.equal(state[key], again[key]) for key in state)
    assert not loaded.model.training
    image = torch.randn(1, 3, 32, 48)
    with torch.no_grad():
        assert torch.equal(loaded.model.encode(image).tokens, model.encode(image).tokens)


def test_a_loaded_network_can_be_trained_and_saved_again(saved: Path, tmp_path: Path) -> None:
    model = load_croco(saved).model
    assert all(parameter.requires_grad for parameter in model.parameters())
    save_croco(tmp_path / "again.safetensors", model)
    again = load_croco(tmp_path / "again.safetensors")
    assert again.metadata == {}
    assert torch.equal(again.model.match_log_scale, model.match_log_scale)


def test_half_precision_files_are_read_as_float32(saved: Path) -> None:
    half = {key: value.to(torch.bfloat16) for key, value in load_file(saved).items()}
    model = load_croco(rewrite(saved, half)).model
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert torch.equal(
        model.enc_blocks[0].attn.qkv.weight.bfloat16(), half["enc_blocks.0.attn.qkv.weight"]
    )


def test_saving_replaces_the_whole_file(saved: Path, build: Callable[..., CroCo]) -> None:
    save_croco(saved, build(), {"second": True})
    assert load_croco(saved).metadata == {"second": True}
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_what_cannot_be_saved(build: Callable[..., CroCo], tmp_path: Path) -> None:
    model = build()
    with pytest.raises(WeightsError, match="cannot be written"):
        save_croco(tmp_path / "missing" / "net.safetensors", model)
    (tmp_path / "folder").mkdir()
    with pytest.raises(WeightsError, match="cannot be written"):
        save_croco(tmp_path / "folder", model)
    for metadata in ({"beta": float("nan")}, {"beta": {1, 2}}, {"config": {}}):
        with pytest.raises(ConfigError, match="metadata"):
            save_croco(tmp_path / "net.safetensors", model, metadata)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_missing_file(tmp_path: Path) -> None:
    refused(tmp_path / "none.safetensors", "does not exist")


def test_folder(tmp_path: Path) -> None:
    refused(tmp_path, "is a folder")


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"just a text file, nothing else\n", b"\x89PNG\r\n\x1a\n" + bytes(40)],
)
@pytest.mark.parametrize("name", ["net.safetensors", "net.pth"])
def test_not_a_model_file(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    refused(path, "safetensors", "not a model file" if content else "empty")


@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
def test_truncated(saved: Path, share: float) -> None:
    content = saved.read_bytes()
    saved.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(WeightsError, match=r"net\.safetensors.*(truncated|not a model file)"):
        load_croco(saved)


def test_safetensors_of_somebody_else(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"conv1.weight": torch.zeros(3)}, path)
    refused(path, "not one of this package", FORMAT)


@pytest.mark.parametrize(
    "notes",
    [{"format": None}, {"format": '"zeroco_croco_99"'}, {"config": None}, {"config": "[1"}],
    ids=str,
)
def test_metadata_of_another_kind(saved: Path, notes: dict) -> None:
    refused(rewrite(saved, **notes), "not one of this package")


def test_impossible_architecture(saved: Path) -> None:
    refused(rewrite(saved, config='{"enc_depth": -1}'), "impossible network", "enc_depth=-1")
    refused(rewrite(saved, config='{"magic": 1}'), "unknown architecture field magic")


def test_missing_and_unexpected_tensors(saved: Path) -> None:
    tensors = load_file(saved)
    tensors["extra.weight"] = tensors.pop("enc_norm.weight")
    refused(rewrite(saved, tensors), "missing 1 tensors (enc_norm.weight)", "extra.weight")


def test_shape_that_does_not_fit(saved: Path) -> None:
    tensors = load_file(saved)
    tensors["enc_norm.weight"] = torch.zeros(31)
    refused(rewrite(saved, tensors), "enc_norm.weight", "(31,)", "(32,)")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite(saved: Path, value: float) -> None:
    tensors = load_file(saved)
    tensors["dec_norm.bias"][5] = value
    refused(rewrite(saved, tensors), "dec_norm.bias", "not finite")


def test_integers_are_no_weights(saved: Path) -> None:
    tensors = load_file(saved)
    tensors["dec_norm.bias"] = tensors["dec_norm.bias"].long()
    refused(rewrite(saved, tensors), "dec_norm.bias")
