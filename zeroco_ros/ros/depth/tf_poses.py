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

"""Poses from tf2, where its library is installed."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
from rclpy.node import Node
from rclpy.time import Time

from zeroco_ros.errors import BackendError, ConfigError
from zeroco_ros.geometry.transforms import pose_to_matrix
from zeroco_ros.online.frames import NANOSECONDS

MISSING = (
    "pose_source is 'tf' and tf2_ros cannot be imported ({reason}): install it with the ROS 2 "
    "distribution (apt: ros-$ROS_DISTRO-tf2-ros), or use pose_source 'odometry' or 'pose'"
)


class TfPoses:
    """
    Poses of the images' frame in `world`, asked of tf2's buffer without waiting.

    Raises BackendError where tf2_ros is not importable.
    """

    def __init__(self, node: Node, world: str) -> None:
        self._library = _tf2_ros()
        # Without the node, on which it would leave a service behind with every configuration.
        self._buffer = self._library.Buffer()
        self.world = world
        self.problem = ""
        self.topics = (_Listener(node, self._library, self._buffer),)

    def at(self, stamp: int, frame_id: str) -> npt.NDArray[np.float64] | None:
        """See `PoseSource`."""
        when = Time(seconds=stamp // NANOSECONDS, nanoseconds=stamp % NANOSECONDS)
        try:
            found = self._buffer.lookup_transform(self.world, frame_id, when).transform
            place, turn = found.translation, found.rotation
            pose = pose_to_matrix((place.x, place.y, place.z), (turn.x, turn.y, turn.z, turn.w))
        except (self._library.TransformException, ConfigError) as error:
            self.problem = f"tf: {error}"
            return None
        self.problem = ""
        return pose

    def jumped_to(self, stamp: int) -> None:
        """tf2 refuses transforms older than what it has: forget those (static ones stay)."""
        self._buffer.clear()

    def clear(self) -> None:
        """Forget all but static transforms."""
        self._buffer.clear()
        self.problem = ""

    def reconfigure(self, values: Mapping[str, Any]) -> None:
        """Nothing to do: tf2 knows how far it interpolates."""


class _Listener:
    """/tf and /tf_static, listened to on demand."""

    topic = "/tf"

    def __init__(self, node: Node, library: ModuleType, buffer: Any) -> None:
        self._node = node
        self._library = library
        self._buffer = buffer
        self._listener: Any = None

    def subscribe(self) -> None:
        """Listen; does nothing when listening already."""
        if self._listener is None:
            self._listener = self._library.TransformListener(
                self._buffer, self._node, spin_thread=False
            )

    def unsubscribe(self) -> None:
        """Stop listening."""
        if self._listener is not None:
            self._listener.unregister()
            self._listener = None

    @property
    def publishers(self) -> int:
        """How many publishers /tf has now."""
        return self._node.count_publishers(self.topic)


def _tf2_ros() -> ModuleType:
    try:
        import tf2_ros
    except ImportError as error:
        raise BackendError(MISSING.format(reason=error)) from error
    return tf2_ros
