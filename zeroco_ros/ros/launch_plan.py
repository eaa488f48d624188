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

"""What a launch file starts, worked out from its arguments. Nothing here imports launch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
import sys
from tempfile import NamedTemporaryFile
from typing import Any

from zeroco_ros.ros.depth import parameters as depth_parameters
from zeroco_ros.ros.flow import parameters as flow_parameters
from zeroco_ros.ros.launch_tables import Argument, DEPTH, FLOW, LaunchTable, SWITCHES
from zeroco_ros.ros.parameter_table import ParameterTable

PACKAGE = "zeroco_ros"
RESPAWN_DELAY = 2.0  # seconds
PARAMETERS: Mapping[str, ParameterTable] = {
    "flow_node": flow_parameters.TABLE,
    "depth_node": depth_parameters.TABLE,
}
LOG_LEVELS = ("debug", "info", "warn", "error", "fatal")
_BAG_PATIENCE = "30"  # seconds: the node subscribes once its model is loaded and somebody listens

Values = Mapping[str, str]


@dataclass(frozen=True)
class NodeStart:
    """
    A ROS node. parameters: files and dictionaries, the later ones win; remaps: in order.

    arguments: before --ros-args; essential: the whole launch ends with it.
    """

    package: str
    executable: str
    name: str = ""
    namespace: str = ""
    parameters: tuple[str | Mapping[str, Any], ...] = ()
    remaps: tuple[tuple[str, str], ...] = ()
    arguments: tuple[str, ...] = ()
    log_level: str = ""
    output: str = "both"
    respawn: bool = False
    essential: bool = False


@dataclass(frozen=True)
class CommandStart:
    """A verb of this package as a process. then_end: seconds after its end until all ends."""

    name: str
    command: tuple[str, ...]
    then_end: float | None = None
    essential: bool = False


@dataclass(frozen=True)
class Plan:
    """Everything that a launch file starts, in this order."""

    nodes: tuple[NodeStart, ...] = ()
    commands: tuple[CommandStart, ...] = ()


def node_plan(table: LaunchTable, share: Path, value: Values) -> Plan:
    """
    Return what a launch file of one node starts.

    share: the folder that has config/; value: every argument of the table. Raises ValueError with
    the argument's name where its value is none.
    """
    check(table.arguments, value)
    nodes = [node_start(table, share, value)]
    if value["rviz"] == "true":
        nodes.append(rviz_start(table.rviz, share, value, rviz_remaps(table, value)))
    commands = [player(value)] if value["bag"] else []
    return Plan(tuple(nodes), tuple(commands))


def check(arguments: Iterable[Argument], value: Values) -> None:
    """Raise ValueError where a switch, the log level or a number is none."""
    names = {name for name, _default, _text in arguments}
    for name in names.intersection(SWITCHES):
        if value[name] not in ("true", "false"):
            raise ValueError(f"argument {name} is '{value[name]}': use true or false")
    if value["log_level"] not in LOG_LEVELS:
        allowed = ", ".join(LOG_LEVELS)
        raise ValueError(f"argument log_level is '{value['log_level']}': use one of {allowed}")
    for name in names.intersection(("bag_rate", "bag_start", "bag_duration", "linger")):
        if value[name]:
            _number(name, value[name])


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"argument {name} is '{text}': give a number") from None


def node_start(
    table: LaunchTable, share: Path, value: Values, *, essential: bool = False
) -> NodeStart:
    """Return a node of this package; arguments win over the parameter file."""
    chosen: dict[str, Any] = {
        name: _typed(table, name, value[name]) for name in table.parameters if value[name]
    }
    chosen.update(table.fixed, use_sim_time=value["use_sim_time"] == "true")
    return NodeStart(
        package=PACKAGE,
        executable=table.executable,
        name=value["name"],
        namespace=value["namespace"],
        parameters=(value["params_file"] or str(share / "config" / table.config), chosen),
        remaps=tuple((topic, value[name]) for topic, name in table.remaps.items() if value[name]),
        log_level=value["log_level"],
        respawn=value.get("respawn") == "true",
        essential=essential,
    )


def _typed(table: LaunchTable, name: str, text: str) -> Any:
    """Return an argument as the type its parameter has; the node itself checks the range."""
    kind = type(PARAMETERS[table.executable].specs[name].default)
    if kind is bool:
        if text not in ("true", "false"):
            raise ValueError(f"argument {name} is '{text}': use true or false")
        return text == "true"
    if kind is str:
        return text
    try:
        return kind(text)
    except ValueError:
        wanted = "an integer" if kind is int else "a number"
        raise ValueError(f"argument {name} is '{text}': give {wanted}") from None


def home(value: Values) -> str:
    """Return the full name of the node that the arguments name."""
    return "/" + "/".join(filter(None, (value["namespace"].strip("/"), value["name"])))


def rviz_remaps(table: LaunchTable, value: Values) -> tuple[tuple[str, str], ...]:
    """Return what leads the topics of the RViz configuration to those of this node."""
    base = home(value)
    images = {topic: value[name] for topic, name in table.shown.items()}
    if value.get("pairing") == "synchronized":
        images = dict.fromkeys(images, value["left_image"])
    namespace = base.rpartition("/")[0]
    packed = "/compressed" if value["image_transport"] == "compressed" else ""
    cameras = [
        (topic + packed, (name if name.startswith("/") else f"{namespace}/{name}") + packed)
        for topic, name in images.items()
    ]
    outputs = [(f"/{table.executable}/{name}", f"{base}/{name}") for name in table.outputs]
    return (*cameras, *outputs)


def rviz_start(
    config: str, share: Path, value: Values, remaps: tuple[tuple[str, str], ...]
) -> NodeStart:
    """Return RViz with its displays remapped."""
    path = value["rviz_config"] or str(share / "config" / "rviz" / config)
    if value["image_transport"] == "compressed":
        path = _compressed_view(path, [old for old, _new in remaps])
    frame = ("--fixed-frame", value["fixed_frame"]) if value["fixed_frame"] else ()
    return NodeStart(
        package="rviz2",
        executable="rviz2",
        parameters=({"use_sim_time": value["use_sim_time"] == "true"},),
        remaps=remaps,
        arguments=("--display-config", path, *frame),
        output="log",
    )


def _compressed_view(path: str, topics: Iterable[str]) -> str:
    """Copy an RViz configuration for compressed cameras: RViz tells them by their names."""
    text = Path(path).read_text(encoding="utf-8")
    for topic in topics:
        if topic.endswith("/compressed"):
            raw = topic.removesuffix("/compressed")
            text = text.replace(f"Value: {raw}\n", f"Value: {topic}\n")
    with NamedTemporaryFile("w", suffix=".rviz", prefix="zeroco-", delete=False) as copy:
        copy.write(text)
    return copy.name


def verb(*words: str) -> tuple[str, ...]:
    """Return the command line of a verb of `zeroco`, in this Python."""
    return (sys.executable, "-m", "zeroco_ros.cli", *words)


def player(value: Values) -> CommandStart:
    """Return the bag, played into its topics; what listens stays when it ends."""
    words = ["play", value["bag"], "--wait", _BAG_PATIENCE, "--rate", value["bag_rate"]]
    if value["bag_loop"] == "true":
        words.append("--loop")
    return CommandStart("zeroco_play", verb(*words))


def node_values(table: LaunchTable, **values: str) -> dict[str, str]:
    """Return every argument of a node's launch file: `values`, else the defaults."""
    return {**{name: default or "" for name, default, _text in table.arguments}, **values}


def cameras_plan(share: Path, value: Values) -> Plan:
    """
    Return one node per camera, each in the namespace of its camera.

    value: every argument of launch_tables.TWO_CAMERAS.
    """
    kinds = {"flow": FLOW, "depth": DEPTH}
    if value["node"] not in kinds:
        raise ValueError(f"argument node is '{value['node']}': use {' or '.join(kinds)}")
    table = kinds[value["node"]]
    names = value["cameras"].split()
    if not names or len(set(names)) < len(names):
        raise ValueError(f"argument cameras is '{value['cameras']}': give different namespaces")
    known = {name: value[name] for name in table.names if name in value}
    plan = Plan()
    for camera in names:
        own = node_values(table, **known, namespace=camera)
        check(table.arguments, own)
        plan = replace(plan, nodes=(*plan.nodes, node_start(table, share, own)))
    return plan
