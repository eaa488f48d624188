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

"""The launch files: their tables, what they would start, and how the launch system is told."""

from __future__ import annotations

from collections.abc import Iterator
import inspect
from pathlib import Path
import re
import sys
from types import ModuleType
from typing import Any

import launch_scenes
import pytest

pytest.importorskip("rclpy", reason="rclpy is not importable: no ROS 2 here")
from zeroco_ros.ros import depth_node, flow_node, launch_plan, launch_replay, launching
from zeroco_ros.ros.launch_plan import cameras_plan, CommandStart, node_plan, NodeStart, Plan
from zeroco_ros.ros.launch_replay import replay_plan
from zeroco_ros.ros.launch_tables import DEPTH, FLOW, LaunchTable, REPLAY, STEREO, TWO_CAMERAS

ROOT = Path(__file__).resolve().parents[2]
TABLES = {"flow": FLOW, "stereo": STEREO, "depth": DEPTH}
ARGUMENTS = {
    **{name: table.arguments for name, table in TABLES.items()},
    "replay": REPLAY,
    "two_cameras": TWO_CAMERAS,
}
NODES = {command.name: command for command in (flow_node.main, depth_node.main)}


def values(name: str, /, **given: str) -> dict[str, str]:
    return {**{n: default or "" for n, default, _text in ARGUMENTS[name]}, **given}


def node(name: str, /, **given: str) -> NodeStart:
    return node_plan(TABLES[name], ROOT, values(name, **given)).nodes[0]


def test_every_launch_file_has_its_arguments() -> None:
    files = {path.name.removesuffix(".launch.py") for path in (ROOT / "launch").glob("*.py")}
    assert files == set(ARGUMENTS)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_every_argument_is_described_once(name: str) -> None:
    assert all(text.endswith(".") for _name, _default, text in ARGUMENTS[name])
    names = [argument for argument, _default, _text in ARGUMENTS[name]]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_every_argument_goes_somewhere(name: str) -> None:
    names = {argument for argument, _default, _text in ARGUMENTS[name]}
    source = inspect.getsource(launch_plan) + inspect.getsource(launch_replay)
    used = set(re.findall(r'value(?:\[|\.get\()"(\w+)"', source))
    tables = [TABLES[name]] if name in TABLES else [FLOW, DEPTH]
    taken = {n for table in tables for n in (*table.parameters, *table.remaps.values())}
    taken |= {"flow_params_file", "depth_params_file"}
    if name in TABLES:
        assert {*tables[0].parameters, *tables[0].remaps.values()} <= names
    assert names <= taken | used


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_arguments_lead_to_what_the_node_has(table: LaunchTable) -> None:
    command = NODES[table.executable]
    assert {*table.parameters, *table.fixed} <= set(command.parameters.specs)
    inputs = {topic.name for topic in command.topics if topic.direction == "in"}
    assert set(table.remaps) <= inputs
    if table is not STEREO:
        assert set(table.remaps) == inputs
    assert (ROOT / "config" / table.config).is_file()


def test_without_arguments_the_file_rules() -> None:
    start = node("flow")
    file, chosen = start.parameters
    assert file == str(ROOT / "config" / "flow.yaml")
    assert chosen == {"use_sim_time": False}
    assert (start.name, start.namespace, start.respawn) == ("flow_node", "", False)


def test_arguments_become_parameters_of_their_type() -> None:
    start = node(
        "depth", image_rectified="true", threads="2", weights="1", pose_source="none", name="d"
    )
    assert start.parameters[1] == {
        "image_rectified": True,
        "threads": 2,
        "weights": "1",
        "pose_source": "none",
        "use_sim_time": False,
    }
    assert node("stereo", slop="0").parameters[1]["slop"] == 0.0
    assert isinstance(node("stereo", slop="0").parameters[1]["slop"], float)


def test_stereo_is_synchronized_whatever_the_file_says() -> None:
    start = node("stereo", params_file="/mine.yaml", left_image="/l", right_image="/r")
    assert start.parameters[0] == "/mine.yaml"
    assert start.parameters[1]["pairing"] == "synchronized"
    assert start.remaps == (("left/image", "/l"), ("right/image", "/r"))


