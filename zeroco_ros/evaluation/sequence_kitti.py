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

"""Posed sequences of KITTI: odometry, and the raw drives with the depth of the Eigen split."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from zeroco_ros.errors import ConfigError, ImageError
from zeroco_ros.evaluation.sequences import Depth, PosedFrame, PosedSequence, stored_depth
from zeroco_ros.geometry.camera import Camera, load_camera
from zeroco_ros.geometry.transforms import inverse, transform
from zeroco_ros.media.images import read_image

Array = npt.NDArray[np.float64]

IMAGES = ("image_l", "image_0")  # of the camera that P0 and the poses belong to
SKIP = {"image_l": 10}  # frames at the start whose poses are bad, in the excerpt laid out so
PERIOD_NS = 103_600_000  # the raw recordings' mean, where no times.txt says better
EARTH = 6378137.0  # meters, radius of the projection that KITTI's devkit uses
STEP = 1 / 256  # meters of a stored step of annotated depth
FARTHEST = 80.0  # meters, the cap of the Eigen protocol
# Rows and columns that are scored, of the picture's size (Garg et al., ECCV 2016).
GARG = (0.40810811, 0.99189189, 0.03594771, 0.96405229)
LIST = "eigen_test_files.txt"


def holds_odometry(folder: Path) -> bool:
    """Tell whether a folder is a sequence of KITTI odometry with poses."""
    return any((folder / name).is_dir() for name in IMAGES) and _poses_file(folder) is not None


def _poses_file(folder: Path) -> Path | None:
    """poses.txt in the folder, or poses/NN.txt beside sequences/NN/ as distributed."""
    name = folder.resolve().name
    places = (folder / "poses.txt", folder.resolve().parent.parent / "poses" / f"{name}.txt")
    return next((place for place in places if place.is_file()), None)


def odometry_sequence(folder: Path, skip: int | None = None) -> PosedSequence:
    """
    Read a KITTI odometry folder: image_0 (or image_l), calib.txt, poses, times.txt; no depth.

    skip: frames left out at the start, None for those of `SKIP`. Frames without a row of poses
    have none.
    """
    images = next(folder / name for name in IMAGES if (folder / name).is_dir())
    skip = SKIP.get(images.name, 0) if skip is None else skip
    files = sorted(images.glob("*.png"))[skip:]
    if not files:
        raise ImageError(f"{images} has no more than {skip} images, which are skipped: add some")
    where = _poses_file(folder)
    assert where is not None
    poses = np.loadtxt(where, ndmin=2)
    if poses.shape[1] != 12 or not np.isfinite(poses).all():
        raise ConfigError(f"{where} has not 12 finite numbers in each row")
    times = folder / "times.txt"
    stamps = np.loadtxt(times, ndmin=1) if times.is_file() else None
    height, width = read_image(files[0]).shape[:2]
    camera = load_camera(folder / "calib.txt", size=(width, height))

    def frames() -> Iterator[PosedFrame]:
        for index, file in enumerate(files, skip):
            pose = None
            if index < len(poses):
                pose = np.vstack([poses[index].reshape(3, 4), [0, 0, 0, 1]])
            stamp = index * PERIOD_NS
            if stamps is not None and index < len(stamps):
                stamp = round(float(stamps[index]) * 1e9)
            yield PosedFrame(file.stem, read_image(file), stamp, pose, None)

    left = f"; the first {skip} frames left out" if skip else ""
    about = f"KITTI odometry, poses by GPS and inertial unit{left}"
    return PosedSequence(folder.resolve().name, about, len(files), camera, frames, False)


def holds_drive(folder: Path) -> bool:
    """Tell whether a folder is a raw drive, YYYY_MM_DD/YYYY_MM_DD_drive_NNNN_sync/."""
    pictures = (folder / "image_02" / "data").is_dir()
    return pictures and (folder.resolve().parent / "calib_cam_to_cam.txt").is_file()


def drive_sequence(folder: Path) -> PosedSequence:
    """
    Read a raw drive (Geiger et al., IJRR 2013) with annotated depth (Uhrig et al., 3DV 2017).

    Pictures are the left color camera's. Depth is proj_depth/groundtruth/image_02/ in the drive,
    or in DRIVE/ of a folder data_depth_annotated/{train,val}/ beside the date's. The protocol is
    that of Eigen et al., NIPS 2014: depth up to 80 m inside Garg's crop; if a list
    eigen_test_files.txt stands in the data's root, only the frames that it names have depth, and
    only they and the `BEFORE` frames before each are read. Poses are made from oxts/ as KITTI's
    devkit does; without it there are none.
    """
    folder = folder.resolve()
    calibration = _calibration(folder.parent / "calib_cam_to_cam.txt")
    files = sorted((folder / "image_02" / "data").glob("*.png")) or sorted(
        (folder / "image_02" / "data").glob("*.jpg")
    )
    if not files:
        raise ImageError(f"{folder / 'image_02/data'} holds no pictures")
    truth = _truth_folder(folder)
    listed = _listed(folder)
    chosen = _near(files, listed)
    height, width = read_image(files[0]).shape[:2]
    K = calibration["P_rect_02"].reshape(3, 4)[:, :3]
    camera = Camera(width, height, K)
    stamps = _stamps(folder / "image_02" / "timestamps.txt")
    unit = folder / "oxts" / "data"
    mount = _mount(folder.parent, calibration) if unit.is_dir() else None
    latitude = _latitude(unit) if mount is not None else 0.0

    def frames() -> Iterator[PosedFrame]:
        origin: Array | None = None
        for index in chosen:
            file = files[index]
            pose = None
            record = unit / f"{file.stem}.txt"
            if mount is not None and record.is_file():
                pose = _pose(record, latitude) @ mount
                origin = pose if origin is None else origin
                pose = inverse(origin) @ pose
            depth: Depth | None = None
            if truth is not None and (listed is None or file.stem in listed):
                depth = _annotated(truth / f"{file.stem}.png")
            stamp = stamps[index] if index < len(stamps) else index * PERIOD_NS
            yield PosedFrame(file.stem, read_image(file), stamp, pose, depth)

    about = "KITTI raw, depth by several laser scans up to 80 m in Garg's crop, poses by GPS"
    return PosedSequence(folder.name, about, len(chosen), camera, frames, truth is not None)


BEFORE = 8  # frames that a stream sees before each frame of the list


def _near(files: list[Path], listed: set[str] | None) -> list[int]:
    """Numbers of the frames that are read."""
    if listed is None:
        return list(range(len(files)))
    wanted: set[int] = set()
    for index, file in enumerate(files):
        if file.stem in listed:
            wanted |= set(range(max(0, index - BEFORE), index + 1))
    return sorted(wanted)


def _listed(folder: Path) -> set[str] | None:
    """Frames of this drive that the list of the Eigen split names, None without a list."""
    for root in (folder.parent.parent, folder.parent):
        if (root / LIST).is_file():
            rows = [line.split() for line in (root / LIST).read_text().splitlines()]
            drive = folder.name
            return {Path(row[1]).stem for row in rows if len(row) > 1 and drive in row[0]} | {
                Path(row[0]).stem for row in rows if row and f"{drive}/image_02" in row[0]
            }
    return None


def _truth_folder(drive: Path) -> Path | None:
    inner = Path("proj_depth") / "groundtruth" / "image_02"
    roots = [drive.parent.parent, drive.parent.parent.parent]
    beside = [
        root / "data_depth_annotated" / part / drive.name
        for root in roots
        for part in ("train", "val", "")
    ]
    return next((p / inner for p in (drive, *beside) if (p / inner).is_dir()), None)


def _annotated(path: Path) -> Depth | None:
    """Meters (H, W), NaN where unknown, beyond 80 m and outside of Garg's crop."""
    if not path.is_file():
        return None
    depth = stored_depth(path).astype(np.float32) * np.float32(STEP)
    height, width = depth.shape
    scored = np.zeros(depth.shape, dtype=bool)
    top, bottom, left, right = (
        int(f * side) for f, side in zip(GARG, (height, height, width, width), strict=True)
    )
    scored[top:bottom, left:right] = True
    known = scored & (depth > 0) & (depth <= FARTHEST)
    return np.where(known, depth, np.nan).astype(np.float32)


