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
The executable `depth_node`: depth with its uncertainty from a moving camera's topics.

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
