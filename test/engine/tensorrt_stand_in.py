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
A stand-in for the tensorrt module and the GPU: ONNX Runtime on the CPU behind TensorRT's names.

It is no TensorRT and says nothing about what TensorRT computes or accepts. It lets our own logic
run where there is no GPU: what is built when, what is kept, what is refused, in which order the
calls come and what happens when they fail. Its names are checked against those of the real
bindings (test_tensorrt_names.py). Everything that a test turns is in `Faults`.

As a program it runs one `zeroco` command with the stand-in installed:

    python3 tensorrt_stand_in.py FAULTS_AS_JSON build ENGINE ...
"""

from __future__ import annotations

import ctypes
import enum
from importlib.machinery import ModuleSpec
import json
from pathlib import Path
import sys
import time
import types
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from gpu_stand_in import Faults, StandInDevice

__all__ = ["MAGIC", "Faults", "StandInDevice", "install", "make_module"]

MAGIC = b"STAND-IN PLAN\n"
PHASES = {"Building engine": 4, "Computing profile costs": 5}


def make_module(faults: Faults) -> types.ModuleType:
    """
    Return a module with the names of tensorrt that the engine room uses.

    Behaving as `faults` say.
    """
    trt = types.ModuleType("tensorrt")
    trt.__version__ = faults.version
    trt.__spec__ = ModuleSpec("tensorrt", None)  # torch's exporter looks for it
    for part in (_enums(), _callbacks(), _building(faults), _running(faults)):
        for name, value in part.items():
            setattr(trt, name, value)
    # The bindings export the members of Severity into ILogger.
    for severity in trt.ILogger.Severity:
        setattr(trt.ILogger, severity.name, severity)
    return trt


def _enums() -> dict[str, Any]:
    return {
        "NetworkDefinitionCreationFlag": enum.IntEnum(
            "NetworkDefinitionCreationFlag", {"STRONGLY_TYPED": 1}
        ),
        "MemoryPoolType": enum.Enum("MemoryPoolType", ["WORKSPACE"]),
        "ProfilingVerbosity": enum.Enum(
            "ProfilingVerbosity", ["LAYER_NAMES_ONLY", "NONE", "DETAILED"]
        ),
        "BuilderFlag": enum.Enum("BuilderFlag", ["TF32"]),
        "LayerInformationFormat": enum.Enum("LayerInformationFormat", ["ONELINE", "JSON"]),
        "TensorIOMode": enum.Enum("TensorIOMode", ["NONE", "INPUT", "OUTPUT"]),
        "DataType": enum.Enum("DataType", ["FLOAT", "HALF"]),
    }


def _callbacks() -> dict[str, Any]:
    class ILogger:
        Severity = enum.IntEnum(
            "Severity", ["INTERNAL_ERROR", "ERROR", "WARNING", "INFO", "VERBOSE"], start=0
        )

        def log(self, severity: Any, message: str) -> None:
            raise NotImplementedError

    class IErrorRecorder:
        pass

    class IProgressMonitor:
        pass

    return {
        "ILogger": ILogger,
        "IErrorRecorder": IErrorRecorder,
        "IProgressMonitor": IProgressMonitor,
    }


class IHostMemory(bytes):
    """Bytes, as the buffer that the bindings return."""


def _building(faults: Faults) -> dict[str, Any]:
    class ITimingCache:
        def __init__(self, content: bytes) -> None:
            self._content = content

        def serialize(self) -> IHostMemory:
            return IHostMemory(self._content + b"+timed")

    class IBuilderConfig:
        def __init__(self) -> None:
            self.builder_optimization_level = 3
            self.profiling_verbosity = None
            self.progress_monitor: Any = None
            self._flags = {"TF32"}
            self._limits: dict[str, int] = {}
            self._timing: ITimingCache | None = None

        def set_memory_pool_limit(self, pool: Any, size: int) -> None:
            self._limits[pool.name] = size

        def clear_flag(self, flag: Any) -> None:
            self._flags.discard(flag.name)

        def create_timing_cache(self, content: bytes) -> ITimingCache | None:
            if b"bad" in content:
                return None
            faults.timing_given = len(content)
            return ITimingCache(content)

        def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool:
            self._timing = cache
            return True

        def get_timing_cache(self) -> ITimingCache | None:
            return self._timing

    class ParserError:
        def __init__(self, text: str) -> None:
            self._text = text

        def desc(self) -> str:
            return self._text

        def node_name(self) -> str:
            return "node_7"

    class INetworkDefinition:
        def __init__(self, flags: int) -> None:
            self._flags = flags
            self._onnx = b""

    class OnnxParser:
        def __init__(self, network: INetworkDefinition, logger: Any) -> None:
            self._network = network
            self.num_errors = 0

        def parse(self, content: bytes, path: str) -> bool:
            self.num_errors = int(bool(faults.parse_error))
            self._network._onnx = bytes(content)
            return not faults.parse_error

        def get_error(self, index: int) -> ParserError:
            return ParserError(faults.parse_error)

    class Builder:
        def __init__(self, logger: Any) -> None:
            if faults.no_cuda:
                logger.log(logger.Severity.ERROR, "CUDA initialization failure with error: 35")
                raise TypeError("pybind11::init(): factory function returned nullptr")
            self._logger = logger
            self.error_recorder: Any = None

        def create_network(self, flags: int) -> INetworkDefinition:
            return INetworkDefinition(flags)

        def create_builder_config(self) -> IBuilderConfig:
            return IBuilderConfig()

        def build_serialized_network(
            self, network: INetworkDefinition, config: IBuilderConfig
        ) -> IHostMemory | None:
            assert network._flags == 1 << 1, "the network is not strongly typed"
            if not _walk(config.progress_monitor, faults):
                return None
            if faults.build_error:
                self.error_recorder.report_error("ErrorCodeTRT.INTERNAL_ERROR", faults.build_error)
                return None
            faults.built += 1
            header = {
                "version": faults.version,
                "flags": sorted(config._flags),
                "level": config.builder_optimization_level,
                "workspace": config._limits["WORKSPACE"],
                "verbosity": config.profiling_verbosity.name,
            }
            return IHostMemory(MAGIC + json.dumps(header).encode() + b"\n" + network._onnx)

    return {
        "Builder": Builder,
        "IBuilderConfig": IBuilderConfig,
        "INetworkDefinition": INetworkDefinition,
        "OnnxParser": OnnxParser,
        "ParserError": ParserError,
        "ITimingCache": ITimingCache,
        "IHostMemory": IHostMemory,
    }


def _walk(monitor: Any, faults: Faults) -> bool:
    """Two nested phases; False where the monitor stopped them."""
    (outer, outer_steps), (inner, inner_steps) = PHASES.items()
    monitor.phase_start(outer, None, outer_steps)
    try:
        for step in range(outer_steps):
            monitor.phase_start(inner, outer, inner_steps)
            for part in range(inner_steps):
                time.sleep(faults.step_seconds)
                while faults.gate and not faults.gate.acquire(timeout=0.01):
                    if not monitor.step_complete(inner, part - 1):
                        return False
                if not monitor.step_complete(inner, part) and not faults.deaf:
                    return False
            monitor.phase_finish(inner)
            monitor.step_complete(outer, step)
        return True
    finally:
        monitor.phase_finish(outer)


def _running(faults: Faults) -> dict[str, Any]:
    class Dims(tuple):
        __slots__ = ()

    class IExecutionContext:
        def __init__(self, session: Any, logger: Any) -> None:
            self._session, self._logger = session, logger
            self._addresses: dict[str, int] = {}

        def set_tensor_address(self, name: str, address: int) -> bool:
            self._addresses[name] = address
            return True

        def execute_async_v3(self, stream: int) -> bool:
            assert stream != 0, "the default stream"
            if faults.execute_fails:
                if faults.words:
                    self._logger.log(self._logger.Severity.ERROR, faults.words)
                return False
            faults.executed += 1
            feed = {n.name: self._array(n).copy() for n in self._session.get_inputs()}
            for node, value in zip(
                self._session.get_outputs(), self._session.run(None, feed), strict=True
            ):
                self._array(node)[...] = np.nan if faults.non_finite else value * faults.scale
            return True

        def _array(self, node: Any) -> Any:
            """Return the buffer of a tensor, by its address only, as a GPU would see it."""
            size = int(np.prod(node.shape))
            buffer = (ctypes.c_float * size).from_address(self._addresses[node.name])
            return np.frombuffer(buffer, np.float32).reshape(node.shape)

    class EngineInspector:
        def __init__(self, names: list[str]) -> None:
            self._names = names

        def get_engine_information(self, form: Any) -> str:
            return json.dumps({"Layers": self._names, "Format": form.name})

    class ICudaEngine:
        def __init__(self, session: Any, logger: Any) -> None:
            self._session, self._logger = session, logger
            self._nodes = {
                node.name: (mode, node)
                for mode, nodes in (
                    ("INPUT", session.get_inputs()),
                    ("OUTPUT", session.get_outputs()),
                )
                for node in nodes
            }
            self.num_io_tensors = len(self._nodes)
            self.device_memory_size_v2 = 3 << 20

        def get_tensor_name(self, index: int) -> str:
            return list(self._nodes)[index]

        def get_tensor_mode(self, name: str) -> Any:
            return sys.modules["tensorrt"].TensorIOMode[self._nodes[name][0]]

        def get_tensor_shape(self, name: str) -> Dims:
            return Dims(self._nodes[name][1].shape)

        def get_tensor_dtype(self, name: str) -> Any:
            kind = {"tensor(float)": "FLOAT"}.get(self._nodes[name][1].type, "HALF")
            return sys.modules["tensorrt"].DataType[kind]

        def create_engine_inspector(self) -> EngineInspector:
            return EngineInspector(list(self._nodes))

        def create_execution_context(self) -> IExecutionContext | None:
            if faults.no_context:
                self._logger.log(self._logger.Severity.ERROR, faults.no_context)
                return None
            return IExecutionContext(self._session, self._logger)

    class Runtime:
        def __init__(self, logger: Any) -> None:
            self._logger = logger
            self.error_recorder: Any = None

        def deserialize_cuda_engine(self, plan: bytes) -> ICudaEngine | None:
            if faults.deserialize_error:
                self._logger.log(self._logger.Severity.ERROR, faults.deserialize_error)
                return None
            header, _, onnx = plan.removeprefix(MAGIC).partition(b"\n")
            assert json.loads(header)["version"] == faults.version
            import onnxruntime

            options = onnxruntime.SessionOptions()
            options.log_severity_level, options.intra_op_num_threads = 3, 1
            session = onnxruntime.InferenceSession(
                onnx, options, providers=["CPUExecutionProvider"]
            )
            return ICudaEngine(session, self._logger)

    return {
        "Dims": Dims,
        "IExecutionContext": IExecutionContext,
        "EngineInspector": EngineInspector,
        "ICudaEngine": ICudaEngine,
        "Runtime": Runtime,
    }


def install(monkeypatch: Any, faults: Faults | None = None) -> Faults:
    """Put the stand-ins where tensorrt and the GPU are looked for; returns what can be turned."""
    import zeroco_ros.engine.device

    faults = faults or Faults()
    monkeypatch.setitem(sys.modules, "tensorrt", make_module(faults))
    monkeypatch.setattr(
        zeroco_ros.engine.device, "open_device", lambda index=0: StandInDevice(faults, index)
    )
    return faults


class _Forever:
    """What of pytest's monkeypatch `install` uses, without undoing."""

    @staticmethod
    def setitem(mapping: Any, key: str, value: Any) -> None:
        mapping[key] = value

    @staticmethod
    def setattr(target: Any, name: str, value: Any) -> None:
        setattr(target, name, value)


def main(arguments: list[str]) -> int:
    """Run a `zeroco` command with the stand-in installed."""
    from zeroco_ros.cli import main as zeroco

    values = json.loads(arguments[0])
    if "capability" in values:
        values["capability"] = tuple(values["capability"])
    install(_Forever, Faults(**values))
    return zeroco(arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
