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
FAULTS rows 7, 14 and 19-25 of the network.

engines, results that are not finite, memory, a GPU that is lost. Real files, real limits of
memory; stand-ins (`faulty_node`) for TensorRT and GPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import signal

import node_scenes as scenes
import numpy as np
import pytest
import ros_harness

pytest.importorskip("rclpy", reason="rclpy is not importable: no ROS 2 here")
import sick_engines
from stage import frame
from ward import node_with_stand_ins, Ward, ward_of

MB = 10**6
ORIN = {"device": "a stand-in for Orin", "capability": [8, 7]}
XAVIER = {"device": "a stand-in for Xavier", "capability": [7, 2]}


@pytest.fixture(scope="module", params=scenes.SUBJECTS.values(), ids=scenes.SUBJECTS)
def running_ward(
    request: pytest.FixtureRequest, weights: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ward]:
    """Yield the node, started once for this file."""
    with ward_of(request.param, weights, tmp_path_factory.mktemp("ward")) as ward:
        yield ward


@pytest.fixture
def ward(running_ward: Ward) -> Iterator[Ward]:
    """Yield the node, unconfigured and healthy."""
    yield running_ward
    if running_ward.stage.node.process.poll() is None:
        running_ward.discharge()


def void(ward: Ward, **more: int) -> dict[str, int]:
    """Return what the counters of faults must say after three void results and a fallback."""
    pair = {"unpaired": 1} if ward.stage.subject is scenes.FLOW else {}
    return {"non_finite": 3, "recovered": 1, **pair, **more}


@pytest.mark.fault(14, "after n void results in a row PyTorch in fp32 takes over from the engine")
def test_row_14_void_results_are_dropped_and_torch_takes_over(
    ward: Ward, tiny_engine: Path, tmp_path: Path
) -> None:
    engine = sick_engines.scaled(tiny_engine, tmp_path, float("inf"))
    told = ward.admit(engine=str(engine), check_engine=False, max_non_finite=3)
    assert told["backend"] == "onnx" and "serves" not in told["message"]
    stage = ward.stage
    stage.show(0, 100, 200, 300)  # the third void result is that of 300 ms
    assert stage.output == []
    stage.show(400, 500, 600)
    assert stage.output == [500, 600]
    assert stage.counted() == void(ward)
    told = ward.wait(backend="torch", precision="fp32", level="2")
    assert "gave 3 results in a row that are not finite" in told["engine refused"]
    assert "torch in fp32 serves" in told["message"]
    assert "result dropped" in stage.log


@pytest.mark.fault(14, "or the node deactivates, if it is told to, and says why")
def test_row_14_or_the_node_deactivates(ward: Ward, tiny_engine: Path, tmp_path: Path) -> None:
    engine = sick_engines.scaled(tiny_engine, tmp_path, float("inf"))
    more = {"max_non_finite": 2, "on_non_finite": "deactivate"}
    ward.admit(engine=str(engine), check_engine=False, **more)
    ward.stage.show(0, 100, 200)
    told = ward.wait(state="inactive", level="2")
    assert (
        "deactivated: onnx in fp32 gave 2 results in a row that are not finite"
        in (told["message"])
    )
    assert ward.stage.output == [] and ward.stage.counted() == {"non_finite": 2}


@pytest.mark.fault(14, "where PyTorch in fp32 fails already, the node deactivates")
def test_row_14_nothing_is_left_to_fall_back_to(ward: Ward, weights: str, tmp_path: Path) -> None:
    wild = sick_engines.changed_weights(weights, tmp_path / "wild.safetensors", 1e38)
    ward.admit(weights=wild, max_non_finite=1)
    ward.stage.show(0, 100)
    told = ward.wait(state="inactive", level="2")
    assert "deactivated: torch in fp32 gave a result in a row" in told["message"]
    assert ward.stage.output == [] and ward.stage.counted() == {"non_finite": 1}


