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

"""
The TensorRT backend from the bundle to the flow, with a stand-in for TensorRT and the GPU.

See tensorrt_stand_in: this shows that our calls come in the right order and that every failure
that TensorRT reports is told; not what TensorRT computes.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
import sys
import threading

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

from tensorrt_stand_in import Faults, install, StandInDevice

from zeroco_ros.engine import tensorrt_runner
from zeroco_ros.engine.backend import NonFiniteOutput
from zeroco_ros.engine.bundle import Signature
from zeroco_ros.engine.device import DeviceMemoryError
from zeroco_ros.engine.failures import is_out_of_memory, is_sticky
from zeroco_ros.engine.onnx_backend import OnnxBackend
from zeroco_ros.engine.tensorrt_backend import (
    EngineRefused,
    NotBuilt,
    open_tensorrt,
    TensorRTBackend,
)
from zeroco_ros.errors import BackendError, ConfigError
from zeroco_ros.estimate.config import FlowConfig
from zeroco_ros.estimate.exported import engine_of
from zeroco_ros.estimate.flow import FlowEstimator
from zeroco_ros.estimate.parity import check_backend

CONFIG = FlowConfig(max_side=64, refine="none")


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    return install(monkeypatch)


@pytest.fixture(scope="session")
def cache(tiny_engine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a cache with the plans of the tiny engine."""
    folder = tmp_path_factory.mktemp("plans")
    with pytest.MonkeyPatch.context() as patch:
        install(patch)
        open_tensorrt(tiny_engine, cache=folder, allow_build=True)
    return folder


@pytest.fixture
def backend(faults: Faults, tiny_engine: Path, cache: Path) -> TensorRTBackend:
    return open_tensorrt(tiny_engine, cache=cache)


def pictures() -> tuple[np.ndarray, np.ndarray]:
    first = np.random.default_rng(3).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    return first, np.roll(first, 5, axis=1)


def estimator(backend: TensorRTBackend | OnnxBackend) -> FlowEstimator:
    return engine_of(backend, CONFIG).estimator()


def test_the_flow_is_that_of_onnx_runtime(backend: TensorRTBackend, tiny_engine: Path):
    assert (backend.name, backend.device, backend.precision) == ("tensorrt", "cuda", "fp32")
    ours, theirs = estimator(backend), estimator(OnnxBackend(tiny_engine, threads=1))
    for _ in range(3):  # eager, then the replayed graph
        found, expected = (e.estimate(*pictures()) for e in (ours, theirs))
        np.testing.assert_allclose(found.flow, expected.flow, atol=1e-4)
        np.testing.assert_allclose(found.confidence, expected.confidence, atol=1e-4)
    assert np.abs(expected.flow).max() > 1


def test_a_graph_is_captured_once_and_replayed(backend: TensorRTBackend, faults: Faults):
    images = torch.rand(1, 3, 48, 64)
    first = backend.encode(images).tokens
    assert (faults.executed, faults.replayed) == (2, 1)  # eager, then the comparison
    second = backend.encode(images).tokens
    assert (faults.executed, faults.replayed) == (3, 2)
    assert torch.equal(first, second) and not backend.warnings


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"capture_error": "operation not permitted when stream is capturing"}, "not permitted"),
        ({"replay_shift": 0.1}, "its output differs"),
    ],
)
def test_a_graph_that_is_not_right_is_not_used(
    backend: TensorRTBackend, faults: Faults, change: dict[str, object], reason: str
):
    images = torch.rand(1, 3, 48, 64)
    expected = backend.encode(images).tokens
    other = open_tensorrt(backend.folder, cache=backend._cache.folder.parent)
    for name, value in change.items():
        setattr(faults, name, value)
    for _ in range(3):
        torch.testing.assert_close(other.encode(images).tokens, expected)
    assert len(other.warnings) == 1
    assert "encoder runs without a CUDA graph" in other.warnings[0]
    assert reason in other.warnings[0]


def test_results_are_the_callers(backend: TensorRTBackend):
    """No later call writes into what an earlier one returned."""
    images = torch.rand(2, 3, 48, 64)
    kept = [backend.encode(image[None]).tokens for image in images]
    again = backend.encode(images).tokens
    torch.testing.assert_close(torch.cat(kept), again)
    assert not torch.equal(kept[0], kept[1])


