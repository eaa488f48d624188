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

"""What a failing device looks like: out of memory, or a GPU that nothing will run on any more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
import re

import cv2
import torch

from zeroco_ros.engine.device import DeviceMemoryError
from zeroco_ros.errors import BackendError, WeightsError

_OUT_OF_MEMORY = re.compile(
    r"out of memory|can't allocate memory|failed to allocate memory|bad_alloc|"
    r"cannot allocate memory|insufficient memory|CUBLAS_STATUS_ALLOC_FAILED",
    re.IGNORECASE,
)
# After these the CUDA context of the process is lost (CUDA runtime API, section "Error Handling").
_STICKY = re.compile(
    r"illegal memory access|device-side assert|misaligned address|unspecified launch failure|"
    r"illegal instruction|launch timed out|uncorrectable ECC|hardware stack error|"
    r"invalid program counter|invalid address space|(context|device) is (lost|destroyed)|"
    r"cudaErrorLaunchFailure|GPU is lost|fallen off the bus",
    re.IGNORECASE,
)

_GPU = re.compile(r"cuda|cudnn|tensorrt|GPU", re.IGNORECASE)
_LIBRARIES = (RuntimeError, cv2.error, OSError, ImportError, WeightsError, BackendError)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, on the device or in the machine, whichever library says so."""
    if isinstance(error, torch.OutOfMemoryError | DeviceMemoryError | MemoryError):
        return True
    if isinstance(error, cv2.error) and error.code == cv2.Error.StsNoMem:
        return True
    known = isinstance(error, _LIBRARIES) or _from_onnxruntime(error)
    return known and bool(_OUT_OF_MEMORY.search(str(error)))


def is_sticky(error: BaseException) -> bool:
    """Whether the GPU is lost for this process: every later call would fail as well."""
    if is_out_of_memory(error):
        return False
    known = isinstance(error, RuntimeError | BackendError) or _from_onnxruntime(error)
    text = str(error)
    return known and bool(_GPU.search(text) and _STICKY.search(text))


def _from_onnxruntime(error: BaseException) -> bool:
    return type(error).__module__.startswith("onnxruntime")


def free_bytes(device: str) -> int | None:
    """Bytes that can be had on "cpu" or "cuda" now; None where the system does not tell."""
    if device == "cuda":
        try:
            return int(torch.cuda.mem_get_info()[0])
        except (RuntimeError, AssertionError):
            return None
    limits = [value for value in (_available(), _below_limit()) if value is not None]
    return min(limits, default=None)


def _available() -> int | None:
    """Return what Linux estimates that programs can still take."""
    return _kilobytes("/proc/meminfo", "MemAvailable")


def _below_limit() -> int | None:
    """Return what this process may still map (RLIMIT_AS)."""
    try:
        import resource
    except ImportError:  # not on this system
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    used = _kilobytes("/proc/self/status", "VmSize")
    if limit == resource.RLIM_INFINITY or used is None:
        return None
    return max(0, limit - used)


def _kilobytes(file: str, name: str) -> int | None:
    try:
        text = Path(file).read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    found = re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
    return None if found is None else int(found[1]) * 1024


def memory_words(needed: int | None, device: str) -> str:
    """'about 12.5 MB are needed, 3.1 MB are free on cpu'; megabytes are 1e6 bytes."""
    free = free_bytes(device)
    parts = [] if needed is None else [f"at least {needed / 1e6:.1f} MB are needed"]
    parts.append("free memory is unknown" if free is None else f"{free / 1e6:.1f} MB are free")
    return f"{', '.join(parts)} on {device}"


@contextmanager
def enough_memory(what: str, needed: int | None, device: str) -> Iterator[None]:
    """
    Raise BackendError with the bytes needed and free where memory runs out inside.

    needed: bytes, None where unknown; device: "cpu" or "cuda".
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, DeviceMemoryError) or not is_out_of_memory(error):
            raise  # the former says it all itself
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise BackendError(
            f"not enough memory for {what}: {memory_words(needed, device)} ({first}); free "
            "memory, use a smaller model or input, or device 'cpu'"
        ) from error
