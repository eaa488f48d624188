"""flow.launch.py and flow.rviz: their tables always, the real launch system where it is."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from zeroco_ros.ros.flow.parameters import TABLE
from zeroco_ros.ros.topics import FLOW_TOPICS, encodings

ROOT = Path(__file__).resolve().parents[2]
LAUNCH_FILE = ROOT / "launch" / "flow.launch.py"
# What `ros2 launch` does with a file and name:=value arguments.
LAUNCHER = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
pairs = [text.split(":=", 1) for text in sys.argv[2:]]
source = PythonLaunchDescriptionSource(sys.argv[1])
service = LaunchService()
include = IncludeLaunchDescription(source, launch_arguments=pairs)
service.include_launch_description(LaunchDescription([include]))
sys.exit(service.run())
"""


def constant(name: str) -> object:
    """A constant of the launch file, read without importing it (that needs the launch system)."""
    for statement in ast.parse(LAUNCH_FILE.read_text()).body:
        if isinstance(statement, ast.Assign) and statement.targets[0].id == name:
            return ast.literal_eval(statement.value)
    raise AssertionError(f"{LAUNCH_FILE.name} defines no {name}")


def test_every_argument_is_described() -> None:
    arguments = constant("ARGUMENTS")
    assert all(description.endswith(".") for _name, _default, description in arguments)
    names = [name for name, _default, _description in arguments]
    assert len(set(names)) == len(names)


def test_arguments_that_are_parameters_exist_in_the_node() -> None:
    names = {name for name, _default, _description in constant("ARGUMENTS")}
    for name in constant("PARAMETERS"):
        assert name in names
        assert name in TABLE


def test_the_arguments_used_are_the_arguments_declared() -> None:
    names = {name for name, _default, _description in constant("ARGUMENTS")}
    used = set(re.findall(r'value\["(\w+)"\]', LAUNCH_FILE.read_text()))
    assert used | set(constant("PARAMETERS")) == names


def test_rviz_shows_topics_that_the_node_publishes() -> None:
    document = yaml.safe_load((ROOT / "config" / "rviz" / "flow.rviz").read_text())
    displays = document["Visualization Manager"]["Displays"]
    assert {display["Class"] for display in displays} == {"rviz_default_plugins/Image"}
    shown = {display["Topic"]["Value"]: display for display in displays}
    camera = shown.pop("/image")
    assert camera["Topic"]["Reliability Policy"] == "Best Effort"
    assert set(shown) == {f"/flow_node/{name}" for name in constant("OUTPUTS")}
    for topic, display in shown.items():
        encoding = encodings(FLOW_TOPICS)[topic.rpartition("/")[2]]
        assert encoding in ("bgr8", "mono8", "32FC1")  # what that display can draw
        if encoding == "32FC1":
            assert not display["Normalize Range"]
            assert (display["Min Value"], display["Max Value"]) == (0, 1)


def test_flow_comes_out_of_a_real_launch(tiny_weights: Path) -> None:
    """Needs launch, launch_ros and the package installed where they look for it."""
    for name in ("launch", "launch_ros"):
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            pytest.skip(f"{name} is not importable: no ROS 2 distribution here")
    import node_scenes as scenes
    import ros_harness
    from ament_index_python.packages import PackageNotFoundError, get_package_prefix

    try:
        prefix = Path(get_package_prefix("zeroco_ros"))
    except PackageNotFoundError:
        pytest.skip("zeroco_ros is not installed with colcon here")
    if not (prefix / "lib" / "zeroco_ros" / "flow_node").exists():
        pytest.skip("zeroco_ros is not installed with colcon here")
    from sensor_msgs.msg import Image

    arguments = [f"weights:={tiny_weights}", "namespace:=robot", "image:=/cam"]
    probe = ros_harness.Probe("launch")
    process = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(LAUNCH_FILE), *arguments], env=dict(os.environ)
    )
    try:
        flow = probe.collect(Image, "/robot/flow_node/flow")
        camera = probe.publisher(Image, "/cam")
        probe.wait_connected(camera, timeout=scenes.STARTUP)
        sent = 0

        def answered() -> bool:  # the node takes images as best effort
            nonlocal sent
            camera.publish(scenes.image(scenes.view(sent % 2), scenes.SECOND + sent * 10**8))
            sent += 1
            return len(flow) > 0

        probe.wait_until(answered, "flow")
        process.send_signal(signal.SIGINT)
        assert process.wait(ros_harness.PATIENCE) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        probe.close()
