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

"""The RViz configurations show topics that the nodes publish, in types that RViz can draw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("rclpy", reason="rclpy is not importable: no ROS 2 here")
from zeroco_ros.ros import depth_node, flow_node
from zeroco_ros.ros.launch_tables import DEPTH, FLOW, REPLAY_RVIZ, STEREO

FOLDER = Path(__file__).resolve().parents[2] / "config" / "rviz"
OWNERS = {FLOW.rviz: (FLOW,), STEREO.rviz: (STEREO,), DEPTH.rviz: (DEPTH,)}
OWNERS[REPLAY_RVIZ] = (FLOW, DEPTH)
NODES = {command.name: command for command in (flow_node.main, depth_node.main)}
DRAWN = ("bgr8", "mono8", "32FC1")  # what RViz's Image display can show of what we publish


def manager(name: str) -> dict[str, Any]:
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))["Visualization Manager"]


def displays(name: str) -> dict[str, dict[str, Any]]:
    return {display["Topic"]["Value"]: display for display in manager(name)["Displays"]}


def test_every_configuration_belongs_to_a_launch_file() -> None:
    assert {path.name for path in FOLDER.glob("*.rviz")} == set(OWNERS)


@pytest.mark.parametrize("name", OWNERS)
def test_the_fixed_frame_is_set(name: str) -> None:
    frame = manager(name)["Global Options"]["Fixed Frame"]
    assert frame == "camera"  # what the launch argument fixed_frame says is the default


@pytest.mark.parametrize("name", OWNERS)
def test_cameras_are_taken_as_they_come(name: str) -> None:
    shown = displays(name)
    for topic in OWNERS[name][0].shown:
        assert shown[topic]["Class"] == "rviz_default_plugins/Image"
        assert shown[topic]["Topic"]["Reliability Policy"] == "Best Effort"


@pytest.mark.parametrize("name", OWNERS)
def test_every_other_display_has_a_topic_of_its_node(name: str) -> None:
    shown = displays(name)
    cameras = {topic for table in OWNERS[name] for topic in table.shown}
    for path, display in shown.items():
        if path in cameras:
            continue
        _root, executable, short = path.split("/")
        assert executable in {table.executable for table in OWNERS[name]}
        topics = {t.short: t for t in NODES[executable].topics if t.own_output}
        topic = topics[short]
        assert display["Class"] == f"rviz_default_plugins/{topic.message.rpartition('/')[2]}"
        latched = display["Topic"]["Durability Policy"] == "Transient Local"
        assert latched == topic.latched
        assert display["Topic"]["Reliability Policy"] == "Reliable"
        if display["Class"].endswith("/Image"):
            assert topic.encoding in DRAWN


@pytest.mark.parametrize("name", OWNERS)
def test_everything_that_launch_remaps_is_shown(name: str) -> None:
    shown = set(displays(name))
    for table in OWNERS[name]:
        outputs = {f"/{table.executable}/{output}" for output in table.outputs}
        missing = outputs - shown
        assert missing <= {"/flow_node/occluded"}, missing
        assert set(table.shown) <= shown


def test_the_picture_is_complete() -> None:
    """Camera, flow in colors, confidence, depth and points."""
    wanted = {"/image", "/flow_node/flow_color", "/flow_node/confidence"}
    wanted |= {"/depth_node/depth", "/depth_node/points"}
    shown = displays(REPLAY_RVIZ)
    assert wanted <= {topic for topic, display in shown.items() if display["Enabled"]}


@pytest.mark.parametrize("name", OWNERS)
def test_numbers_are_drawn_in_their_range(name: str) -> None:
    """Limits are integers to RViz where it keeps a median of them: depth keeps none."""
    for path, display in displays(name).items():
        short = path.rpartition("/")[2]
        if short == "confidence":
            limits = (display["Min Value"], display["Max Value"])
            assert (display["Normalize Range"], limits) == (False, (0, 1))
        elif short in ("depth", "depth_sigma"):
            assert (display["Normalize Range"], display["Median window"]) == (True, 1)


@pytest.mark.parametrize("name", OWNERS)
def test_windows_are_those_of_the_displays(name: str) -> None:
    document = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    images = {
        display["Name"]
        for display in document["Visualization Manager"]["Displays"]
        if display["Class"].endswith("/Image")
    }
    windows = {n for n, value in document["Window Geometry"].items() if isinstance(value, dict)}
    assert windows == images | {"Displays"}
    sync = next(p["SyncSource"] for p in document["Panels"] if "SyncSource" in p)
    assert sync in images
