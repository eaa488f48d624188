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

"""The two nodes that the demonstration shows, and what is kept of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
import os

# Two demonstrations on one machine must not hear each other.
NAMESPACE = f"/zeroco_demo_{os.getpid()}"


@dataclass(frozen=True, eq=False)
class NodeSpec:
    """
    A node of this package.

    name: of node and executable; module: to start it by; outputs: short names of the images that
    every frame is answered with, the one that is timed first; beside: other outputs that are kept,
    short name -> type, which begin with a header; words: latched std_msgs/String outputs; warm_up:
    first answers that take less or more time than the rest. unanswered: seconds left to the node
    for a frame that gets no answer, such as the first one: its queue of one keeps the newest.
    """

    name: str
    module: str
    outputs: tuple[str, ...]
    beside: Mapping[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    warm_up: int = 2
    unanswered: float = 0.0

    @property
    def path(self) -> str:
        """Its full name while the demonstration runs."""
        return f"{NAMESPACE}/{self.name}"

    def kept(self, output: str) -> str:
        """Return the topic of an output in the recorded bag."""
        return f"/{self.name}/{output}"


FLOW = NodeSpec("flow_node", "zeroco_ros.ros.flow_node", ("flow", "confidence"))
DEPTH = NodeSpec(
    "depth_node",
    "zeroco_ros.ros.depth_node",
    ("depth", "depth_sigma"),
    {"camera_info": "sensor_msgs/msg/CameraInfo", "odometry": "nav_msgs/msg/Odometry"},
    ("scale",),
    warm_up=5,  # until its window of key frames is full
    unanswered=2.0,  # it would take the second frame for the first
)
