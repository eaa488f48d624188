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
From an ONNX graph to a TensorRT plan for the GPU at hand.

The network is strongly typed: the types in the ONNX graph are the precision, no precision flag is
named (they differ between versions). Written for TensorRT 10.3 to 11.x, not run on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zeroco_ros.engine.build_job import BuildCancelled
from zeroco_ros.engine.build_options import BuildOptions
from zeroco_ros.engine.build_progress import PhaseTree, progress_monitor
from zeroco_ros.engine.device import Device, DeviceMemoryError
from zeroco_ros.engine.tensorrt_library import error_recorder, Heard, listening, logger
from zeroco_ros.errors import BackendError

if TYPE_CHECKING:
    import tensorrt as trt


@dataclass(frozen=True)
class BuiltPlan:
    """plan: the serialized engine; timing: the timing cache afterwards, b"" without one."""

    plan: bytes
    timing: bytes


def build_plan(
    name: str,
    onnx: Path,
    content: bytes,
    options: BuildOptions,
    device: Device,
    *,
    timing: bytes = b"",
    tree: PhaseTree,
    cancelled: Callable[[], bool],
) -> BuiltPlan:
    """
    Build one plan, minutes on a small GPU, in the calling thread.

    name: of the graph; onnx: its file, where external weights are looked for; content: its bytes;
    timing: a timing cache of before; tree: follows the build; cancelled: asked at every step.
    Raises BackendError with TensorRT's words, DeviceMemoryError, or BuildCancelled.
    """
    import tensorrt as trt

    with device.active(), listening() as heard:
        recorder, monitor = error_recorder(), progress_monitor(tree, cancelled)
        try:
            builder: trt.Builder = trt.Builder(logger())
        except TypeError:  # what the bindings raise where CUDA cannot be initialized
            raise BackendError(f"TensorRT cannot use the GPU: {heard.reason()}") from None
        builder.error_recorder = recorder
        network = _parsed(builder, name, onnx, content)
        config = _configured(builder, options)
        config.progress_monitor = monitor
        _reuse(config, timing)
        plan: trt.IHostMemory | None = builder.build_serialized_network(network, config)
        if plan is None:
            raise _failure(name, heard, options, device, cancelled())
        return BuiltPlan(bytes(plan), _timings(config))


def _parsed(builder: trt.Builder, name: str, onnx: Path, content: bytes) -> trt.INetworkDefinition:
    """Return the strongly typed network of an ONNX graph."""
    import tensorrt as trt

    typed = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network: trt.INetworkDefinition = builder.create_network(typed)
    parser: trt.OnnxParser = trt.OnnxParser(network, logger())
    if not parser.parse(content, str(onnx)):
        errors = []
        for index in range(parser.num_errors):
            error: trt.ParserError = parser.get_error(index)
            errors.append(f"{error.desc()} (node {error.node_name()})")
        raise BackendError(
            f"TensorRT cannot parse {name}: {'; '.join(errors) or 'it gave no reason'}"
        )
    return network


def _configured(builder: trt.Builder, options: BuildOptions) -> trt.IBuilderConfig:
    import tensorrt as trt

    config: trt.IBuilderConfig = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mb << 20)
    config.builder_optimization_level = options.optimization_level
    verbosity: trt.ProfilingVerbosity = trt.ProfilingVerbosity.LAYER_NAMES_ONLY
    if options.verbosity == "detailed":
        verbosity = trt.ProfilingVerbosity.DETAILED
    elif options.verbosity == "none":
        verbosity = trt.ProfilingVerbosity.NONE
    config.profiling_verbosity = verbosity
    if not options.tf32:  # TensorRT allows it by default
        config.clear_flag(trt.BuilderFlag.TF32)
    return config


def _reuse(config: trt.IBuilderConfig, timing: bytes) -> None:
    """Give the builder the timings of former builds, or an empty cache to fill."""
    for known in dict.fromkeys((timing, b"")):  # one that TensorRT does not take is left out
        cache: trt.ITimingCache | None = config.create_timing_cache(known)
        if cache is not None and config.set_timing_cache(cache, False):
            return


def _timings(config: trt.IBuilderConfig) -> bytes:
    cache: trt.ITimingCache | None = config.get_timing_cache()
    if cache is None:
        return b""
    memory: trt.IHostMemory = cache.serialize()
    return bytes(memory)


def _failure(
    name: str, heard: Heard, options: BuildOptions, device: Device, cancelled: bool
) -> BackendError:
    """Why there is no plan."""
    if cancelled:
        return BuildCancelled(f"the build of {name} was stopped")
    if heard.out_of_memory():
        advice = f", or --workspace below {options.workspace_mb} (TensorRT: {heard.reason()})"
        return DeviceMemoryError(
            f"building {name}", heard.requested(), device.memory().free, advice
        )
    return BackendError(f"TensorRT did not build {name}: {heard.reason()}")
