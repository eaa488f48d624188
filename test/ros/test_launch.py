"""The launch files and their RViz views: the tables always, the real launch system where it is."""

from __future__ import annotations

import importlib.util
import inspect
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from zeroco_ros.ros import depth_node, flow_node, launching
from zeroco_ros.ros.launch_tables import DEPTH, FLOW, LaunchTable

ROOT = Path(__file__).resolve().parents[2]
TABLES = (FLOW, DEPTH)
IDS = [table.executable for table in TABLES]
NODES = {command.name: command for command in (flow_node.main, depth_node.main)}
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


@pytest.mark.parametrize("table", TABLES, ids=IDS)
def test_every_argument_is_described_once(table: LaunchTable) -> None:
    assert all(text.endswith(".") for _name, _default, text in table.arguments)
    names = [name for name, _default, _text in table.arguments]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("table", TABLES, ids=IDS)
def test_every_argument_goes_somewhere(table: LaunchTable) -> None:
    names = {name for name, _default, _text in table.arguments}
    used = set(re.findall(r'value\["(\w+)"\]', inspect.getsource(launching)))
    taken = {*table.parameters, *table.remaps.values()}
    assert taken <= names
    assert names <= taken | used


@pytest.mark.parametrize("table", TABLES, ids=IDS)
def test_arguments_lead_to_what_the_node_has(table: LaunchTable) -> None:
    command = NODES[table.executable]
    assert set(table.parameters) <= set(command.parameters.specs)
    inputs = {topic.name for topic in command.topics if topic.direction == "in"}
    assert set(table.remaps) == inputs
    assert (ROOT / "config" / table.config).is_file()


@pytest.mark.parametrize("table", TABLES, ids=IDS)
def test_rviz_shows_topics_that_the_node_publishes(table: LaunchTable) -> None:
    document = yaml.safe_load((ROOT / "config" / "rviz" / table.rviz).read_text())
    shown = {d["Topic"]["Value"]: d for d in document["Visualization Manager"]["Displays"]}
    camera = shown.pop("/image")
    assert camera["Topic"]["Reliability Policy"] == "Best Effort"
    assert set(shown) == {f"/{table.executable}/{name}" for name in table.outputs}
    published = {topic.short: topic for topic in NODES[table.executable].topics}
    for path, display in shown.items():
        topic = published[path.rpartition("/")[2]]
        kind = topic.message.rpartition("/")[2]
        assert display["Class"] == f"rviz_default_plugins/{kind}"
        if kind == "Image":
            assert topic.encoding in ("bgr8", "mono8", "32FC1")  # what that display can draw
        if topic.short == "confidence":
            assert not display["Normalize Range"]
            assert (display["Min Value"], display["Max Value"]) == (0, 1)


@pytest.mark.parametrize("table", TABLES, ids=IDS)
def test_results_come_out_of_a_real_launch(table: LaunchTable, tiny_weights: Path) -> None:
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
    if not (prefix / "lib" / "zeroco_ros" / table.executable).exists():
        pytest.skip("zeroco_ros is not installed with colcon here")
    from sensor_msgs.msg import CameraInfo, Image

    subject = scenes.SUBJECTS[table.executable]
    file = ROOT / "launch" / table.config.replace(".yaml", ".launch.py")
    arguments = [f"weights:={tiny_weights}", "namespace:=robot", "image:=/cam/image"]
    probe = ros_harness.Probe("launch")
    process = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(file), *arguments], env=dict(os.environ)
    )
    try:
        results = probe.collect(Image, f"/robot{subject.output}")
        camera = probe.publisher(Image, "/cam/image")
        info = probe.publisher(CameraInfo, "/cam/camera_info")

        def there() -> bool:
            assert process.poll() is None, "the launch ended early"
            return bool(camera.get_subscription_count())

        probe.wait_until(there, "the node to subscribe", scenes.STARTUP)
        sent = 0

        def answered() -> bool:  # the node takes images as best effort
            nonlocal sent
            info.publish(scenes.calibration())
            camera.publish(scenes.image(scenes.view(sent % 2), scenes.SECOND + sent * 10**8))
            sent += 1
            return len(results) > 0

        probe.wait_until(answered, "results")
        process.send_signal(signal.SIGINT)
        assert process.wait(ros_harness.PATIENCE) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        probe.close()
