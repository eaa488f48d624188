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

"""Posed sequences of TUM RGB-D and EuRoC, in the folders that they are distributed in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import yaml

from zeroco_ros.errors import ConfigError, ImageError
from zeroco_ros.evaluation.sequences import (
    Depth,
    measured_depth,
    PosedFrame,
    PosedSequence,
    rectified_depth,
    stored_depth,
)
from zeroco_ros.geometry.camera import Camera, load_camera
from zeroco_ros.geometry.transforms import pose_to_matrix
from zeroco_ros.media.images import read_image
from zeroco_ros.sequence.frames import nanoseconds
from zeroco_ros.sequence.pose_files import read_poses
from zeroco_ros.sequence.poses import StampedPoses

Array = npt.NDArray[np.float64]

# fx, fy, cx, cy and plumb_bob coefficients of the color cameras, as the data's page states them.
TUM_CAMERAS = {
    "freiburg1": ((517.3, 516.5, 318.6, 255.3), (0.2624, -0.9531, -0.0054, 0.0026, 1.1633)),
    "freiburg2": ((520.9, 521.0, 325.1, 249.7), (0.2312, -0.7849, -0.0033, -0.0001, 0.9172)),
    "freiburg3": ((535.4, 539.2, 320.1, 247.6), ()),
}
TUM_STEP = 1 / 5000  # meters of a stored step
TUM_SAME_NS = 20_000_000  # depth belongs to the picture that is at most this far from it


def holds_tum(folder: Path) -> bool:
    """Tell whether a folder is a sequence of TUM RGB-D."""
    return (folder / "rgb.txt").is_file() and (folder / "groundtruth.txt").is_file()


def tum_sequence(folder: Path) -> PosedSequence:
    """
    Read TUM RGB-D (Sturm et al., IROS 2012): rgb.txt, depth.txt, groundtruth.txt.

    The camera is the one that the folder's name says (freiburg1, 2 or 3), else that of a
    camera.yaml in it. Depth is registered to the color picture; poses are interpolated.
    """
    pictures = _listed(folder / "rgb.txt")
    depths = _listed(folder / "depth.txt") if (folder / "depth.txt").is_file() else []
    poses = read_poses(folder / "groundtruth.txt")
    if not isinstance(poses, StampedPoses):
        raise ConfigError(f"{folder / 'groundtruth.txt'} has no stamps: expected eight columns")
    height, width = read_image(folder / pictures[0][1]).shape[:2]
    camera = _tum_camera(folder, width, height)
    stamps = np.array([stamp for stamp, _ in depths], dtype=np.int64)

    def frames() -> Iterator[PosedFrame]:
        for stamp, name in pictures:
            depth: Depth | None = None
            if depths:
                nearest = int(np.abs(stamps - stamp).argmin())
                if abs(int(stamps[nearest]) - stamp) <= TUM_SAME_NS:
                    stored = stored_depth(folder / depths[nearest][1])
                    depth = rectified_depth(measured_depth(stored, TUM_STEP), camera)
            image = read_image(folder / name)
            yield PosedFrame(Path(name).stem, image, stamp, poses.at_stamp(stamp), depth)

    about = "TUM RGB-D, depth by a Kinect, poses by motion capture"
    name = folder.resolve().name
    return PosedSequence(name, about, len(pictures), camera, frames, bool(depths))


def _listed(path: Path) -> list[tuple[int, str]]:
    """(stamp in nanoseconds, file name) of a list of pictures, in the order of time."""
    rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if row and not row[0].startswith("#")]
    try:
        found = sorted((nanoseconds(row[0]), row[1]) for row in rows)
    except (ValueError, IndexError) as error:
        raise ConfigError(f"{path} is not a list of `seconds file` ({error})") from None
    if not found:
        raise ConfigError(f"{path} lists no picture")
    root = path.parent.resolve()
    for _, name in found:
        if not (root / name).resolve().is_relative_to(root):
            raise ConfigError(f"{path} names {name}, which leads out of its folder")
    return found


def _tum_camera(folder: Path, width: int, height: int) -> Camera:
    own = folder / "camera.yaml"
    if own.is_file():
        return load_camera(own, size=(width, height))
    for word, ((fx, fy, cx, cy), d) in TUM_CAMERAS.items():
        if word in folder.resolve().name:
            k = [fx, 0, cx, 0, fy, cy, 0, 0, 1]
            return Camera.from_info(640, 480, "plumb_bob", d, k).resized(width, height)
    known = ", ".join(TUM_CAMERAS)
    raise ConfigError(
        f"{folder}: the camera is unknown; let the folder's name say one of {known}, or put a "
        "camera.yaml of ROS's camera_calibration into it"
    )


def holds_euroc(folder: Path) -> bool:
    """Tell whether a folder is a sequence of EuRoC: mav0/ or what is in it."""
    return any((place / "cam0" / "data.csv").is_file() for place in (folder, folder / "mav0"))


def euroc_sequence(folder: Path) -> PosedSequence:
    """
    Read a EuRoC sequence (Burri et al., IJRR 2016): the left camera and its true motion.

    Poses are those of state_groundtruth_estimate0 (else of vicon0, leica0 has no rotation) times
    the mount T_BS of cam0/sensor.yaml, interpolated. There is no depth on the camera's pixels.
    """
    place = folder / "mav0" if (folder / "mav0").is_dir() else folder
    rows = [line.split(",") for line in (place / "cam0" / "data.csv").read_text().splitlines()]
    try:
        listed = [(int(row[0]), row[1].strip()) for row in rows if row[0].strip().isdigit()]
    except IndexError:
        raise ConfigError(f"{place / 'cam0/data.csv'} has no file name in each row") from None
    if not listed:
        raise ImageError(f"{place / 'cam0/data.csv'} lists no picture")
    pictures = place / "cam0" / "data"
    height, width = read_image(pictures / Path(listed[0][1]).name).shape[:2]
    camera = load_camera(place / "cam0" / "sensor.yaml", size=(width, height))
    poses = _euroc_poses(place)

    def frames() -> Iterator[PosedFrame]:
        for stamp, name in listed:
            image = read_image(pictures / Path(name).name)
            yield PosedFrame(Path(name).stem, image, stamp, poses.at_stamp(stamp), None)

    name = folder.resolve().parent.name if folder.name == "mav0" else folder.resolve().name
    return PosedSequence(name, f"EuRoC, {poses.words}", len(listed), camera, frames, False)


def _euroc_poses(place: Path) -> StampedPoses:
    truths = [place / f"{name}/data.csv" for name in ("state_groundtruth_estimate0", "vicon0")]
    there = [path for path in truths if path.is_file()]
    if not there:
        raise ConfigError(f"{place} has no {' and no '.join(str(t.parent.name) for t in truths)}")
    mount = _matrix(place / "cam0" / "sensor.yaml")
    body = there[0].parent / "sensor.yaml"
    if body.is_file():  # of what the truth was taken, a marker for example
        mount = np.linalg.inv(_matrix(body)) @ mount
    stamps, matrices = [], []
    for number, line in enumerate(there[0].read_text().splitlines(), 1):
        row = line.split(",")
        if not row[0].strip().isdigit():
            continue
        try:
            x, y, z, qw, qx, qy, qz = (float(word) for word in row[1:8])
            matrices.append(pose_to_matrix((x, y, z), (qx, qy, qz, qw)) @ mount)
        except (ValueError, ConfigError) as error:
            raise ConfigError(f"{there[0]} line {number} is no pose: {error}") from None
        stamps.append(int(row[0]))
    if not stamps:
        raise ConfigError(f"{there[0]} has no poses")
    return StampedPoses(stamps, matrices, f"poses by {there[0].parent.name}")


def _matrix(path: Path) -> Array:
    """Body from sensor, (4, 4)."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return np.array(content["T_BS"]["data"], dtype=np.float64).reshape(4, 4)
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{path} has no T_BS of 16 numbers: {error}") from None
