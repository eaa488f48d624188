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

"""Stamped poses as they come on a topic, and the camera's pose at an image's stamp."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from zeroco_ros.errors import ConfigError
from zeroco_ros.geometry.transforms import pose_to_matrix
from zeroco_ros.online.frames import NANOSECONDS
from zeroco_ros.online.log import Log
from zeroco_ros.online.pose_buffer import PoseBuffer

Pose = npt.NDArray[np.float64]


class PoseSource(Protocol):
    """
    Camera-to-world poses in meters. Nothing here waits for anything.

    topics: what is listened to for them, none: no poses are to be expected. world: the frame that
    they are in, empty where not known. problem: why poses that come cannot be used, or empty.
    """

    topics: Sequence[Any]
    world: str
    problem: str

    def at(self, stamp: int, frame_id: str) -> Pose | None:
        """Pose (4, 4) of the frame at a stamp (ns); None where it is not known (yet)."""

    def jumped_to(self, stamp: int) -> None:
        """Take notice that the images' clock went back."""

    def clear(self) -> None:
        """Forget all."""

    def reconfigure(self, values: Mapping[str, Any]) -> None:
        """Take over changed parameters."""


class NoPoses:
    """Poses are estimated from the images."""

    topics: Sequence[Any] = ()
    world = problem = ""

    def at(self, stamp: int, frame_id: str) -> None:
        """Never known."""

    def jumped_to(self, stamp: int) -> None:
        """Nothing to do."""

    def clear(self) -> None:
        """Nothing to do."""

    def reconfigure(self, values: Mapping[str, Any]) -> None:
        """Nothing to do."""


class PoseTrack:
    """
    The poses of one topic, nav_msgs/Odometry or geometry_msgs/PoseStamped, interpolated.

    Odometry moves its child_frame_id: unless that is the camera's frame, `mount` must say how the
    camera sits in it, as x y z qx qy qz qw, or nothing is used.
    """

    def __init__(
        self, topic: str, mount: Sequence[float] | None, values: Mapping[str, Any], log: Log
    ) -> None:
        self.world = self.problem = ""
        self._topic = topic
        self._log = log
        self._buffer = PoseBuffer()
        self._body = ""
        self._mount = None if mount is None else pose_to_matrix(mount[:3], mount[3:])
        self.reconfigure(values)

    def reconfigure(self, values: Mapping[str, Any]) -> None:
        """Take over changed parameters."""
        self._max_gap = float(values["max_pose_gap"])

    def at(self, stamp: int, frame_id: str) -> Pose | None:
        """See `PoseSource`."""
        pose = self._buffer.at(stamp, self._max_gap)
        if pose is None:
            return None
        if self._mount is not None:
            return pose @ self._mount
        if self._body and self._body != frame_id:
            self._complain(
                f"{self._topic} gives poses of '{self._body}', the images are those of "
                f"'{frame_id}': set camera_in_body to how the camera sits there"
            )
            return None
        return pose

    def jumped_to(self, stamp: int) -> None:
        """See `PoseSource`."""
        self._buffer.forget_after(stamp)

    def clear(self) -> None:
        """Forget all poses."""
        self._buffer.clear()
        self.problem = ""

    def take(self, message: Any) -> bool:
        """See a message; whether it holds a pose."""
        odometry = hasattr(message, "child_frame_id")
        pose = message.pose.pose if odometry else message.pose
        matrix = _matrix(pose)
        if matrix is None:
            self._complain(f"{self._topic}: a pose is not finite, or its quaternion is 0")
            return False
        self.world = message.header.frame_id
        self._body = message.child_frame_id if odometry else ""
        stamp = message.header.stamp
        self._buffer.add(stamp.sec * NANOSECONDS + stamp.nanosec, matrix)
        return True

    def _complain(self, text: str) -> None:
        self.problem = text
        self._log.error("pose", text)


def _matrix(pose: Any) -> Pose | None:
    position, turn = pose.position, pose.orientation
    place = (position.x, position.y, position.z)
    quaternion = (turn.x, turn.y, turn.z, turn.w)
    if not np.isfinite([*place, *quaternion]).all():
        return None
    try:
        return pose_to_matrix(place, quaternion)
    except ConfigError:
        return None
