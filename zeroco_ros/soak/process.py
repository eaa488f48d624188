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
from typing import Any

from zeroco_ros.ros.child_node import ChildNode
from zeroco_ros.soak.subject import Subject

STOP_PATIENCE = 60.0  # seconds for the inference under way, on a busy machine


class NodeUnderTest(ChildNode):
    """A running node, whose diagnostics are in its namespace; see `ChildNode`."""

    def __init__(
        self, subject: Subject, namespace: str, parameters: Mapping[str, Any], log: Path
    ) -> None:
        remap = {"/diagnostics": f"{namespace}/diagnostics"}
        super().__init__(subject.module, namespace, remap, parameters, log, STOP_PATIENCE)

    @property
    def ended(self) -> str:
        """Say how it ended, or nothing while it runs."""
        code = self.exit_code
        if code is None:
            return ""
        lines = self.output.strip().splitlines()
        return f"the node ended with exit code {code}: {lines[-1] if lines else 'it said nothing'}"

    @property
    def traceback(self) -> str:
        """Return the last line of a traceback in its output, or nothing."""
        _, found, rest = self.output.partition("Traceback (most recent")
        last = next((line for line in rest.splitlines()[1:] if line and line[0] != " "), "")
        return f"a traceback in its output: {last}" if found else ""

    @property
    def megabytes(self) -> float:
        """Return the memory that it holds (resident), in MB of 2**20 bytes."""
        with contextlib.suppress(OSError):
            pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
        return 0.0
