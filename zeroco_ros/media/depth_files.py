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

"""Depth maps on disk: 16-bit PNG in millimeters, and .npy as it was computed."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from zeroco_ros.errors import ImageError
from zeroco_ros.media.atomic import atomic_write

Float = npt.NDArray[np.float32]

MILLIMETERS = 1000
FARTHEST = 65535 / MILLIMETERS  # meters that a 16-bit picture can hold


def write_depth_png(path: str | Path, depth: npt.NDArray[np.floating]) -> None:
    """
    Write (H, W) meters as a 16-bit gray PNG in millimeters, 0 where unknown (REP 118's 16UC1).

    What is known stays known: depths below half a millimeter become 1. What is farther than
    65.535 m cannot be told in this format and becomes unknown; `write_array` keeps it.
    Raises ImageError for another shape or an unwritable folder.
    """
    if depth.ndim != 2 or depth.size == 0:
        raise ImageError(f"cannot write {path}: expected depth (H, W), got {depth.shape}")
    known = np.isfinite(depth) & (depth > 0) & (depth < FARTHEST)
    rounded = np.round(np.where(known, depth, 0).astype(np.float64) * MILLIMETERS)
    stored = np.where(known, np.maximum(rounded, 1), 0).astype(np.uint16)
    encoded, content = cv2.imencode(".png", stored)
    if not encoded:
        raise ImageError(f"cannot write {path}: the PNG could not be encoded")
    with atomic_write(path) as handle:
        handle.write(content.tobytes())


def read_depth_png(path: str | Path) -> Float:
    """
    Read a 16-bit gray PNG in millimeters as (H, W) float32 meters; 0 and 65535 are NaN.

    Raises ImageError for a file that is missing, damaged or of another kind.
    """
    try:
        content = np.frombuffer(Path(path).read_bytes(), dtype=np.uint8)
    except OSError as error:
        raise ImageError(f"cannot read {path}: {(error.strerror or '').lower()}") from error
    is_png = content[:8].tobytes() == b"\x89PNG\r\n\x1a\n"
    whole = is_png and content[-12:].tobytes().endswith(b"IEND\xaeB`\x82")
    stored = cv2.imdecode(content, cv2.IMREAD_UNCHANGED) if whole else None
    if stored is None or stored.dtype != np.uint16 or stored.ndim != 2:
        raise ImageError(f"{path} is not a depth picture: expected a whole 16-bit gray PNG")
    known = (stored > 0) & (stored < 65535)
    return np.where(known, stored / np.float32(MILLIMETERS), np.float32(np.nan)).astype(np.float32)


def write_array(path: str | Path, values: npt.NDArray[np.floating]) -> None:
    """
    Write an array as float32 .npy, atomically; NaN stays NaN.

    Raises ImageError for another extension or an unwritable folder.
    """
    if Path(path).suffix != ".npy":
        raise ImageError(f"cannot write {path}: the extension of an array is .npy")
    with atomic_write(path) as handle:
        np.save(handle, np.ascontiguousarray(values, dtype=np.float32), allow_pickle=False)
