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

"""Devices, precision and what the PyTorch backend returns."""

from __future__ import annotations

import pytest
import torch

from zeroco_ros.croco.model import CroCo, Encoding
from zeroco_ros.engine.layers import computes_int8, Int8Linear
from zeroco_ros.engine.torch_backend import (
    pair_volumes,
    resolve_device,
    resolve_precision,
    TorchBackend,
)
from zeroco_ros.errors import BackendError, ConfigError


@pytest.fixture(scope="module")
def model(tiny_network: CroCo) -> CroCo:
    torch.set_num_threads(1)
    return tiny_network


def images(batch: int = 1) -> torch.Tensor:
    return torch.randn(batch, 3, 32, 64, generator=torch.Generator().manual_seed(1))


def test_device_names(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == resolve_device("cpu") == "cpu"
    with pytest.raises(BackendError, match=r"'cuda' is not available.*use device 'cpu'"):
        resolve_device("cuda")
    with pytest.raises(ConfigError, match="auto, cpu, cuda"):
        resolve_device("gpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto") == resolve_device("cuda") == "cuda"
    assert resolve_device("cpu") == "cpu"


def test_precision_names(monkeypatch: pytest.MonkeyPatch):
    assert resolve_precision("auto", "cuda") == "fp16"
    assert resolve_precision("fp32", "cuda") == "fp32"
    with pytest.raises(ConfigError, match="'fp16' on a CPU"):
        resolve_precision("fp16", "cpu")
    with pytest.raises(ConfigError, match="auto, fp32, bf16, fp16, int8"):
        resolve_precision("int4", "cpu")
    has = "zeroco_ros.engine.torch_backend.computes_bf16"
    monkeypatch.setattr(has, lambda: True)
    assert resolve_precision("auto", "cpu") == "bf16"
    monkeypatch.setattr(has, lambda: False)
    assert resolve_precision("auto", "cpu") == "fp32"


def test_encodes_and_matches_without_gradients(model: CroCo):
    backend = TorchBackend(model, "cpu", "fp32")
    encoding = backend.encode(images(2))
    assert encoding.grid == (2, 4) and encoding.tokens.shape == (2, 8, 32)
    pair = backend.match(encoding, encoding)
    assert pair.forward.queries.shape == (2, 2, 8, 32)
    assert not encoding.tokens.requires_grad and not pair.forward.queries.requires_grad
    assert pair.forward.features is None
    assert backend.match(encoding, encoding, features=True).forward.features is not None


def test_bf16_stays_close_to_fp32(model: CroCo):
    exact, fast = TorchBackend(model, "cpu", "fp32"), TorchBackend(model, "cpu", "bf16")
    assert (exact.precision, fast.precision) == ("fp32", "bf16")
    one, other = exact.encode(images()).tokens, fast.encode(images()).tokens.float()
    assert 0 < (one - other).abs().max() < 0.1


@pytest.mark.parametrize("threads", [0, -1, 1.5, True])
def test_threads_are_checked(model: CroCo, threads: object):
    with pytest.raises(ConfigError, match="threads"):
        TorchBackend(model, "cpu", threads=threads)  # type: ignore[arg-type]


def test_threads_are_set(model: CroCo):
    before = torch.get_num_threads()
    try:
        TorchBackend(model, "cpu", threads=before + 1)
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


def test_the_network_given_is_left_alone(model: CroCo):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    backend = TorchBackend(model, "cpu", "bf16")
    backend.encode(images())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert backend.model is not model
    assert backend.model.enc_norm.weight.dtype == torch.float32


@pytest.mark.skipif(not computes_int8(), reason="this CPU has no int8 products")
def test_int8_stays_close_to_fp32_and_leaves_the_descriptors_alone(model: CroCo):
    exact, fast = TorchBackend(model, "cpu", "fp32"), TorchBackend(model, "cpu", "int8")
    assert fast.precision == "int8"
    block = fast.model.dec_blocks[1]
    assert isinstance(block.mlp.fc1, Int8Linear) and isinstance(block.attn.qkv, Int8Linear)
    assert not isinstance(block.cross_attn.projq, Int8Linear)
    encoder = fast.model.enc_blocks[0]
    assert isinstance(encoder.mlp.fc2, Int8Linear)
    assert not isinstance(encoder.attn.qkv, Int8Linear)
    grid = ((2, 4), (2, 4))
    volumes = []
    for backend in (exact, fast):
        frames = backend.encode(images(2)), backend.encode(images(2).flip(3))
        volumes.append(backend.volumes(*frames, grid, register_fix=False)[0])
    difference = (volumes[1] - volumes[0]).std() / volumes[0].std()
    assert 0 < difference < 0.05


def test_int8_needs_a_cpu_that_has_it(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ConfigError, match="'int8' is for CPUs"):
        resolve_precision("int8", "cuda")
    monkeypatch.setattr("zeroco_ros.engine.torch_backend.computes_int8", lambda: False)
    with pytest.raises(ConfigError, match="no instructions for it"):
        resolve_precision("int8", "cpu")


@pytest.mark.parametrize("register_fix", [True, False])
def test_volumes_are_those_of_the_descriptors(model: CroCo, register_fix: bool):
    """Summed layer by layer, with frames prepared once, and without their padding."""
    backend = TorchBackend(model, "cpu", "fp32")
    both = [backend.encode(images()), backend.encode(images().flip(3))]
    valid = ((2, 3), (1, 4))
    pair = backend.match(*(Encoding(frame.tokens, frame.grid) for frame in both))
    expected = pair_volumes(pair, valid, register_fix)
    for _ in range(2):  # the second time from what was kept
        found = backend.volumes(*both, valid, register_fix=register_fix)
        torch.testing.assert_close(found, expected)
    assert found[0].shape == (1, 6, 4) and found[1].shape == (1, 4, 6)


def test_what_is_kept_of_a_frame_belongs_to_one_backend(model: CroCo, monkeypatch):
    one, other = TorchBackend(model, "cpu", "fp32"), TorchBackend(model, "cpu", "bf16")
    frame = one.encode(images())
    one.match(frame, frame)
    other.match(frame, frame)
    assert len(frame.kept) == 2
    prepared = list(frame.kept.values())
    assert prepared[0].offer.keys[0].dtype != prepared[1].offer.keys[0].dtype
    monkeypatch.setattr("zeroco_ros.engine.torch_backend._KEPT_BYTES", 0)
    large = one.encode(images())
    again = one.match(large, large)
    assert not next(iter(large.kept.values())).offer.keys
    expected = one.match(frame, frame)
    torch.testing.assert_close(again.forward.queries, expected.forward.queries)
    torch.testing.assert_close(again.forward.keys, expected.forward.keys)


def test_frames_of_two_sizes(model: CroCo):
    backend = TorchBackend(model, "cpu", "fp32")
    wide = backend.encode(images())
    tall = backend.encode(images().transpose(2, 3).contiguous())
    ahead, back = backend.volumes(wide, tall, ((2, 4), (4, 2)), register_fix=False)
    with torch.inference_mode():
        pair = model.decode_pair(wide, tall)
    expected = pair_volumes(pair, ((2, 4), (4, 2)), False)
    torch.testing.assert_close((ahead, back), expected, rtol=1e-4, atol=1e-5)
