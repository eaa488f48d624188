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

"""Opening a network: the backend asked for or the best one, and why."""

from __future__ import annotations

import json
from pathlib import Path
import re
import shutil
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from zeroco_ros.engine.bundle import MANIFEST, sha256
from zeroco_ros.errors import BackendError, ConfigError, WeightsError
from zeroco_ros.estimate import network
from zeroco_ros.estimate.config import FlowConfig
from zeroco_ros.estimate.engine_checks import EngineRefusedError
from zeroco_ros.estimate.network import NetworkOptions, open_flow, open_with, RunningFlow

CONFIG = FlowConfig(max_side=64, refine="none")
UNUSED = "the engine is not used"


@pytest.fixture
def engine(tiny_engine: Path) -> Path:
    """Return the tiny backbone without a head, for images of 64x48."""
    return tiny_engine


@pytest.fixture
def copy(engine: Path, tmp_path: Path) -> Path:
    """One to damage."""
    return Path(shutil.copytree(engine, tmp_path / "copy"))


def options(engine: Path | None, weights: Path, **more: Any) -> NetworkOptions:
    return NetworkOptions(engine=engine, weights=weights, threads=1, device="cpu", **more)


def scaled(folder: Path, factor: float) -> Path:
    """One layer of the matcher multiplied, with a manifest that agrees."""
    import onnx
    from onnx import numpy_helper

    path = folder / "matcher.onnx"
    model = onnx.load(path)
    layer = max(model.graph.initializer, key=lambda one: len(one.raw_data))
    values = numpy_helper.to_array(layer) * np.float32(factor)
    layer.CopyFrom(numpy_helper.from_array(values, layer.name))
    onnx.save(model, path)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"]["matcher.onnx"] = sha256(path.read_bytes())
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return folder


def test_without_an_engine_it_is_torch(tiny_weights: Path):
    found = open_flow(CONFIG, options(None, tiny_weights))
    assert (found.backend, found.device, found.engine) == ("torch", "cpu", "")
    assert found.reason == "torch: no engine is given"
    assert found.facts["model"] == tiny_weights.name
    assert found.facts["model sha256"] == sha256(tiny_weights.read_bytes())
    assert found.facts["parity"] == found.facts["engine refused"] == ""


def test_auto_takes_the_engine_and_says_why(engine: Path, tiny_weights: Path):
    lines: list[str] = []
    chosen = options(engine, tiny_weights, check=True)
    found = open_flow(CONFIG, chosen, progress=lines.append)
    assert (found.backend, found.device, found.precision) == ("onnx", "cpu", "fp32")
    assert found.reason == "onnx: engine given, TensorRT does not run on device 'cpu'"
    assert found.facts["parity"] == "passed" and found.parity is not None
    assert found.facts["model sha256"] == sha256(tiny_weights.read_bytes())
    assert "PyTorch" in lines[0]
    images = [np.random.default_rng(3).integers(0, 255, (48, 64, 3), np.uint8)] * 2
    plain = open_flow(CONFIG, options(None, tiny_weights, precision="fp32"))
    ours, theirs = (one.estimator.estimate(*images).flow for one in (found, plain))
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


def test_an_engine_with_all_its_own(engine: Path, tiny_weights: Path):
    found = open_flow(CONFIG, NetworkOptions(engine=engine, backend="onnx", threads=1))
    assert (found.model, found.reason) == (tiny_weights.name, "onnx: asked for")


def test_torch_by_name_leaves_the_engine_alone(engine: Path, tiny_weights: Path):
    found = open_flow(CONFIG, options(engine, tiny_weights, backend="torch"))
    assert (found.backend, found.reason, found.engine) == (
        "torch",
        f"torch: asked for, {UNUSED}",
        "",
    )


@pytest.mark.parametrize("acceleration", ["none", "compile", "cuda_graph"])
def test_acceleration_is_pytorchs(
    tiny_weights: Path, acceleration: str, monkeypatch: pytest.MonkeyPatch
):
    seen: dict[str, Any] = {}
    real = network.TorchBackend

    def spy(*arguments: Any, compile: bool, cuda_graph: bool) -> Any:
        seen.update(compile=compile, cuda_graph=cuda_graph)
        return real(*arguments)

    monkeypatch.setattr(network, "TorchBackend", spy)
    open_flow(CONFIG, options(None, tiny_weights, acceleration=acceleration))
    names = ("compile", "cuda_graph")
    assert seen == {name: name == acceleration for name in names}


