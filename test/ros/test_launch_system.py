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

"""Every launch file through the real launch system (ros2/launch, launch_ros), where it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
import signal
import subprocess
import sys
from typing import Any

import launch_scenes
import pytest

pytest.importorskip("rclpy", reason="rclpy is not importable: no ROS 2 here")
from diagnostic_msgs.msg import DiagnosticArray
import node_scenes as scenes
import ros_harness
from sensor_msgs.msg import CameraInfo, Image

from zeroco_ros.bag.reader import BagReader
from zeroco_ros.ros.launch_tables import DEPTH, FLOW, REPLAY, STEREO, TWO_CAMERAS

ROOT = launch_scenes.ROOT
ARGUMENTS = {
    "flow": FLOW.arguments,
    "stereo": STEREO.arguments,
    "depth": DEPTH.arguments,
    "replay": REPLAY,
    "two_cameras": TWO_CAMERAS,
}


@pytest.fixture(autouse=True)
def _needs_launch() -> None:
    launch_scenes.skip_without_launch()


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """Where the launch system finds the nodes and, instead of rviz2, a script."""
    return launch_scenes.make_prefix(tmp_path / "prefix")


@contextmanager
def launched(name: str, prefix: Path, **arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """Run a launch file with name:=value arguments; it is ended as Ctrl-C does it."""
    words = [f"{key}:={value}" for key, value in arguments.items()]
    file = str(ROOT / "launch" / f"{name}.launch.py")
    process = subprocess.Popen(
        [sys.executable, "-c", launch_scenes.LAUNCHER, file, *words],
        env=launch_scenes.environment(prefix),
        cwd=prefix,
    )
    try:
        yield process
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        assert process.wait(ros_harness.PATIENCE) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def send_until(probe: Any, process: Any, cameras: list[Any], results: Any, info: Any = None):
    """Publish moving frames until a result comes; the nodes take images as best effort."""

    def there() -> bool:
        assert process.poll() is None, "the launch ended early"
        return all(camera.get_subscription_count() for camera in cameras)

    probe.wait_until(there, "the node to subscribe", scenes.STARTUP)
    sent = 0

    def answered() -> bool:
        nonlocal sent
        if info is not None:
            info.publish(scenes.calibration())
        for shift, camera in enumerate(cameras):
            view = scenes.view(sent % 2 + shift)
            camera.publish(scenes.image(view, scenes.SECOND + sent * 10**8))
        sent += 1
        return len(results) > 0

    probe.wait_until(answered, "results")


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments_are_shown_with_their_description(name: str) -> None:
    from launch import LaunchContext
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    source = PythonLaunchDescriptionSource(str(ROOT / "launch" / f"{name}.launch.py"))
    shown = source.get_launch_description(LaunchContext()).get_launch_arguments()
    assert [(a.name, a.description) for a in shown] == [
        (argument, text) for argument, _default, text in ARGUMENTS[name]
    ]


@pytest.mark.parametrize("name", ["flow", "depth"])
def test_one_camera(name: str, probe: Any, prefix: Path, tiny_weights: Path) -> None:
    """Params file, remap, namespace, use_sim_time, rviz:=false, log level, all at once."""
    from rcl_interfaces.srv import GetParameters

    subject = scenes.SUBJECTS[f"{name}_node"]
    file = prefix / "mine.yaml"
    file.write_text("/**:\n  ros__parameters:\n    diagnostics_period: 0.2\n    threads: 1\n")
    diagnostics = probe.collect(DiagnosticArray, "/diagnostics")
    results = probe.collect(Image, f"/robot{subject.output}")
    camera = probe.publisher(Image, "/cam/image")
    info = probe.publisher(CameraInfo, "/cam/camera_info")
    arguments = {
        "weights": tiny_weights,
        "namespace": "robot",
        "image": "/cam/image",
        "params_file": file,
        "use_sim_time": "true",
        "rviz": "false",
        "respawn": "true",
        "log_level": "warn",
    }
    with launched(name, prefix, **arguments) as process:
        send_until(probe, process, [camera], results, info)
        names = ["use_sim_time", "diagnostics_period", "weights"]
        request = GetParameters.Request(names=names)
        service = f"/robot{subject.path}/get_parameters"
        sim, period, weights = probe.call(GetParameters, service, request).values
        assert (sim.bool_value, period.double_value) == (True, 0.2)
        assert weights.string_value == str(tiny_weights)
        diagnostics.wait_for(1)
    assert not (prefix / "rviz2.words").exists()


def test_two_eyes(probe: Any, prefix: Path, tiny_weights: Path) -> None:
    results = probe.collect(Image, "/flow_node/flow")
    cameras = [probe.publisher(Image, f"/eyes/{side}") for side in ("left", "right")]
    remaps = {"left_image": "/eyes/left", "right_image": "/eyes/right"}
    with launched("stereo", prefix, weights=tiny_weights, threads=1, **remaps) as process:
        send_until(probe, process, cameras, results)


def test_two_cameras(probe: Any, prefix: Path, tiny_weights: Path) -> None:
    results = probe.collect(Image, "/rear/flow_node/flow")
    other = probe.collect(Image, "/front/flow_node/flow")
    camera = probe.publisher(Image, "/rear/image")
    with launched("two_cameras", prefix, weights=tiny_weights, threads=1) as process:
        send_until(probe, process, [camera], results)
        assert len(other) == 0


def test_rviz_on_demand(prefix: Path, tiny_weights: Path, probe: Any) -> None:
    """A script in the place of RViz, which is not here, notes what it is called with."""
    note = prefix / "rviz2.words"
    arguments = {"rviz": "true", "namespace": "robot", "fixed_frame": "optical"}
    with launched("depth", prefix, weights=tiny_weights, **arguments):
        probe.wait_until(lambda: note.exists() and note.read_text().strip(), "rviz2 to be started")
    words = note.read_text().split()
    assert words[words.index("--fixed-frame") + 1] == "optical"
    assert Path(words[words.index("--display-config") + 1]).is_file()
    assert "/depth_node/points:=/robot/depth_node/points" in words


def test_a_node_that_ends_comes_back(probe: Any, prefix: Path, tiny_weights: Path) -> None:
    diagnostics = probe.collect(DiagnosticArray, "/diagnostics")
    arguments = {"weights": tiny_weights, "threads": 1, "respawn": "true"}
    with launched("flow", prefix, **arguments):
        scenes.wait_status(probe, diagnostics, state="active")
        assert scenes.transition(probe, "active_shutdown")
        probe.wait_until(lambda: not probe.node.count_publishers("/diagnostics"), "its end")
        diagnostics.clear()
        scenes.wait_status(probe, diagnostics, state="active")


def test_replay_ends_with_its_bag(prefix: Path, tiny_weights: Path, tmp_path: Path) -> None:
    bag = launch_scenes.make_bag(tmp_path / "drive", frames=20)
    out = tmp_path / "out"
    arguments = {"weights": tiny_weights, "threads": 1, "record": out, "bag": bag, "bag_rate": 0.5}
    with launched("replay", prefix, **arguments) as process:
        assert process.wait(scenes.STARTUP) == 0  # by itself
    with BagReader(out) as reader:
        assert reader.topics["/flow_node/flow"].count > 0
        assert reader.topics["/diagnostics"].count > 0


def test_replay_without_a_bag_says_so(prefix: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            launch_scenes.LAUNCHER,
            str(ROOT / "launch" / "replay.launch.py"),
            "bag:=/nowhere",
        ],
        env=launch_scenes.environment(prefix),
        capture_output=True,
        text=True,
        timeout=ros_harness.PATIENCE,
        check=False,
    )
    assert done.returncode == 1
    assert "argument bag: /nowhere does not exist" in done.stdout + done.stderr
