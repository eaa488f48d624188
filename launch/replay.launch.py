"""A bag through the nodes as on the robot: played, computed, recorded; ends when the bag ends.

ros2 launch zeroco_ros replay.launch.py bag:=/path/to/bag nodes:=both rviz:=true

Every argument can be given as name:=value; `--show-args` lists them (they stand in
zeroco_ros/ros/launch_tables.py).
"""

from functools import partial
from pathlib import Path

from launch import LaunchDescription
from zeroco_ros.ros.launch_replay import replay_plan
from zeroco_ros.ros.launch_tables import REPLAY
from zeroco_ros.ros.launching import description

SHARE = Path(__file__).resolve().parents[1]  # share/zeroco_ros, or the source folder


def generate_launch_description() -> LaunchDescription:
    """Called by the launch system."""
    return description(REPLAY, partial(replay_plan, SHARE))
