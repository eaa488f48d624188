"""Depth from a moving camera, with a bag and RViz if wanted.

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
    """Called by the launch system."""
    return description(DEPTH.arguments, partial(node_plan, DEPTH, SHARE))
