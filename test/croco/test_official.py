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

"""Official model files: every layout is read, and no file gets to run anything."""

from __future__ import annotations

import argparse
from collections.abc import Callable
import hashlib
import logging
import os
from pathlib import Path
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor

from zeroco_ros.croco.checkpoint import load_croco
from zeroco_ros.croco.config import CrocoConfig
from zeroco_ros.croco.model import CroCo
from zeroco_ros.croco.positions import cosine_table
from zeroco_ros.errors import WeightsError

SIZES = {
    "enc_embed_dim": 32,
    "enc_depth": 2,
    "enc_num_heads": 2,
    "dec_embed_dim": 24,
    "dec_depth": 3,
    "dec_num_heads": 3,
}


def save(path: Path, **content: Any) -> Path:
    torch.save(content, path)
    return path


def text_of(name: str, **arguments: Any) -> str:
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})"


def with_tables(model: CroCo) -> dict[str, Tensor]:
    """Return the state as CroCo v1 has it on disk, with its position tables."""
    like = torch.zeros(1)
    return {
        **model.state_dict(),
        "enc_pos_embed": cosine_table((14, 14), model.config.enc_embed_dim, like),
        "dec_pos_embed": cosine_table((14, 14), model.config.dec_embed_dim, like),
    }


def refused(path: Path, *words: str) -> None:
    """One clear line that names the file and each of the words."""
    with pytest.raises(WeightsError) as caught:
        load_croco(path)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 500
    for word in (path.name, *words):
        assert word in message, message


def equal_states(model: CroCo, expected: dict[str, Tensor]) -> bool:
    state = model.state_dict()
    return state.keys() == expected.keys() and all(
        torch.equal(state[key], expected[key]) for key in state
    )


@pytest.mark.parametrize(
    ("stem", "pos_embed", "two_decoders"),
    [
        ("croco_v1_tiny", "cosine", False),
        ("croco_v1_tiny_argsstyle", "cosine", False),
        ("croco_v2_tiny", "rope100", False),
        ("dust3r_tiny", "rope100", True),
        ("mast3r_tiny_nohead", "rope100", True),
    ],
)
def test_reference_files(
    reference: Path, stem: str, pos_embed: str, two_decoders: bool, caplog: Any
) -> None:
    path = reference / f"{stem}.pth"
    with caplog.at_level(logging.WARNING):
        loaded = load_croco(path)
    assert (loaded.config.pos_embed, loaded.config.two_decoders) == (pos_embed, two_decoders)
    assert loaded.config.prediction_head is not two_decoders
    assert loaded.metadata == {}
    assert loaded.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert "CC BY-NC-SA 4.0" in loaded.license_note
    assert "non-commercial" in loaded.license_note
    assert [record.getMessage() for record in caplog.records] == [
        f"{path.name}: {loaded.license_note}"
    ]


def test_description_as_dictionary(build: Callable[..., CroCo], tmp_path: Path) -> None:
    model = build()
    kwargs = {**SIZES, "pos_embed": "RoPE100", "mask_ratio": 0.9}
    path = save(tmp_path / "v2.pth", croco_kwargs=kwargs, model=model.state_dict())
    loaded = load_croco(path)
    assert loaded.config == model.config
    assert equal_states(loaded.model, model.state_dict())


@pytest.mark.parametrize("zipped", [True, False])
def test_description_as_text(build: Callable[..., CroCo], tmp_path: Path, zipped: bool) -> None:
    model = build(pos_embed="cosine")
    args = argparse.Namespace(model=text_of("CroCoNet", **SIZES), lr=1e-3)
    content = {"args": args, "model": with_tables(model), "epoch": 3}
    torch.save(content, tmp_path / "v1.pth", _use_new_zipfile_serialization=zipped)
    loaded = load_croco(tmp_path / "v1.pth")
    assert loaded.config == model.config
    assert equal_states(loaded.model, model.state_dict())


def test_no_description_is_the_first_croco(tmp_path: Path) -> None:
    """ViT-B with the 512x8 decoder; its tensors are zeros without memory of their own."""
    with torch.device("meta"):
        shapes = CroCo(CrocoConfig()).state_dict()
    state = {key: torch.zeros(1).expand(value.shape) for key, value in shapes.items()}
    like = torch.zeros(1)
    tables = {"enc_pos_embed": cosine_table((14, 14), 768, like)}
    loaded = load_croco(save(tmp_path / "v1.pth", model=state | tables))
    assert loaded.config == CrocoConfig()
    refused(save(tmp_path / "v2.pth", model=state), "neither says what network it holds")


def test_heads_of_two_decoder_networks_are_ignored(
    build: Callable[..., CroCo], tmp_path: Path
) -> None:
    model = build(two_decoders=True, prediction_head=False, img_size=[384, 512])
    args = argparse.Namespace(
        model=text_of(
            "AsymmetricMASt3R", pos_embed="RoPE100", img_size=(384, 512), two_confs=True, **SIZES
        )
    )
    heads = {
        "mask_token": torch.zeros(1, 1, 24),
        "downstream_head1.dpt.weight": torch.zeros(3),
        "downstream_head2.head_local_features.fc1.weight": torch.zeros(3),
        "prediction_head.weight": torch.zeros(768, 24),
    }
    loaded = load_croco(save(tmp_path / "m.pth", args=args, model=model.state_dict() | heads))
    assert loaded.config == model.config
    assert equal_states(loaded.model, model.state_dict())


