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

"""The process environment: filled in for PyPI wheels, never overridden, usable by children."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not importable: no ROS 2 here")

import ros_harness
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from zeroco_ros.errors import BackendError
from zeroco_ros.ros import environment
from zeroco_ros.ros.messages import from_array

wheels = pytest.mark.skipif(
    not environment.wheels_in_use(), reason="rclpy is from a distribution, not from PyPI wheels"
)
PROFILE = "FASTDDS_DEFAULT_PROFILES_FILE"


@wheels
def test_an_empty_environment_gets_what_a_setup_script_would_export() -> None:
    filled: dict[str, str] = {"HOME": "/"}
    environment.prepare(filled)
    assert filled["AMENT_PREFIX_PATH"] == sys.prefix
    assert Path(filled[PROFILE]).name == "fastdds_local.xml"
    assert Path(filled[PROFILE]).is_file()
    again = dict(filled)
    environment.prepare(again)
    assert again == filled


@wheels
@pytest.mark.parametrize(
    "setting",
    [
        {PROFILE: "/own.xml"},
        {"FASTRTPS_DEFAULT_PROFILES_FILE": "/own.xml"},
        {"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"},
        {"ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET"},
        {"ROS_DISCOVERY_SERVER": "robot:11811"},
        {"FASTDDS_BUILTIN_TRANSPORTS": "UDPv4"},
    ],
)
def test_own_middleware_settings_stay(setting: dict[str, str]) -> None:
    given = dict(setting)
    environment.prepare(given)
    assert {name: given[name] for name in setting} == setting
    assert given.get(PROFILE) == setting.get(PROFILE)


@wheels
def test_an_overlay_keeps_its_place_before_the_wheels() -> None:
    given = {"AMENT_PREFIX_PATH": "/ws/install/zeroco_ros"}
    environment.prepare(given)
    assert given["AMENT_PREFIX_PATH"] == f"/ws/install/zeroco_ros{os.pathsep}{sys.prefix}"


def test_a_distribution_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "wheels_in_use", lambda: False)
    given = {"AMENT_PREFIX_PATH": "/opt/ros/jazzy"}
    environment.prepare(given)
    assert given == {"AMENT_PREFIX_PATH": "/opt/ros/jazzy"}


@wheels
def test_log_folder_moves_only_when_home_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    writable = {"HOME": str(tmp_path)}
    environment.prepare(writable)
    assert "ROS_LOG_DIR" not in writable
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)  # root may write anywhere
    locked = {"HOME": str(tmp_path)}
    environment.prepare(locked)
    assert locked["ROS_LOG_DIR"]
    chosen = {"HOME": str(tmp_path), "ROS_LOG_DIR": "/own"}
    environment.prepare(chosen)
    assert chosen["ROS_LOG_DIR"] == "/own"


@wheels
def test_children_with_half_of_the_wheels_variables_still_load_rclpy() -> None:
    """The wheels' start-up mark without the library path is what sudo and IDEs leave over."""
    whole = environment.child_environment(EXTRA="1")
    assert whole["EXTRA"] == "1"
    assert environment.BOOTSTRAPPED in whole
    saved = os.environ.pop(environment.LIBRARY_PATH)
    try:
        half = environment.child_environment()
        with pytest.raises(BackendError, match=f"{environment.BOOTSTRAPPED} is set but"):
            environment.require_rclpy()
    finally:
        os.environ[environment.LIBRARY_PATH] = saved
    assert environment.BOOTSTRAPPED not in half
    code = "import zeroco_ros.ros, rclpy; rclpy.init(); print(rclpy.ok())"
    for child in (whole, half):
        done = subprocess.run(
            [sys.executable, "-c", code], env=child, capture_output=True, text=True, timeout=60
        )
        assert done.stdout == "True\n", done.stderr


def test_missing_rclpy_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rclpy", None)
    with pytest.raises(BackendError, match=r"rclpy, the ROS 2 client library.*pip install"):
        environment.require_rclpy()


def test_importing_the_room_settles_the_environment_before_rclpy() -> None:
    code = (
        "import sys, os, zeroco_ros.ros as room;"
        "assert 'rclpy' not in sys.modules and 'torch' not in sys.modules;"
        "print(os.environ['FASTDDS_DEFAULT_PROFILES_FILE'])"
    )
    child = environment.child_environment()
    child.pop(PROFILE)
    done = subprocess.run(
        [sys.executable, "-c", code], env=child, capture_output=True, text=True, timeout=60
    )
    if environment.wheels_in_use():
        assert done.stdout.strip().endswith("config/fastdds_local.xml"), done.stderr
    else:
        assert "KeyError" in done.stderr


def test_the_profile_stays_on_this_machine_and_has_room_for_images() -> None:
    path = environment.local_profile()
    assert path is not None
    root = ElementTree.parse(path).getroot()
    space = {"f": root.tag.split("}")[0].strip("{")}
    shared = root.find(".//f:transport_descriptor[f:type='SHM']", space)
    assert shared is not None
    assert int(shared.findtext("f:maxMessageSize", namespaces=space)) >= 1920 * 1080 * 3
    assert int(shared.findtext("f:segment_size", namespaces=space)) >= 4 * 1920 * 1080 * 3
    addresses = [element.text for element in root.iterfind(".//f:address", space)]
    assert addresses == ["127.0.0.1"]


ECHO = """
import zeroco_ros.ros, rclpy
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
from std_msgs.msg import Header
rclpy.init()
node = rclpy.create_node("echo")
back = node.create_publisher(Header, "echo", 10)
node.create_subscription(Image, "large", lambda m: back.publish(m.header), qos_profile_sensor_data)
rclpy.spin(node)
"""


def test_large_best_effort_images_cross_processes_with_the_profile(
    probe: ros_harness.Probe,
) -> None:
    """With Fast DDS's own defaults none of these arrives."""
    large = np.zeros((1080, 1920, 3), np.uint8)
    child = subprocess.Popen([sys.executable, "-c", ECHO], env=environment.child_environment())
    try:
        echo = probe.collect(Header, "echo")
        camera = probe.publisher(Image, "large", reliable=False, depth=1)
        probe.wait_connected(camera)

        def answered() -> bool:  # until the way back is connected too
            camera.publish(from_array(large[:8], "rgb8", ros_harness.make_header(99)))
            return len(echo) > 0

        def stamps() -> list[int]:
            return [header.stamp.nanosec for header in echo.messages]

        probe.wait_until(answered, "the echo process")
        for index in range(5):
            for _ in range(3):  # best effort: on a busy machine one may be lost
                camera.publish(from_array(large, "rgb8", ros_harness.make_header(index)))
                with contextlib.suppress(AssertionError):
                    probe.wait_until(lambda: index in stamps(), "an image", 10)  # noqa: B023
                    break
    finally:
        child.terminate()
        child.wait()
    assert list(dict.fromkeys(stamp for stamp in stamps() if stamp != 99)) == [0, 1, 2, 3, 4]


def test_share_files_are_found_in_the_source_tree_and_when_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert environment.share_file("config/nothing.yaml") is None
    installed = tmp_path / "share" / "zeroco_ros" / "config" / "only_here.yaml"
    installed.parent.mkdir(parents=True)
    installed.touch()
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"/nowhere{os.pathsep}{tmp_path}")
    assert environment.share_file("config/only_here.yaml") == installed
