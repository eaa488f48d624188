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
The tensorrt module: imported late, its log kept so that an error can say why.

Written for TensorRT 10.3 to 11.x: only names that all of these have. Not run on a GPU.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
import logging
import re
import threading
from typing import Any, TYPE_CHECKING

from zeroco_ros.errors import BackendError

if TYPE_CHECKING:
    from types import ModuleType

    import tensorrt as trt

_LOG = logging.getLogger("zeroco_ros.tensorrt")
MISSING = (
    "tensorrt cannot be imported ({error}): on a Jetson it comes with JetPack (apt package "
    "python3-libnvinfer; a virtual environment needs --system-site-packages), on a desktop "
    "install it with 'python3 -m pip install tensorrt'; or use the backend 'onnx' or 'torch'"
)
KEPT = 40  # messages of the log that an error may quote
OUT_OF_MEMORY = (
    "out of memory",
    "outofmemory",
    "insufficient memory",
    "failed_allocation",
    "could not be allocated",
)
_REQUESTED = re.compile(r"requested (?:size was|amount of gpu memory) \(?(\d+)", re.IGNORECASE)


def require_tensorrt() -> str:
    """
    Return the version of tensorrt.

    Raises BackendError with one sentence where it is not there.
    """
    return str(_module().__version__)


def _module() -> ModuleType:
    try:
        import tensorrt
    except (ImportError, OSError) as error:  # OSError: one of its libraries is missing
        raise BackendError(MISSING.format(error=error)) from None
    module: ModuleType = tensorrt
    return module


class Heard:
    """What TensorRT said while somebody listened; safe to use from several threads."""

    def __init__(self) -> None:
        self._complaints: deque[str] = deque(maxlen=KEPT)
        self._lock = threading.Lock()

    def add(self, text: str) -> None:
        """Keep a warning or an error."""
        with self._lock:
            self._complaints.append(" ".join(text.split()))

    def reason(self) -> str:
        """Return last errors and warnings in one line, "TensorRT gave no reason" without any."""
        with self._lock:
            lines = list(dict.fromkeys(self._complaints))
        return "; ".join(lines[-4:]) or "TensorRT gave no reason"

    def out_of_memory(self) -> bool:
        """Whether one of the messages speaks of memory that could not be had."""
        with self._lock:
            text = " ".join(self._complaints).lower()
        return any(word in text for word in OUT_OF_MEMORY)

    def requested(self) -> int | None:
        """Give largest number of bytes that TensorRT said it asked for in vain, if it said so."""
        with self._lock:
            found = _REQUESTED.findall(" ".join(self._complaints))
        return max(map(int, found), default=None)


_LISTENING: list[Heard] = []
_LISTENING_LOCK = threading.Lock()


@contextmanager
def listening() -> Iterator[Heard]:
    """Collect what TensorRT logs, in any thread, while this is open."""
    heard = Heard()
    with _LISTENING_LOCK:
        _LISTENING.append(heard)
    try:
        yield heard
    finally:
        with _LISTENING_LOCK:
            _LISTENING.remove(heard)


def _complain(text: str) -> None:
    with _LISTENING_LOCK:
        listeners = list(_LISTENING)
    for heard in listeners:
        heard.add(text)


def logger() -> trt.ILogger:
    """Return the one logger of this process: TensorRT keeps the first that it is given."""
    return _logger_of(_module())


@lru_cache(maxsize=4)
def _logger_of(_tensorrt: ModuleType) -> trt.ILogger:
    import tensorrt as trt

    levels = {
        trt.ILogger.INTERNAL_ERROR: logging.ERROR,
        trt.ILogger.ERROR: logging.ERROR,
        trt.ILogger.WARNING: logging.WARNING,
        trt.ILogger.INFO: logging.DEBUG,
    }

    class Log(trt.ILogger):  # type: ignore[misc]
        """Passes on to Python's logging, at debug level, and to who listens."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            """Take a line of TensorRT, from any of its threads; must not raise."""
            level = levels.get(severity, logging.NOTSET)
            if level >= logging.WARNING:
                _complain(message)
            if level > logging.NOTSET:
                _LOG.debug("%s", message)

    return Log()


def error_recorder() -> trt.IErrorRecorder:
    """
    Return a recorder whose errors go where the log's go.

    Keep it as long as what it records for.
    """
    import tensorrt as trt

    class Recorder(trt.IErrorRecorder):  # type: ignore[misc]
        """Keeps the errors of one runtime or builder."""

        def __init__(self) -> None:
            trt.IErrorRecorder.__init__(self)
            self._errors: deque[tuple[Any, str]] = deque(maxlen=KEPT)

        def report_error(self, code: Any, description: str) -> bool:
            """Keep an error; False: TensorRT may go on."""
            self._errors.append((code, description))
            _complain(f"{code}: {description}")
            return False

        def num_errors(self) -> int:
            """How many are kept."""
            return len(self._errors)

        def get_num_errors(self) -> int:
            """Return the same under the name that TensorRT's C++ side calls."""
            return len(self._errors)

        def get_error_code(self, index: int) -> Any:
            """Of a kept error."""
            return self._errors[index][0]

        def get_error_desc(self, index: int) -> str:
            """Of a kept error."""
            return self._errors[index][1]

        def has_overflowed(self) -> bool:
            """Whether older errors were dropped."""
            return len(self._errors) == KEPT

        def clear(self) -> None:
            """Forget them."""
            self._errors.clear()

    return Recorder()
