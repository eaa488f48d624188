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

"""From a path to the storage files of a bag, with or without metadata.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePath
import re

import yaml

from zeroco_ros.bag.compression import SUFFIX as ZSTD_SUFFIX
from zeroco_ros.errors import BagError

STORAGE_SUFFIXES = (".mcap", ".db3")


@dataclass(frozen=True)
class BagFiles:
    """
    The storage files in order, and what was odd about them.

    expected: messages that metadata.yaml says there are, None without it.
    remarks: oddities that cost no message; problems: those that did.
    """

    files: list[Path]
    expected: int | None = None
    remarks: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def find_files(path: Path) -> BagFiles:
    """
    Return the storage files of a bag folder, or of a single .mcap or .db3 (also .zstd) file.

    Raises BagError where there is none.
    """
    if not path.exists():
        raise BagError(f"{path} does not exist; give a rosbag2 folder, an .mcap or a .db3 file")
    if path.is_file():
        return _single(path)
    if (path / "metadata.yaml").exists():
        return _listed(path)
    files = _globbed(path)
    if not files:
        raise BagError(f"{path} is not a bag: no metadata.yaml and no .mcap or .db3 file in it")
    remark = "metadata.yaml is missing, the storage files are read without it"
    return BagFiles(files, remarks=(remark,))


def _single(path: Path) -> BagFiles:
    if path.name == "metadata.yaml":
        return _listed(path.parent)
    if path.suffix == ".bag":
        raise BagError(
            f"{path} is a ROS 1 bag; convert it: rosbags-convert --src {path} --dst NEW_FOLDER"
        )
    if not _is_storage(path):
        raise BagError(f"{path} is not a bag; give a rosbag2 folder, an .mcap or a .db3 file")
    return BagFiles([path])


def _listed(folder: Path) -> BagFiles:
    """Return what metadata.yaml lists; a broken one is as good as none."""
    try:
        loaded = yaml.safe_load((folder / "metadata.yaml").read_text(encoding="utf-8"))
        content = loaded["rosbag2_bagfile_information"]
        names = [PurePath(str(name)).name for name in content["relative_file_paths"]]
        expected = int(content["message_count"])
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        files = _globbed(folder)
        if not files:
            raise BagError(f"{folder} is not a bag: metadata.yaml is unreadable") from error
        remark = "metadata.yaml is unreadable, the storage files are read without it"
        return BagFiles(files, remarks=(remark,))
    files = [folder / name for name in names if (folder / name).is_file()]
    missing = [name for name in names if not (folder / name).is_file()]
    problems = tuple(f"{name} is listed in metadata.yaml and missing" for name in missing)
    if not files:
        raise BagError(f"{folder} holds none of the files of its metadata.yaml: {names}")
    return BagFiles(files, expected, problems=problems)


def _globbed(folder: Path) -> list[Path]:
    return sorted(filter(_is_storage, folder.iterdir()), key=_natural)


def _is_storage(path: Path) -> bool:
    name = path.name[: -len(ZSTD_SUFFIX)] if path.suffix == ZSTD_SUFFIX else path.name
    return path.is_file() and name.endswith(STORAGE_SUFFIXES)


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sorts bag_2 before bag_10."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
