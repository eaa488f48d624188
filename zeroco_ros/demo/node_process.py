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

"""A node as the process it is on a robot, with its console output in a file."""

from __future__ import annotations

from collections.abc import Mapping
import contextlib
from pathlib import Path
import re
import signal
import subprocess
import sys
import time
from types import TracebackType

from zeroco_ros.demo.nodes import NAMESPACE, NodeSpec
from zeroco_ros.errors import BackendError
from zeroco_ros.ros.environment import child_environment

STOP_PATIENCE = 15.0  # seconds for the inference under way
_CONFIGURED = re.compile(r"configured: (.*?)(?:; input|$)", re.MULTILINE)
_LEVEL = re.compile(r"\[(WARN|ERROR|FATAL)\](?: \[[\d.]+\])?(?: \[[^\]]*\])?:? ?(.*)")


class NodeProcess:
    """
    A running node; a context manager that ends it.

    spec: which one. remap: names inside the node -> topics. parameters: of the node. log: file
    for its console output.
    """

    def __init__(
        self,
        spec: NodeSpec,
        remap: Mapping[str, str],
        parameters: Mapping[str, object],
        log: Path,
    ) -> None:
        command = [sys.executable, "-m", spec.module, "--ros-args", "-r", f"__ns:={NAMESPACE}"]
        for inside, topic in remap.items():
            command += ["-r", f"{inside}:={topic}"]
        for name, value in parameters.items():
            command += ["-p", f"{name}:={_parameter(value)}"]
        self.name = spec.name
        self.log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=child_environment(),
                start_new_session=True,  # Ctrl-C reaches the demo, which ends the node
            )

    @property
    def complaints(self) -> list[str]:
        """Warnings and errors that the node has printed so far, one line each."""
        text = self.log.read_text(errors="replace")
        return [match[2].strip() for match in _LEVEL.finditer(text)]

    @property
    def model(self) -> str:
        """
        Return what the node says it runs: file, hash, device, precision.

        "" if it said nothing.
        """
        match = _CONFIGURED.search(self.log.read_text(errors="replace"))
        return match[1].strip() if match else ""

    def check(self) -> None:
        """Raise BackendError, with the node's own words, where it ended or cannot start."""
        code = self._process.poll()
        if code is not None:
            raise BackendError(f"{self.name} ended with exit code {code}: {self._last_words()}")
        for line in self.complaints:
            if line.startswith("cannot configure: "):
                raise BackendError(f"{self.name} {line}")

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        said = self.complaints or [line for line in lines if line.strip()]
        return f"{said[-1] if said else 'it said nothing'} (all of it: {self.log})"

    def stop(self) -> int | None:
        """End it the way a launch file does; its exit code, None if it had to be killed."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        end = time.monotonic() + STOP_PATIENCE
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(max(0.1, end - time.monotonic()))
        self._process.kill()
        self._process.wait()
        return None

    def __enter__(self) -> NodeProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def _parameter(value: object) -> str:
    """Return a value as the ROS command line takes it; a path or word stays a string."""
    return str(value).lower() if isinstance(value, bool) else str(value)
