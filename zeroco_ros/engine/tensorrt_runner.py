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
Running one TensorRT plan: torch tensors as its buffers, a stream of its own, a CUDA graph.

NVIDIA's rules that this follows: an engine is shared, an execution context belongs to one thread;
`execute_async_v3` runs on a non-default stream; buffers live as long as the context; what fails
returns None or False instead of raising. Written for TensorRT 10.3 to 11.x, not run on a GPU.
"""

from __future__ import annotations

from math import prod
import threading
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zeroco_ros.engine.bundle import Signature
from zeroco_ros.engine.device import Device, DeviceMemoryError
from zeroco_ros.engine.tensorrt_library import error_recorder, Heard, listening, logger
from zeroco_ros.errors import BackendError, ConfigError

if TYPE_CHECKING:
    import tensorrt as trt

Shape = tuple[int, ...]
GRAPH_TOLERANCE = 1e-3  # of the largest value: the same kernels ran, sums may change their order


class PlanError(BackendError):
    """A plan that TensorRT does not take: building it again may help."""


class ExecutionError(BackendError, RuntimeError):
    """TensorRT did not run a plan; its words say whether the GPU is lost, as torch's do."""


class PlanRunner:
    """
    One plan on a GPU; see `engine.graph_backend.GraphRunner`.

    name: of the graph, for messages; plan: what the builder serialized; signature: the names of
    its inputs and outputs, in order; cuda_graph: record the kernels after the first run and replay
    them from then on, if that gives what the first run gave. Results are complete when a call
    returns, so they may go to any thread and stream; each calling thread has its own context,
    stream and buffers. Raises PlanError or DeviceMemoryError; a call raises ExecutionError.
    """

    def __init__(
        self,
        name: str,
        plan: bytes,
        signature: Signature,
        device: Device,
        *,
        cuda_graph: bool = True,
    ) -> None:
        self.name, self.device, self.cuda_graph = name, device, cuda_graph
        with device.active(), listening() as heard:
            self._recorder = error_recorder()
            self._engine: trt.ICudaEngine = self._deserialize(plan, heard)
            self.inputs, self.outputs = self._tensors(signature)
        self.memory = int(self._engine.device_memory_size_v2)
        self.notes: list[str] = []
        self._own = threading.local()

    def _deserialize(self, plan: bytes, heard: Heard) -> trt.ICudaEngine:
        import tensorrt as trt

        try:
            runtime: trt.Runtime = trt.Runtime(logger())
        except TypeError:  # what the bindings raise where CUDA cannot be initialized
            raise BackendError(f"TensorRT cannot use the GPU: {heard.reason()}") from None
        runtime.error_recorder = self._recorder
        engine: trt.ICudaEngine | None = runtime.deserialize_cuda_engine(plan)
        if engine is None:
            if heard.out_of_memory():
                free = self.device.memory().free
                raise DeviceMemoryError(f"the engine {self.name}", len(plan), free)
            raise PlanError(f"TensorRT refuses the plan of {self.name}: {heard.reason()}")
        return engine

    def _tensors(self, signature: Signature) -> tuple[dict[str, Shape], dict[str, Shape]]:
        """Shapes of the inputs and outputs by name, in the signature's order, if they agree."""
        import tensorrt as trt

        engine: trt.ICudaEngine = self._engine
        modes: dict[str, object] = {}
        shapes: dict[str, Shape] = {}
        for index in range(engine.num_io_tensors):
            name: str = engine.get_tensor_name(index)
            mode: trt.TensorIOMode = engine.get_tensor_mode(name)
            modes[name] = mode
            dims: trt.Dims = engine.get_tensor_shape(name)
            shapes[name] = tuple(int(side) for side in dims)
            dtype: trt.DataType = engine.get_tensor_dtype(name)
            if dtype != trt.DataType.FLOAT or min(shapes[name], default=1) < 1:
                raise PlanError(
                    f"the plan of {self.name}: {name} is {dtype} {shapes[name]}, float32 of a "
                    "fixed size is needed"
                )
        wanted = dict.fromkeys(signature.inputs, trt.TensorIOMode.INPUT)
        wanted |= dict.fromkeys(signature.outputs, trt.TensorIOMode.OUTPUT)
        if modes != wanted:
            raise PlanError(
                f"the plan of {self.name} has the tensors {', '.join(modes)}; its manifest says "
                f"{', '.join(wanted)}"
            )
        inputs = {name: shapes[name] for name in signature.inputs}
        return inputs, {name: shapes[name] for name in signature.outputs}

    def __call__(self, *inputs: Tensor) -> list[Tensor]:
        """See `GraphRunner`; outputs are on the GPU. ConfigError for inputs of another shape."""
        shapes = [tuple(value.shape) for value in inputs]
        if shapes != list(self.inputs.values()):
            raise ConfigError(
                f"inputs of {shapes} for the engine {self.name}, which is for "
                f"{list(self.inputs.values())}"
            )
        with self.device.active(), torch.inference_mode(False), torch.no_grad():
            if not hasattr(self._own, "session"):
                self._own.session = Session(self)
            session: Session = self._own.session
            return session.run(inputs)

    def layers(self) -> str:
        """
        Return what became of the graph's layers, as JSON in TensorRT's words.

        With names, kernels and types only if the plan was built with verbosity "detailed".
        """
        import tensorrt as trt

        with self.device.active():
            inspector: trt.EngineInspector = self._engine.create_engine_inspector()
            found: str = inspector.get_engine_information(trt.LayerInformationFormat.JSON)
        return found

    def open_context(self) -> trt.IExecutionContext:
        """
        Return a context with its own activation memory.

        Raises DeviceMemoryError or BackendError.
        """
        with listening() as heard:
            context: trt.IExecutionContext | None = self._engine.create_execution_context()
        if context is None:
            free = self.device.memory().free
            if heard.out_of_memory() or free < self.memory:
                raise DeviceMemoryError(f"a context of {self.name}", self.memory, free)
            raise BackendError(f"TensorRT makes no context for {self.name}: {heard.reason()}")
        return context


