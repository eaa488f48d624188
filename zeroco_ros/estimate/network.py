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
Opening a network on the backend that is asked for, or on the best one that is there.

Nodes and commands open networks through `open_flow` only, so that one set of options (`backend`,
`engine`, `provider`, ...) means the same everywhere and every choice says why it was made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from zeroco_ros.croco.checkpoint import load_croco
from zeroco_ros.engine.available import choose_provider, onnx_absence, tensorrt_absence
from zeroco_ros.engine.device import DeviceMemoryError
from zeroco_ros.engine.failures import enough_memory
from zeroco_ros.engine.graph_backend import GraphBackend
from zeroco_ros.engine.onnx_backend import OnnxBackend
from zeroco_ros.engine.tensorrt_backend import (
    BuildCancelled,
    NotBuilt,
    open_tensorrt,
    TensorRTBackend,
)
from zeroco_ros.engine.torch_backend import resolve_device, TorchBackend
from zeroco_ros.errors import BackendError, ConfigError
from zeroco_ros.estimate.config import FlowConfig, preset
from zeroco_ros.estimate.engine_checks import check_origin, check_parity, EngineRefusedError
from zeroco_ros.estimate.engines import engine_of, OpenEngine
from zeroco_ros.estimate.flow import FlowEstimator
from zeroco_ros.estimate.network_options import NetworkOptions
from zeroco_ros.estimate.parity import Parity
from zeroco_ros.weights import resolve

__all__ = ["NetworkOptions", "RunningFlow", "open_flow", "open_with"]

# In the order of preference, where an engine is given.
_ORDER = {
    "auto": ("tensorrt", "onnx", "torch"),
    "tensorrt": ("tensorrt", "torch"),
    "onnx": ("onnx", "torch"),
    "torch": ("torch",),
}
Progress = Callable[[str], None]
Estimator = TypeVar("Estimator")


@dataclass(frozen=True)
class RunningFlow:
    """
    A flow estimator, what runs it and why.

    backend: "torch", "onnx" or "tensorrt"; device: "cpu" or "cuda"; precision: "fp32", "bf16",
    "fp16" or "int8". model: the weights' file name; sha256: of it, in hex. engine: its folder, ""
    without one. reason: why this backend, in one phrase. parity: the gate's verdict, None where it
    was not asked. refused: why the engine that was given does not serve, "" where all is well.
    license_note: set where the use of the weights is restricted. warnings: what does not stop
    anything but should be known.
    """

    estimator: FlowEstimator
    backend: str
    device: str
    precision: str
    model: str
    sha256: str
    engine: str
    reason: str
    parity: Parity | None = None
    refused: str = ""
    license_note: str | None = None
    warnings: tuple[str, ...] = ()

    @property
    def facts(self) -> dict[str, str]:
        """All of it in words, for diagnostics and reports; "" where something does not apply."""
        parity = ""
        if self.parity is not None:
            left = "; ".join(f"not compared: {part}" for part in self.parity.unchecked)
            parity = "passed" if self.parity.passed else "failed"
            parity = f"{parity}; {left}" if left else parity
        return {
            "backend": self.backend,
            "backend reason": self.reason,
            "device": self.device,
            "precision": self.precision,
            "model": self.model,
            "model sha256": self.sha256,
            "head": self.estimator.config.head,
            "engine": self.engine,
            "parity": parity,
            "engine refused": self.refused,
        }


def open_flow(
    config: FlowConfig | str = "default",
    options: NetworkOptions | None = None,
    *,
    progress: Progress = lambda line: None,
) -> RunningFlow:
    """
    Open a flow estimator on the backend that the options name, or on the best one.

    With an engine, `auto` is TensorRT where it, a GPU and a built engine are there (or building is
    allowed), else ONNX Runtime, else PyTorch; without one it is PyTorch. progress: called with a
    line per step that takes long; an exception that it raises ends the opening.
    Raises BackendError for what is not there or refused, ConfigError for options that do not go
    together, WeightsError for a model file that cannot be used.
    """
    config = preset(config) if isinstance(config, str) else config
    options = options or NetworkOptions()
    absent: list[str] = []
    refused: list[tuple[str, str]] = []
    for name in _ORDER["torch" if options.engine is None else options.backend]:
        found = _attempt(name, config, options, progress, absent, refused)
        if found is not None:
            reason = f"{name}: {_why(name, options, absent, refused)}"
            return replace(found, reason=reason, refused="; ".join(why for _, why in refused))
    raise AssertionError("the last backend is PyTorch, which serves or raises")