def test_tensorrt_is_the_first_choice_where_it_is(
    engine: Path, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    chosen = NetworkOptions(engine=engine, weights=tiny_weights, threads=1)
    found = open_flow(CONFIG, chosen)
    assert found.reason.startswith("onnx: engine given, tensorrt cannot be imported (")
    monkeypatch.setitem(sys.modules, "tensorrt", ModuleType("tensorrt"))  # a stand-in
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert open_flow(CONFIG, chosen).reason == "onnx: engine given, there is no GPU for TensorRT"


def test_without_onnxruntime_auto_is_torch(
    engine: Path, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    found = open_flow(CONFIG, options(engine, tiny_weights))
    assert found.backend == "torch"
    assert "onnxruntime cannot be imported" in found.reason
    with pytest.raises(BackendError, match=r"'onnx': onnxruntime cannot .*pip install.*'torch'"):
        open_flow(CONFIG, options(engine, tiny_weights, backend="onnx"))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"backend": "onnx"}, "backend 'onnx' runs an engine and none is given.*zeroco export"),
        ({"backend": "tensor"}, "unknown backend 'tensor': use one of auto, torch, onnx"),
        ({"provider": "npu"}, "unknown provider 'npu': use one of auto, cpu, cuda, tensorrt"),
        ({"precision": "int4"}, "unknown precision 'int4'"),
        ({"threads": 0}, "threads is 0: give a whole number from 1"),
    ],
)
def test_options_that_are_none(change: dict[str, Any], text: str):
    with pytest.raises(ConfigError, match=text):
        NetworkOptions(**change)  # type: ignore[arg-type]


def test_what_no_engine_can_do_goes_to_torch(engine: Path, tiny_weights: Path):
    config = FlowConfig(max_side=64, refine="none", correlation="decoder")
    found = open_flow(config, options(engine, tiny_weights))
    assert found.backend == "torch" and "correlation 'decoder'" in found.reason
    with pytest.raises(BackendError, match="'onnx': correlation 'decoder'"):
        open_flow(config, options(engine, tiny_weights, backend="onnx"))
    other = open_flow(CONFIG, options(engine, tiny_weights, precision="bf16"))
    assert (other.backend, other.precision) == ("torch", "bf16")
    assert "precision 'bf16' with engine" in other.reason


def test_an_engine_without_what_the_estimator_needs(engine: Path, tiny_weights: Path):
    """As depth does whose head is not in the engine."""

    def build(flow: RunningFlow) -> str:
        if flow.backend == "onnx":
            raise ConfigError("it has no depth head")
        return flow.backend

    built, running = open_with(build, CONFIG, options(engine, tiny_weights))
    assert (built, running.reason) == ("torch", "torch: engine given, it has no depth head")
    with pytest.raises(ConfigError, match="no depth head"):
        open_with(build, CONFIG, options(engine, tiny_weights, backend="onnx"))


def test_a_provider_that_is_not_there(engine: Path, tiny_weights: Path):
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    chosen = options(engine, tiny_weights, backend="onnx", provider="cuda")
    with pytest.raises(BackendError, match=r"provider .cuda. is not available .*CPUExec"):
        open_flow(CONFIG, chosen)


@pytest.mark.parametrize("damage", ["missing", "truncated", "no manifest"])
def test_a_damaged_engine_is_refused_or_replaced(copy: Path, tiny_weights: Path, damage: str):
    if damage == "missing":
        (copy / "encoder.onnx").unlink()
    elif damage == "truncated":
        (copy / "encoder.onnx").write_bytes((copy / "encoder.onnx").read_bytes()[:100])
    else:
        (copy / MANIFEST).unlink()
    for backend in ("auto", "onnx"):
        with pytest.raises(EngineRefusedError, match=str(copy)):
            open_flow(CONFIG, options(copy, tiny_weights, backend=backend))
        found = open_flow(CONFIG, options(copy, tiny_weights, backend=backend, fallback=True))
        assert found.backend == "torch" and str(copy) in found.refused
        assert re.match(r"torch: the engine is refused in (onnx|tensorrt)", found.reason)


def test_an_engine_of_another_model_is_refused(engine: Path, tiny_weights: Path):
    with pytest.raises(
        EngineRefusedError, match=r"tiny\.safetensors.*wanted is 'default'.*--weig"
    ):
        open_flow(CONFIG, options(engine, Path("default")))
    with pytest.raises(WeightsError, match="does not exist"):
        open_flow(CONFIG, options(engine, Path("nothing.safetensors")))


def test_the_parity_gate_refuses_a_wrong_engine(copy: Path, tiny_weights: Path):
    scaled(copy, 1.5)
    assert open_flow(CONFIG, options(copy, tiny_weights)).backend == "onnx"  # not asked
    with pytest.raises(EngineRefusedError, match=r"is wrong in onnx on cpu: \w+: volume"):
        open_flow(CONFIG, options(copy, tiny_weights, check=True))
    found = open_flow(CONFIG, options(copy, tiny_weights, check=True, fallback=True))
    assert found.backend == "torch" and found.parity is None
    assert "is wrong in onnx" in found.facts["engine refused"]


def test_out_of_memory_says_how_much(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch):
    def full(path: Path) -> None:
        raise RuntimeError(
            "[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate "
            "memory: you tried to allocate 64 bytes."
        )

    monkeypatch.setattr(network, "load_croco", full)
    needed = tiny_weights.stat().st_size / 1e6
    with pytest.raises(
        BackendError, match=rf"at least {needed:.1f} MB are needed, .* MB are free"
    ):
        open_flow(CONFIG, options(None, tiny_weights))
