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

"""A soak: traffic into a live node, watched all the while."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
import dataclasses
import hashlib
from itertools import pairwise
import os
from pathlib import Path
import time
from typing import Any

from sensor_msgs.msg import Image

from zeroco_ros.errors import BackendError
from zeroco_ros.ros.interrupt import terminated_as_interrupted
from zeroco_ros.ros.managed_node import ManagedNode
from zeroco_ros.soak.actor import Actor, Patience
from zeroco_ros.soak.live import Broken, DEPTH, Live, pixels_of
from zeroco_ros.soak.process import NodeUnderTest
from zeroco_ros.soak.report import SoakReport
from zeroco_ros.soak.steps import Picture, SECOND
from zeroco_ros.soak.subject import Subject, SUBJECTS
from zeroco_ros.soak.traffic import Traffic
from zeroco_ros.soak.watch import Books, Limits, Memory, Outputs, Violation

ENOUGH = 5  # violations after which a soak ends
TOLD = 1000  # images between lines of progress


@dataclasses.dataclass(frozen=True)
class SoakOptions:
    """
    What to soak. frames: images to send. size: (height, width) of most of them.

    parameters: of the node. out: folder for the report and the node's console output. patience:
    seconds for whatever the node has to do, its start apart. say: called with a line of progress.
    """

    node: str
    frames: int
    seed: int
    out: Path
    size: tuple[int, int] = (96, 128)
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    limits: Limits = dataclasses.field(default_factory=Limits)
    patience: float = 60.0
    start_patience: float = 300.0
    say: Callable[[str], None] = lambda _line: None


def run_soak(options: SoakOptions) -> SoakReport:
    """
    Soak a node and write OUT/soak.json; the report says whether everything held.

    Raises BackendError where the node does not start.
    """
    options.out.mkdir(parents=True, exist_ok=True)
    with terminated_as_interrupted():
        soak = _Soak(options)
        try:
            soak.run()
        finally:
            report = soak.close()
    report.save(options.out / "soak.json")
    return report


def _node_class(subject: Subject) -> type[ManagedNode]:
    if subject.calibrated:
        from zeroco_ros.ros.depth.node import DepthNode

        return DepthNode
    from zeroco_ros.ros.flow.node import FlowNode

    return FlowNode


class _Soak:
    """One run; `run`, then `close`, which returns the report."""

    def __init__(self, options: SoakOptions) -> None:
        self._options = options
        self._subject = SUBJECTS[options.node]
        node = _node_class(self._subject)
        self._outputs, self._memory = Outputs(), Memory()
        self._books = Books(self._subject, node.COUNTERS, node.ENDS)
        self._traffic = Traffic(self._subject, options.seed, options.size)
        self._violations: list[Violation] = []
        self._acts: Counter[str] = Counter()
        self._digest = hashlib.sha256()
        self._step, self._act = 0, "start"
        self._began = time.monotonic()
        self._exit_code: int | None = None
        space = f"/soak_{os.getpid()}"
        self._path = f"{space}/{self._subject.name}"
        self._live = Live(self._path, self._on_result, self._on_report)
        self._live.check = self._check_alive
        log = options.out / "node.log"
        self._process = NodeUnderTest(self._subject, space, self._parameters(space), log)
        patience = Patience(options.patience, options.start_patience)
        self._actor = Actor(
            self._live, self._books, self._outputs, options.seed, options.size, patience
        )
        self._actor.violate = self._violate

    def _parameters(self, space: str) -> dict[str, Any]:
        """Return what the node is started with; nothing that it listens to may get lost."""
        values: dict[str, Any] = {name: some[0] for name, some in self._subject.live.items()}
        for topic in ("image", "camera_info")[: 1 + self._subject.calibrated]:
            values[f"qos_overrides.{space}/{topic}.subscription.reliability"] = "reliable"
            values[f"qos_overrides.{space}/{topic}.subscription.depth"] = DEPTH
        return {**values, **self._options.parameters}

    def run(self) -> None:
        """Send everything; ends early after ENOUGH violations, or one that nothing can follow."""
        self._wait_for_the_node()
        self._began = time.monotonic()
        try:
            for act, step in self._traffic.frames(self._options.frames):
                self._act = act
                self._step += 1
                self._acts[self._act] += isinstance(step, Picture)
                self._digest.update(repr(step).encode())
                self._actor.do(step, quick=act == "burst")
                self._say_how_far(step)
                if len(self._violations) >= ENOUGH:
                    return
        except Broken as error:
            if len(self._violations) < ENOUGH:
                self._violate(str(error))

    def _say_how_far(self, step: object) -> None:
        sent = self._actor.sent
        if isinstance(step, Picture) and sent % TOLD == 0:
            rate = sent / (time.monotonic() - self._began)
            held = self._process.megabytes
            self._options.say(f"{sent} images, {rate:.0f} per second, {held:.0f} MB")

    def _wait_for_the_node(self) -> None:
        """Until it is active. Raises BackendError, with its own words, where it does not start."""

        def started() -> bool:
            told = self._live.told
            if told.get("state") == "unconfigured" and told["level"] == "2":
                raise BackendError(f"{self._subject.name}: {told['message']}")
            return told.get("state") == "active"

        try:
            self._live.wait(started, "it to become active", self._options.start_patience)
        except Broken as error:
            raise BackendError(f"{self._subject.name}: {error} ({self._process.log})") from error

    def close(self) -> SoakReport:
        """End the node and everything else; the report."""
        seconds = time.monotonic() - self._began
        finished = not self._process.ended
        self._exit_code = self._process.stop()
        if finished and self._exit_code != 0:
            self._violate(f"exit code {self._exit_code} at the end, after SIGINT")
        if self._process.traceback:
            self._violate(self._process.traceback)
        for text in self._memory.faults(self._options.limits) + self._late_diagnostics():
            self._violate(text)
        self._live.close()
        return SoakReport(
            node=self._options.node,
            seed=self._options.seed,
            frames=self._options.frames,
            sent=self._actor.sent,
            taken=self._books.expected,
            camera_infos=self._actor.infos,
            steps=self._step,
            traffic_sha256=self._digest.hexdigest(),
            seconds=seconds,
            parameters=dict(self._options.parameters),
            size=self._options.size,
            acts=dict(self._acts),
            counters={name: int(self._live.told.get(name, 0)) for name in self._books.counters},
            results=self._outputs.received,
            memory=self._memory.summary(self._options.limits),
            diagnostics=self._periods(),
            node_facts=self._facts(),
            exit_code=self._exit_code,
            violations=tuple(self._violations),
        )

    def _facts(self) -> dict[str, str]:
        names = ("backend", "device", "precision", "model", "engine")
        names += ("latency median (ms)", "latency 95 % (ms)", "last error")
        return {name: self._live.told.get(name, "") for name in names}

    def _periods(self) -> dict[str, float]:
        heard = self._live.heard
        between = sorted(b - a for a, b in pairwise(heard))
        if not between:
            return {"count": len(heard)}
        return {
            "count": len(heard),
            "median_period_s": between[len(between) // 2],
            "longest_period_s": between[-1],
        }

    def _late_diagnostics(self) -> list[str]:
        period = float(self._options.parameters.get("diagnostics_period", 1.0))
        found = self._periods().get("median_period_s", period)
        if found <= self._options.limits.period * period:
            return []
        return [f"diagnostics come every {found:.2f} s, they should every {period:g} s"]

    def _violate(self, what: str) -> None:
        self._violations.append(Violation(self._step, self._act, what))
        self._options.say(f"step {self._step} ({self._act}): {what}")

    def _check_alive(self) -> None:
        """Raise Broken where waiting makes no sense any more."""
        if self._process.ended:
            raise Broken(self._process.ended)
        if len(self._violations) >= ENOUGH:
            raise Broken("enough")

    def _on_result(self, output: str, message: Image) -> None:
        stamp = message.header.stamp.sec * SECOND + message.header.stamp.nanosec
        size = (message.height, message.width)
        frame_id, pixels = message.header.frame_id, pixels_of(message)
        for text in self._outputs.faults(output, stamp, frame_id, size, pixels):
            self._violate(text)

    def _on_report(self) -> None:
        self._memory.samples.append((self._actor.sent, self._process.megabytes))
        told = self._live.told
        counts = {name: int(told[name]) for name in self._books.counters}
        for text in self._books.faults(counts, int(told["queue"])):
            self._violate(text)
