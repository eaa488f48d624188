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

"""The frames of a recording one by one, whatever it is kept in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from zeroco_ros.errors import ConfigError

T = TypeVar("T")
NANOSECONDS = 1_000_000_000


def nanoseconds(seconds: str) -> int:
    """
    Read a text of seconds without the digits that a float loses.

    Raises ValueError where it is no number.
    """
    whole, _, fraction = seconds.partition(".")
    if whole.isdigit() and (fraction.isdigit() or not fraction):
        return int(whole) * NANOSECONDS + int(fraction[:9].ljust(9, "0"))
    return round(float(seconds) * NANOSECONDS)


@dataclass(frozen=True)
class Frame:
    """
    One picture of a recording.

    image: (H, W, 3) uint8 RGB or (H, W) uint8 gray, as the camera gave it. stamp_ns: when, in
    nanoseconds. index: its place in the recording, from 0. name: for files made from it.
    """

    image: npt.NDArray[np.uint8]
    stamp_ns: int
    index: int
    name: str


class Sequence(Protocol):
    """
    A recording that is read frame by frame; a context manager.

    path: as given. words: what is read, for a person. count: frames it says to have, None where
    that is not known. frame_id: name of the camera's coordinate frame, "" where there is none.
    warnings: frames left out and other oddities met so far.
    """

    path: Path
    words: str
    count: int | None
    frame_id: str
    warnings: list[str]

    def frames(self, every: int = 1, limit: int | None = None) -> Iterator[Frame]:
        """
        Every `every`-th frame from the first one on, `limit` of them at most.

        A frame that cannot be decoded is left out, with a warning.
        """
        ...

    def close(self) -> None: ...

    def __enter__(self) -> Sequence: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


def open_sequence(path: str | Path, *, topic: str | None = None, fps: float = 10.0) -> Sequence:
    """
    Open a recording.

    path: a rosbag2 folder or file, a video, or a folder of images. topic: image topic of a bag;
    None takes the first camera. fps: frames per second of a folder whose file names are not
    stamps, and of a video that does not say. Raises BagError, ImageError or ConfigError where
    there is no recording.
    """
    from zeroco_ros.sequence.bag import BagSequence
    from zeroco_ros.sequence.folder import FolderSequence
    from zeroco_ros.sequence.video import VideoSequence

    path = Path(path)
    if not 0 < fps <= 1e6:
        raise ConfigError(f"fps is {fps:g}: give frames per second above 0")
    if not path.exists():
        raise ConfigError(f"{path} does not exist; give a bag, a video or a folder of images")
    if is_bag(path):
        return BagSequence(path, topic)
    if topic is not None:
        raise ConfigError(f"{path} is not a bag and has no topics: leave out the topic {topic}")
    return FolderSequence(path, fps) if path.is_dir() else VideoSequence(path, fps)


def is_bag(path: Path) -> bool:
    """Whether a file or folder looks like a rosbag2, or the ROS 1 bag that BagReader refuses."""
    kinds = (".mcap", ".db3", ".mcap.zstd", ".db3.zstd", ".bag", "metadata.yaml")
    if path.is_file():
        return path.name.endswith(kinds)
    return any(child.name.endswith(kinds[:4] + kinds[5:]) for child in path.iterdir())


def selected(items: Iterable[T], every: int, limit: int | None) -> Iterator[tuple[int, T]]:
    """(index, item) of every `every`-th item, `limit` at most."""
    chosen = islice(enumerate(items), 0, None, every)
    return islice(chosen, limit)


class Closing:
    """`with` for a recording."""

    def close(self) -> None:
        """Let go of the files."""

    def __enter__(self) -> Any:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