def _calibration(path: Path) -> dict[str, Array]:
    """Named rows of numbers of a calibration file of the raw data."""
    found = {}
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            name, _, rest = line.partition(":")
            try:
                found[name] = np.array([float(word) for word in rest.split()])
            except ValueError:
                continue  # a date
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {(error.strerror or '').lower()}") from None
    return found


def _mount(date: Path, cameras: dict[str, Array]) -> Array | None:
    """Inertial unit from the left color camera's rectified frame, (4, 4)."""
    names = ("calib_imu_to_velo.txt", "calib_velo_to_cam.txt")
    if not all((date / name).is_file() for name in names):
        return None
    try:
        velo_imu, cam_velo = (
            transform(parts["R"].reshape(3, 3), parts["T"])
            for parts in (_calibration(date / name) for name in names)
        )
        rectify = transform(cameras["R_rect_00"].reshape(3, 3), np.zeros(3))
        P = cameras["P_rect_02"].reshape(3, 4)
    except (KeyError, ValueError) as error:
        raise ConfigError(f"{date}: the calibration lacks {error}") from None
    beside = transform(np.eye(3), np.linalg.inv(P[:, :3]) @ P[:, 3])
    return inverse(beside @ rectify @ cam_velo @ velo_imu)


def _latitude(unit: Path) -> float:
    """Degrees, of the drive's first record."""
    records = sorted(unit.glob("*.txt"))
    if not records:
        raise ConfigError(f"{unit} holds no records: remove it, or put the drive's into it")
    return float(np.loadtxt(records[0])[0])


def _pose(record: Path, latitude: float) -> Array:
    """
    Return the inertial unit in meters, east, north and up, by the Mercator map of KITTI's devkit.

    latitude: degrees, where the map's scale is one; the same for a whole drive.
    """
    here, longitude, altitude, roll, pitch, yaw = np.loadtxt(record)[:6]
    scale = np.cos(np.radians(latitude)) * EARTH
    east = scale * np.radians(longitude)
    north = scale * np.log(np.tan(np.pi / 4 + np.radians(here) / 2))
    turned = Rotation.from_euler("xyz", [roll, pitch, yaw]).as_matrix()
    return np.asarray(transform(turned, np.array([east, north, altitude])), dtype=np.float64)


def _stamps(path: Path) -> list[int]:
    """Nanoseconds of the lines `2011-09-26 13:02:25.951199337`."""
    if not path.is_file():
        return []
    stamps = []
    for line in path.read_text().split("\n"):
        moment, _, fraction = line.strip().partition(".")
        if moment:
            whole = datetime.strptime(moment, "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
            stamps.append(int(whole.timestamp()) * 10**9 + int(fraction[:9].ljust(9, "0")))
    return stamps
