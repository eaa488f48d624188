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

"""Building plans: when, with what, and how it ends. TensorRT is a stand-in (tensorrt_stand_in)."""

from __future__ import annotations

from collections.abc import Callable
import dataclasses
import errno
import json
import logging
import os
from pathlib import Path
import shutil
import sys
from threading import Semaphore
import time
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from tensorrt_stand_in import Faults, install, MAGIC

from zeroco_ros.engine.build import build_engine, BuildOptions, cached, NotBuilt
from zeroco_ros.engine.build_job import BuildCancelled
from zeroco_ros.engine.build_progress import BuildProgress
from zeroco_ros.engine.bundle import MANIFEST, read_manifest, sha256
from zeroco_ros.engine.cache import PlanCache
from zeroco_ros.engine.device import DeviceMemoryError
from zeroco_ros.errors import BackendError


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    return install(monkeypatch)


@pytest.fixture
def bundle(tiny_engine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_engine, tmp_path / "vga"))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def graphs(bundle: Path) -> list[str]:
    return list(json.loads((bundle / MANIFEST).read_text())["graphs"])


def header(content: bytes) -> dict[str, Any]:
    """Return what the stand-in noted in a plan of how it was built."""
    return json.loads(content.removeprefix(MAGIC).partition(b"\n")[0])


def test_what_was_built_is_kept(faults: Faults, bundle: Path, cache: Path):
    names = graphs(bundle)
    assert not cached(bundle, cache=cache)
    first = build_engine(bundle, cache=cache)
    assert list(first.plans) == names and faults.built == len(names)
    assert all(plan.fresh and plan.path.is_file() for plan in first.plans.values())
    again = build_engine(bundle, cache=cache)
    assert faults.built == len(names) and not first.warnings
    assert not any(plan.fresh for plan in again.plans.values())
    for name in names:
        assert again.plans[name].content == first.plans[name].content
    assert cached(bundle, cache=cache)
    forced = build_engine(bundle, cache=cache, force=True)
    assert faults.built == 2 * len(names) and all(plan.fresh for plan in forced.plans.values())


def test_the_options_reach_the_builder(faults: Faults, bundle: Path, cache: Path):
    plan = build_engine(bundle, BuildOptions(), cache).plans["encoder"].content
    assert header(plan) == {
        "version": "10.3.0",
        "flags": [],  # TF32 is on unless it is cleared
        "level": 3,
        "workspace": 1024 << 20,
        "verbosity": "LAYER_NAMES_ONLY",
    }
    options = BuildOptions(64, 5, "detailed", tf32=True)
    other = header(build_engine(bundle, options, cache).plans["encoder"].content)
    assert (other["flags"], other["level"], other["workspace"]) == (["TF32"], 5, 64 << 20)
    assert other["verbosity"] == "DETAILED"
    assert faults.built == 2 * len(graphs(bundle))


def change_the_network(faults: Faults, bundle: Path) -> None:
    """Export again, as far as the plans can tell."""
    values = json.loads((bundle / MANIFEST).read_text())
    graph = bundle / "encoder.onnx"
    graph.write_bytes(graph.read_bytes() + b"\0")
    values["files"]["encoder.onnx"] = sha256(graph.read_bytes())
    (bundle / MANIFEST).write_text(json.dumps(values))


def another_version(faults: Faults, bundle: Path) -> None:
    faults.version = sys.modules["tensorrt"].__version__ = "10.16.1"


def another_gpu(faults: Faults, bundle: Path) -> None:
    faults.device = "another GPU"


def another_capability(faults: Faults, bundle: Path) -> None:
    faults.capability = (9, 0)


@pytest.mark.fault(
    19, "an engine for another TensorRT, GPU or network is built again if allowed", nodes="shared"
)
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (change_the_network, "the ONNX file"),
        (another_version, r"TensorRT 10\.3\.0, this is 10\.16\.1"),
        (another_gpu, "the GPU stand-in GPU, this is another GPU"),
        (another_capability, r"compute capability 8\.7, this is 9\.0"),
    ],
)
def test_what_does_not_fit_is_built_again_or_refused(
    faults: Faults,
    bundle: Path,
    cache: Path,
    change: Callable[[Faults, Path], None],
    reason: str,
):
    build_engine(bundle, cache=cache)
    change(faults, bundle)
    assert not cached(bundle, cache=cache)
    with pytest.raises(NotBuilt, match=reason) as refusal:
        build_engine(bundle, cache=cache, allow_build=False)
    assert f"zeroco build {bundle} --cache {cache}" in str(refusal.value)
    before = faults.built
    assert build_engine(bundle, cache=cache).plans["encoder"].fresh
    assert faults.built > before and cached(bundle, cache=cache)


