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

"""Posed sequences in rosbag2 bags: a camera, its calibration, its motion, depth where it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from zeroco_ros.bag.camera_topics import best_match, image_format
from zeroco_ros.bag.images import image_topics, read_images, StampedImage
from zeroco_ros.bag.reader import BagReader
from zeroco_ros.errors import BagError
from zeroco_ros.evaluation.sequences import (
    Depth,
    measured_depth,
    PosedFrame,
    PosedSequence,
    rectified_depth,
)
from zeroco_ros.geometry.camera import Camera
from zeroco_ros.sequence.bag import BagSequence
from zeroco_ros.sequence.frames import is_bag
from zeroco_ros.sequence.open import open_camera, open_poses
from zeroco_ros.sequence.pose_topics import POSE
from zeroco_ros.sequence.poses import Poses

DEPTH_ENCODINGS = ("16UC1", "32FC1")
SAME_TIME_NS = 2_000_000  # depth taken at another time is not this frame's


def holds_bag(folder: Path) -> bool:
    """Whether a folder is a rosbag2 bag."""
    return folder.is_dir() and is_bag(folder)


def bag_sequence(path: Path, topic: str | None = None) -> PosedSequence:
    """
    Return the camera of a bag with its motion.

    topic: of the images; None takes the first camera. Poses are those of `zeroco depth` (tf, then
    odometry), else of the bag's only PoseStamped topic, which is taken as the camera's own. Depth
    is the 16UC1 (millimeters) or 32FC1 (meters) image topic whose name has the most in common with
    the camera's, of the same size and with the same stamps. Raises BagError or ConfigError where
    there is no camera, no calibration or no motion of it.
    """
    with BagSequence(path, topic) as sequence:
        first = next(sequence.frames(), None)
        if first is None:
            raise BagError(f"no picture on {sequence.topic} of {path} can be read")
        height, width = first.image.shape[:2]
        camera, _ = open_camera(sequence, None, (width, height))
        poses = _poses(sequence)
        depth_topic = _depth_topic(sequence.reader, sequence.topic)
        topic, count = sequence.topic, sequence.count or 0

    def frames() -> Iterator[PosedFrame]:
        with BagSequence(path, topic) as images, BagReader(path) as reader:
            depths = _Depths(reader, depth_topic, camera)
            for frame in images.frames():
                pose, depth = poses.at(frame), depths.at(frame.stamp_ns)
                yield PosedFrame(frame.name, frame.image, frame.stamp_ns, pose, depth)

    words = f", depth measured on {depth_topic}" if depth_topic else ", no depth"
    about = f"bag, camera {topic}, poses by {poses.words}{words}"
    return PosedSequence(
        path.resolve().name, about, count, camera, frames, depth_topic is not None
    )


def _poses(sequence: BagSequence) -> Poses:
    found = open_poses(sequence, "auto")
    names = [t.name for t in sequence.reader.topics.values() if t.type == POSE and t.count]
    if found is None and len(names) == 1:
        found = open_poses(sequence, names[0])
    if found is None:
        raise BagError(
            f"{sequence.path} does not say where its camera {sequence.topic} is: record tf, "
            "odometry that tf connects with it, or one PoseStamped topic"
        )
    return found


def _depth_topic(reader: BagReader, camera: str) -> str | None:
    names = [
        name
        for name in image_topics(reader)
        if reader.topics[name].count and image_format(reader, name)[0] in DEPTH_ENCODINGS
    ]
    return best_match(camera, names)


class _Depths:
    """The depth images of a topic by their stamps, which must be asked for in order."""

    def __init__(self, reader: BagReader, topic: str | None, camera: Camera) -> None:
        self._images = read_images(reader, topic) if topic else iter(())
        self._camera, self._topic = camera, topic
        self._next: StampedImage | None = next(self._images, None)

    def at(self, stamp_ns: int) -> Depth | None:
        while self._next is not None and self._next.stamp_ns < stamp_ns - SAME_TIME_NS:
            self._next = next(self._images, None)
        if self._next is None or self._next.stamp_ns > stamp_ns + SAME_TIME_NS:
            return None
        stored = self._next.image
        if stored.shape != (self._camera.height, self._camera.width):
            raise BagError(
                f"depth on {self._topic} is {stored.shape} (H, W), its camera's images are "
                f"{self._camera.height}x{self._camera.width}: only registered depth is scored"
            )
        return rectified_depth(measured_depth(stored), self._camera)