def test_each_thread_has_its_own_context(backend: TensorRTBackend):
    """Frames encoded in one thread are matched in another, and both go on."""
    images = torch.rand(2, 3, 48, 64)
    encoded = backend.encode(images[:1]), backend.encode(images[1:])
    valid = encoded[0].grid, encoded[1].grid
    fix = backend.manifest.register_fix
    expected = backend.volumes(*encoded, valid, register_fix=fix)
    runner = backend.runners_by_name["encoder"]
    found: list[object] = []

    def match() -> None:
        found.append(backend.volumes(*encoded, valid, register_fix=fix))
        found.append(backend.encode(images[:1]).tokens)
        found.append(runner._own.session)

    thread = threading.Thread(target=match)
    thread.start()
    thread.join(100)
    volumes, tokens, session = found
    for value, wanted in zip(volumes, expected, strict=True):  # type: ignore[call-overload]
        torch.testing.assert_close(value, wanted)
    torch.testing.assert_close(tokens, encoded[0].tokens)
    assert session is not runner._own.session


def test_in_inference_mode_and_outside(backend: TensorRTBackend):
    with torch.inference_mode():
        first = backend.encode(torch.rand(1, 3, 48, 64)).tokens
    assert torch.isfinite(first + backend.encode(torch.rand(1, 3, 48, 64)).tokens).all()


def test_wrong_inputs_are_refused(backend: TensorRTBackend):
    with pytest.raises(ConfigError, match=r"\(48, 64\)"):
        backend.encode(torch.rand(1, 3, 64, 64))
    with pytest.raises(ConfigError, match="for the engine encoder, which is for"):
        backend.runners_by_name["encoder"](torch.rand(1, 1, 1, 64))
    with pytest.raises(ConfigError, match="for the engine encoder"):
        backend.runners_by_name["encoder"]()


def test_a_missing_plan_is_refused_with_the_command(
    faults: Faults, tiny_engine: Path, tmp_path: Path
):
    with pytest.raises(NotBuilt, match=f"zeroco build {tiny_engine} --cache {tmp_path}"):
        open_tensorrt(tiny_engine, cache=tmp_path)


@pytest.mark.fault(19, "a plan that TensorRT does not take is refused, or rebuilt", nodes="shared")
def test_none_on_deserialize(faults: Faults, tiny_engine: Path, cache: Path):
    faults.deserialize_error = "Version tag does not match. Note: Current Version: 236"
    with pytest.raises(BackendError, match=r"encoder: Version tag .*zeroco build .* --force"):
        open_tensorrt(tiny_engine, cache=cache)
    with pytest.raises(BackendError, match="Version tag does not match"):
        open_tensorrt(tiny_engine, cache=cache, allow_build=True)
    assert faults.built == len(
        OnnxBackend(tiny_engine).manifest.graphs
    )  # tried once, not for ever


def test_a_plan_that_is_refused_once_is_built_again(
    faults: Faults, tiny_engine: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
):
    real = tensorrt_runner.PlanRunner._deserialize
    refusals = iter([True])

    def first_time(self, plan, heard):
        if next(refusals, False):
            raise tensorrt_runner.PlanError("TensorRT refuses the plan of encoder: bad tag")
        return real(self, plan, heard)

    monkeypatch.setattr(tensorrt_runner.PlanRunner, "_deserialize", first_time)
    backend = open_tensorrt(tiny_engine, cache=cache, allow_build=True)
    assert faults.built > 0 and all(plan.fresh for plan in backend.plans.values())


def test_false_on_execute(backend: TensorRTBackend, faults: Faults):
    faults.execute_fails = True
    with pytest.raises(BackendError, match="did not run encoder: TensorRT gave no reason") as told:
        backend.encode(torch.rand(1, 3, 48, 64))
    assert not is_sticky(told.value)


@pytest.mark.fault(23, "TensorRT's words on a lost GPU are understood", nodes="shared")
def test_false_on_execute_because_the_gpu_is_lost(backend: TensorRTBackend, faults: Faults):
    backend.encode(torch.rand(1, 3, 48, 64))
    faults.execute_fails = True
    faults.words = "Cuda Runtime (an illegal memory access was encountered)"
    backend = open_tensorrt(backend.folder, cache=backend._cache.folder.parent)
    with pytest.raises(BackendError, match="illegal memory access") as told:
        backend.encode(torch.rand(1, 3, 48, 64))
    assert is_sticky(told.value) and not is_out_of_memory(told.value)