DAMAGED = {
    "missing": "zeroco export",
    "truncated": "truncated or changed",
    "graph missing": "encoder.onnx: No such file",
    "manifest of another version": "its format is not",
}


@pytest.mark.fault(19, "a damaged engine is refused with its path and the command to run")
@pytest.mark.parametrize("kind", DAMAGED)
def test_row_19_a_damaged_engine_is_refused(
    ward: Ward, tiny_engine: Path, tmp_path: Path, kind: str
) -> None:
    engine = sick_engines.damaged(kind, tiny_engine, tmp_path)
    reason = ward.refusal(engine=str(engine))
    assert str(engine) in reason and "export" in reason
    assert DAMAGED[kind] in reason


@pytest.mark.fault(19, "an engine of another model is refused, both are named")
def test_row_19_an_engine_of_another_model_is_refused(
    ward: Ward, weights: str, tiny_engine: Path, tmp_path: Path
) -> None:
    other = sick_engines.changed_weights(weights, tmp_path / "other.safetensors", 2.0)
    reason = ward.refusal(engine=str(tiny_engine), weights=other)
    assert "is of another model" in reason and Path(weights).name in reason
    assert f"zeroco export -o {tiny_engine} --weights {other}" in reason


@pytest.mark.fault(19, "built for another GPU: refused with the command, or built if allowed")
@pytest.mark.fault(20, "a cache that cannot be written: told, the engine works from memory")
@pytest.mark.fault(7, "no engine is built when the image size changes", nodes="flow_node")
def test_row_19_an_engine_for_another_gpu(ward: Ward, tiny_engine: Path, tmp_path: Path) -> None:
    cache = str(tmp_path / "cache")
    engine = {"engine": str(tiny_engine), "backend": "tensorrt"}
    ward.faults(tensorrt=ORIN, cache=cache)
    assert f"zeroco build {tiny_engine}" in ward.refusal(**engine)
    ward.configure(**engine, build_engine=True)
    assert ward.wait(state="inactive")["backend"] == "tensorrt"
    ward.discharge()
    ward.faults(tensorrt=XAVIER, cache=cache)
    assert f"zeroco build {tiny_engine}" in ward.refusal(**engine)
    (tmp_path / "file").touch()
    ward.faults(tensorrt=XAVIER, cache=str(tmp_path / "file" / "cache"))
    stage = ward.stage
    start = len(stage.node.log)
    told = ward.admit(**engine, build_engine=True)
    assert (told["backend"], told["parity"]) == ("tensorrt", "passed")
    assert str(tmp_path / "file") in stage.node.log[start:] and "WARN" in stage.node.log[start:]
    stage.show(0, 100)
    if stage.subject is scenes.FLOW:  # a calibrated camera has one size
        stage.show(200, 300, pixels=np.ascontiguousarray(scenes.view(0)[:64, :80]))
    assert stage.output == ([100, 300] if stage.subject is scenes.FLOW else [100])
    assert "building" not in stage.log


@pytest.mark.fault(21, "an engine that computes something else is refused")
@pytest.mark.fault(21, "PyTorch serves in its place where that is allowed, diagnostics at ERROR")
def test_row_21_the_parity_gate(ward: Ward, tiny_engine: Path, tmp_path: Path) -> None:
    engine = sick_engines.scaled(tiny_engine, tmp_path, 1.5)
    reason = ward.refusal(engine=str(engine))
    assert "is wrong in onnx on cpu" in reason and f"zeroco check {engine}" in reason
    told = ward.admit(engine=str(engine), engine_fallback=True)
    assert (told["backend"], told["level"]) == ("torch", "2")
    assert "engine refused, torch serves" in told["message"]
    assert "is wrong in onnx on cpu" in told["engine refused"]
    ward.stage.show(0, 100)
    assert ward.stage.output == [100]


