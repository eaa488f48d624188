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

"""Posed sequences in the folder layout of 7-Scenes, and RGB-D pairs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from zeroco_ros.errors import ConfigError, ImageError
from zeroco_ros.evaluation.sequences import (
    Depth,
    measured_depth,
    PosedFrame,
    PosedSequence,
    resampled_depth,
    stored_depth,
)
from zeroco_ros.geometry.camera import Camera
from zeroco_ros.geometry.transforms import inverse
from zeroco_ros.media.images import read_image
from zeroco_ros.sequence.frames import Frame
from zeroco_ros.sequence.pose_files import read_poses

Array = npt.NDArray[np.float64]

# 7-Scenes: poses and depth belong to the Kinect's depth camera, the color pictures to another one.
SCENES_DEPTH_K = np.array([[585.0, 0, 320], [0, 585, 240], [0, 0, 1]])
SCENES_COLOR_K = np.array([[525.0, 0, 320], [0, 525, 240], [0, 0, 1]])
PERIOD_NS = 33_333_333  # of a Kinect
PAIR_POSE = "pseudo_T_2_from_1.txt"
# Image, depth file, meters per stored step (None: stored in meters), K of the whole data set.
PAIRS = (
    ("{}.png", "{}_depth.png", 1 / 5000, (520.9, 521.0, 325.1, 249.7)),  # TUM freiburg2
    ("image{}.png", "depth{}.npy", None, (320.0, 320.0, 320.0, 240.0)),  # TartanAir
)


def holds_scenes(folder: Path) -> bool:
    """Tell whether a folder is a sequence of 7-Scenes."""
    return next(folder.glob("frame-*.pose.txt"), None) is not None


def scenes_sequence(folder: Path) -> PosedSequence:
    """
    7-Scenes (Shotton et al., CVPR 2013): frame-N.color.{jpg,png}, .depth.png, .pose.txt.

    Poses and depth are the depth camera's. The pictures are another camera's that stands beside
    it, is not calibrated in the data set and is close to `SCENES_COLOR_K`: its pixels get the
    depth of the ray of the same direction. What is between the two cameras stays as an error.
    """
    files = [file for kind in ("jpg", "png") for file in folder.glob(f"frame-*.color.{kind}")]
    files.sort(key=lambda file: file.name)
    if not files:
        raise ImageError(f"{folder} has frame-N.pose.txt, but no frame-N.color.jpg or .png")
    poses = read_poses(folder)
    height, width = read_image(files[0]).shape[:2]
    camera = Camera(640, 480, SCENES_COLOR_K).resized(width, height)

    def frames() -> Iterator[PosedFrame]:
        for index, file in enumerate(files):
            name = file.name.split(".")[0]
            image, stamp = read_image(file), index * PERIOD_NS
            pose = poses.at(Frame(image, stamp, index, name))
            depth = _scenes_depth(folder / f"{name}.depth.png", camera)
            yield PosedFrame(name, image, stamp, pose, depth)

    about = "7-Scenes, depth measured by a Kinect beside the camera, poses by KinectFusion"
    return PosedSequence(_scene_name(folder.resolve()), about, len(files), camera, frames)


def _scene_name(folder: Path) -> str:
    """Return the scene's, and the sequence's where the data set's own numbers name the folders."""
    name = folder.name
    return f"{folder.parent.name}-{name}" if name.startswith("seq-") else name


def _scenes_depth(path: Path, camera: Camera) -> Depth | None:
    if not path.is_file():
        return None
    stored = stored_depth(path)
    own = Camera(640, 480, SCENES_DEPTH_K).resized(stored.shape[1], stored.shape[0])
    size = camera.height, camera.width
    return resampled_depth(measured_depth(stored), own.K, camera.K, size)


def holds_pair(folder: Path) -> bool:
    """Tell whether a folder is a pair of RGB-D pictures."""
    return (folder / PAIR_POSE).is_file()


def pair_sequence(folder: Path) -> PosedSequence:
    """Two frames with depth and the motion between them, of TUM RGB-D or TartanAir."""
    matrix = np.loadtxt(folder / PAIR_POSE)
    if matrix.shape != (4, 4):
        raise ConfigError(f"{folder / PAIR_POSE} is not a 4x4 matrix")
    paths, unit, (fx, fy, cx, cy) = _pair_files(folder)
    height, width = read_image(paths[0][0]).shape[:2]
    camera = Camera(width, height, np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]))
    poses = [np.eye(4), inverse(matrix)]

    def frames() -> Iterator[PosedFrame]:
        for index, (picture, file) in enumerate(paths):
            stored = np.load(file, allow_pickle=False) if unit is None else stored_depth(file)
            truth = measured_depth(stored, unit or 1.0)
            image = read_image(picture)
            yield PosedFrame(picture.stem, image, index * PERIOD_NS, poses[index], truth)

    about = "two frames with depth; the pose between them was fitted to the depth and matches"
    return PosedSequence(folder.resolve().name, about, 2, camera, frames)


def _pair_files(
    folder: Path,
) -> tuple[list[tuple[Path, Path]], float | None, tuple[float, float, float, float]]:
    """(image, depth) of both frames, meters per stored step, and fx, fy, cx, cy."""
    for image, depth, unit, values in PAIRS:
        paths = [(folder / image.format(k), folder / depth.format(k)) for k in (1, 2)]
        if all(path.is_file() for pair in paths for path in pair):
            return paths, unit, values
    known = ", ".join(f"{one[0].format(1)} with {one[1].format(1)}" for one in PAIRS)
    raise ImageError(f"{folder} has {PAIR_POSE}, but not the files of a pair: {known}")
