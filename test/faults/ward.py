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

"""A node that is configured anew for one fault of its network after another; see `faulty_node`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import os
from pathlib import Path
import re
import resource
from types import SimpleNamespace
from typing import Any

import faulty_node
import node_process
import node_scenes as scenes
from refusals import refusal
import ros_harness
from stage import CAMERA, Stage

HERE = Path(__file__).parent
HEALTHY = {
    "backend": "auto",
    "engine": "none",
    "check_engine": True,
    "engine_fallback": False,
    "build_engine": False,
    "max_non_finite": 5,
    "on_non_finite": "fallback",
}


class Ward:
    """One process, unconfigured between the tests; `stage` is its camera and audience."""

    def __init__(self, stage: Stage, weights: str, faults: Path) -> None:
        self.stage = stage
        self.healthy = {**HEALTHY, "weights": weights}
        faulty_node.FAULTS = faults
        self.faults()

    def faults(self, **faults: Any) -> None:
        """Set what goes wrong from now on, instead of what did so far."""
        faulty_node.tell(faults)

    def refusal(self, **values: Any) -> str:
        """Why the node does not configure with these parameters; see `refusals`."""
        stage = self.stage
        idle = SimpleNamespace(
            subject=stage.subject,
            node=stage.node,
            probe=stage.probe,
            diagnostics=stage.diagnostics,
        )
        reason = refusal(idle, **values)
        assert stage.node.process.poll() is None and "Traceback" not in stage.node.log
        return reason

    def admit(self, **values: Any) -> dict[str, str]:
        """Configure and activate it with these parameters, and listen; its diagnostics then."""
        self.configure(**values)
        assert scenes.transition(self.stage.probe, "activate", self.path), self.stage.node.log
        self.stage.open()
        return scenes.status(self.stage.diagnostics)

    def configure(self, **values: Any) -> None:
        """Configure it with these parameters."""
        self.set(**values)
        assert scenes.transition(self.stage.probe, "configure", self.path), self.stage.node.log

    def set(self, **values: Any) -> None:
        """Set parameters."""
        for name, value in values.items():
            answer = self.stage.set_parameter(name, value)
            assert answer.successful, answer.reason

    def discharge(self) -> None:
        """Whatever state it is in: back to unconfigured, with nothing wrong."""
        stage = self.stage
        if hasattr(stage, "results"):
            stage.results.destroy()
        state = scenes.state(stage.probe, self.path)
        steps = {"active": ("deactivate", "cleanup"), "inactive": ("cleanup",)}.get(state, ())
        for label in steps:
            assert scenes.transition(stage.probe, label, self.path), stage.node.log
        self.faults()
        self.set(**self.healthy)
        scenes.wait_status(stage.probe, stage.diagnostics, state="unconfigured")

    def wait(self, **expected: str) -> dict[str, str]:
        """Wait until diagnostics have these values."""
        return scenes.wait_status(self.stage.probe, self.stage.diagnostics, **expected)

    @contextmanager
    def little_memory(self, spare: int) -> Iterator[None]:
        """Keep the process from mapping more than `spare` bytes beside what it has."""
        pid = self.stage.node.process.pid
        status = Path(f"/proc/{pid}/status").read_text()
        used = 1024 * int(re.search(r"VmSize:\s+(\d+)", status)[1])
        before = resource.prlimit(pid, resource.RLIMIT_AS)
        resource.prlimit(pid, resource.RLIMIT_AS, (used + spare, before[1]))
        try:
            yield
        finally:
            resource.prlimit(pid, resource.RLIMIT_AS, before)

    @property
    def path(self) -> str:
        """Its name in the graph."""
        return self.stage.subject.path


@contextmanager
def node_with_stand_ins(
    subject: scenes.Subject, weights: str, faults: Path, **more: Any
) -> Iterator[node_process.NodeProcess]:
    """Yield a process of `faulty_node`, unconfigured unless `more` says otherwise."""
    # A small engine without a flow head serves both nodes; the depth node's head is another one.
    head = {"head": "none"} if subject is scenes.FLOW else {}
    values = scenes.parameters(weights, subject, **{**HEALTHY, "autostart": False, **head, **more})
    path = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    environment = {"FAULTY_NODE": subject.name, "FAULTS": str(faults), "PYTHONPATH": path}
    remap = {"image": CAMERA}
    values = {**scenes.lossless(remap, values), **values}
    with node_process.running("faulty_node", values, remap=remap, environment=environment) as node:
        yield node


@contextmanager
def ward_of(subject: scenes.Subject, weights: str, folder: Path) -> Iterator[Ward]:
    """Yield a ward; it must leave with exit code 0 if it is still there in the end."""
    faults = folder / f"{subject.name}.json"
    faults.write_text("{}")
    probe = ros_harness.Probe("ward")
    with node_with_stand_ins(subject, weights, faults) as node:
        ward = Ward(Stage(subject, node, probe), weights, faults)
        ward.wait(state="unconfigured")
        yield ward
        if node.process.poll() is None:
            assert node.stop() == 0
            assert "Traceback" not in node.log
    probe.close()
