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

"""Depth images to points, and points to PLY files that every viewer opens."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from zeroco_ros.errors import ConfigError

FloatArray = npt.NDArray[np.float32]


def unproject(
    depth: npt.ArrayLike, K: npt.ArrayLike, c2w: npt.ArrayLike | None = None
) -> FloatArray:
    """
    Points (H, W, 3) float32 of a depth image (H, W), z along the optical axis, in its unit.

    K: (3, 3) without distortion. c2w: (4, 4), the camera's pose: the points are in its world then;
    without it in the camera's frame (x right, y down, z forward). NaN where the depth is not
    finite or not positive. Raises ConfigError for shapes that do not fit.
    """
    z = np.asarray(depth, dtype=np.float32)
    matrix = np.asarray(K, dtype=np.float64)
    if z.ndim != 2 or matrix.shape != (3, 3):
        raise ConfigError(f"depth (H, W) and K (3, 3) needed, got {z.shape} and {matrix.shape}")
    z = np.where(np.isfinite(z) & (z > 0), z, np.float32(np.nan))
    y, x = np.indices(z.shape, dtype=np.float32)
    inverse = np.linalg.inv(matrix)
    points = np.stack([x, y, np.ones_like(x)], axis=-1) @ inverse.T.astype(np.float32)
    points *= z[..., None]
    if c2w is not None:
        pose = np.asarray(c2w, dtype=np.float64)
        if pose.shape != (4, 4):
            raise ConfigError(f"a pose is 4x4, not of shape {pose.shape}")
        points = points @ pose[:3, :3].T.astype(np.float32) + pose[:3, 3].astype(np.float32)
    return np.asarray(points, dtype=np.float32)


def write_ply(
    target: str | Path | IO[bytes], points: npt.ArrayLike, colors: npt.ArrayLike | None = None
) -> int:
    """
    Write points (..., 3) with colors (..., 3) uint8 RGB as binary little-endian PLY.

    target: a path, or a file open for writing bytes. Points that are not finite are left out.
    Returns how many were written. Raises ConfigError for shapes or colors that do not fit, and for
    a path that cannot be written.
    """
    xyz = np.asarray(points, dtype=np.float32)
    if xyz.shape[-1:] != (3,):
        raise ConfigError(f"points need shape (..., 3), not {xyz.shape}")
    fields = [(name, "<f4") for name in "xyz"]
    if colors is not None:
        rgb = np.asarray(colors)
        if rgb.shape != xyz.shape or rgb.dtype != np.uint8:
            raise ConfigError(
                f"colors must be uint8 of the points' shape {xyz.shape}, "
                f"got {rgb.dtype} {rgb.shape}"
            )
        fields += [(name, "u1") for name in ("red", "green", "blue")]
    known = np.isfinite(xyz).all(axis=-1)
    vertices = np.empty(int(known.sum()), dtype=fields)
    for axis, name in enumerate("xyz"):
        vertices[name] = xyz[known][:, axis]
    if colors is not None:
        for axis, name in enumerate(("red", "green", "blue")):
            vertices[name] = rgb[known][:, axis]
    types = {"<f4": "float", "u1": "uchar"}
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {len(vertices)}"]
    lines += [f"property {types[kind]} {name}" for name, kind in fields]
    header = "\n".join([*lines, "end_header", ""]).encode("ascii")
    content = header + vertices.tobytes()
    try:
        if isinstance(target, str | Path):
            Path(target).write_bytes(content)
        else:
            target.write(content)
    except OSError as error:
        raise ConfigError(f"cannot write the point cloud {target}: {error}") from error
    return len(vertices)
