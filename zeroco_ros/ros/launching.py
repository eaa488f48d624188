"""What the launch files do with their tables (`launch_tables`). Needs launch and launch_ros."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

from zeroco_ros.ros.launch_tables import LaunchTable

SWITCHES = ("use_sim_time", "rviz", "bag_loop")


def description(table: LaunchTable, share: Path) -> Any:
    """The LaunchDescription of one launch file. share: the folder that has config/."""
    from launch.actions import DeclareLaunchArgument, OpaqueFunction

    from launch import LaunchDescription

    declared = [
        DeclareLaunchArgument(name, default_value=default, description=text)
        for name, default, text in table.arguments
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=partial(_start, table, share))])


def _start(table: LaunchTable, share: Path, context: Any) -> list[Any]:
    """The processes that the arguments ask for."""
    from launch.substitutions import LaunchConfiguration

    value = {name: LaunchConfiguration(name).perform(context) for name, _, _ in table.arguments}
    for name in SWITCHES:
        if value[name] not in ("true", "false"):
            raise ValueError(f"argument {name} is '{value[name]}': use true or false")
    processes = [_node(table, share, value)]
    if value["rviz"] == "true":
        processes.append(_rviz(table, share, value))
    if value["bag"]:
        processes.append(_player(value))
    return processes


def _node(table: LaunchTable, share: Path, value: dict[str, str]) -> Any:
    """The node; arguments win over the parameter file."""
    from launch_ros.actions import Node

    chosen: dict[str, Any] = {name: value[name] for name in table.parameters if value[name]}
    chosen = {name: {"true": True, "false": False}.get(v, v) for name, v in chosen.items()}
    chosen["use_sim_time"] = value["use_sim_time"] == "true"
    return Node(
        package="zeroco_ros",
        executable=table.executable,
        name=value["name"],
        namespace=value["namespace"],
        parameters=[value["params_file"] or str(share / "config" / table.config), chosen],
        remappings=[(topic, value[name]) for topic, name in table.remaps.items() if value[name]],
        ros_arguments=["--log-level", value["log_level"]],
        output="both",
        emulate_tty=True,
    )


def _rviz(table: LaunchTable, share: Path, value: dict[str, str]) -> Any:
    """RViz, its displays remapped to this node's topics."""
    from launch_ros.actions import Node

    pair = value.get("pairing") == "synchronized"
    image = value["left_image"] if pair else value["image"]
    home = "/" + "/".join(filter(None, (value["namespace"].strip("/"), value["name"])))
    if not image.startswith("/"):
        image = f"{home.rsplit('/', 1)[0]}/{image}"
    return Node(
        package="rviz2",
        executable="rviz2",
        arguments=["--display-config", str(share / "config" / "rviz" / table.rviz)],
        parameters=[{"use_sim_time": value["use_sim_time"] == "true"}],
        remappings=[
            ("/image", image),
            *((f"/{table.executable}/{name}", f"{home}/{name}") for name in table.outputs),
        ],
        output="log",
    )


def _player(value: dict[str, str]) -> Any:
    """The bag, played into its topics by `zeroco play`."""
    from launch.actions import ExecuteProcess

    command = [sys.executable, "-m", "zeroco_ros.cli", "play", value["bag"]]
    # The node subscribes once its model is loaded and somebody listens: the bag waits for that.
    command += ["--wait", "30", "--rate", value["bag_rate"]]
    if value["bag_loop"] == "true":
        command.append("--loop")
    return ExecuteProcess(cmd=command, output="screen", name="zeroco_play")
