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

"""What turns a `launch_plan.Plan` into actions of the launch system. Needs launch, launch_ros."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from zeroco_ros.ros.launch_plan import CommandStart, NodeStart, Plan, RESPAWN_DELAY
from zeroco_ros.ros.launch_tables import Argument


def description(arguments: Iterable[Argument], plan: Callable[[Mapping[str, str]], Plan]) -> Any:
    """
    Return the LaunchDescription of one launch file.

    arguments: what it declares; plan: makes of their values what is started.
    """
    from launch import LaunchDescription
    from launch.actions import DeclareLaunchArgument, OpaqueFunction

    names = [name for name, _default, _text in arguments]
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=text)
        for name, default, text in arguments
    ]

    def start(context: Any) -> list[Any]:
        from launch.substitutions import LaunchConfiguration

        values = {name: LaunchConfiguration(name).perform(context) for name in names}
        return actions(plan(values))

    return LaunchDescription([*declared, OpaqueFunction(function=start)])


def actions(plan: Plan) -> list[Any]:
    """Return the actions of a plan, each with what its end brings about."""
    made: list[Any] = []
    for node in plan.nodes:
        action = _node(node)
        made += [action, *_at_end(action, 0.0 if node.essential else None, node.executable)]
    for command in plan.commands:
        action = _command(command)
        wait = 0.0 if command.essential else command.then_end
        made += [action, *_at_end(action, wait, command.name)]
    return made


def _node(start: NodeStart) -> Any:
    from launch_ros.actions import Node
    from launch_ros.parameter_descriptions import ParameterValue

    def exact(value: Any) -> Any:  # launch_ros would read a text such as "1" or "no" as YAML
        return ParameterValue(value, value_type=str) if isinstance(value, str) else value

    parameters = [
        part if isinstance(part, str) else {name: exact(v) for name, v in part.items()}
        for part in start.parameters
    ]
    level = ["--log-level", start.log_level] if start.log_level else []
    return Node(
        package=start.package,
        executable=start.executable,
        name=start.name or None,
        namespace=start.namespace,
        parameters=parameters,
        remappings=list(start.remaps),
        arguments=list(start.arguments),
        ros_arguments=level,
        output=start.output,
        emulate_tty=True,
        respawn=start.respawn,
        respawn_delay=RESPAWN_DELAY if start.respawn else None,
    )


def _command(start: CommandStart) -> Any:
    from launch.actions import ExecuteProcess

    return ExecuteProcess(cmd=list(start.command), output="screen", name=start.name)


def _at_end(action: Any, seconds: float | None, name: str) -> list[Any]:
    """Return what ends the launch so many seconds after a process has ended; None leaves it."""
    if seconds is None:
        return []
    from launch.actions import EmitEvent, RegisterEventHandler, TimerAction
    from launch.event_handlers import OnProcessExit
    from launch.events import Shutdown

    end = EmitEvent(event=Shutdown(reason=f"{name} has ended"))
    then = TimerAction(period=seconds, actions=[end]) if seconds else end
    return [RegisterEventHandler(OnProcessExit(target_action=action, on_exit=[then]))]
