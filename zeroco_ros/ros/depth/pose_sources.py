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

"""Where the poses of the camera come from: nowhere, a topic, or tf2."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry
from rclpy.node import Node

from zeroco_ros.online.pose_track import NoPoses, PoseSource, PoseTrack
from zeroco_ros.ros.depth.parameters import mount_numbers
from zeroco_ros.ros.depth.tf_poses import TfPoses
from zeroco_ros.ros.input_topic import InputTopic
from zeroco_ros.ros.journal import Journal

QUEUE = 100  # odometry comes faster than images: half a second of it at 200 Hz


def pose_source(
    node: Node, values: Mapping[str, Any], journal: Journal, arrived: Callable[[], None]
) -> PoseSource:
    """
    Return the one that the parameter pose_source asks for. Raises ConfigError, BackendError.

    arrived: called after each pose, where the source notices that.
    """
    kind = values["pose_source"]
    if kind == "none":
        return NoPoses()
    if kind == "tf":
        return TfPoses(node, values["world_frame"])
    return TopicPoses(node, kind, values, journal, arrived)


class TopicPoses(PoseTrack):
    """
    See `PoseTrack`, subscribed.

    kind: "odometry" (nav_msgs/Odometry on `odom`) or "pose" (geometry_msgs/PoseStamped on `pose`).
    """

    def __init__(
        self,
        node: Node,
        kind: str,
        values: Mapping[str, Any],
        journal: Journal,
        arrived: Callable[[], None],
    ) -> None:
        name, message = ("odom", Odometry) if kind == "odometry" else ("pose", PoseStamped)
        topic = InputTopic(node, message, name, journal, self._receive, depth=QUEUE)
        self.topics = (topic,)
        self._arrived = arrived
        super().__init__(topic.topic, mount_numbers(values), values, journal)

    def _receive(self, message: Any) -> None:
        if self.take(message):
            self._arrived()
