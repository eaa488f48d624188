"""The executable `depth_node`: depth with its uncertainty from a moving camera's topics.

    ros2 run zeroco_ros depth_node --ros-args -r image:=/camera/image_raw
    python3 -m zeroco_ros.ros.depth_node --list-parameters

The node itself is `depth.node.DepthNode`.
"""

from __future__ import annotations

import sys

from zeroco_ros.ros.command import NodeCommand
from zeroco_ros.ros.depth.parameters import TABLE
from zeroco_ros.ros.topics import DEPTH_TOPICS

main = NodeCommand(
    name="depth_node",
    description="Depth with its uncertainty from a moving camera, as a managed ROS 2 node.",
    topics=DEPTH_TOPICS,
    parameters=TABLE,
    node="zeroco_ros.ros.depth.node:DepthNode",
)

if __name__ == "__main__":
    sys.exit(main())
