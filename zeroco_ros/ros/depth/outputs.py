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
What depth_node publishes (see `topics`).

Images, points and camera_info carry the header of the input image unchanged, and lie on the pixels
of its rectified image.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TYPE_CHECKING

from rclpy.lifecycle import LifecycleNode
from std_msgs.msg import String

from zeroco_ros.online.odometry import PlaceKnown, within
from zeroco_ros.ros.depth.messages import camera_info, odometry, point_cloud
from zeroco_ros.ros.messages import from_array
from zeroco_ros.ros.outputs import Outputs
from zeroco_ros.ros.topics import DEPTH_TOPICS

if TYPE_CHECKING:
    from zeroco_ros.estimate.results import DepthResult
    from zeroco_ros.online.depth_intake import DepthItem


class DepthOutputs(Outputs):
    """
    See `Outputs`.

    world: returns the frame of ~/odometry. optical_world: the world is the first camera's, with
    optical axes (estimated poses): ~/odometry turns it to x forward, z up (REP 103).
    """

    def __init__(
        self,
        node: LifecycleNode,
        report: Callable[[str], None],
        changed: Callable[[], None],
        world: Callable[[], str],
        optical_world: bool,
    ) -> None:
        super().__init__(node, DEPTH_TOPICS, report, changed)
        self._world = world
        self._scale = ""
        self._placed = PlaceKnown(optical_world)

    def publish_depth(
        self, result: DepthResult, item: DepthItem, max_depth: float
    ) -> frozenset[str]:
        """Publish what is listened to; returns the names. max_depth: NaN beyond, 0: nowhere."""
        header = item.frame.header
        depth, sigma = within(result, max_depth)
        self._tell_scale(result.scale)
        makers: dict[str, Callable[[], Any]] = {
            "depth": lambda: from_array(depth, "32FC1", header),
            "depth_sigma": lambda: from_array(sigma, "32FC1", header),
            "points": lambda: point_cloud(depth, result.K, result.image, header),
            "camera_info": lambda: camera_info(depth.shape, result.K, header),
            "image_rect": lambda: from_array(result.image, "rgb8", header),
        }
        if self._placed(result, item):
            world, optical = self._world(), self._placed.optical_world
            makers["odometry"] = lambda: odometry(result, header, world, optical)
        return self.publish(makers)

    def _tell_scale(self, scale: str) -> None:
        if scale != self._scale:
            self._scale = scale
            self.publish_latched("scale", String(data=scale))