class Session:
    """One thread's context, stream, buffers and CUDA graph of a `PlanRunner`."""

    def __init__(self, runner: PlanRunner) -> None:
        self._runner = runner
        self._lane = runner.device.lane()
        self._inputs = {k: runner.device.empty(shape) for k, shape in runner.inputs.items()}
        self._outputs = {k: runner.device.empty(shape) for k, shape in runner.outputs.items()}
        self._context: trt.IExecutionContext = runner.open_context()
        for name, buffer in (self._inputs | self._outputs).items():
            if not self._context.set_tensor_address(name, buffer.data_ptr()):
                raise BackendError(f"TensorRT takes no buffer for {runner.name}'s tensor {name}")
        self._execute = self._enqueue
        self._first = runner.cuda_graph

    def run(self, inputs: tuple[Tensor, ...]) -> list[Tensor]:
        """Compute; the tensors returned belong to the caller and to the caller's stream."""
        found = self._compute(inputs)
        if self._first:
            self._first = False
            self._record(inputs, found)
        return found

    def _compute(self, inputs: tuple[Tensor, ...]) -> list[Tensor]:
        outputs = [self._runner.device.empty(tuple(own.shape)) for own in self._outputs.values()]

        def work() -> None:
            for own, given in zip(self._inputs.values(), inputs, strict=True):
                own.copy_(given, non_blocking=True)
            self._execute()
            for result, own in zip(outputs, self._outputs.values(), strict=True):
                result.copy_(own, non_blocking=True)

        self._lane.run(work)
        return outputs

    def _enqueue(self) -> None:
        with listening() as heard:
            done: bool = self._context.execute_async_v3(self._lane.handle)
        if not done:
            raise ExecutionError(f"TensorRT did not run {self._runner.name}: {heard.reason()}")

    def _record(self, inputs: tuple[Tensor, ...], eager: list[Tensor]) -> None:
        """From now on replay a CUDA graph, if it can be had and gives what the eager run gave."""
        try:
            self._execute = self._lane.capture(self._enqueue)
            replayed = self._compute(inputs)
            if all(_same(*pair) for pair in zip(replayed, eager, strict=True)):
                return
            reason = "its output differs from that of the run before it"
        except (RuntimeError, BackendError) as error:
            reason = str(error).partition("\n")[0]
        self._execute = self._enqueue
        self._runner.notes.append(f"{self._runner.name} runs without a CUDA graph: {reason}")


def buffer_bytes(runner: PlanRunner) -> int:
    """Bytes of GPU memory that one thread's context and buffers take."""
    shapes = (*runner.inputs.values(), *runner.outputs.values())
    return runner.memory + sum(4 * prod(shape) for shape in shapes)


def _same(found: Tensor, expected: Tensor) -> bool:
    scale = float(expected.nan_to_num(0.0, 0.0, 0.0).abs().max())
    return torch.allclose(
        found, expected, rtol=GRAPH_TOLERANCE, atol=GRAPH_TOLERANCE * scale, equal_nan=True
    )
