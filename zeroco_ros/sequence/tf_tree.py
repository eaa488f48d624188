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

"""The transforms on /tf and /tf_static of a bag as a tree of coordinate frames (REP 105)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zeroco_ros.bag.images import header_stamp
from zeroco_ros.bag.reader import BagReader
from zeroco_ros.errors import ConfigError
from zeroco_ros.geometry.transforms import inverse, pose_to_matrix
from zeroco_ros.sequence.poses import StampedPoses

Array = npt.NDArray[np.float64]

TF_MESSAGE = "tf2_msgs/msg/TFMessage"
CONTINUOUS = "odom"  # REP 105: the world frame that never jumps, better than a map that may
_STATIC = "tf_static"


@dataclass(frozen=True)
class Edge:
    """How a frame lies in its parent: fixed (4, 4), or over time."""

    parent: str
    fixed: Array | None
    track: StampedPoses | None

    def at(self, stamp_ns: int) -> Array | None:
        """T_parent_from_child at a time, None where it is not known."""
        if self.fixed is not None:
            return self.fixed
        assert self.track is not None
        return self.track.at_stamp(stamp_ns)


class TfTree:
    """Every frame's way to its root. edges: child -> Edge."""

    def __init__(self, reader: BagReader) -> None:
        topics = [t.name for t in reader.topics.values() if t.type == TF_MESSAGE and t.count]
        self.topics = topics
        self.edges: dict[str, Edge] = {}
        moving: dict[tuple[str, str], list[tuple[int, Array]]] = defaultdict(list)
        for message in reader.messages(topics) if topics else ():
            for item in reader.decode(message).transforms:
                parent, child = _name(item.header.frame_id), _name(item.child_frame_id)
                matrix = _matrix(item.transform)
                if matrix is None or not child or parent == child:
                    continue
                if message.topic.endswith(_STATIC):
                    self.edges[child] = Edge(parent, matrix, None)
                else:
                    moving[parent, child].append((header_stamp(item.header), matrix))
        for (parent, child), poses in moving.items():
            stamps, matrices = zip(*poses, strict=True)
            self.edges[child] = Edge(parent, None, StampedPoses(stamps, matrices, "tf"))

    def ancestors(self, frame: str) -> list[str]:
        """Return the frame, its parent, and so on up to the root; a loop ends where it closes."""
        chain = [_name(frame)]
        while chain[-1] in self.edges and self.edges[chain[-1]].parent not in chain:
            chain.append(self.edges[chain[-1]].parent)
        return chain

    def world_of(self, frame: str) -> str | None:
        """
        Return frame to see a camera's motion in: "odom", else the root; None where it is alone.

        None too where all transforms on the way are fixed: then nothing is known about motion.
        """
        chain = self.ancestors(frame)
        world = CONTINUOUS if CONTINUOUS in chain[1:] else chain[-1]
        way = chain[: chain.index(world)]
        return world if any(self.edges[child].fixed is None for child in way) else None

    def lookup(self, parent: str, child: str, stamp_ns: int) -> Array | None:
        """
        T_parent_from_child (4, 4) at a time.

        None where the frames are not connected or the transform is not known then. The two may lie
        on different branches.
        """
        up, down = self.ancestors(_name(child)), self.ancestors(_name(parent))
        common = next((frame for frame in up if frame in down), None)
        if common is None:
            return None
        first = self._along(up[: up.index(common)], stamp_ns)
        second = self._along(down[: down.index(common)], stamp_ns)
        if first is None or second is None:
            return None
        return np.asarray(inverse(second) @ first, dtype=np.float64)

    def connected(self, a: str, b: str) -> bool:
        """Whether two frames hang on the same tree."""
        return bool(set(self.ancestors(a)) & set(self.ancestors(b)))

    def _along(self, children: list[str], stamp_ns: int) -> Array | None:
        total = np.eye(4)
        for child in children:
            step = self.edges[child].at(stamp_ns)
            if step is None:
                return None
            total = step @ total
        return total


def _name(frame: str) -> str:
    """ROS 1 wrote a leading slash, which means nothing in ROS 2."""
    return str(frame).removeprefix("/")


def _matrix(transform: object) -> Array | None:
    """Return a geometry_msgs/Transform as (4, 4); None where its quaternion says nothing."""
    t, q = transform.translation, transform.rotation  # type: ignore[attr-defined]
    try:
        return np.asarray(pose_to_matrix((t.x, t.y, t.z), (q.x, q.y, q.z, q.w)), dtype=np.float64)
    except ConfigError:
        return None
