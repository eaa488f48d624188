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

"""What the runner asks of torch.cuda: recorded calls everywhere, the real thing where a GPU is."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from zeroco_ros.engine import device
from zeroco_ros.engine.device import CudaDevice, CudaLane, DeviceMemoryError
from zeroco_ros.errors import BackendError, ZerocoError

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU here")


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """torch.cuda as far as it is used, which notes what it is asked for; it computes nothing."""
    calls: list[Any] = []

    class Stream:
        cuda_stream = 4711

        def __init__(self, index: int) -> None:
            calls.append(("new stream", index))

        def wait_stream(self, other: str) -> None:
            calls.append(("wait for", other))

    class Event:
        def __init__(self, blocking: bool) -> None:
            assert blocking

        def record(self) -> None:
            calls.append("record")

        def synchronize(self) -> None:
            calls.append("synchronize")

    @contextmanager
    def noted(name: str, *given: Any, **named: Any) -> Any:
        calls.append((f"enter {name}", *(g for g in given if isinstance(g, int)), named))
        yield
        calls.append(f"leave {name}")

    properties = SimpleNamespace(name="Orin", major=8, minor=7)
    for name, value in {
        "is_available": lambda: True,
        "device_count": lambda: 2,
        "get_device_properties": lambda index: properties,
        "mem_get_info": lambda index: (10, 20),
        "current_stream": lambda: "the caller's",
        "Stream": Stream,
        "Event": Event,
        "CUDAGraph": lambda: SimpleNamespace(replay="replay"),
        "stream": lambda own: noted("stream"),
        "device": lambda index: noted("device", index),
        "graph": lambda graph, **named: noted("graph", mode=named["capture_error_mode"]),
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    return calls


def test_a_gpu_is_described(pretended: list[Any]):
    gpu = device.open_device(1)
    assert (gpu.index, gpu.name, gpu.capability) == (1, "Orin", (8, 7))
    assert (gpu.memory().free, gpu.memory().total) == (10, 20)
    with gpu.active():
        pass
    assert pretended == [("enter device", 1, {}), "leave device"]
    for index in (-1, 2):
        with pytest.raises(BackendError, match=f"GPU {index} is not there: .* 0 to 1"):
            device.open_device(index)


def test_work_waits_for_the_caller_and_the_caller_for_the_work(pretended: list[Any]):
    lane = CudaLane(1)
    assert lane.handle == 4711  # not 0, which is the default stream
    lane.run(lambda: pretended.append("work"))
    assert pretended == [
        ("new stream", 1),
        ("wait for", "the caller's"),
        ("enter stream", {}),
        "work",
        "record",
        "leave stream",
        "synchronize",
    ]


def test_other_threads_may_use_the_gpu_during_a_capture(pretended: list[Any]):
    lane = CudaLane(0)
    assert lane.capture(lambda: pretended.append("work")) == "replay"
    assert pretended[1:] == [("enter graph", {"mode": "thread_local"}), "work", "leave graph"]


def test_memory_that_is_not_there(monkeypatch: pytest.MonkeyPatch, pretended: list[Any]):
    def full(*_given: Any, **_named: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate ...")

    monkeypatch.setattr(torch, "empty", full)
    with pytest.raises(DeviceMemoryError, match=r"tensor of \(2, 3\): it needs .*\(24 bytes\)"):
        CudaDevice(0).empty((2, 3))
    assert issubclass(DeviceMemoryError, MemoryError) and issubclass(
        DeviceMemoryError, ZerocoError
    )


@pytest.mark.parametrize(
    ("version", "text"), [(None, "CPU build"), ("12.6", "no GPU found"), ("torch", "imported")]
)
def test_why_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch, version: str | None, text: str):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", version)
    if version == "torch":
        monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(BackendError, match=text):
        device.open_device()


@needs_gpu
def test_on_a_gpu_a_captured_graph_gives_what_the_run_gave():
    gpu = device.open_device()
    lane = gpu.lane()
    given, found = gpu.empty((64, 64)), gpu.empty((64, 64))
    given.copy_(torch.rand(64, 64))

    def work() -> None:
        torch.matmul(given, given, out=found)

    lane.run(work)
    expected = found.clone()
    replay = lane.capture(work)
    found.zero_()
    lane.run(replay)
    assert torch.equal(found, expected) and found.abs().sum() > 0


@needs_gpu
def test_on_a_gpu_tensorrt_builds_runs_and_passes_the_gate(
    tiny_engine: Path, tiny_weights: Path, tmp_path: Path
):
    pytest.importorskip("tensorrt", reason="TensorRT is not installed")
    from zeroco_ros.engine.build import BuildOptions
    from zeroco_ros.engine.tensorrt_backend import open_tensorrt
    from zeroco_ros.estimate.parity import check_backend

    options = BuildOptions(workspace_mb=256, optimization_level=0)
    backend = open_tensorrt(tiny_engine, cache=tmp_path, allow_build=True, options=options)
    parity = check_backend(backend, weights=tiny_weights)
    assert parity.passed, parity.faults
    assert not backend.warnings
    again = open_tensorrt(tiny_engine, cache=tmp_path)
    images = torch.rand(1, 3, 48, 64)
    torch.testing.assert_close(again.encode(images).tokens, backend.encode(images).tokens)
