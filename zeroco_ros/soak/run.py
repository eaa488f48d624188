"""A soak: traffic into a live node, watched all the while."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from sensor_msgs.msg import Image

from zeroco_ros.errors import BackendError
from zeroco_ros.ros.managed_node import ManagedNode
from zeroco_ros.soak import messages
from zeroco_ros.soak.live import DEPTH, Broken, Live, pixels_of
from zeroco_ros.soak.pictures import Painter
from zeroco_ros.soak.process import NodeUnderTest
from zeroco_ros.soak.report import SoakReport
from zeroco_ros.soak.steps import (
    Audience,
    Calibration,
    Misfit,
    Pause,
    Picture,
    Setting,
    Settle,
    SlowConsumer,
    Step,
    Transition,
)
from zeroco_ros.soak.subject import SUBJECTS, Subject
from zeroco_ros.soak.traffic import Traffic
from zeroco_ros.soak.watch import Books, Limits, Memory, Outputs, Violation

WINDOW = 200  # images under way at most: the topics keep DEPTH
ENOUGH = 5  # violations after which a soak ends
PACE = 1 / 150  # seconds between images, outside of a burst


@dataclasses.dataclass(frozen=True)
class SoakOptions:
    """What to soak. frames: images to send. size: (height, width) of most of them.

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
    """Soak a node and write OUT/soak.json; the report says whether everything held.

    Raises BackendError where the node does not start.
    """
    options.out.mkdir(parents=True, exist_ok=True)
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
        self._counters = tuple(node.COUNTERS)
        self._outputs, self._memory = Outputs(), Memory()
        self._books = Books(self._subject, node.ENDS)
        self._traffic = Traffic(self._subject, options.seed, options.size)
        self._painter = Painter(options.seed)
        self._violations: list[Violation] = []
        self._acts: Counter[str] = Counter()
        self._digest = hashlib.sha256()
        self._step, self._act = 0, "start"
        self._sent = self._infos = 0
        self._active = True
        self._audience: tuple[str, ...] = ()
        self._began = time.monotonic()
        self._exit_code: int | None = None
        space = f"/soak_{os.getpid()}"
        self._path = f"{space}/{self._subject.name}"
        self._live = Live(self._path, self._on_result, self._on_report)
        self._live.check = self._check_alive
        log = options.out / "node.log"
        self._process = NodeUnderTest(self._subject, space, self._parameters(space), log)

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
                self._do(step)
                if len(self._violations) >= ENOUGH:
                    return
        except Broken as error:
            self._violate(str(error))

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
            sent=self._sent,
            taken=self._books.expected,
            camera_infos=self._infos,
            steps=self._step,
            traffic_sha256=self._digest.hexdigest(),
            seconds=seconds,
            parameters=dict(self._options.parameters),
            size=self._options.size,
            acts=dict(self._acts),
            counters={name: int(self._live.told.get(name, 0)) for name in self._counters},
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
        if self._process.ended:
            raise Broken(self._process.ended)

    def _on_result(self, output: str, message: Image) -> None:
        stamp = message.header.stamp.sec * messages.NANOSECONDS + message.header.stamp.nanosec
        size = (message.height, message.width)
        frame_id, pixels = message.header.frame_id, pixels_of(message)
        for text in self._outputs.faults(output, stamp, frame_id, size, pixels):
            self._violate(text)

    def _on_report(self) -> None:
        self._memory.samples.append((self._sent, self._process.megabytes))
        told = self._live.told
        counts = {name: int(told[name]) for name in self._counters}
        for text in self._books.faults(counts, int(told["queue"])):
            self._violate(text)

    def _do(self, step: Step) -> None:
        match step:
            case Picture():
                self._show(step)
            case Calibration(kind):
                self._infos += 1
                self._live.info.publish(messages.camera_info(kind, self._options.size))
                self._live.spin()
            case Setting():
                self._set(step)
            case Transition():
                self._ask_for(step)
            case Audience(outputs):
                self._gather(outputs)
            case SlowConsumer(there):
                self._live.slow_consumer(self._topic(self._subject.outputs[0]), there)
            case Misfit(there):
                self._live.misfit(there)
            case Pause(seconds):
                self._live.spin(seconds)
            case Settle():
                self._settle()

    def _show(self, picture: Picture) -> None:
        self._outputs.sent(picture)
        self._sent += 1
        if self._listening:
            self._books.sent(picture)
        self._live.camera.publish(messages.image(picture, self._painter))
        self._live.spin(0.0 if self._act == "burst" else PACE)
        self._check_alive()
        under_way = lambda: self._books.expected - int(self._live.told["in"])  # noqa: E731
        if under_way() >= WINDOW:
            self._live.wait(
                lambda: under_way() < WINDOW, "images to be taken", self._options.patience
            )
        if self._sent % 1000 == 0:
            rate = self._sent / (time.monotonic() - self._began)
            memory = f"{self._memory.samples[-1][1]:.0f} MB" if self._memory.samples else ""
            self._options.say(f"{self._sent} images, {rate:.0f} per second, {memory}")

    @property
    def _listening(self) -> bool:
        """Whether the node must be subscribed to its camera."""
        return self._active and bool(self._audience)

    def _topic(self, output: str) -> str:
        return f"{self._path}/{output}"

    def _set(self, step: Setting) -> None:
        taken, reason = self._live.set_parameter(step.name, step.value, self._options.patience)
        if taken != step.allowed:
            verb = "refused" if step.allowed else "took"
            self._violate(f"the node {verb} {step.name} = {step.value!r}: {reason}")

    def _ask_for(self, step: Transition) -> None:
        done = self._live.transition(step.label, self._options.start_patience)
        if done != step.allowed:
            verb = "refused" if step.allowed else "did"
            self._violate(f"the node {verb} the transition {step.label}")
        elif done:
            self._active = step.label == "activate"
            self._wait_for_subscriptions()

    def _gather(self, outputs: tuple[str, ...]) -> None:
        self._audience = outputs
        self._live.listen(outputs, self._topic)
        self._wait_for_subscriptions()

    def _wait_for_subscriptions(self) -> None:
        """Until the node listens to its camera, or does not, as it must."""
        wanted = int(self._listening)
        topics = [self._live.camera] + [self._live.info] * self._subject.calibrated
        listened = ", ".join(sorted(self._audience))

        def there() -> bool:
            if any(topic.get_subscription_count() != wanted for topic in topics):
                return False
            told = self._live.told
            return not self._active or told.get("subscribed outputs") == listened

        verb = "listen" if wanted else "listen no more"
        self._live.wait(there, f"the node to {verb}", self._options.patience)

    def _settle(self) -> None:
        moment = time.monotonic()
        counts: dict[str, int] = {}

        def settled() -> bool:
            nonlocal counts
            if not self._live.report_after(moment):
                return False
            counts = {name: int(self._live.told[name]) for name in self._counters}
            return self._books.settled(counts, int(self._live.told["waiting"]))

        try:
            self._live.wait(settled, "the counters to add up", self._options.patience)
        except Broken as error:
            waiting = self._live.told.get("waiting", "?")
            raise Broken(f"{error}: {self._books.told(counts)}, waiting {waiting}") from error
