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

"""The topics of depth_node. Nothing is paired by message_filters here: see `DepthIntake`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo

from zeroco_ros.online.depth_intake import DepthIntake, DepthItem
from zeroco_ros.ros.depth.pose_sources import pose_source
from zeroco_ros.ros.input_topic import ImageTopic, InputTopic
from zeroco_ros.ros.journal import Journal
from zeroco_ros.ros.metrics import Metrics


class DepthInput(DepthIntake):
    """See `DepthIntake`, subscribed."""

    def __init__(
        self,
        node: Node,
        values: Mapping[str, Any],
        journal: Journal,
        metrics: Metrics,
        submit: Callable[[DepthItem], None],
    ) -> None:
        self.image = ImageTopic(node, "image", values, journal, self.push)
        topic = info_topic(node, self.image.base)
        self.info = InputTopic(node, CameraInfo, topic, journal, self.take_info)
        poses = pose_source(node, values, journal, self.advance)
        super().__init__(
            values,
            journal,
            metrics,
            submit,
            image=self.image.topic,
            info=self.info.topic,
            poses=poses,
        )
        self.cameras = (self.image,)
        self.topics = (self.image, self.info, *poses.topics)

    def reconfigure(self, values: Mapping[str, Any]) -> None:
        """Take over changed parameters."""
        self.image.reconfigure(values)
        super().reconfigure(values)


def info_topic(node: Node, image: str) -> str:
    """`camera_info`, or, where it is not remapped, the one beside the image's topic."""
    named = node.resolve_topic_name("camera_info")
    default = f"{node.get_namespace().rstrip('/')}/camera_info"
    return named if named != default else f"{image.rpartition('/')[0]}/camera_info"
