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

"""Pose files: TUM and KITTI text, and a folder of 7-Scenes' NAME.pose.txt."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from zeroco_ros.errors import ConfigError
from zeroco_ros.geometry.transforms import matrix_to_quaternion, pose_to_matrix, transform
from zeroco_ros.media.atomic import atomic_write
from zeroco_ros.sequence.frames import NANOSECONDS, nanoseconds
from zeroco_ros.sequence.poses import NamedPoses, NumberedPoses, Poses, StampedPoses

Array = npt.NDArray[np.float64]

FORMATS = (
    "TUM (lines of: seconds x y z qx qy qz qw), KITTI (lines of 12 numbers, the upper 3x4 of "
    "camera to world, one per frame) or a folder of NAME.pose.txt (4x4, 7-Scenes)"
)
_TUM, _KITTI = 8, 12
_POSE_SUFFIX = ".pose.txt"
_NOT_RIGID = 0.02  # largest difference of R^T R from the identity that rounding explains


def read_poses(path: str | Path, count: int | None = None) -> Poses:
    """
    Read poses c2w; the number of columns tells the format.

    count: frames of the recording, which the rows of a KITTI file must match; None does not ask.
    Raises ConfigError, naming the line, for a file that is missing or of another kind.
    """
    path = Path(path)
    if path.is_dir():
        return _named(path)
    rows = _rows(path)
    columns = len(rows[0][1])
    if columns not in (_TUM, _KITTI):
        raise ConfigError(
            f"{path} line {rows[0][0]} has {columns} columns; poses are read from {FORMATS}"
        )
    for number, row in rows:
        if len(row) != columns:
            raise ConfigError(f"{path} line {number} has {len(row)} columns, not {columns}")
    return _tum(path, rows) if columns == _TUM else _kitti(path, rows, count)


def write_tum(path: str | Path, stamps_ns: Iterable[int], poses: Iterable[Array]) -> None:
    """
    Write poses c2w as TUM text: seconds x y z qx qy qz qw, one line each, atomically.

    Raises ImageError for an unwritable folder.
    """
    lines = ["# timestamp tx ty tz qx qy qz qw"]
    for stamp, pose in zip(stamps_ns, poses, strict=True):
        seconds, rest = divmod(int(stamp), NANOSECONDS)
        values = [*pose[:3, 3], *matrix_to_quaternion(pose[:3, :3])]
        lines.append(f"{seconds}.{rest:09d} " + " ".join(f"{value:.9g}" for value in values))
    with atomic_write(path) as handle:
        handle.write(("\n".join(lines) + "\n").encode())


def has_named_poses(folder: Path) -> bool:
    """Whether a folder holds 7-Scenes' NAME.pose.txt files."""
    return any(child.name.endswith(_POSE_SUFFIX) for child in folder.iterdir())


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """(line number, words) of every line that is not empty or a comment."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not text; poses are read from {FORMATS}") from error
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {(error.strerror or '').lower()}") from error
    numbered = [(number, line.replace(",", " ").split()) for number, line in enumerate(lines, 1)]
    rows = [(number, row) for number, row in numbered if row and not row[0].startswith("#")]
    if not rows:
        raise ConfigError(f"{path} holds no poses; poses are read from {FORMATS}")
    return rows


def _tum(path: Path, rows: list[tuple[int, list[str]]]) -> Poses:
    stamps = []
    matrices = []
    for number, row in rows:
        values = _numbers(path, number, row)
        stamps.append(nanoseconds(row[0]))
        try:
            matrices.append(pose_to_matrix(values[1:4], values[4:]))
        except ConfigError as error:
            raise ConfigError(f"{path} line {number}: {error}") from error
    return StampedPoses(stamps, matrices, f"{len(rows)} poses by stamp of {path} (TUM)")


def _kitti(path: Path, rows: list[tuple[int, list[str]]], count: int | None) -> Poses:
    if count is not None and len(rows) != count:
        raise ConfigError(
            f"{path} has {len(rows)} poses for {count} frames: a file without stamps (KITTI) "
            "needs one pose per frame; with stamps (TUM) it may have any number"
        )
    matrices = np.tile(np.eye(4), (len(rows), 1, 1))
    for index, (number, row) in enumerate(rows):
        matrices[index, :3] = _numbers(path, number, row).reshape(3, 4)
        matrices[index] = _rigid(matrices[index], f"{path} line {number}")
    return NumberedPoses(matrices, f"{len(rows)} poses by number of {path} (KITTI)")


def _named(folder: Path) -> Poses:
    matrices = {}
    for file in sorted(folder.glob(f"*{_POSE_SUFFIX}")):
        values = [_numbers(file, number, row, finite=False) for number, row in _rows(file)]
        if [len(row) for row in values] != [4, 4, 4, 4]:
            raise ConfigError(f"{file} is not a 4x4 matrix")
        matrix = np.array(values)
        if np.isfinite(matrix).all():  # 7-Scenes says "-1.#IND" or inf where tracking was lost
            matrices[file.name.removesuffix(_POSE_SUFFIX)] = _rigid(matrix, str(file))
    if not matrices:
        raise ConfigError(f"{folder} holds no NAME{_POSE_SUFFIX}; poses are read from {FORMATS}")
    return NamedPoses(matrices, f"{len(matrices)} poses by name in {folder} (7-Scenes)")


def _numbers(path: Path, number: int, row: list[str], *, finite: bool = True) -> Array:
    try:
        values = np.array([float(word) for word in row])
    except ValueError as error:
        if not finite and "#" in "".join(row):
            return np.full(len(row), np.nan)
        raise ConfigError(
            f"{path} line {number} is not made of numbers; poses are read from {FORMATS}"
        ) from error
    if finite and not np.isfinite(values).all():
        raise ConfigError(f"{path} line {number} has a number that is not finite")
    return values


def _rigid(matrix: Array, where: str) -> Array:
    """Return the pose with the nearest exact rotation: text has few digits."""
    R = matrix[:3, :3]
    if np.abs(R.T @ R - np.eye(3)).max() > _NOT_RIGID or np.linalg.det(R) < 0:
        raise ConfigError(f"{where} is no rotation and translation: its 3x3 is not a rotation")
    left, _, right = np.linalg.svd(R)
    return np.asarray(transform(left @ right, matrix[:3, 3]), dtype=np.float64)
