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

"""Posed sequences of MPI Sintel: rendered depth and cameras, scenes in which things move."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import struct

import numpy as np
import numpy.typing as npt

from zeroco_ros.errors import ImageError
from zeroco_ros.evaluation.sequences import Depth, PosedFrame, PosedSequence
from zeroco_ros.geometry.camera import Camera
from zeroco_ros.geometry.transforms import inverse
from zeroco_ros.media.images import read_image

Array = npt.NDArray[np.float64]

MAGIC = np.float32(202021.25)  # of the data's binary files
PERIOD_NS = 41_666_667  # 24 frames per second
SKY = 70.0  # units; farther is background without parallax


def holds_sintel(folder: Path) -> bool:
    """Tell whether a folder is a scene, training/{clean,final}/NAME/, with depth and cameras."""
    places = _places(folder)
    return all(place.is_dir() for place in places) and any(folder.glob("frame_*.png"))


def _places(folder: Path) -> tuple[Path, Path]:
    """Folders of the depth and of the cameras of a scene's pictures."""
    root, name = folder.resolve().parent.parent, folder.resolve().name
    return root / "depth" / name, root / "camdata_left" / name


def sintel_sequence(folder: Path) -> PosedSequence:
    """
    Read a scene (Butler et al., ECCV 2012) with the depth and camera data beside its pass.

    Depth beyond `SKY` is unknown. Units are those of the film, taken as meters.
    """
    files = sorted(folder.glob("frame_*.png"))
    depths, cameras = _places(folder)
    height, width = read_image(files[0]).shape[:2]
    K, _ = _camera(cameras / f"{files[0].stem}.cam")

    def frames() -> Iterator[PosedFrame]:
        for index, file in enumerate(files):
            truth = depths / f"{file.stem}.dpt"
            depth = _depth(truth) if truth.is_file() else None
            _, w2c = _camera(cameras / f"{file.stem}.cam")
            image = read_image(file)
            yield PosedFrame(file.stem, image, index * PERIOD_NS, inverse(w2c), depth)

    name = f"sintel-{folder.resolve().parent.name}-{folder.resolve().name}"
    about = f"MPI Sintel, rendered depth up to {SKY:g} units, exact poses, moving figures"
    return PosedSequence(name, about, len(files), Camera(width, height, K), frames)


def _camera(path: Path) -> tuple[Array, Array]:
    """Read K (3, 3) and world to camera (4, 4)."""
    content = _content(path)
    if len(content) != 4 + 8 * 21:
        raise ImageError(f"{path} is damaged: {len(content)} bytes, a camera takes {4 + 8 * 21}")
    values = np.frombuffer(content, dtype="<f8", offset=4)
    return values[:9].reshape(3, 3).copy(), np.vstack([values[9:].reshape(3, 4), [0, 0, 0, 1]])


def _depth(path: Path) -> Depth:
    content = _content(path)
    width, height = struct.unpack("<ii", content[4:12]) if len(content) >= 12 else (0, 0)
    if width < 1 or height < 1 or len(content) != 12 + 4 * width * height:
        raise ImageError(f"{path} is damaged: {len(content)} bytes for {width}x{height} pixels")
    depth = np.frombuffer(content, dtype="<f4", offset=12).reshape(height, width)
    return np.where((depth > 0) & (depth <= SKY), depth, np.nan).astype(np.float32)


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ImageError(f"cannot read {path}: {(error.strerror or '').lower()}") from error
    if len(content) < 4 or struct.unpack("<f", content[:4])[0] != MAGIC:
        raise ImageError(f"{path} is not a file of Sintel's depth data: its header is wrong")
    return content
