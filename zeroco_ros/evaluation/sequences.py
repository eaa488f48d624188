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

"""Posed sequences with or without measured depth: one interface, frames read one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from zeroco_ros.errors import ImageError
from zeroco_ros.geometry import lens
from zeroco_ros.geometry.camera import Camera

Array = npt.NDArray[np.float64]
Depth = npt.NDArray[np.float32]
Index = npt.NDArray[np.intp]


@dataclass(frozen=True)
class PosedFrame:
    """
    One picture of a sequence and what is known about it.

    image: (H, W, 3) uint8 RGB or (H, W) uint8 gray, as the camera gave it. stamp_ns: nanoseconds.
    pose: (4, 4) camera to world in meters, None where unknown. depth: (H, W) float32 meters along
    the optical axis, on the pixels of the rectified image, NaN where unknown; None: not measured.
    """

    name: str
    image: npt.NDArray[np.uint8]
    stamp_ns: int
    pose: Array | None
    depth: Depth | None


@dataclass(frozen=True)
class PosedSequence:
    """
    A named list of frames of one camera. about: what it is and where its truth is from.

    count: frames that `frames` yields at most. camera: as the images are, distorted or not.
    measured: whether depth is known.
    """

    name: str
    about: str
    count: int
    camera: Camera
    frames: Callable[[], Iterator[PosedFrame]]
    measured: bool = True

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[PosedFrame]:
        return self.frames()


def shorter(sequence: PosedSequence, count: int | None) -> PosedSequence:
    """Return the first `count` frames of a sequence (None: all)."""
    if count is None or count >= len(sequence):
        return sequence
    about = f"{sequence.about} (the first {count} of {len(sequence)} frames)"
    frames = sequence.frames
    return replace(sequence, about=about, count=count, frames=lambda: islice(frames(), count))


def measured_depth(stored: npt.NDArray[np.generic], unit: float = 1e-3) -> Depth:
    """
    Meters from a stored depth image (H, W), NaN where it says nothing.

    unit: meters per step of whole numbers, of which 0 and 65535 are invalid; floats are meters.
    """
    depth = np.asarray(stored, dtype=np.float32)
    if np.issubdtype(stored.dtype, np.integer):
        depth = np.where((stored == 0) | (stored == 65535), np.nan, depth * np.float32(unit))
    with np.errstate(invalid="ignore"):
        return np.where(np.isfinite(depth) & (depth > 0), depth, np.nan).astype(np.float32)


def stored_depth(path: Path) -> npt.NDArray[np.uint16]:
    """Read a PNG of 16 bit and one channel. Raises ImageError for another file."""
    stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if stored is None or stored.ndim != 2 or stored.dtype != np.uint16:
        raise ImageError(f"{path} is not a depth image: expected a PNG of 16 bit, one channel")
    return np.asarray(stored, dtype=np.uint16)


def rectified_depth(depth: Depth, camera: Camera) -> Depth:
    """
    Depth (H, W) on a camera's own pixels as its rectified image has it; nearest, never blended.

    Valid for depth along the optical axis, which rectification does not turn.
    """
    if not camera.distorted and np.allclose(camera.rectified().K, camera.K):
        return depth
    x, y, inside = _origins(camera)
    return np.where(inside, depth[y, x], np.nan).astype(np.float32)


@lru_cache(maxsize=2)
def _origins(camera: Camera) -> tuple[Index, Index, npt.NDArray[np.bool_]]:
    """Column and row of the original pixel nearest to each rectified one; whether there is one."""
    height, width = camera.height, camera.width
    K = camera.rectified().K
    v, u = np.mgrid[0:height, 0:width].astype(np.float64)
    rays = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1]], -1).reshape(-1, 2)
    pixels = lens.distort(camera, rays).reshape(height, width, 2)
    nearest = np.rint(np.clip(pixels, -1, [width, height])).astype(np.intp)
    inside = np.asarray(((nearest >= 0) & (nearest < [width, height])).all(-1))
    x, y = np.moveaxis(np.where(inside[..., None], nearest, 0), -1, 0)
    return x, y, inside


def resampled_depth(depth: Depth, K: Array, other: Array, size: tuple[int, int]) -> Depth:
    """
    Depth (H, W) of a pinhole K as another pinhole of the same place and axes sees it.

    Takes the nearest measured pixel, so that no depth is made up between two objects; NaN where
    the first image does not reach. other: (3, 3); size: rows and columns of the result.
    """
    if depth.shape == size and np.allclose(K, other):
        return depth
    columns = (np.arange(size[1]) - other[0, 2]) / other[0, 0] * K[0, 0] + K[0, 2]
    rows = (np.arange(size[0]) - other[1, 2]) / other[1, 1] * K[1, 1] + K[1, 2]
    x, y = np.rint(columns).astype(np.intp), np.rint(rows).astype(np.intp)
    inside = ((y >= 0) & (y < depth.shape[0]))[:, None] & ((x >= 0) & (x < depth.shape[1]))
    y, x = np.clip(y, 0, depth.shape[0] - 1), np.clip(x, 0, depth.shape[1] - 1)
    return np.where(inside, depth[np.ix_(y, x)], np.nan).astype(np.float32)
