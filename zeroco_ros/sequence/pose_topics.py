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

"""Poses of a bag's camera from its topics: tf, odometry, stamped poses and transforms."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from zeroco_ros.bag.camera_topics import best_match
from zeroco_ros.bag.images import header_stamp
from zeroco_ros.errors import BagError, ConfigError
from zeroco_ros.geometry.transforms import pose_to_matrix
from zeroco_ros.sequence.bag import BagSequence
from zeroco_ros.sequence.frames import Frame
from zeroco_ros.sequence.poses import Poses, StampedPoses
from zeroco_ros.sequence.tf_tree import TF_MESSAGE, TfTree

Array = npt.NDArray[np.float64]

ODOMETRY = "nav_msgs/msg/Odometry"
TRANSFORM = "geometry_msgs/msg/TransformStamped"
POSE = "geometry_msgs/msg/PoseStamped"
POSE_COVARIANCE = "geometry_msgs/msg/PoseWithCovarianceStamped"
KINDS = (TF_MESSAGE, ODOMETRY, TRANSFORM, POSE, POSE_COVARIANCE)


def pose_topics(sequence: BagSequence) -> list[str]:
    """Names of the topics that `topic_poses` can read."""
    return [t.name for t in sequence.reader.topics.values() if t.type in KINDS and t.count]


def topic_poses(sequence: BagSequence, topic: str) -> Poses:
    """
    Return the camera's poses from a topic of its bag.

    A pose (PoseStamped) is taken as the camera's own, with optical axes. Odometry and transforms
    name the frame that they move; where it is not the camera's, tf must connect the two.
    Raises BagError for another kind of topic, and where tf does not lead to the camera.
    """
    kind = sequence.reader.topics[topic].type
    if kind not in KINDS:
        there = ", ".join(pose_topics(sequence)) or "no topic"
        raise BagError(f"{topic} is a {kind} and says no poses; poses are on: {there}")
    if kind == TF_MESSAGE:
        poses = tf_poses(sequence)
        if poses is None:
            raise BagError(_unconnected(sequence, topic))
        return poses
    return _track(sequence, topic, kind)


def tf_poses(sequence: BagSequence) -> Poses | None:
    """Return the camera's poses from tf; None where tf does not know the motion of its frame."""
    tree = TfTree(sequence.reader)
    world = tree.world_of(sequence.frame_id) if sequence.frame_id else None
    return None if world is None else _TfPoses(tree, world, sequence.frame_id)


def odometry_poses(sequence: BagSequence) -> Poses | None:
    """
    Return the camera's poses from the bag's only odometry, None where it is not the camera's.

    Its relation to the camera must be known: it moves the camera's own frame, or one that tf
    connects with it.
    """
    topics = sequence.reader.topics.values()
    names = [t.name for t in topics if t.type == ODOMETRY and t.count]
    if len(names) != 1:
        return None
    try:
        return _track(sequence, names[0], ODOMETRY)
    except BagError:
        return None


def neighbor_poses(sequence: BagSequence) -> Poses | None:
    """
    Return the poses of a PoseStamped topic beside the camera's, None where there is none.

    As /cam0/pose beside /cam0/image_raw; those elsewhere may be anything, a goal for example.
    """
    topics = sequence.reader.topics.values()
    names = [t.name for t in topics if t.type == POSE and t.count]
    topic = best_match(sequence.topic, names, lambda shared: shared > 1)
    return None if topic is None else _track(sequence, topic, POSE)


class _TfPoses:
    def __init__(self, tree: TfTree, world: str, frame_id: str) -> None:
        self.words = f"tf from {world} to {frame_id}"
        self._tree, self._world, self._frame_id = tree, world, frame_id

    def at(self, frame: Frame) -> Array | None:
        return self._tree.lookup(self._world, self._frame_id, frame.stamp_ns)


class _MountedPoses:
    """Poses of something that the camera is mounted on."""

    def __init__(self, track: StampedPoses, tree: TfTree, body: str, camera: str) -> None:
        self.words = f"{track.words}, with tf from {body} to {camera}"
        self._track, self._tree, self._body, self._camera = track, tree, body, camera

    def at(self, frame: Frame) -> Array | None:
        pose = self._track.at(frame)
        mount = self._tree.lookup(self._body, self._camera, frame.stamp_ns)
        return None if pose is None or mount is None else pose @ mount


def _track(sequence: BagSequence, topic: str, kind: str) -> Poses:
    stamps, matrices, body = [], [], ""
    for message in sequence.reader.messages([topic]):
        decoded = sequence.reader.decode(message)
        body = str(getattr(decoded, "child_frame_id", "")).removeprefix("/")
        matrix = _matrix(decoded, kind)
        if matrix is not None:
            stamps.append(header_stamp(decoded.header))
            matrices.append(matrix)
    if not stamps:
        raise BagError(f"{topic} of {sequence.path} holds no pose: every quaternion is zero")
    track = StampedPoses(stamps, matrices, f"{len(stamps)} poses on {topic}")
    camera = sequence.frame_id.removeprefix("/")
    if not body or not camera or body == camera:
        return track
    tree = TfTree(sequence.reader)
    if not tree.connected(body, camera):
        raise BagError(_unconnected(sequence, topic, body))
    return _MountedPoses(track, tree, body, camera)


def _matrix(message: Any, kind: str) -> Array | None:
    if kind == TRANSFORM:
        position, q = message.transform.translation, message.transform.rotation
    else:
        pose = message.pose if kind == POSE else message.pose.pose
        position, q = pose.position, pose.orientation
    try:
        return pose_to_matrix((position.x, position.y, position.z), (q.x, q.y, q.z, q.w))
    except ConfigError:
        return None


def _unconnected(sequence: BagSequence, topic: str, body: str = "") -> str:
    others = ", ".join(name for name in pose_topics(sequence) if name != topic)
    what = f"{topic} moves the frame '{body}', and" if body else f"{topic}:"
    return (
        f"{what} tf does not lead from there to the camera's frame '{sequence.frame_id}'; give "
        f"another topic{f' ({others})' if others else ''}, a file of poses, or none"
    )
