"""Where the poses of the camera come from: nowhere, a topic, or tf2."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry
from rclpy.node import Node

from zeroco_ros.errors import ConfigError
from zeroco_ros.geometry.transforms import pose_to_matrix
from zeroco_ros.ros.depth.parameters import mount_numbers
from zeroco_ros.ros.depth.pose_buffer import PoseBuffer
from zeroco_ros.ros.depth.tf_poses import TfPoses
from zeroco_ros.ros.frames import NANOSECONDS
from zeroco_ros.ros.input_topic import InputTopic
from zeroco_ros.ros.journal import Journal

Pose = npt.NDArray[np.float64]
QUEUE = 100  # odometry comes faster than images: half a second of it at 200 Hz


class PoseSource(Protocol):
    """Camera-to-world poses in meters. Nothing here waits for anything.

    topics: what is subscribed for them, none: no poses are to be expected. world: the frame that
    they are in, empty where not known. problem: why poses that come cannot be used, or empty.
    """

    topics: Sequence[Any]
    world: str
    problem: str

    def at(self, stamp: int, frame_id: str) -> Pose | None:
        """Pose (4, 4) of the frame at a stamp (ns); None where it is not known (yet)."""

    def jumped_to(self, stamp: int) -> None:
        """The images' clock went back."""

    def clear(self) -> None:
        """Forget all."""

    def reconfigure(self, values: Mapping[str, Any]) -> None:
        """Take over changed parameters."""


def pose_source(
    node: Node, values: Mapping[str, Any], journal: Journal, arrived: Callable[[], None]
) -> PoseSource:
    """The one that the parameter pose_source asks for. Raises ConfigError, BackendError.

    arrived: called after each pose, where the source notices that.
    """
    kind = values["pose_source"]
    if kind == "none":
        return NoPoses()
    if kind == "tf":
        return TfPoses(node, values["world_frame"])
    return TopicPoses(node, kind, values, journal, arrived)


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


class TopicPoses:
    """Stamped poses of a topic, interpolated.

    kind: "odometry" (nav_msgs/Odometry on `odom`) or "pose" (geometry_msgs/PoseStamped on `pose`).
    Odometry moves its child_frame_id: unless that is the camera's frame the parameter
    camera_in_body must say how the camera sits in it, or nothing is used.
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
        topic = InputTopic(node, message, name, journal, self._take, depth=QUEUE)
        self.topics = (topic,)
        self.world = self.problem = ""
        self._journal = journal
        self._arrived = arrived
        self._buffer = PoseBuffer()
        self._body = ""
        numbers = mount_numbers(values)
        self._mount = None if numbers is None else pose_to_matrix(numbers[:3], numbers[3:])
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
                f"{self.topics[0].topic} gives poses of '{self._body}', the images are those of "
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

    def _take(self, message: Any) -> None:
        odometry = hasattr(message, "child_frame_id")
        pose = message.pose.pose if odometry else message.pose
        matrix = _matrix(pose)
        if matrix is None:
            self._complain(f"{self.topics[0].topic}: a pose is not finite, or its quaternion is 0")
            return
        self.world = message.header.frame_id
        self._body = message.child_frame_id if odometry else ""
        stamp = message.header.stamp
        self._buffer.add(stamp.sec * NANOSECONDS + stamp.nanosec, matrix)
        self._arrived()

    def _complain(self, text: str) -> None:
        self.problem = text
        self._journal.error("pose", text)


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