def test_name_namespace_remaps_clock_respawn_and_log_level() -> None:
    start = node(
        "flow",
        name="eye",
        namespace="robot",
        image="/cam/image",
        use_sim_time="true",
        respawn="true",
        log_level="debug",
    )
    assert (start.name, start.namespace, start.respawn) == ("eye", "robot", True)
    assert ("image", "/cam/image") in start.remaps
    assert start.parameters[1]["use_sim_time"] is True
    assert start.log_level == "debug"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"rviz": "yes"}, "argument rviz is 'yes': use true or false"),
        ({"respawn": "1"}, "argument respawn is '1'"),
        ({"log_level": "loud"}, "argument log_level is 'loud': use one of debug"),
        ({"bag_rate": "fast"}, "argument bag_rate is 'fast': give a number"),
        ({"threads": "many"}, "argument threads is 'many': give an integer"),
    ],
    ids=lambda x: next(iter(x)) if isinstance(x, dict) else "",
)
def test_an_argument_without_meaning_is_refused(given: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        node_plan(FLOW, ROOT, values("flow", **given))


def test_rviz_only_on_demand_with_this_nodes_topics() -> None:
    assert len(node_plan(FLOW, ROOT, values("flow")).nodes) == 1
    given = values("flow", rviz="true", namespace="robot", name="eye", fixed_frame="optical")
    rviz = node_plan(FLOW, ROOT, given).nodes[1]
    assert rviz.executable == "rviz2"
    assert ("/image", "/robot/image") in rviz.remaps
    assert ("/flow_node/flow_color", "/robot/eye/flow_color") in rviz.remaps
    assert rviz.arguments[-2:] == ("--fixed-frame", "optical")
    stereo = node_plan(STEREO, ROOT, values("stereo", rviz="true", left_image="/l")).nodes[1]
    assert ("/left/image", "/l") in stereo.remaps
    assert ("/right/image", "/right/image") in stereo.remaps


def test_rviz_of_compressed_cameras() -> None:
    given = values("flow", rviz="true", image="/cam", image_transport="compressed")
    rviz = node_plan(FLOW, ROOT, given).nodes[1]
    assert ("/image/compressed", "/cam/compressed") in rviz.remaps
    copy = Path(rviz.arguments[1])
    try:
        assert "Value: /image/compressed\n" in copy.read_text()
    finally:
        copy.unlink()


def test_a_bag_is_played_and_may_loop() -> None:
    plan = node_plan(FLOW, ROOT, values("flow", bag="/b", bag_rate="0.5", bag_loop="true"))
    (player,) = plan.commands
    assert player.command[:4] == (sys.executable, "-m", "zeroco_ros.cli", "play")
    assert {"/b", "0.5", "--loop"} <= set(player.command)
    assert player.then_end is None  # the node stays for the next bag


def test_each_camera_has_a_node_in_its_namespace() -> None:
    given = values("two_cameras", cameras="front rear", image="image_raw", preset="fast")
    plan = cameras_plan(ROOT, given)
    assert [start.namespace for start in plan.nodes] == ["front", "rear"]
    assert all(("image", "image_raw") in start.remaps for start in plan.nodes)
    assert all(start.parameters[1]["preset"] == "fast" for start in plan.nodes)
    for wrong in ({"cameras": "a a"}, {"cameras": ""}, {"node": "both"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            cameras_plan(ROOT, {**given, **wrong})


def test_replay_asks_the_bag_for_its_camera(tmp_path: Path) -> None:
    bag = launch_scenes.make_bag(tmp_path / "drive")
    plan = replay_plan(ROOT, values("replay", bag=str(bag), rviz="true"))
    start, rviz = plan.nodes
    assert start.executable == "flow_node"
    assert start.essential
    assert ("image", launch_scenes.IMAGE_TOPIC) in start.remaps
    assert start.parameters[1]["use_sim_time"] is True
    assert start.parameters[1]["image_transport"] == "raw"
    assert rviz.arguments[-2:] == ("--fixed-frame", launch_scenes.FRAME)
    recorder, player = plan.commands
    assert "--sim-time" in recorder.command
    assert "/flow_node/flow" in recorder.command
    assert player.then_end == 5.0
    topics = player.command[player.command.index("--topics") + 1 :]
    assert topics == (launch_scenes.IMAGE_TOPIC,)  # no old output beside the new one


def test_replay_without_recording_and_with_both_nodes(tmp_path: Path) -> None:
    bag = str(launch_scenes.make_bag(tmp_path / "drive"))
    plan = replay_plan(ROOT, values("replay", bag=bag, record="none", bag_duration="1"))
    assert [command.name for command in plan.commands] == ["zeroco_play"]
    with pytest.raises(ValueError, match="depth needs a calibration"):
        replay_plan(ROOT, values("replay", bag=bag, nodes="both"))
    with pytest.raises(ValueError, match="argument bag: "):
        replay_plan(ROOT, values("replay", bag=str(tmp_path / "none")))
    with pytest.raises(ValueError, match="argument nodes is 'all'"):
        replay_plan(ROOT, values("replay", bag=bag, nodes="all"))


class Action:
    """Stands for any class of launch and launch_ros: keeps what it is made with."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.kind, self.args, self.kwargs = "", args, kwargs


STAND_INS = {
    "launch": ("LaunchDescription",),
    "launch.actions": (
        "DeclareLaunchArgument",
        "EmitEvent",
        "ExecuteProcess",
        "OpaqueFunction",
        "RegisterEventHandler",
        "TimerAction",
    ),
    "launch.event_handlers": ("OnProcessExit",),
    "launch.events": ("Shutdown",),
    "launch_ros": (),
    "launch_ros.actions": ("Node",),
    "launch_ros.parameter_descriptions": ("ParameterValue",),
}


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ModuleType]]:
    """Modules of the launch system's names, so that `launching` runs where it is not installed."""
    modules = {name: ModuleType(name) for name in STAND_INS}
    for name, classes in STAND_INS.items():
        for kind in classes:
            setattr(modules[name], kind, type(kind, (Action,), {}))
        monkeypatch.setitem(sys.modules, name, modules[name])
    yield modules


def kinds(actions: list[Any]) -> list[str]:
    return [type(action).__name__ for action in actions]


def test_the_launch_system_is_told_everything(stand_ins: dict[str, ModuleType]) -> None:
    start = NodeStart(
        "zeroco_ros",
        "flow_node",
        "eye",
        "robot",
        ("/file.yaml", {"weights": "1", "threads": 2}),
        (("image", "/cam"),),
        ("--words",),
        "debug",
        respawn=True,
    )
    (action,) = launching.actions(Plan((start,)))
    told = action.kwargs
    assert told["executable"] == "flow_node"
    assert (told["name"], told["namespace"]) == ("eye", "robot")
    assert told["remappings"] == [("image", "/cam")]
    assert told["ros_arguments"] == ["--log-level", "debug"]
    assert (told["respawn"], told["respawn_delay"]) == (True, launch_plan.RESPAWN_DELAY)
    file, chosen = told["parameters"]
    assert (file, chosen["threads"]) == ("/file.yaml", 2)
    assert chosen["weights"].args == ("1",)  # a text stays one
    assert chosen["weights"].kwargs == {"value_type": str}


def test_what_ends_the_launch(stand_ins: dict[str, ModuleType]) -> None:
    plan = Plan(
        (NodeStart("zeroco_ros", "flow_node", essential=True),),
        (CommandStart("player", ("p",), then_end=4.0), CommandStart("stays", ("s",))),
    )
    made = launching.actions(plan)
    assert kinds(made) == [
        "Node",
        "RegisterEventHandler",
        "ExecuteProcess",
        "RegisterEventHandler",
        "ExecuteProcess",
    ]
    at_once, later = (made[i].args[0].kwargs for i in (1, 3))
    assert at_once["target_action"] is made[0]
    assert kinds(at_once["on_exit"]) == ["EmitEvent"]
    assert later["target_action"] is made[2]
    (timer,) = later["on_exit"]
    assert timer.kwargs["period"] == 4.0
    assert kinds(timer.kwargs["actions"]) == ["EmitEvent"]


def test_every_argument_is_declared(stand_ins: dict[str, ModuleType]) -> None:
    made = launching.description(REPLAY, lambda values: Plan())
    *declared, function = made.args[0]
    assert [a.args[0] for a in declared] == [name for name, _default, _text in REPLAY]
    assert declared[0].kwargs["default_value"] is None  # bag is required
    assert type(function).__name__ == "OpaqueFunction"
