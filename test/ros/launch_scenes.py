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

"""What the launch tests share: an ament prefix with the nodes, a launcher, a small bag."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
import stat
import sys
from typing import Any

import node_scenes as scenes
import pytest

ROOT = Path(__file__).resolve().parents[2]
IMAGE_TOPIC = "/cam/image"
FRAME = "eye"
FRAMES = 6

# What `ros2 launch` does with a file and name:=value arguments.
LAUNCHER = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
pairs = [tuple(text.split(":=", 1)) for text in sys.argv[2:]]
source = PythonLaunchDescriptionSource(sys.argv[1])
service = LaunchService()
include = IncludeLaunchDescription(source, launch_arguments=pairs)
service.include_launch_description(LaunchDescription([include]))
sys.exit(service.run())
"""


def skip_without_launch() -> None:
    """Skip the test where the launch system is not installed: it is not on PyPI."""
    for name in ("launch", "launch_ros"):
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            pytest.skip(f"{name} is not importable: no ROS 2 distribution here")


def make_prefix(folder: Path) -> Path:
    """Return an ament prefix whose nodes are this checkout's and whose rviz2 notes its words."""
    programs = {
        "zeroco_ros/flow_node": 'exec "{python}" -m zeroco_ros.ros.flow_node "$@"',
        "zeroco_ros/depth_node": 'exec "{python}" -m zeroco_ros.ros.depth_node "$@"',
        "rviz2/rviz2": 'echo "$@" > "{folder}/rviz2.words"; exec sleep 1000',
    }
    index = folder / "share" / "ament_index" / "resource_index" / "packages"
    index.mkdir(parents=True)
    for name, line in programs.items():
        path = folder / "lib" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n" + line.format(python=sys.executable, folder=folder) + "\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        (index / path.parent.name).touch()
    return folder


def environment(prefix: Path) -> dict[str, str]:
    """Return the environment in which the launch system finds what `make_prefix` made."""
    from zeroco_ros.ros.environment import child_environment

    known = os.environ.get("AMENT_PREFIX_PATH", "")
    return child_environment(AMENT_PREFIX_PATH=os.pathsep.join(filter(None, (str(prefix), known))))


def make_bag(path: Path, frames: int = FRAMES) -> Path:
    """Write a bag of a moving camera with calibration, poses and an old output of flow_node."""
    from zeroco_ros.bag.records import OfferedQos
    from zeroco_ros.bag.writer import BagWriter, message_class

    def header(stamp: int, frame: str) -> Any:
        time = message_class("builtin_interfaces/msg/Time")(
            sec=stamp // scenes.SECOND, nanosec=stamp % scenes.SECOND
        )
        return message_class("std_msgs/msg/Header")(stamp=time, frame_id=frame)

    with BagWriter(path) as writer:
        reliable = OfferedQos("reliable", "volatile", 50)
        writer.add_topic(IMAGE_TOPIC, "sensor_msgs/msg/Image", qos=reliable)
        for number in range(frames):
            stamp = 10 * scenes.SECOND + number * scenes.SECOND // 10
            pixels = scenes.view(2 * number)
            image = message_class("sensor_msgs/msg/Image")(
                header=header(stamp, FRAME),
                height=scenes.HEIGHT,
                width=scenes.WIDTH,
                encoding="rgb8",
                is_bigendian=0,
                step=3 * scenes.WIDTH,
                data=pixels.reshape(-1),
            )
            writer.write_message(IMAGE_TOPIC, stamp, image)
            writer.write_message("/flow_node/flow_color", stamp, image)
    return path
