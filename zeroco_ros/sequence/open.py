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

"""The camera and the poses of a recording, from where the user says or where they are found."""

from __future__ import annotations

from pathlib import Path

from zeroco_ros.errors import ConfigError
from zeroco_ros.geometry.camera import Camera, load_camera
from zeroco_ros.sequence.bag import BagSequence
from zeroco_ros.sequence.folder import FolderSequence
from zeroco_ros.sequence.frames import Sequence
from zeroco_ros.sequence.pose_files import has_named_poses, read_poses
from zeroco_ros.sequence.pose_topics import (
    neighbor_poses,
    odometry_poses,
    pose_topics,
    tf_poses,
    topic_poses,
)
from zeroco_ros.sequence.poses import Poses

# Calibration files that lie beside the images, in the order in which they are looked for.
CAMERA_FILES = (
    "camera.yaml",
    "camera.yml",
    "camera.json",
    "calib.txt",
)
_FORMATS = (
    "a ROS calibration (camera_calibration's YAML), a KITTI calib.txt, or a YAML or JSON with fx, "
    "fy, cx, cy in pixels"
)
_RECTIFIED = "rect"  # image_rect, image_rect_color: distortion is already taken out


def open_camera(
    sequence: Sequence, file: str | Path | None, size: tuple[int, int]
) -> tuple[Camera, str]:
    """
    Return the camera of a recording, and in words where it is from.

    file: a calibration file, None looks for the camera_info of a bag (its first message counts
    for all) or a calibration file beside the images. size: (width, height) of the frames. Raises
    ConfigError where there is none, saying how to give one, and where it does not fit the frames.
    """
    if file is not None:
        return load_camera(file, size=size), str(file)
    if isinstance(sequence, BagSequence):
        return _bag_camera(sequence, size)
    for folder in (sequence.path, sequence.path.parent):
        for name in CAMERA_FILES:
            if folder.is_dir() and (folder / name).is_file():
                return load_camera(folder / name, size=size), str(folder / name)
    raise ConfigError(
        f"the camera of {sequence.path} is not known: give --camera FILE, {_FORMATS}"
    )


def _bag_camera(sequence: BagSequence, size: tuple[int, int]) -> tuple[Camera, str]:
    topic = sequence.info_topic
    if topic is None:
        raise ConfigError(
            f"{sequence.path} has no camera_info beside {sequence.topic}: give --camera FILE, "
            f"{_FORMATS}"
        )
    info = sequence.reader.decode(next(iter(sequence.reader.messages([topic]))))
    region = info.roi
    rectified = _RECTIFIED in sequence.topic.rpartition("image")[2]
    try:
        camera = Camera.from_info(
            int(info.width) or size[0],
            int(info.height) or size[1],
            str(info.distortion_model),
            [float(value) for value in info.d],
            [float(value) for value in info.k],
            r=[float(value) for value in info.r],
            p=[float(value) for value in info.p],
            binning=(int(info.binning_x), int(info.binning_y)),
            roi=(region.x_offset, region.y_offset, region.width, region.height),
            image_rectified=rectified,
        )
    except ConfigError as error:
        raise ConfigError(f"{topic} of {sequence.path}: {error}; or give --camera FILE") from error
    if not camera.fits(*size):
        raise ConfigError(
            f"{topic} is for images of {camera.width}x{camera.height}, those on {sequence.topic} "
            f"are {size[0]}x{size[1]}: give --camera FILE, {_FORMATS}"
        )
    return camera.resized(*size), topic


def open_poses(sequence: Sequence, given: str) -> Poses | None:
    """
    Return the poses of a recording.

    given: "none"; a topic of the bag; a file or folder (see pose_files); or "auto": tf where it
    knows the camera's motion, else odometry whose relation to the camera is known, else a
    PoseStamped topic beside the camera's; of a folder NAME.pose.txt beside the images; else none.
    Raises ConfigError or BagError.
    """
    if given == "none":
        return None
    if given == "auto":
        return _found_poses(sequence)
    if isinstance(sequence, BagSequence) and given in sequence.reader.topics:
        return topic_poses(sequence, given)
    if Path(given).exists():
        return read_poses(given, sequence.count)
    if isinstance(sequence, BagSequence):
        there = ", ".join(pose_topics(sequence)) or "no topic"
        raise ConfigError(
            f"{given} is neither a topic of {sequence.path} nor a file; poses are on: {there}"
        )
    raise ConfigError(f"{given} does not exist: give a file of poses, a folder of them, or none")


def _found_poses(sequence: Sequence) -> Poses | None:
    if isinstance(sequence, BagSequence):
        return tf_poses(sequence) or odometry_poses(sequence) or neighbor_poses(sequence)
    if isinstance(sequence, FolderSequence) and has_named_poses(sequence.path):
        return read_poses(sequence.path)
    return None
