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

"""/diagnostics: how the node is, with reasons, and every number it keeps about itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from zeroco_ros.ros.diagnostics_table import MODEL
from zeroco_ros.ros.metrics import Metrics

Complaint = tuple[bytes, str]  # level and reason
OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


@dataclass
class Condition:
    """
    What the node knows about itself beside its metrics, at the moment of a report.

    state: lifecycle label. clock_silent: use_sim_time without /clock. input_timeout: seconds.
    incompatible: the last QoS complaint. topics: input -> its number of publishers.
    cameras: the topics among them that bring images.
    listening_for: seconds since the inputs were subscribed, None while nobody wants them.
    wanted: outputs that somebody listens to.
    queue: items that wait for the worker. waiting: all items in the node, also those worked on.
    model: keys of diagnostics_table.MODEL; empty while unconfigured.
    complaints: what else is wrong while it is active. facts: what else it shows.
    doing: what takes long while it configures. gave_up: why it deactivated itself. trouble: why
    the network that was asked for does not serve. All "" where it does not apply.
    """

    state: str
    configure_error: str
    clock_silent: bool
    input_timeout: float
    incompatible: str
    topics: Mapping[str, int]
    cameras: Collection[str]
    listening_for: float | None
    wanted: Collection[str]
    queue: int
    waiting: int
    model: Mapping[str, str]
    complaints: Sequence[Complaint] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    doing: str = ""
    gave_up: str = ""
    trouble: str = ""


def assess(condition: Condition, metrics: Metrics) -> tuple[bytes, str]:
    """Level and message: the worst level, the reasons in words."""
    reasons: list[Complaint] = []
    if condition.clock_silent:
        reasons.append((WARN, "use_sim_time is set and /clock is silent"))
    if condition.gave_up:
        reasons.append((ERROR, f"deactivated: {condition.gave_up}"))
    if condition.trouble:
        reasons.append((ERROR, condition.trouble))
    if condition.state == "unconfigured":
        if condition.doing:
            reasons.append((WARN, f"configuring: {condition.doing}"))
        elif condition.configure_error:
            reasons.append((ERROR, f"not configured: {condition.configure_error}"))
        else:
            reasons.append((WARN, "unconfigured"))
    elif condition.state == "active":
        reasons += [*_stream_reasons(condition, metrics), *condition.complaints]
    if not reasons:
        if condition.state != "active":
            return OK, condition.state
        idle = condition.listening_for is None
        return OK, "idle: nobody subscribes to an output" if idle else "running"
    return max(level for level, _text in reasons), "; ".join(text for _level, text in reasons)


def _stream_reasons(condition: Condition, metrics: Metrics) -> list[Complaint]:
    recent = metrics.recent()
    reasons: list[Complaint] = []
    if recent["failed"] or recent["non_finite"]:
        count = recent["failed"] + recent["non_finite"]
        reasons.append((ERROR, f"{count} results failed lately: {metrics.last_error}"))
    if recent["faults"]:
        text = f"{recent['faults']} unexpected errors lately"
        reasons.append((ERROR, f"{text}: {metrics.last_error}"))
    if recent["refused"]:
        level = ERROR if recent["refused"] >= recent["in"] else WARN
        text = f"{recent['refused']} of {recent['in']} images refused lately"
        reasons.append((level, f"{text}: {metrics.last_error}"))
    silent = _silence(condition, metrics)
    if silent:
        reasons.append((WARN, silent))
    if condition.incompatible and (silent or recent["incompatible_qos"]):
        reasons.append((WARN, f"incompatible QoS: {condition.incompatible}"))
    if recent["dropped"] > recent["out"] > 0:
        text = f"too slow for the input: {recent['dropped']} of {recent['paired']} frames dropped"
        reasons.append((WARN, text))
    return reasons


def _silence(condition: Condition, metrics: Metrics) -> str:
    """Words for an input that is wanted and does not come; empty when all is well."""
    if condition.listening_for is None:
        return ""
    age = metrics.input_rate.age
    waited = condition.listening_for if age is None else min(age, condition.listening_for)
    if waited < condition.input_timeout:
        return ""
    topics = ", ".join(
        f"{name} ({count} publishers)"
        for name, count in condition.topics.items()
        if name in condition.cameras
    )
    return f"no image for {waited:.0f} s on {topics}"


class DiagnosticsTopic:
    """Publishes one DiagnosticStatus of this node on /diagnostics."""

    def __init__(self, node: Node, task: str, metrics: Metrics) -> None:
        self._node = node
        self._task = task
        self._metrics = metrics
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)

    def publish(self, condition: Condition) -> None:
        """Publish the condition and all metrics, stamped with the node's clock."""
        level, message = assess(condition, self._metrics)
        name = self._node.get_fully_qualified_name().lstrip("/")
        status = DiagnosticStatus(
            level=level,
            name=f"{name}: {self._task}",
            message=message,
            hardware_id=condition.model.get("device", "none"),
            values=[KeyValue(key=k, value=v) for k, v in self._values(condition).items()],
        )
        array = DiagnosticArray(status=[status])
        array.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(array)

    def _values(self, condition: Condition) -> dict[str, str]:
        metrics = self._metrics
        latency = metrics.latency.summary()
        milliseconds = ["", ""] if latency is None else [f"{1e3 * s:.1f}" for s in latency]
        return {
            "state": condition.state,
            "input topics": ", ".join(condition.topics),
            "subscribed outputs": ", ".join(sorted(condition.wanted)),
            "input rate (Hz)": f"{metrics.input_rate.hz:.2f}",
            "output rate (Hz)": f"{metrics.output_rate.hz:.2f}",
            "latency median (ms)": milliseconds[0],
            "latency 95 % (ms)": milliseconds[1],
            "queue": str(condition.queue),
            "waiting": str(condition.waiting),
            **{name: str(count) for name, count in metrics.counts().items()},
            **{name: condition.model.get(name, "") for name in MODEL},
            **condition.facts,
            "last error": metrics.last_error,
        }
