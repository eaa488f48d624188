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
from pathlib import Path
import re
from types import TracebackType

from zeroco_ros.demo.nodes import NAMESPACE, NodeSpec
from zeroco_ros.errors import BackendError
from zeroco_ros.ros.child_node import ChildNode

STOP_PATIENCE = 15.0  # seconds for the inference under way
_CONFIGURED = re.compile(r"configured: (.*?)(?:; input|$)", re.MULTILINE)
_LEVEL = re.compile(r"\[(WARN|ERROR|FATAL)\](?: \[[\d.]+\])?(?: \[[^\]]*\])?:? ?(.*)")


class NodeProcess(ChildNode):
    """
    A running node; a context manager that ends it.

    spec: which one. remap, parameters, log: see `ChildNode`.
    """

    def __init__(
        self,
        spec: NodeSpec,
        remap: Mapping[str, str],
        parameters: Mapping[str, object],
        log: Path,
    ) -> None:
        super().__init__(spec.module, NAMESPACE, remap, parameters, log, STOP_PATIENCE)
        self.name = spec.name

    @property
    def complaints(self) -> list[str]:
        """Warnings and errors that the node has printed so far, one line each."""
        return [match[2].strip() for match in _LEVEL.finditer(self.output)]

    @property
    def model(self) -> str:
        """
        Return what the node says it runs: file, hash, device, precision.

        "" if it said nothing.
        """
        match = _CONFIGURED.search(self.output)
        return match[1].strip() if match else ""

    def check(self) -> None:
        """Raise BackendError, with the node's own words, where it ended or cannot start."""
        code = self.exit_code
        if code is not None:
            raise BackendError(f"{self.name} ended with exit code {code}: {self._last_words()}")
        for line in self.complaints:
            if line.startswith("cannot configure: "):
                raise BackendError(f"{self.name} {line}")

    def _last_words(self) -> str:
        lines = self.output.strip().splitlines()
        said = self.complaints or [line for line in lines if line.strip()]
        return f"{said[-1] if said else 'it said nothing'} (all of it: {self.log})"

    def __enter__(self) -> NodeProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
