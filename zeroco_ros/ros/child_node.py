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

"""A node of this package as a child process, as a launch file would start and end it."""

from __future__ import annotations

from collections.abc import Mapping
import contextlib
from pathlib import Path
import signal
import subprocess
import sys

from zeroco_ros.ros.environment import child_environment


class ChildNode:
    """
    A running node; its console output goes to the file `log`.

    module: to start it by. remap: names inside the node -> topics. parameters: of the node.
    patience: seconds that it has to end in, for the inference under way, before it is killed.
    """

    def __init__(
        self,
        module: str,
        namespace: str,
        remap: Mapping[str, str],
        parameters: Mapping[str, object],
        log: Path,
        patience: float,
    ) -> None:
        command = [sys.executable, "-m", module, "--ros-args", "-r", f"__ns:={namespace}"]
        for inside, topic in remap.items():
            command += ["-r", f"{inside}:={topic}"]
        for name, value in parameters.items():
            command += ["-p", f"{name}:={_parameter(value)}"]
        self.log = log
        self._patience = patience
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=child_environment(),
                start_new_session=True,  # Ctrl-C reaches the parent, which ends the node
            )

    @property
    def exit_code(self) -> int | None:
        """Return how it ended, None while it runs."""
        return self._process.poll()

    @property
    def output(self) -> str:
        """Return what it has printed so far."""
        return self.log.read_text(errors="replace")

    def stop(self) -> int | None:
        """End it as a launch file does; return its exit code, None if it had to be killed."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(self._patience)
        self._process.kill()
        self._process.wait()
        return None


def _parameter(value: object) -> str:
    """Return a value as the ROS command line takes it; a path or word stays a string."""
    return str(value).lower() if isinstance(value, bool) else str(value)
