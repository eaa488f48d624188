"""Devices, precision and what the PyTorch backend returns."""

from __future__ import annotations

import pytest
import torch

from zeroco_ros.croco.model import CroCo
from zeroco_ros.engine.torch_backend import TorchBackend, resolve_device, resolve_precision
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
    with pytest.raises(ConfigError, match="auto, fp32, bf16, fp16"):
        resolve_precision("int8", "cpu")
    has = "zeroco_ros.engine.torch_backend._cpu_computes_bf16"
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
