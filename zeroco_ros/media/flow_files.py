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

"""Flow fields on disk: Middlebury .flo, KITTI 16-bit .png, and .npz with everything else."""

from __future__ import annotations

from pathlib import Path
import struct
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from zeroco_ros.errors import ImageError
from zeroco_ros.media.atomic import atomic_write
from zeroco_ros.media.color import flow_to_color, known_flow, UNKNOWN
from zeroco_ros.media.images import write_image

Float = npt.NDArray[np.float32]

FLOW_EXTENSIONS = (".flo", ".npz", ".png")
_FLO_MAGIC = 202021.25
_FLO_UNKNOWN = 1e10
_KITTI_OFFSET, _KITTI_SCALE = 32768, 64


class FlowArrays(Protocol):
    """What a flow estimate offers to be written: estimate.FlowResult and its like."""

    @property
    def flow(self) -> Float: ...  # (H, W, 2) pixels
    @property
    def confidence(self) -> Float: ...  # (H, W) in [0, 1]
    @property
    def occluded(self) -> npt.NDArray[np.bool_]: ...  # (H, W)
    @property
    def coarse(self) -> Float: ...  # (h, w, 2) tokens
    @property
    def forward_backward_error(self) -> Float: ...  # (H, W) pixels


def write_flow(path: str | Path, result: FlowArrays) -> None:
    """
    Write a flow estimate in the format that the extension names, atomically.

    .flo: the flow alone; .npz: flow, confidence, occluded, coarse and forward_backward_error;
    .png: the Middlebury color picture of the flow.

    Raises ImageError for another extension or an unwritable folder.
    """
    path = Path(path)
    extension = path.suffix.lower()
    if extension == ".flo":
        write_flo(path, result.flow)
    elif extension == ".npz":
        write_flow_npz(path, result)
    elif extension == ".png":
        write_image(path, flow_to_color(result.flow))
    else:
        raise ImageError(f"cannot write {path}: the extension is not one of .flo, .npz, .png")


def write_flow_npz(path: str | Path, result: FlowArrays) -> None:
    """Write all arrays of an estimate to a compressed .npz, in the types FlowResult states."""
    with atomic_write(path) as handle:
        np.savez_compressed(
            handle,
            flow=np.asarray(result.flow, dtype=np.float32),
            confidence=np.asarray(result.confidence, dtype=np.float32),
            occluded=np.asarray(result.occluded, dtype=np.bool_),
            coarse=np.asarray(result.coarse, dtype=np.float32),
            forward_backward_error=np.asarray(result.forward_backward_error, dtype=np.float32),
        )


def write_flo(path: str | Path, flow: npt.NDArray[np.floating]) -> None:
    """Write (H, W, 2) pixels as a Middlebury .flo file; what is not finite becomes unknown."""
    field = _checked(path, flow)
    known = known_flow(field)[..., None]
    values = np.where(known, field, _FLO_UNKNOWN).astype("<f4")
    height, width = field.shape[:2]
    with atomic_write(path) as handle:
        handle.write(struct.pack("<fii", _FLO_MAGIC, width, height))
        handle.write(values.tobytes())


def read_flo(path: str | Path) -> Float:
    """
    Read a Middlebury .flo file as (H, W, 2) float32 pixels, unknown (>= 1e9) as NaN.

    Raises ImageError for a file that is missing, truncated or of another kind.
    """
    content = _content(path)
    if len(content) < 12:
        raise ImageError(f"{path} is not a .flo file: it has only {len(content)} bytes")
    magic, width, height = struct.unpack("<fii", content[:12])
    if magic != np.float32(_FLO_MAGIC) or width < 1 or height < 1:
        raise ImageError(f"{path} is not a Middlebury .flo file: its header is wrong")
    if len(content) != 12 + 8 * width * height:
        raise ImageError(
            f"{path} is damaged: {width}x{height} flow takes {12 + 8 * width * height} bytes, "
            f"the file has {len(content)}"
        )
    flow = np.frombuffer(content, dtype="<f4", offset=12).reshape(height, width, 2)
    return np.where(known_flow(flow)[..., None], flow, np.nan).astype(np.float32)


def write_kitti_flow(path: str | Path, flow: npt.NDArray[np.floating]) -> None:
    """
    Write (H, W, 2) pixels as KITTI's 16-bit PNG: steps of 1/64 px, -512..512 px, and validity.

    What is not finite, unknown or out of that range is stored as invalid.
    """
    field = _checked(path, flow)
    coded = np.round(np.where(known_flow(field)[..., None], field, UNKNOWN) * _KITTI_SCALE)
    coded = coded + _KITTI_OFFSET
    valid = ((coded >= 0) & (coded <= 65535)).all(axis=-1)
    u, v = (np.where(valid, coded[..., channel], 0) for channel in (0, 1))
    stored = np.stack([valid.astype(float), v, u], axis=-1).astype(np.uint16)  # OpenCV's BGR
    encoded, content = cv2.imencode(".png", stored)
    if not encoded:
        raise ImageError(f"cannot write {path}: the PNG could not be encoded")
    with atomic_write(path) as handle:
        handle.write(content.tobytes())


def read_kitti_flow(path: str | Path) -> Float:
    """
    Read KITTI's 16-bit flow PNG as (H, W, 2) float32 pixels, invalid pixels as NaN.

    Raises ImageError for a file that is missing, damaged or of another kind.
    """
    content = _content(path)
    try:
        with Image.open(path) as image:
            image.verify()  # OpenCV would write to the console about a damaged file
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageError(f"{path} is not a readable PNG: {error}") from error
    stored: npt.NDArray[Any] | None = cv2.imdecode(
        np.frombuffer(content, dtype=np.uint8), cv2.IMREAD_UNCHANGED
    )
    if stored is None or stored.dtype != np.uint16 or stored.ndim != 3 or stored.shape[2] != 3:
        raise ImageError(f"{path} is not a KITTI flow file: expected a 16-bit RGB PNG")
    flow = (stored[..., :0:-1].astype(np.float32) - _KITTI_OFFSET) / _KITTI_SCALE
    return np.where(stored[..., :1] > 0, flow, np.nan).astype(np.float32)


def _checked(path: str | Path, flow: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    if flow.ndim != 3 or flow.shape[2] != 2 or flow.size == 0:
        raise ImageError(f"cannot write {path}: expected flow (H, W, 2), got {flow.shape}")
    return flow


def _content(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ImageError(f"cannot read {path}: {(error.strerror or '').lower()}") from error
