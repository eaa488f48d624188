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

"""The node under test as a process of its own."""

from __future__ import annotations

from collections.abc import Mapping
import contextlib
import os
from pathlib import Path
import signal
import subprocess
import sys
from typing import Any

from zeroco_ros.ros.environment import child_environment
from zeroco_ros.soak.subject import Subject

STOP_PATIENCE = 60.0  # seconds for the inference under way, on a busy machine


class NodeUnderTest:
    """A running node; its console output goes to the file `log`."""

    def __init__(
        self, subject: Subject, namespace: str, parameters: Mapping[str, Any], log: Path
    ) -> None:
        command = [sys.executable, "-m", subject.module, "--ros-args", "-r", f"__ns:={namespace}"]
        command += ["-r", f"/diagnostics:={namespace}/diagnostics"]
        for name, value in parameters.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            command += ["-p", f"{name}:={text}"]
        self.log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=child_environment(),
                start_new_session=True,  # Ctrl-C reaches the soak, which ends the node
            )

    @property
    def ended(self) -> str:
        """Say how it ended, or nothing while it runs."""
        code = self._process.poll()
        if code is None:
            return ""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return f"the node ended with exit code {code}: {lines[-1] if lines else 'it said nothing'}"

    @property
    def traceback(self) -> str:
        """Return the last line of a traceback in its output, or nothing."""
        _, found, rest = self.log.read_text(errors="replace").partition("Traceback (most recent")
        last = next((line for line in rest.splitlines()[1:] if line and line[0] != " "), "")
        return f"a traceback in its output: {last}" if found else ""

    @property
    def megabytes(self) -> float:
        """Return the memory that it holds (resident), in MB of 2**20 bytes."""
        with contextlib.suppress(OSError):
            pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
        return 0.0

    def stop(self) -> int | None:
        """End it as a launch file does; return its exit code, None if it had to be killed."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(STOP_PATIENCE)
        self._process.kill()
        self._process.wait()
        return None