def test_the_command_says_how_it_was_asked_for(faults: Faults, bundle: Path, cache: Path):
    options = BuildOptions(512, 4, "none", tf32=True)
    with pytest.raises(NotBuilt) as refusal:
        build_engine(bundle, options, cache, device=1, allow_build=False)
    told = "--workspace 512 --optimization-level 4 --verbosity none --tf32"
    assert f"{told} --cache {cache} --device 1" in str(refusal.value)


def test_without_options_the_newest_plan_serves(faults: Faults, bundle: Path, cache: Path):
    """Who built with --workspace 512 need not say so again when it is run."""
    build_engine(bundle, BuildOptions(workspace_mb=512), cache)
    names, before = graphs(bundle), faults.built
    assert cached(bundle, cache=cache)
    assert not cached(bundle, options=BuildOptions(), cache=cache)
    found = build_engine(bundle, cache=cache)
    assert faults.built == before and list(found.plans) == names
    build_engine(bundle, BuildOptions(workspace_mb=256), cache)
    newest = build_engine(bundle, cache=cache, allow_build=False).plans["encoder"]
    assert header(newest.content)["workspace"] == 256 << 20
    newest.path.write_bytes(b"")
    older = build_engine(bundle, cache=cache, allow_build=False).plans["encoder"]
    assert header(older.content)["workspace"] == 512 << 20
    older.path.write_bytes(b"")
    with pytest.raises(NotBuilt, match="truncated or changed"):
        build_engine(bundle, cache=cache, allow_build=False)
    another_version(faults, bundle)
    assert not cached(bundle, cache=cache)


@pytest.mark.fault(19, "a truncated plan is built again if allowed", nodes="shared")
def test_a_truncated_plan(faults: Faults, bundle: Path, cache: Path):
    built = build_engine(bundle, cache=cache)
    path = built.plans["encoder"].path
    assert path is not None
    path.write_bytes(built.plans["encoder"].content[:-100])
    with pytest.raises(NotBuilt, match=r"truncated or changed.*zeroco build"):
        build_engine(bundle, cache=cache, allow_build=False)
    again = build_engine(bundle, cache=cache)
    assert again.plans["encoder"].fresh and not again.plans["matcher"].fresh
    assert path.read_bytes() == built.plans["encoder"].content


def test_a_damaged_graph_is_not_built(faults: Faults, bundle: Path, cache: Path):
    (bundle / "matcher.onnx").write_bytes(b"short")
    with pytest.raises(BackendError, match=r"matcher\.onnx is truncated or changed"):
        build_engine(bundle, cache=cache)


def test_weights_beside_a_graph_are_part_of_it(faults: Faults, half_engine: Path, cache: Path):
    values = read_manifest(half_engine)
    assert "matcher.onnx.data" in values.files
    bundle = Path(shutil.copytree(half_engine, cache.parent / "half"))
    before = build_engine(bundle, cache=cache).plans["matcher"].record.ingredients
    assert before.onnx != values.files["matcher.onnx"]
    weights = bundle / "matcher.onnx.data"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(BackendError, match=r"matcher\.onnx\.data is truncated or changed"):
        build_engine(bundle, cache=cache, force=True)
    files = values.files | {weights.name: sha256(weights.read_bytes())}
    (bundle / MANIFEST).write_text(dataclasses.replace(values, files=files).to_json())
    with pytest.raises(NotBuilt, match="the ONNX file"):
        build_engine(bundle, cache=cache, allow_build=False)


def test_timings_are_kept_and_used_again(faults: Faults, bundle: Path, cache: Path):
    build_engine(bundle, cache=cache)
    assert faults.timing_given > 0  # the second graph used the first one's
    [path] = PlanCache(cache).folder.glob("timing-10.3.0-*.cache")
    given = faults.timing_given
    build_engine(bundle, cache=cache, force=True)
    assert faults.timing_given > given
    path.write_bytes(b"bad")
    build_engine(bundle, cache=cache, force=True)
    assert path.read_bytes() == b"+timed" * len(graphs(bundle))


def test_progress_is_told(faults: Faults, bundle: Path, cache: Path):
    faults.gate = Semaphore(0)
    steps: list[BuildProgress] = []

    def progress(step: BuildProgress) -> None:
        told = {(step.graph, step.percent) for step in steps}
        steps.append(step)
        if (step.graph, step.percent) not in told:
            faults.gate.release()  # the build goes on when this was told

    build_engine(bundle, cache=cache, progress=progress)
    names = graphs(bundle)
    assert list(dict.fromkeys(step.graph for step in steps)) == names
    assert {step.count for step in steps} == {len(names)}
    for name in names:
        percents = [step.percent or 0 for step in steps if step.graph == name]
        assert percents == sorted(percents) and percents[-1] <= 100
        assert {5, 10, 50, 95} <= set(percents)
    assert {step.phase for step in steps} & {"Building engine", "Computing profile costs"}