class Call:
    """Pickles as a call."""

    def __init__(self, function: Callable, *arguments: str) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple:
        return self.call


@pytest.mark.parametrize("place", ["model", "args", "elsewhere"])
@pytest.mark.parametrize("zipped", [True, False])
def test_pickle_that_would_write_a_file(
    build: Callable[..., CroCo], tmp_path: Path, place: str, zipped: bool
) -> None:
    made = tmp_path / "made"
    calls = (Call(open, str(made), "w"), Call(os.system, f"touch {made}"), Call(Path.touch, made))
    for i, call in enumerate(calls):
        path = tmp_path / f"evil{i}.pth"
        content = {"croco_kwargs": SIZES, "model": build().state_dict()} | {place: call}
        torch.save(content, path, _use_new_zipfile_serialization=zipped)
        refused(path, "refused")
    assert not made.exists()
    torch.load(tmp_path / "evil0.pth", weights_only=False)  # the trap is a real one
    assert made.exists()


def test_bare_pickle_that_would_write_a_file(tmp_path: Path) -> None:
    made = tmp_path / "made"
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        path = tmp_path / f"evil{protocol}.pth"
        path.write_bytes(pickle.dumps({"model": Call(open, str(made), "w")}, protocol))
        refused(path)
    assert not made.exists()


def test_text_that_would_write_a_file(build: Callable[..., CroCo], tmp_path: Path) -> None:
    made = tmp_path / "made"
    args = argparse.Namespace(model=f"CroCoNet(enc_depth=open({str(made)!r}, 'w'))")
    path = save(tmp_path / "evil.pth", args=args, model=build().state_dict())
    refused(path, "enc_depth", "nothing is evaluated")
    assert not made.exists()


@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
@pytest.mark.parametrize("zipped", [True, False])
def test_truncated(
    build: Callable[..., CroCo], tmp_path: Path, share: float, zipped: bool
) -> None:
    path = tmp_path / "net.pth"
    content = {"croco_kwargs": SIZES, "model": build().state_dict()}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    refused(path, "damaged")


def test_something_else_inside(build: Callable[..., CroCo], tmp_path: Path) -> None:
    path, state = tmp_path / "net.pth", build().state_dict()
    torch.save([1, 2], path)
    refused(path, "list", "dictionary")
    torch.save(torch.zeros(3), path)
    refused(path, "Tensor", "dictionary")
    refused(save(path, weights=1, epoch=2), "'weights', 'epoch'", "expected 'model'")
    refused(save(path, model={}), "found nothing")
    refused(
        save(path, model={"conv1.weight": torch.zeros(3), "fc.bias": torch.zeros(3)}),
        "'conv1.weight', 'fc.bias'",
        "expected patch_embed.proj.weight",
    )
    refused(save(path, model=state | {"x": 3}, croco_kwargs=SIZES), "'x' of type int")
    refused(save(path, model=state, croco_kwargs=[1]), "croco_kwargs")
    refused(save(path, model=state, args=argparse.Namespace(lr=1)), "args")


def test_another_architecture(build: Callable[..., CroCo], tmp_path: Path) -> None:
    path, state = tmp_path / "net.pth", build().state_dict()
    args = argparse.Namespace(model="CroCoDownstream(enc_depth=2)")
    refused(save(path, args=args, model=state), "'CroCoDownstream'", "CroCoNet")
    for key, value in {"pos_embed": "RoPE50", "enc_depth": "two", "img_size": "big"}.items():
        refused(save(path, croco_kwargs=SIZES | {key: value}, model=state), key, repr(value))
    deeper = SIZES | {"pos_embed": "RoPE100", "enc_depth": 3}
    refused(save(path, croco_kwargs=deeper, model=state), "missing 12 tensors (enc_blocks.2.")
    wider = SIZES | {"pos_embed": "RoPE100", "enc_embed_dim": 64}
    refused(save(path, croco_kwargs=wider, model=state), "(32, 3, 16, 16)", "(64, 3, 16, 16)")
    two = build(two_decoders=True).state_dict()
    same = SIZES | {"pos_embed": "RoPE100"}
    refused(save(path, croco_kwargs=same, model=two), "not expected", "dec_blocks2")


def test_position_table_of_another_kind(build: Callable[..., CroCo], tmp_path: Path) -> None:
    path, state = tmp_path / "net.pth", with_tables(build(pos_embed="cosine"))
    learned = state | {"enc_pos_embed": state["enc_pos_embed"] + 0.1}
    refused(save(path, croco_kwargs=SIZES, model=learned), "enc_pos_embed", "sine-cosine")
    larger = state | {"dec_pos_embed": torch.zeros(400, 24)}
    refused(save(path, croco_kwargs=SIZES, model=larger), "dec_pos_embed", "(400, 24)")


def test_values_that_are_not_finite(build: Callable[..., CroCo], tmp_path: Path) -> None:
    state = {key: value.clone() for key, value in build().state_dict().items()}
    state["enc_norm.weight"][3] = float("nan")
    kwargs = SIZES | {"pos_embed": "RoPE100"}
    refused(
        save(tmp_path / "n.pth", croco_kwargs=kwargs, model=state), "enc_norm.weight", "finite"
    )


def test_old_torch_does_not_open_pickles(
    build: Callable[..., CroCo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / "net.pth", croco_kwargs=SIZES, model=build().state_dict())
    monkeypatch.setattr(torch, "__version__", "2.5.1")
    refused(path, "torch 2.5.1", "2.6")