@pytest.mark.fault(22, "too little GPU memory: bytes needed and free", nodes="shared")
def test_too_little_gpu_memory(faults: Faults, tiny_engine: Path, cache: Path):
    faults.free = 1 << 20
    with pytest.raises(DeviceMemoryError, match=r"it needs .* bytes\), 1\.0 MB \(1048576") as told:
        open_tensorrt(tiny_engine, cache=cache)
    assert told.value.needed > told.value.free == 1 << 20
    faults.free = 8 << 30
    backend = open_tensorrt(tiny_engine, cache=cache)
    faults.no_context = "Requested amount of GPU memory (3145728 bytes): out of memory"
    with pytest.raises(DeviceMemoryError) as told:
        backend.encode(torch.rand(1, 3, 48, 64))
    assert told.value.needed == 3 << 20
    faults.no_context = "something else"
    with pytest.raises(BackendError, match="no context for encoder: something else"):
        backend.encode(torch.rand(1, 3, 48, 64))
    faults.deserialize_error = "CUDA: out of memory"
    with pytest.raises(DeviceMemoryError, match="the engine encoder"):
        open_tensorrt(tiny_engine, cache=cache)


def test_a_plan_of_other_tensors_is_refused(faults: Faults, backend: TensorRTBackend):
    plan = backend.plans["encoder"].path.read_bytes()
    assert not backend.plans["encoder"].content
    wrong = Signature(("pictures",), ("tokens",))
    with pytest.raises(tensorrt_runner.PlanError, match="images, tokens; its manifest says pict"):
        tensorrt_runner.PlanRunner("encoder", plan, wrong, StandInDevice(faults))


@pytest.mark.fault(14, "NaN from TensorRT is no result", nodes="shared")
def test_non_finite_output(backend: TensorRTBackend, faults: Faults):
    flow = estimator(backend)
    flow.estimate(*pictures())
    faults.non_finite = True
    with pytest.raises(NonFiniteOutput):
        flow.estimate(*pictures())
    faults.non_finite = False
    assert np.isfinite(flow.estimate(*pictures()).flow).all()


def test_the_parity_gate_passes_and_is_remembered(
    backend: TensorRTBackend, tiny_engine: Path, tiny_weights: Path, cache: Path
):
    parity = check_backend(backend, weights=tiny_weights)
    assert parity.passed and backend.verdict is None
    backend.record_verdict(parity.passed, parity.faults)
    again = open_tensorrt(tiny_engine, cache=cache)
    assert again.verdict is not None and again.verdict.passed


@pytest.mark.fault(21, "an engine that the parity gate refused stays refused", nodes="shared")
def test_a_wrong_engine_is_refused_from_then_on(
    faults: Faults, tiny_engine: Path, tiny_weights: Path, tmp_path: Path
):
    faults.scale = 1.02  # silently wrong, as fused attention has been
    backend = open_tensorrt(tiny_engine, cache=tmp_path, allow_build=True)
    parity = check_backend(backend, weights=tiny_weights)
    assert not parity.passed
    backend.record_verdict(parity.passed, parity.faults)
    with pytest.raises(EngineRefused, match=r"refused by the parity gate.*volume.*--force"):
        open_tensorrt(tiny_engine, cache=tmp_path, allow_build=True)
    assert open_tensorrt(tiny_engine, cache=tmp_path, refused_ok=True).verdict is not None


def test_closing_frees_what_ran(backend: TensorRTBackend):
    import gc
    import weakref

    backend.encode(torch.rand(1, 3, 48, 64))
    engine = weakref.ref(backend.runners_by_name["encoder"]._engine)
    backend.close()
    gc.collect()
    assert engine() is None


def test_from_memory_where_nothing_can_be_kept(faults: Faults, tiny_engine: Path, tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    backend = open_tensorrt(tiny_engine, cache=tmp_path / "file", allow_build=True)
    assert any("works from memory" in warning for warning in backend.warnings)
    assert np.isfinite(estimator(backend).estimate(*pictures()).flow).all()


def test_options_are_the_keys(faults: Faults, tiny_engine: Path, cache: Path):
    from zeroco_ros.engine.build import BuildOptions

    with pytest.raises(NotBuilt, match="--workspace 64"):
        open_tensorrt(tiny_engine, cache=cache, options=BuildOptions(workspace_mb=64))
    assert dataclasses.asdict(BuildOptions())["workspace_mb"] == 1024
