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

"""A folder of images as a recording."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import re

from zeroco_ros.errors import ConfigError, ImageError
from zeroco_ros.media.images import read_image
from zeroco_ros.sequence.frames import Closing, Frame, NANOSECONDS, nanoseconds, selected

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".pgm", ".tif", ".tiff", ".webp")
# files beside the frames in RGB-D data sets
_NOT_FRAMES = re.compile(r"depth|disp|mask|flow|confidence|sigma|label|normal", re.IGNORECASE)
# names that are stamps: seconds with a fraction (TUM), nanoseconds (EuRoC)
_SECONDS = re.compile(r"\d{9,10}\.\d{1,9}")
_NANOSECONDS = re.compile(r"\d{18,19}")


class FolderSequence(Closing):
    """
    The images of a folder in the order of their names, numbers counted ("9" before "10").

    Where there are NAME.color.EXT files (7-Scenes), they alone are the frames; else depth and
    other maps are left out by their names. Stamps are taken from the names, from a times.txt with
    one number of seconds per image in the folder or the one above (KITTI), or are index / fps.
    Raises ImageError where there is no image.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self.path = path
        self.frame_id = ""
        self.warnings: list[str] = []
        self.files = _images(path)
        self.count: int | None = len(self.files)
        self.stamps, how = _stamps(self.files, fps)
        self.words = f"{len(self.files)} images of {path}, {how}"

    def frames(self, every: int = 1, limit: int | None = None) -> Iterator[Frame]:
        """As Sequence.frames."""
        for index, file in selected(self.files, every, limit):
            try:
                image = read_image(file)
            except ImageError as error:
                self.warnings.append(str(error))
                continue
            yield Frame(image, self.stamps[index], index, stem(file))


def stem(file: Path) -> str:
    """Return the name of a frame's file without ".color" and its extension."""
    return file.stem.removesuffix(".color")


def _images(folder: Path) -> list[Path]:
    files = [f for f in folder.iterdir() if f.suffix.lower() in EXTENSIONS and f.is_file()]
    color = [file for file in files if file.stem.endswith(".color")]
    frames = color or [file for file in files if not _NOT_FRAMES.search(file.stem)]
    if not frames:
        inside = [
            child.name
            for child in sorted(folder.iterdir())
            if child.is_dir() and any(f.suffix.lower() in EXTENSIONS for f in child.iterdir())
        ]
        there = f"; images are in {', '.join(inside)}" if inside else ""
        raise ImageError(f"{folder} is no bag, and there is no image in it{there}")
    return sorted(frames, key=_natural)


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sorts 2.png before 10.png."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _stamps(files: list[Path], fps: float) -> tuple[list[int], str]:
    """Nanoseconds of every file, and in words where they are from."""
    names = [stem(file) for file in files]
    if all(_SECONDS.fullmatch(name) for name in names):
        return [nanoseconds(name) for name in names], "stamps from their names"
    if all(_NANOSECONDS.fullmatch(name) for name in names):
        return [int(name) for name in names], "stamps from their names"
    folder = files[0].parent
    for times in (folder / "times.txt", folder.parent / "times.txt"):
        if times.is_file():
            return _listed_times(times, len(files)), f"stamps from {times}"
    return [round(i / fps * NANOSECONDS) for i in range(len(files))], f"taken at {fps:g} Hz"


def _listed_times(path: Path, count: int) -> list[int]:
    try:
        stamps = [round(float(line) * NANOSECONDS) for line in path.read_text().split()]
    except (OSError, ValueError, OverflowError) as error:
        raise ConfigError(f"{path} is not a list of seconds, one per image: {error}") from error
    if len(stamps) != count:
        raise ConfigError(f"{path} has {len(stamps)} times for {count} images")
    return stamps
