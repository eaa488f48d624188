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

"""Lens distortion through OpenCV: rays of distorted pixels, rectifying maps, the field of view."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from zeroco_ros.geometry.camera import Camera

Array = npt.NDArray[np.float64]

# A rectified fisheye image reaches at most this far from the axis: pixels grow with the tangent.
WIDEST = np.deg2rad(70)
# How often, and how exactly, OpenCV's fixed-point inversion of the distortion is iterated.
CRITERIA = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-10)
# Points taken along each side of the image.
SIDE = 65


def undistort(camera: Camera, pixels: Array) -> Array:
    """Rays (N, 2), x/z and y/z, of pixels (N, 2) as the camera gives them; NaN without a ray."""
    points, D = pixels[:, None], np.array(camera.D)
    if not len(pixels):
        return np.empty((0, 2))
    if camera.model == "equidistant":
        out = cv2.fisheye.undistortPoints(points, camera.K, D, criteria=CRITERIA)
    elif hasattr(cv2, "undistortPointsIter"):  # OpenCV 4: criteria under a name of its own
        out = cv2.undistortPointsIter(points, camera.K, D, None, None, CRITERIA)
    else:
        out = cv2.undistortPoints(points, camera.K, D, criteria=CRITERIA)
    rays = np.asarray(out, dtype=np.float64)[:, 0]
    # OpenCV's mark for "no ray" is -1e6; no real lens gets near a tangent of 1e4.
    rays[~(np.abs(rays) < 1e4).all(axis=1)] = np.nan
    return rays


def distort(camera: Camera, rays: Array) -> Array:
    """Pixels (N, 2) as the camera gives them of rays (N, 2), x/z and y/z."""
    D = np.array(camera.D)
    if camera.model == "equidistant":
        out = cv2.fisheye.distortPoints(rays[:, None], camera.K, D)
        return np.asarray(out, dtype=np.float64)[:, 0]
    points = np.column_stack([rays, np.ones(len(rays))])
    out, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), camera.K, D)
    return np.asarray(out, dtype=np.float64)[:, 0]


def inner_projection(camera: Camera) -> Array:
    """K (3, 3) of the widest pinhole image of the camera's size that the scene fills."""
    width, height = camera.width, camera.height
    x, y = np.linspace(0, width - 1, SIDE), np.linspace(0, height - 1, SIDE)
    left, right = (undistort(camera, _points(edge, y))[:, 0] for edge in (0.0, width - 1.0))
    top, bottom = (undistort(camera, _points(x, edge))[:, 1] for edge in (0.0, height - 1.0))
    widest = float(np.tan(WIDEST))
    x0, y0 = (float(max(-widest, np.nan_to_num(side, nan=-widest).max())) for side in (left, top))
    x1, y1 = (
        float(min(widest, np.nan_to_num(side, nan=widest).min())) for side in (right, bottom)
    )
    fx, fy = camera.K[0, 0], camera.K[1, 1]
    scale = max((width - 1) / ((x1 - x0) * fx), (height - 1) / ((y1 - y0) * fy))
    fx, fy = fx * scale, fy * scale
    cx = (width - 1) / 2 - fx * (x0 + x1) / 2
    cy = (height - 1) / 2 - fy * (y0 + y1) / 2
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])


@lru_cache(maxsize=8)
def rectifying_maps(camera: Camera) -> tuple[Any, Any]:
    """cv2.remap's two maps from the camera's image to its rectified one, fixed point."""
    return _maps(camera, cv2.CV_16SC2)


@lru_cache(maxsize=8)
def filled(camera: Camera) -> npt.NDArray[np.bool_]:
    """(H, W): rectified pixels whose source lies inside of the camera's image."""
    x, y = _maps(camera, cv2.CV_32FC1)
    inside = (x >= 0) & (x <= camera.width - 1) & (y >= 0) & (y <= camera.height - 1)
    mask: npt.NDArray[np.bool_] = np.asarray(inside, dtype=bool)
    mask.setflags(write=False)
    return mask


def _maps(camera: Camera, kind: int) -> tuple[Any, Any]:
    size, D, K = (camera.width, camera.height), np.array(camera.D), camera.rectified().K
    if camera.model == "equidistant":
        first, second = cv2.fisheye.initUndistortRectifyMap(camera.K, D, np.eye(3), K, size, kind)
    else:
        first, second = cv2.initUndistortRectifyMap(camera.K, D, np.eye(3), K, size, kind)
    return first, second


def _points(x: npt.ArrayLike, y: npt.ArrayLike) -> Array:
    return np.stack(np.broadcast_arrays(x, y), axis=-1).astype(np.float64)
