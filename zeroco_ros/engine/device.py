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
The GPU as TensorRT's runner needs it: a few calls of torch.cuda behind a Protocol.

This is the whole of what a machine without a GPU cannot run; tests put a CPU version in its place.
TensorRT itself is not hidden here. Not run on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import Lock
from typing import Protocol, TYPE_CHECKING

from zeroco_ros.errors import BackendError

if TYPE_CHECKING:
    from torch import Tensor

_CAPTURING = Lock()  # torch synchronizes the device before it captures


class DeviceMemoryError(BackendError, MemoryError):
    """Too little GPU memory. needed: bytes, None where the library did not say; free: bytes."""

    def __init__(self, what: str, needed: int | None, free: int, detail: str = "") -> None:
        wants = "more than there is" if needed is None else f"{_megabytes(needed)}"
        super().__init__(
            f"not enough GPU memory for {what}: it needs {wants}, {_megabytes(free)} are free; "
            f"end other programs on the GPU, or use a smaller resolution{detail}"
        )
        self.needed, self.free = needed, free


@dataclass(frozen=True)
class Memory:
    """Bytes of the GPU."""

    free: int
    total: int


class Lane(Protocol):
    """A stream of one's own. handle: the cudaStream_t as a number, for TensorRT."""

    handle: int

    def run(self, work: Callable[[], None]) -> None:
        """Queue `work` behind what the caller's stream was given; return when it is done."""
        ...

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """
        Record the kernels of `work`, which are not run, as a CUDA graph.

        Returns what replays it, to be called within `run`. Raises RuntimeError where it cannot be
        captured.
        """
        ...


class Device(Protocol):
    """A GPU. index: as CUDA counts them; name: of the product; capability: (major, minor)."""

    index: int
    name: str
    capability: tuple[int, int]

    def active(self) -> AbstractContextManager[object]:
        """While this is open the calling thread uses this GPU."""
        ...

    def memory(self) -> Memory:
        """Now."""
        ...

    def empty(self, shape: tuple[int, ...]) -> Tensor:
        """Return an uninitialized float32 tensor. Raises DeviceMemoryError."""
        ...

    def lane(self) -> Lane:
        """Return a new stream."""
        ...


def open_device(index: int = 0) -> Device:
    """GPU number `index`. Raises BackendError with one sentence where there is none."""
    return CudaDevice(index)


class CudaDevice:
    """A GPU through torch.cuda; see `Device`."""

    def __init__(self, index: int = 0) -> None:
        try:
            import torch
        except ImportError as error:
            raise BackendError(
                f"PyTorch cannot be imported ({error}): TensorRT needs it"
            ) from None
        if not torch.cuda.is_available():
            if torch.version.cuda is None:
                reason = "this PyTorch is a CPU build; on a Jetson install NVIDIA's wheel"
            else:
                reason = "no GPU found; does 'nvidia-smi' (on a Jetson: 'tegrastats') see it?"
            raise BackendError(f"TensorRT needs a CUDA GPU: {reason}; or use the backend 'torch'")
        count = torch.cuda.device_count()
        if not 0 <= index < count:
            raise BackendError(f"GPU {index} is not there: this machine has 0 to {count - 1}")
        properties = torch.cuda.get_device_properties(index)
        self.index, self.name = index, str(properties.name)
        self.capability = (int(properties.major), int(properties.minor))

    def active(self) -> AbstractContextManager[object]:
        """See `Device.active`."""
        import torch

        device: AbstractContextManager[object] = torch.cuda.device(self.index)
        return device

    def memory(self) -> Memory:
        """See `Device.memory`."""
        import torch

        return Memory(*torch.cuda.mem_get_info(self.index))

    def empty(self, shape: tuple[int, ...]) -> Tensor:
        """See `Device.empty`."""
        import torch

        try:
            return torch.empty(shape, dtype=torch.float32, device=f"cuda:{self.index}")
        except torch.OutOfMemoryError:
            elements = 1
            for side in shape:
                elements *= side
            free = self.memory().free
            raise DeviceMemoryError(f"a tensor of {shape}", 4 * elements, free) from None

    def lane(self) -> Lane:
        """See `Device.lane`."""
        return CudaLane(self.index)


class CudaLane:
    """A non-default CUDA stream; see `Lane`."""

    def __init__(self, index: int) -> None:
        import torch

        self._stream = torch.cuda.Stream(index)  # type: ignore[no-untyped-call]
        # A blocking event lets the processor sleep instead of polling; a robot has other work.
        self._done = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        self.handle = int(self._stream.cuda_stream)

    def run(self, work: Callable[[], None]) -> None:
        """See `Lane.run`."""
        import torch

        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            work()
            self._done.record()
        self._done.synchronize()

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """See `Lane.capture`."""
        import torch

        graph = torch.cuda.CUDAGraph()
        recording = torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local")
        with _CAPTURING, recording:
            work()
        return graph.replay


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB ({count} bytes)"
