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

"""
ManagedNode: what every node of this package is, whatever it computes.

configure loads the model, activate subscribes, deactivate and cleanup undo both. Callbacks run in
the executor's thread (checks and pairing, all short), the work is done on one worker thread. What
a configured node consists of is its `Pipeline`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
import functools
from typing import Any, ClassVar

from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from zeroco_ros.errors import ZerocoError
from zeroco_ros.ros.autostart import Autostart
from zeroco_ros.ros.diagnostics import Condition, DiagnosticsTopic
from zeroco_ros.ros.journal import Journal
from zeroco_ros.ros.metrics import COUNTERS, ENDS, Metrics
from zeroco_ros.ros.model import free_memory
from zeroco_ros.ros.parameter_server import ParameterServer
from zeroco_ros.ros.parameter_table import ParameterTable
from zeroco_ros.ros.pipeline import Pipeline

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE
POLL = 0.2  # seconds between looks at who subscribes, where no event tells

Transition = Callable[["ManagedNode", LifecycleState], TransitionCallbackReturn]


def _told(transition: Transition) -> Transition:
    """Log an exception, which rclpy turns into the error transition without a word."""

    @functools.wraps(transition)
    def wrapped(node: ManagedNode, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            return transition(node, state)
        except Exception as error:
            node.journal.fault(transition.__name__, error)
            raise

    return wrapped


def _guarded(callback: Callable[..., None]) -> Callable[..., None]:
    """Never an exception out of a callback: the node goes on, and says what happened."""

    @functools.wraps(callback)
    def wrapped(node: ManagedNode, *arguments: Any) -> None:
        try:
            callback(node, *arguments)
        except Exception as error:
            node.journal.fault(callback.__name__.strip("_"), error)

    return wrapped


class ManagedNode(LifecycleNode):
    """
    See the module. Raises ConfigError when a parameter given at start is not allowed.

    A node names its TASK (diagnostics show it), its parameter TABLE, its COUNTERS with what they
    count, and of those its ENDS: with temporal pairs `in` is their sum and what waits; FACTS: what
    else diagnostics show, with its meaning. It builds its pipeline.

    state: the lifecycle label. finished: shut down, nothing is left to spin for. loading: inside
    configure, where a signal may interrupt. stopping: set from outside when the process ends.
    fatal: why the process must end with an error, "" while it need not.
    """

    TASK: ClassVar[str]
    TABLE: ClassVar[ParameterTable]
    COUNTERS: ClassVar[Mapping[str, str]] = COUNTERS
    ENDS: ClassVar[tuple[str, ...]] = ENDS
    FACTS: ClassVar[Mapping[str, str]] = {}

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        self.state = "unconfigured"
        self.finished = self.loading = self.stopping = False
        self.metrics = Metrics(self.COUNTERS)
        self.journal = Journal(self.get_logger(), self.metrics)
        self._pipeline: Pipeline[Any] | None = None
        self._configure_error = self._doing = self._gave_up = self.fatal = ""
        self._surrender = ""  # set by the worker: why it wants to be deactivated
        self.parameters = ParameterServer(
            self, self.TABLE, state=lambda: self.state, applied=self._parameters_changed
        )
        for line in self.parameters.unknown_names():
            self.get_logger().warning(line)
        self._diagnostics = DiagnosticsTopic(self, self.TASK, self.metrics)
        steady = Clock(clock_type=ClockType.STEADY_TIME)  # timers that /clock cannot stop
        period = float(self.parameters.values["diagnostics_period"])
        self.create_timer(period, self._report, clock=steady)
        self.create_timer(POLL, self._poll, clock=steady)
        if self.parameters.values["autostart"]:
            Autostart(self)

    def build_pipeline(self) -> Pipeline[Any]:
        """
        Return the configured half of the node.

        Raises ZerocoError, and leaves nothing behind then.
        """
        raise NotImplementedError

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model, prepare the topics; FAILURE with one line that says what to do."""
        self._configure_error = self._gave_up = ""
        self.loading = True
        if self.stopping:  # the signal came before it could interrupt
            self.loading = False
            return FAILURE
        try:
            self.get_logger().info(f"loading weights '{self.parameters.values['weights']}'")
            self._pipeline = self.build_pipeline()
        except Exception as error:
            if not self.stopping:
                self._explain(error)
            return FAILURE
        finally:
            self.loading, self._doing = False, ""
        self.state = "inactive"
        topics = ", ".join(self._pipeline.topics)
        self.get_logger().info(f"configured: {self._pipeline.model.summary}; input {topics}")
        for warning in self._pipeline.model.warnings:
            self.get_logger().warning(warning)
        return super().on_configure(state)

    @_told
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start working; the inputs are subscribed as soon as somebody listens."""
        result = super().on_activate(state)
        self._surrender = self._gave_up = ""
        self._pipeline.start()
        self.state = "active"
        return result

    @_told
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and stop after the inference under way."""
        self._pipeline.stop()
        self.state = "inactive"
        return super().on_deactivate(state)

    @_told
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release topics, model and memory."""
        result = super().on_cleanup(state)
        self._release()
        free_memory()
        self.state = "unconfigured"
        return result

    @_told
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything, from any state; the process then ends."""
        result = super().on_shutdown(state)
        self.close()
        return result

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """After a transition that raised: release everything; the node is unconfigured again."""
        self._release()
        self.state = "unconfigured"
        return SUCCESS

    def close(self) -> None:
        """Stop after the inference under way and release everything. Safe to repeat."""
        self._release()
        self.state = "finalized"
        self.finished = True

    def _release(self) -> None:
        if self._pipeline is not None:
            self._pipeline.close()
            self._pipeline = None

    def _explain(self, error: Exception) -> None:
        known = isinstance(error, ZerocoError)
        self._configure_error = str(error) if known else f"{type(error).__name__}: {error}"
        self.metrics.last_error = self._configure_error
        self.get_logger().error(f"cannot configure: {self._configure_error}")

    def progress(self, line: str) -> None:
        """Say what takes long while configuring, in the log and, at once, on /diagnostics."""
        self._doing = line
        self.get_logger().info(line)
        self._report()

    def give_up(self, reason: str) -> None:
        """Deactivate soon; called from any thread."""
        self._surrender = self._surrender or reason

    def die(self, reason: str) -> None:
        """End the process soon, with exit code 1; called from any thread."""
        if not self.fatal:
            self.fatal = reason
            self.get_logger().fatal(f"this process cannot go on: {reason}")

    @_guarded
    def _poll(self) -> None:
        if self._surrender and self.state == "active":
            self._gave_up, self._surrender = self._surrender, ""
            self.journal.error("give up", f"deactivating: {self._gave_up}")
            self.trigger_deactivate()
        if self._pipeline is not None:
            self._pipeline.poll()

    @_guarded
    def _parameters_changed(self, names: set[str]) -> None:
        values = self.parameters.values
        if self._pipeline is not None:
            self._pipeline.reconfigure(values)
        shown = ", ".join(f"{name} = {values[name]}" for name in sorted(names))
        self.get_logger().info(f"parameters changed: {shown}")

    @_guarded
    def _report(self) -> None:
        clock = self.get_clock()
        silent = clock.ros_time_is_active and clock.now().nanoseconds == 0
        pipeline = self._pipeline
        self._diagnostics.publish(
            Condition(
                state=self.state,
                configure_error=self._configure_error,
                clock_silent=silent,
                input_timeout=float(self.parameters.values["input_timeout"]),
                incompatible=self.journal.incompatible_text,
                topics=pipeline.topics if pipeline else {},
                cameras=pipeline.cameras if pipeline else (),
                listening_for=pipeline.listening_for if pipeline else None,
                wanted=pipeline.wanted if pipeline else (),
                queue=pipeline.queue if pipeline else 0,
                waiting=pipeline.waiting if pipeline else 0,
                model=pipeline.model.facts if pipeline else {},
                complaints=pipeline.complaints() if pipeline else (),
                facts={**dict.fromkeys(self.FACTS, ""), **(pipeline.facts() if pipeline else {})},
                doing=self._doing,
                gave_up=self._gave_up,
                trouble=pipeline.model.trouble if pipeline else "",
            )
        )