class _AbsentError(Exception):
    """This backend cannot run here, or not this configuration: the next one may."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(f"{what}: {remedy}" if remedy else what)
        self.what = what


def open_with(
    build: Callable[[RunningFlow], Estimator],
    config: FlowConfig,
    options: NetworkOptions,
    *,
    progress: Progress = lambda line: None,
) -> tuple[Estimator, RunningFlow]:
    """
    Open a flow estimator and build another estimator on it.

    With the backend `auto`, an engine that does not hold what `build` needs (it then raises
    ConfigError), such as a depth head, is passed over for PyTorch. Raises as `open_flow`.
    """
    running = open_flow(config, options, progress=progress)
    try:
        return build(running), running
    except ConfigError as error:
        if options.backend != "auto" or running.backend == "torch":
            raise
        reason = f"torch: engine given, {error}"
    plain = open_flow(config, replace(options, backend="torch"), progress=progress)
    running = replace(plain, reason=reason, refused=running.refused)
    return build(running), running


def _attempt(
    name: str,
    config: FlowConfig,
    options: NetworkOptions,
    progress: Progress,
    absent: list[str],
    refused: list[tuple[str, str]],
) -> RunningFlow | None:
    """One backend; None where the next one is to be tried, with the reason in one of the lists."""
    try:
        if name == "torch":
            return _open_torch(config, options)
        return _open_engine(name, config, options, progress)
    except _AbsentError as error:
        if options.backend != "auto":
            text = f"backend '{name}': {error}; or use backend 'auto' or 'torch'"
            raise BackendError(text) from None
        absent.append(error.what)
    except EngineRefusedError as error:
        if not options.fallback:
            raise
        refused.append((name, str(error)))
    return None


def _open_torch(config: FlowConfig, options: NetworkOptions) -> RunningFlow:
    path = resolve("default" if options.weights is None else options.weights)
    device = resolve_device(options.device)
    precision = _precision(config, options)
    with enough_memory(f"the network of '{path.name}'", path.stat().st_size, device):
        loaded = load_croco(path)
        backend = TorchBackend(
            loaded.model,
            device,
            precision,
            options.threads,
            compile=options.acceleration == "compile",
            cuda_graph=options.acceleration == "cuda_graph",
        )
        estimator = FlowEstimator.from_backend(backend, config, metadata=loaded.metadata)
    return RunningFlow(
        estimator,
        "torch",
        backend.device,
        backend.precision,
        path.name,
        loaded.sha256,
        engine="",
        reason="",
        license_note=loaded.license_note,
    )


def _open_engine(
    name: str, config: FlowConfig, options: NetworkOptions, progress: Progress
) -> RunningFlow:
    """Raise _AbsentError where this cannot run here, EngineRefusedError where it must not."""
    _require(name, options)
    assert options.engine is not None
    folder = Path(options.engine)
    try:
        size = check_origin(folder, config, options.weights, _precision(config, options))
        with enough_memory(f"engine '{folder}'", size, "cpu"):
            engine = _opened(name, folder, config, options, progress)
            parity = None
            if options.check:
                progress(f"comparing engine '{folder}' with PyTorch in float32")
                parity = check_parity(folder, engine.backend, config, options.weights)
    except ConfigError as error:  # an option that no engine has, or not this one
        raise _AbsentError(str(error)) from error
    backend, weights = engine.backend, engine.backend.manifest.weights
    return RunningFlow(
        engine.estimator(),
        name,
        backend.device,
        backend.precision,
        weights.name,
        weights.sha256,
        engine=str(folder),
        reason="",
        parity=parity,
        license_note=weights.license_note,
        warnings=backend.warnings if isinstance(backend, TensorRTBackend) else (),
    )


def _require(name: str, options: NetworkOptions) -> None:
    """Raise _AbsentError where the backend's library, or its GPU, is not there."""
    if name == "tensorrt" and options.device == "cpu":
        raise _AbsentError("TensorRT does not run on device 'cpu'")
    absence = tensorrt_absence() if name == "tensorrt" else onnx_absence()
    if absence is not None:
        raise _AbsentError(*absence)


def _opened(
    name: str, folder: Path, config: FlowConfig, options: NetworkOptions, progress: Progress
) -> OpenEngine:
    """
    Return the engine, running.

    Raises EngineRefusedError where its files are not what they should be, _AbsentError where there
    is none for this GPU, ConfigError for what no engine can do.
    """
    try:
        if name == "tensorrt":
            return engine_of(_in_tensorrt(folder, options, progress), config)
        return engine_of(_in_onnxruntime(folder, options), config)
    except (BuildCancelled, DeviceMemoryError):
        raise
    except BackendError as error:
        text = str(error) if str(folder) in str(error) else f"engine '{folder}': {error}"
        if "zeroco " not in text and "export" not in text:
            text += f"; export it again with 'zeroco export -o {folder}'"
        raise EngineRefusedError(text) from error


def _in_onnxruntime(folder: Path, options: NetworkOptions) -> GraphBackend:
    try:
        provider = choose_provider(options.provider, options.device)
    except BackendError as error:
        raise _AbsentError(str(error)) from error
    return OnnxBackend(folder, provider, options.threads)


def _in_tensorrt(folder: Path, options: NetworkOptions, progress: Progress) -> GraphBackend:
    try:
        return open_tensorrt(
            folder,
            allow_build=options.build,
            progress=lambda step: progress(str(step)),
            refused_ok=options.check,  # the gate is about to judge anew
        )
    except NotBuilt as error:
        raise _AbsentError("it is not built for TensorRT on this GPU", str(error)) from error


def _precision(config: FlowConfig, options: NetworkOptions) -> str:
    return config.precision if options.precision == "auto" else options.precision


def _why(
    name: str, options: NetworkOptions, absent: list[str], refused: list[tuple[str, str]]
) -> str:
    """Why this backend, in one phrase."""
    if refused:
        names = " and ".join(name for name, _ in refused)
        return ", ".join([f"the engine is refused in {names}", *absent])
    if options.backend == name:
        unused = name == "torch" and options.engine is not None
        return "asked for, the engine is not used" if unused else "asked for"
    if options.engine is None:
        return "no engine is given"
    return ", ".join(["engine given", *absent])