def test_what_tensorrt_says_is_in_the_error(faults: Faults, bundle: Path, cache: Path):
    faults.build_error = "no tactic for MatMul_3"
    with pytest.raises(BackendError, match=r"did not build encoder: .*no tactic for MatMul_3"):
        build_engine(bundle, cache=cache)
    faults.parse_error = "unsupported operator Foo"
    with pytest.raises(BackendError, match=r"cannot parse encoder: unsupported .*\(node node_7\)"):
        build_engine(bundle, cache=cache)
    faults.no_cuda = True
    with pytest.raises(BackendError, match=r"cannot use the GPU: .*with error: 35"):
        build_engine(bundle, cache=cache)
    assert PlanCache(cache).records() == []


def test_too_little_memory_for_the_builder(faults: Faults, bundle: Path, cache: Path):
    faults.build_error, faults.free = "OutOfMemory (Requested size was 700 bytes.)", 600
    with pytest.raises(DeviceMemoryError, match=r"--workspace below 1024 .*Requested") as told:
        build_engine(bundle, cache=cache)
    assert (told.value.needed, told.value.free) == (700, 600)
    faults.build_error = "Requested amount of GPU memory could not be allocated"
    with pytest.raises(DeviceMemoryError, match="it needs more than there is"):
        build_engine(bundle, cache=cache)


def test_tensorrt_does_not_write_to_the_terminal(
    faults: Faults, bundle: Path, cache: Path, caplog: pytest.LogCaptureFixture, capfd
):
    faults.no_cuda = True
    with caplog.at_level(logging.DEBUG, "zeroco_ros.tensorrt"), pytest.raises(BackendError):
        build_engine(bundle, cache=cache)
    assert "error: 35" in caplog.text
    assert capfd.readouterr() == ("", "")


@pytest.mark.fault(24, "no TensorRT is one sentence", nodes="shared")
def test_without_tensorrt(bundle: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(BackendError, match=r"python3-libnvinfer.*pip install tensorrt"):
        build_engine(bundle)
    assert not cached(bundle)


@pytest.mark.fault(24, "no GPU is one sentence", nodes="shared")
def test_without_a_gpu(bundle: Path, monkeypatch: pytest.MonkeyPatch):
    import torch

    from zeroco_ros.engine import device

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    real = device.open_device
    install(monkeypatch)
    monkeypatch.setattr(device, "open_device", real)
    with pytest.raises(BackendError, match=r"TensorRT needs a CUDA GPU: .* backend 'torch'"):
        build_engine(bundle)
    assert not cached(bundle)


@pytest.mark.fault(20, "without a writable cache the plans are in memory", nodes="shared")
@pytest.mark.parametrize("how", ["a file in its place", "a full disk"])
def test_a_cache_that_cannot_be_written(
    faults: Faults, bundle: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, how: str
):
    if how == "a file in its place":
        cache.write_text("in the way")
    else:

        def full(*_arguments: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", full)
    built = build_engine(bundle, cache=cache)
    assert all(plan.content and plan.path is None for plan in built.plans.values())
    assert any("works from memory" in warning for warning in built.warnings)
    assert not cached(bundle, cache=cache)


@pytest.mark.parametrize("who", ["cancel", "progress"])
def test_a_build_can_be_stopped(faults: Faults, bundle: Path, cache: Path, who: str):
    faults.gate = Semaphore(0)
    begun: list[BuildProgress] = []

    def progress(step: BuildProgress) -> None:
        begun.append(step)
        if who == "progress":
            raise KeyboardInterrupt

    with pytest.raises(BuildCancelled if who == "cancel" else KeyboardInterrupt):
        build_engine(
            bundle, cache=cache, progress=progress, cancel=lambda: bool(begun) and who == "cancel"
        )
    assert faults.built == 0 and PlanCache(cache).records() == []
    faults.gate = None
    assert build_engine(bundle, cache=cache).plans["encoder"].fresh


def test_the_clock_of_a_forced_build(faults: Faults, bundle: Path, cache: Path):
    """--force takes what another process built while this one waited, not what was there."""
    old = build_engine(bundle, cache=cache).plans["encoder"].record.built
    time.sleep(0.002)
    new = build_engine(bundle, cache=cache, force=True).plans["encoder"].record.built
    assert new > old
