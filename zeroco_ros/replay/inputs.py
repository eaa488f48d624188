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

"""What of a bag is fed to the tasks: the camera, its calibration, its poses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from zeroco_ros.bag.camera_topics import best_match, camera_topic, info_topic
from zeroco_ros.bag.geometry_records import POSE_STAMPED
from zeroco_ros.bag.images import COMPRESSED
from zeroco_ros.bag.reader import BagReader
from zeroco_ros.errors import BagError, ConfigError
from zeroco_ros.online.frames import Frame
from zeroco_ros.online.log import Log
from zeroco_ros.online.pose_track import NoPoses, PoseSource, PoseTrack
from zeroco_ros.ros.depth.parameters import mount_numbers
from zeroco_ros.sequence.pose_topics import ODOMETRY
from zeroco_ros.sequence.tf_tree import TF_MESSAGE, TfTree

_SIDES = (("left", "right"), ("cam0", "cam1"), ("image_0", "image_1"), ("infra1", "infra2"))
KIND_OF = {POSE_STAMPED: "pose", ODOMETRY: "odometry", TF_MESSAGE: "tf"}


class ReplayFrame(Frame):
    """A frame of the bag. row: its place among the images that came; recorded: ns."""

    def __init__(
        self, message: Any, topic: str, values: Mapping[str, Any], arrival: float
    ) -> None:
        super().__init__(
            message,
            topic,
            int(values["max_pixels"]),
            int(values["significant_bits"]),
            arrival=arrival,
        )
        self.row = self.recorded = 0
        self._kept: npt.NDArray[np.uint8] | None = None

    def decode(self) -> npt.NDArray[np.uint8]:
        """Return the pixels as `Frame.decode`; they stay for the metrics."""
        if self._kept is None:
            # A view of the bag's bytes is read-only, which torch warns of.
            self._kept = np.require(super().decode(), requirements="W")
        return self._kept

    @property
    def written(self) -> int:
        """Time of its results in the output bag, ns: its stamp, if it has any."""
        return self.stamp or self.recorded


@dataclass(frozen=True)
class Inputs:
    """
    Topics of a bag.

    right: the second camera; info, poses: None where there is none, or none is wanted.
    """

    camera: str
    compressed: bool
    info: str | None = None
    poses: str | None = None
    right: str | None = None

    @property
    def topics(self) -> list[str]:
        """All that is read."""
        names = (self.camera, self.right, self.info, self.poses)
        return [name for name in names if name is not None]

    @property
    def cameras(self) -> dict[str, int]:
        """Topic of each camera -> 0 for the (left) camera, 1 for the right one."""
        return {self.camera: 0} | ({self.right: 1} if self.right is not None else {})

    def as_dict(self) -> dict[str, str]:
        """By what they are for."""
        named = {"image": self.camera, "right": self.right, "camera_info": self.info}
        named["poses"] = self.poses
        return {use: name for use, name in named.items() if name is not None}


def find_inputs(
    reader: BagReader,
    camera: str | None,
    info: str | None,
    pose_kind: str,
    poses: str | None,
) -> Inputs:
    """
    Return the topics to read; names that are None are looked for beside the camera's.

    pose_kind: parameter pose_source of the node. Raises BagError for what is missing.
    """
    camera = camera_topic(reader, camera)
    if reader.topics[camera].count == 0:
        raise BagError(f"{camera} of {reader.path} holds no pictures")
    if info is not None and info not in reader.topics:
        raise BagError(f"{reader.path} has no topic {info} to take the calibration from")
    found = _pose_topic(reader, camera, pose_kind, poses)
    compressed = reader.topics[camera].type == COMPRESSED
    return Inputs(camera, compressed, info or info_topic(reader, camera), found)


def right_camera(reader: BagReader, left: str, given: str | None) -> str:
    """
    Return the topic of the second camera: as given, or by the first one's name.

    Raises BagError where it is not there.
    """
    for word, other in _SIDES:
        if given is None and word in left and left.replace(word, other) in reader.topics:
            given = left.replace(word, other)
    if given is None:
        raise BagError(f"{reader.path} has no camera that goes with {left}: name it with --right")
    return camera_topic(reader, given)


def pose_kind_of(reader: BagReader, topic: str) -> str:
    """Return the pose_source that reads a topic. Raises BagError where none does."""
    if topic not in reader.topics:
        raise BagError(f"{reader.path} has no topic {topic}; poses are on: {_listed(reader)}")
    kind = KIND_OF.get(reader.topics[topic].type)
    if kind is None:
        raise BagError(
            f"{topic} is a {reader.topics[topic].type}; the node takes poses from PoseStamped, "
            f"Odometry or tf; those of {reader.path} are on: {_listed(reader)}"
        )
    return kind


def open_pose_source(
    reader: BagReader, inputs: Inputs, values: Mapping[str, Any], log: Log
) -> PoseSource:
    """Return where the depth task has its poses from, by the node's parameter pose_source."""
    kind = values["pose_source"]
    if kind == "none":
        return NoPoses()
    if kind == "tf":
        return TfPoses(reader, str(values["world_frame"]))
    assert inputs.poses is not None
    return BagPoses(inputs.poses, mount_numbers(values), values, log)


class BagPoses(PoseTrack):
    """The poses of a topic of the bag, fed in the order of recording."""

    def __init__(self, topic: str, *arguments: Any) -> None:
        self.topics: Sequence[Any] = (topic,)
        super().__init__(topic, *arguments)


class TfPoses(NoPoses):
    """
    Poses of the images' frame in `world` from all tf of the bag, which is known beforehand.

    Raises ConfigError where the bag's tf has no such frame.
    """

    def __init__(self, reader: BagReader, world: str) -> None:
        self._tree = TfTree(reader)
        self.topics = tuple(self._tree.topics)
        self.world = world
        frames = {*self._tree.edges, *(edge.parent for edge in self._tree.edges.values())}
        if world not in frames:
            there = ", ".join(sorted(frames)) or "none"
            raise ConfigError(
                f"world_frame '{world}' is not among the tf frames of {reader.path}: {there}"
            )

    def at(  # type: ignore[override]
        self, stamp: int, frame_id: str
    ) -> npt.NDArray[np.float64] | None:
        """See `PoseSource`."""
        return self._tree.lookup(self.world, frame_id, stamp)


def _pose_topic(reader: BagReader, camera: str, kind: str, given: str | None) -> str | None:
    if kind in ("none", "tf"):
        return None
    if given is not None:
        if pose_kind_of(reader, given) != kind:
            raise BagError(f"{given} is not what pose_source '{kind}' reads")
        return given
    message = POSE_STAMPED if kind == "pose" else ODOMETRY
    names = [t.name for t in reader.topics.values() if t.type == message and t.count]
    found = names[0] if len(names) == 1 else best_match(camera, names, lambda shared: shared > 1)
    if found is None:
        raise BagError(
            f"pose_source '{kind}' finds no {message} beside {camera} of {reader.path}: name it "
            f"with --poses; there are: {_listed(reader)}"
        )
    return found


def _listed(reader: BagReader) -> str:
    return ", ".join(t.name for t in reader.topics.values() if t.type in KIND_OF) or "no topic"
