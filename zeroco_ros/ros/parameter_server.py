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
A parameter table as ROS parameters: declared, described, enforced.

Two callbacks, kept apart: one refuses (with the reason and the range, before anything changes),
the other applies what was accepted.
"""

from __future__ import annotations

from collections.abc import Callable
import difflib
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

from zeroco_ros.errors import ConfigError
from zeroco_ros.ros.parameter_spec import ParameterSpec, Value
from zeroco_ros.ros.parameter_table import ParameterTable, when_text

FOREIGN = ("use_sim_time", "qos_overrides.", "start_type_description_service")


class ParameterServer:
    """
    Declares every parameter of `table` on `node` and keeps `values` up to date.

    state: returns the lifecycle state's label, for parameters that may change only while the
    node is unconfigured. applied: called with the names that changed, after the change.
    Raises ConfigError when a value given at start (command line, YAML) is not allowed.
    """

    def __init__(
        self,
        node: Node,
        table: ParameterTable,
        *,
        state: Callable[[], str],
        applied: Callable[[set[str]], None],
    ) -> None:
        self._node = node
        self._table = table
        self._state = state
        self._applied = applied
        self.values: dict[str, Value] = {spec.name: self._declare(spec) for spec in table}
        reason = self._table.refusal(self.values)
        if reason is not None:
            raise ConfigError(reason)
        node.add_on_set_parameters_callback(self._refuse)
        if hasattr(node, "add_post_set_parameters_callback"):
            node.add_post_set_parameters_callback(self._apply)
            self._apply_later = None
        else:  # Humble: apply once the set call has ended
            self._apply_later = _OneShot(node)

    def _declare(self, spec: ParameterSpec) -> Value:
        try:
            self._node.declare_parameter(spec.name, spec.default, descriptor(spec))
        except InvalidParameterValueException as error:
            given = self._given_at_start().get(spec.name)
            reason = None if given is None else spec.refusal(given.value)
            raise ConfigError(reason or f"parameter {spec.name}: {error}") from error
        return self._node.get_parameter(spec.name).value

    def unknown_names(self) -> list[str]:
        """One line for each parameter given at start that this node does not have."""
        lines = []
        for name in self._given_at_start():
            if name in self._table or name.startswith(FOREIGN) or self._node.has_parameter(name):
                continue
            close = difflib.get_close_matches(name, self._table.specs, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            lines.append(f"parameter {name} is unknown and ignored{hint}")
        return lines

    def _given_at_start(self) -> dict[str, Parameter]:
        """Command line and parameter files; rclpy offers no public way to ask."""
        return getattr(self._node, "_parameter_overrides", {})

    def _refuse(self, changes: list[Parameter]) -> SetParametersResult:
        """Say no with the reason, or yes; rclpy calls it before anything is set."""
        ours = {change.name: change.value for change in changes if change.name in self._table}
        reason = self._wrong_time(ours) or self._table.refusal({**self.values, **ours})
        if reason is not None:
            self._node.get_logger().warning(f"refused: {reason}")
            return SetParametersResult(successful=False, reason=reason)
        if ours and self._apply_later is not None:
            self._apply_later(lambda: self._apply(changes))
        return SetParametersResult(successful=True)

    def _wrong_time(self, changes: dict[str, Any]) -> str | None:
        state = self._state()
        for name in changes:
            if self._table[name].changeable == "configure" and state != "unconfigured":
                return (
                    f"parameter {name} may change only while the node is unconfigured and it is "
                    f"{state}: deactivate and clean up first"
                )
        return None

    def _apply(self, changes: list[Parameter]) -> None:
        """Take over what was changed; rclpy calls it after the change."""
        ours = {change.name: change.value for change in changes if change.name in self._table}
        changed = {name for name, value in ours.items() if value != self.values[name]}
        self.values = {**self.values, **ours}
        if changed:
            self._applied(changed)


class _OneShot:
    """Runs a function once, when the executor comes round again, whatever /clock does."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._clock = Clock(clock_type=ClockType.STEADY_TIME)

    def __call__(self, function: Callable[[], None]) -> None:
        def fire() -> None:
            self._node.destroy_timer(timer)
            function()

        timer = self._node.create_timer(0.0, fire, clock=self._clock)


def descriptor(spec: ParameterSpec) -> ParameterDescriptor:
    """
    Return the table's row as ROS describes parameters.

    Typed dynamically on purpose: rclpy would refuse a wrong type with the numbers of the types,
    without name or range; `ParameterSpec.refusal` refuses it with both.
    """
    description = ParameterDescriptor(
        dynamic_typing=True,
        description=spec.description,
        additional_constraints=f"{spec.allowed_text}; may change {when_text(spec)}",
        read_only=spec.changeable == "start",
    )
    if spec.minimum is None or spec.maximum is None:
        return description
    if isinstance(spec.default, float):
        span = FloatingPointRange(from_value=float(spec.minimum), to_value=float(spec.maximum))
        description.floating_point_range = [span]
    else:
        steps = IntegerRange(from_value=int(spec.minimum), to_value=int(spec.maximum), step=1)
        description.integer_range = [steps]
    return description
