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

"""Nodes as real child processes, for tests to start, watch and end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import contextlib
from pathlib import Path
import re
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any

from ros_harness import PATIENCE, Probe, ROOT


class NodeProcess:
    """A node as a real child process; its console output is kept in `log`."""

    def __init__(
        self,
        module: str,
        parameters: dict[str, Any] | None = None,
        *,
        remap: dict[str, str] | None = None,
        ros_arguments: Sequence[str] = (),
        environment: dict[str, str] | None = None,
    ) -> None:
        from zeroco_ros.ros.environment import child_environment

        command = [sys.executable, "-m", module, "--ros-args", *ros_arguments]
        for old, new in (remap or {}).items():
            command += ["-r", f"{old}:={new}"]
        for name, value in (parameters or {}).items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            command += ["-p", f"{name}:={text}"]
        self._file = tempfile.NamedTemporaryFile(prefix="node-log-")  # noqa: SIM115
        self.process = subprocess.Popen(
            command,
            stdout=self._file,
            stderr=subprocess.STDOUT,
            env=child_environment(**(environment or {})),
            cwd=ROOT,
        )

    @property
    def log(self) -> str:
        """Everything the process has printed so far."""
        return Path(self._file.name).read_text(errors="replace")

    def wait_for_log(self, pattern: str, probe: Probe | None = None, count: int = 1) -> None:
        """Wait until the console output matches `pattern` `count` times."""
        end = time.monotonic() + PATIENCE * 2
        while len(re.findall(pattern, self.log)) < count:
            assert self.process.poll() is None, f"the node ended early:\n{self.log}"
            assert time.monotonic() < end, f"no {count} x {pattern!r} in the log:\n{self.log}"
            if probe is None:
                self._wait(0.05)
            else:
                probe.executor.spin_once(timeout_sec=0.05)

    def stop(self, number: int = signal.SIGINT, timeout: float = PATIENCE) -> int:
        """Send a signal, wait for the end, return the exit code (kills after `timeout` s)."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait(timeout)

    def wait(self, timeout: float = PATIENCE) -> int:
        """Wait for the end and return the exit code (kills after `timeout` s)."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the node did not end within {timeout} s:\n{self.log}") from None

    def kill(self) -> None:
        """End the process hard and remove the shared memory that it had no time to remove."""
        held = shared_memory_of(self.process.pid)
        self.process.kill()
        self.process.wait()
        for path in held:
            path.unlink(missing_ok=True)

    def _wait(self, seconds: float) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)


def shared_memory_of(pid: int) -> list[Path]:
    """Fast DDS segments that only this process has mapped."""

    def mapped(process: str) -> set[str]:
        with contextlib.suppress(OSError):
            return set(
                re.findall(r"/dev/shm/fastdds_\S+", Path(f"/proc/{process}/maps").read_text())
            )
        return set()

    mine = mapped(str(pid))
    others = [p.name for p in Path("/proc").iterdir() if p.name.isdigit() and int(p.name) != pid]
    for other in others if mine else ():
        mine -= mapped(other)
    return [Path(path) for path in sorted(mine)]


@contextlib.contextmanager
def running(module: str, *args: Any, **kwargs: Any) -> Iterator[NodeProcess]:
    """Yield a NodeProcess that is gone at the end of the block, whatever happens in it."""
    node = NodeProcess(module, *args, **kwargs)
    try:
        yield node
    finally:
        if node.process.poll() is None:
            node.process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                node.process.wait(PATIENCE)
        if node.process.poll() is None:
            node.kill()
