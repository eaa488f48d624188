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

"""A camera frame through every backend and precision that is there, against PyTorch in fp32."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
import tempfile

import numpy as np
import torch

from zeroco_ros.bench.measure import Case, interleaved
from zeroco_ros.bench.plan import Plan
from zeroco_ros.bench.record import Cell, Column, Section, spread_cells, spread_columns
from zeroco_ros.bench.step import cpu_precisions
from zeroco_ros.bench.subjects import Image, moving_frames
from zeroco_ros.croco.checkpoint import load_croco
from zeroco_ros.engine.available import onnx_absence, tensorrt_absence
from zeroco_ros.engine.torch_backend import TorchBackend
from zeroco_ros.errors import ZerocoError
from zeroco_ros.estimate.config import FlowConfig, preset
from zeroco_ros.estimate.flow import FlowEstimator
from zeroco_ros.estimate.network import NetworkOptions, open_flow
from zeroco_ros.weights import resolve

REFERENCE = "torch cpu fp32"
COLUMNS = (
    Column("name", "backend"),
    *spread_columns("ms", "ms"),
    Column("speed", "times as fast", 2),
    Column("speed_low", "25 %", 2),
    Column("speed_high", "75 %", 2),
    Column("difference", "flow, median px", 3),
    Column("tail", "flow, 99 % px", 2),
)


def backends_section(plan: Plan) -> Section:
    """See the module: a step of the preset's stream on camera images."""
    frames = moving_frames(plan.image)
    absent: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as scratch:
        estimators = dict(_estimators(plan, Path(scratch), absent))
        cases = {name: _case(estimator, frames) for name, estimator in estimators.items()}
        timings = interleaved(cases, plan.rounds, warm_up=2, say=plan.say)
        results = {name: e.estimate(frames[1], frames[0]) for name, e in estimators.items()}
    rows: list[dict[str, Cell]] = []
    reference = results[REFERENCE]
    sure = reference.confidence >= 0.5
    for name, timing in timings.items():
        distance = np.linalg.norm(results[name].flow - reference.flow, axis=2)
        distance = distance[sure] if sure.any() else distance
        rows.append(
            {
                "name": name,
                **spread_cells("ms", timing.spread, 1e3),
                **spread_cells("speed", timing.times_faster_than(timings[REFERENCE])),
                "difference": float(np.median(distance)),
                "tail": float(np.percentile(distance, 99)),
            }
        )
    height, width = plan.image
    notes = ["Flow: distance from that of the first row, where its confidence is at least 0.5."]
    notes += [f"{name}: not run ({why})." for name, why in absent.items()]
    title = f"A step of the stream by backend, preset {plan.preset}, {width}x{height}"
    return Section("backends", title, COLUMNS, tuple(rows), tuple(notes))


def _case(estimator: FlowEstimator, frames: list[Image]) -> Case:
    images, stream = cycle(frames), estimator.stream()
    stream.push(next(images))
    return lambda: stream.push(next(images))


def _estimators(
    plan: Plan, scratch: Path, absent: dict[str, str]
) -> Iterator[tuple[str, FlowEstimator]]:
    """Everything that can be opened; why the others cannot goes into `absent`."""
    config = preset(plan.preset)
    for precision in cpu_precisions():
        yield f"torch cpu {precision}", _torch(config, "cpu", precision, plan.threads)
    if plan.compile:
        with _noted(absent, "torch cpu bf16, compiled"):
            yield (
                "torch cpu bf16, compiled",
                _torch(config, "cpu", "bf16", plan.threads, compile=True),
            )
    yield from _on_cuda(config, plan, absent)
    yield from _engines(config, plan, scratch, absent)


def _on_cuda(
    config: FlowConfig, plan: Plan, absent: dict[str, str]
) -> Iterator[tuple[str, FlowEstimator]]:
    if not torch.cuda.is_available():
        absent["CUDA (eager, compile, CUDA graph; fp32, fp16)"] = "no GPU on this machine"
        return
    for precision, options in (
        ("fp32", {}),
        ("fp16", {}),
        ("fp16", {"compile": True}),
        ("fp16", {"cuda_graph": True}),
    ):
        name = ", ".join([f"torch cuda {precision}", *options])
        with _noted(absent, name):
            yield name, _torch(config, "cuda", precision, plan.threads, **options)


def _engines(
    config: FlowConfig, plan: Plan, scratch: Path, absent: dict[str, str]
) -> Iterator[tuple[str, FlowEstimator]]:
    why = onnx_absence()
    if why:
        absent["onnx"] = why.what
        return
    folders = list(plan.engines)
    if not folders:
        with _noted(absent, "onnx"):
            folders = [_exported(config, plan, scratch)]
    for folder in folders:
        for backend in ("onnx", "tensorrt"):
            lacking = tensorrt_absence() if backend == "tensorrt" else None
            if lacking:
                absent["tensorrt"] = lacking.what
                continue
            with _noted(absent, f"{backend} {folder.name}"):
                options = NetworkOptions(backend, engine=folder, threads=plan.threads)
                running = open_flow(config, options)
                yield f"{backend} {running.device} {running.precision}", running.estimator


def _exported(config: FlowConfig, plan: Plan, scratch: Path) -> Path:
    from zeroco_ros.estimate.exported import export_engine

    plan.say("exporting an engine for ONNX Runtime")
    export_engine(scratch / "engine", config, plan.image)
    return scratch / "engine"


def _torch(
    config: FlowConfig, device: str, precision: str, threads: int, **options: bool
) -> FlowEstimator:
    loaded = load_croco(resolve("default"))
    backend = TorchBackend(loaded.model, device, precision, threads, **options)
    return FlowEstimator.from_backend(backend, config, metadata=loaded.metadata)


@contextmanager
def _noted(absent: dict[str, str], name: str) -> Iterator[None]:
    try:
        yield
    except (ZerocoError, ImportError) as error:
        absent[name] = str(error)
