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

"""When depth_node says where the camera is, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import ros_harness

pytest.importorskip("rclpy", reason="rclpy is not importable: no ROS 2 here")

from zeroco_ros.online.odometry import PlaceKnown
from zeroco_ros.ros.depth.messages import odometry
from zeroco_ros.ros.depth.outputs import DepthOutputs


class Said(DepthOutputs):
    """Outputs that are all listened to, without a node."""

    def __init__(self, optical_world: bool) -> None:
        self._world, self._scale = (lambda: "odom"), ""
        self._placed = PlaceKnown(optical_world)

    def publish(self, makers: Mapping[str, Any]) -> frozenset[str]:
        for make in makers.values():
            make()
        return frozenset(makers)

    def publish_latched(self, name: str, message: Any) -> None:
        pass

    def where(self, state: str, scale: str, pose: Any = None, epoch: int = 0) -> bool:
        """Whether a frame has ~/odometry; all else it always has."""
        depth = np.ones((2, 2), np.float32)
        result: Any = SimpleNamespace(depth=depth, sigma=depth, scale=scale, state=state)
        result.K, result.pose, result.pose_covariance = np.eye(3), np.eye(4), None
        result.image = np.zeros((2, 2, 3), np.uint8)
        frame = SimpleNamespace(header=ros_harness.make_header(1, "eye"))
        item: Any = SimpleNamespace(frame=frame, pose=pose, epoch=epoch)
        names = self.publish_depth(result, item, 0.0)
        assert {"depth", "depth_sigma", "points", "camera_info", "image_rect"} <= names
        return "odometry" in names


def test_a_place_that_is_not_known_is_not_repeated() -> None:
    """A filter would take the last pose of a camera that is lost for one that stands still."""
    outputs = Said(optical_world=True)
    for state, there in (("ok", 1), ("static", 1), ("rotation", 1), ("lost", 0), ("starting", 0)):
        assert outputs.where(state, "relative") == bool(there), state


def test_a_world_of_its_own_is_not_called_that_of_the_given_poses() -> None:
    outputs = Said(optical_world=False)
    assert not outputs.where("ok", "relative")
    assert not outputs.where("ok", "metric")  # by the camera's height: meters, another world
    assert outputs.where("lost", "metric", np.eye(4))  # the pose is given all the same
    assert outputs.where("ok", "metric")  # tracked from there
    assert not outputs.where("ok", "relative")
    assert not outputs.where("ok", "metric", epoch=1)


def test_covariances_turn_with_the_axes() -> None:
    result = SimpleNamespace(pose=np.eye(4), pose_covariance=np.diag([1.0, 2, 3, 4, 5, 6]))
    header = ros_harness.make_header(1, "eye")
    message = odometry(result, header, "odom", optical_world=True)
    # x right, y down, z forward become -y, -z and x.
    assert np.diag(np.reshape(message.pose.covariance, (6, 6))).tolist() == [3, 1, 2, 6, 4, 5]
    plain = odometry(result, header, "odom", optical_world=False)
    assert np.diag(np.reshape(plain.pose.covariance, (6, 6))).tolist() == [1, 2, 3, 4, 5, 6]
    q = message.pose.pose.orientation
    assert [q.x, q.y, q.z, q.w] == pytest.approx([-0.5, 0.5, -0.5, 0.5])