@pytest.mark.fault(22, "at start: configuring fails with the bytes needed and free")
def test_row_22_no_memory_to_configure(ward: Ward, tmp_path: Path) -> None:
    large = sick_engines.large_weights(tmp_path / "large.safetensors")
    needed = Path(large).stat().st_size
    ward.configure()  # all libraries are loaded
    ward.discharge()
    with ward.little_memory(needed // 2):
        reason = ward.refusal(weights=large)
    assert "not enough memory for the network of 'large.safetensors'" in reason
    assert f"at least {needed / MB:.1f} MB are needed" in reason and "MB are free" in reason
    ward.configure(weights=large)


@pytest.mark.fault(22, "at work: the image is tried once more")
def test_row_22_out_of_memory_once(ward: Ward) -> None:
    ward.admit()
    stage = ward.stage
    stage.show(0, 100)
    ward.faults(network="memory once")
    stage.show(200, 300)
    assert stage.output == [100, 200, 300]
    assert stage.counted() == {"recovered": 1}
    assert "out of memory, trying again" in stage.log and "MB are free on cpu" in stage.log


@pytest.mark.fault(22, "at work, again and again: the node deactivates and lives")
def test_row_22_out_of_memory_for_good(ward: Ward) -> None:
    ward.admit()
    stage = ward.stage
    stage.show(0, 100)
    ward.faults(network="memory")
    stage.show(200)
    told = ward.wait(state="inactive", level="2")
    assert "deactivated: out of memory twice" in told["message"]
    assert stage.counted() == {"failed": 1}
    ward.discharge()
    assert "deactivated" not in ward.admit()["message"]
    stage.show(300, 400)
    assert stage.output == [400]


@pytest.mark.fault(24, "a library that is missing: one sentence, or another backend serves")
def test_row_24_without_onnxruntime_or_tensorrt(ward: Ward, tiny_engine: Path) -> None:
    ward.faults(blocked=["onnxruntime"])
    reason = ward.refusal(engine=str(tiny_engine), backend="onnx")
    assert "onnxruntime cannot be imported" in reason and "pip install onnxruntime" in reason
    reason = ward.refusal(backend="tensorrt")
    assert "tensorrt cannot be imported" in reason and "install" in reason
    ward.configure(backend="auto")
    told = ward.wait(state="inactive", backend="torch", level="0")
    assert "onnxruntime cannot be imported" in told["backend reason"]


@pytest.mark.fault(
    25, "during an engine build: the node ends with exit code 0, nothing half-written"
)
@pytest.mark.parametrize("subject", scenes.SUBJECTS.values(), ids=scenes.SUBJECTS)
def test_row_25_a_signal_during_a_build(
    weights: str, tiny_engine: Path, tmp_path: Path, subject: scenes.Subject
) -> None:
    cache, faults = tmp_path / "cache", tmp_path / "faults.json"
    slow = '{"device": "a slow stand-in", "step_seconds": 1.0}'
    faults.write_text(f'{{"tensorrt": {slow}, "cache": "{cache}"}}')
    values = {"engine": str(tiny_engine), "build_engine": True, "autostart": True}
    number = signal.SIGTERM if subject is scenes.FLOW else signal.SIGINT
    with node_with_stand_ins(subject, weights, faults, **values) as node:
        node.wait_for_log("building ")
        assert node.stop(number) == 0, node.log
        assert "Traceback" not in node.log and "cannot configure" not in node.log
    left = [path.name for path in cache.rglob("*") if path.is_file()]
    assert not [name for name in left if not name.endswith(".lock")], left


@pytest.mark.fault(23, "a GPU that is lost: the process ends with an exit code for respawn")
def test_row_23_a_lost_gpu_ends_the_process(ward: Ward) -> None:
    """The last test of its node."""
    ward.admit()
    stage = ward.stage
    stage.show(0, 100)
    ward.faults(network="lost")
    stage.publish(frame(200))
    stage.probe.wait_until(
        lambda: stage.node.process.poll() is not None, "the node to end", ros_harness.PATIENCE
    )
    assert stage.node.wait() == 1
    assert "this process cannot go on: the GPU is lost" in stage.node.log
    assert "illegal memory access" in stage.node.log
    stage.results.destroy()
