"""A node for each of several cameras, each in a namespace of its own.

ros2 launch zeroco_ros two_cameras.launch.py cameras:='front rear' image:=image_raw

Every argument can be given as name:=value; `--show-args` lists them (they stand in
zeroco_ros/ros/launch_tables.py). An argument left empty keeps what the
parameter file says.
"""

from functools import partial
from pathlib import Path

from launch import LaunchDescription
from zeroco_ros.ros.launch_plan import cameras_plan
from zeroco_ros.ros.launch_tables import TWO_CAMERAS
from zeroco_ros.ros.launching import description

SHARE = Path(__file__).resolve().parents[1]  # share/zeroco_ros, or the source folder


def generate_launch_description() -> LaunchDescription:
    """Called by the launch system."""
    return description(TWO_CAMERAS, partial(cameras_plan, SHARE))
