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

"""
Depth from a moving camera, with a bag and RViz if wanted.

ros2 launch zeroco_ros depth.launch.py image:=/camera/image_raw pose_source:=odometry odom:=/odom

Every argument can be given as name:=value; `--show-args` lists them (they stand in
zeroco_ros/ros/launch_tables.py). An argument left empty keeps what the
parameter file says.
"""

from functools import partial
from pathlib import Path

from launch import LaunchDescription

from zeroco_ros.ros.launch_plan import node_plan
from zeroco_ros.ros.launch_tables import DEPTH
from zeroco_ros.ros.launching import description

SHARE = Path(__file__).resolve().parents[1]  # share/zeroco_ros, or the source folder


def generate_launch_description() -> LaunchDescription:
    """Return the launch description, as the launch system asks for it."""
    return description(DEPTH.arguments, partial(node_plan, DEPTH, SHARE))
