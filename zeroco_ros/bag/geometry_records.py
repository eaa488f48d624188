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

"""Camera calibration and poses of a bag as plain numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from zeroco_ros.bag.images import header_stamp

CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
POSE_STAMPED = "geometry_msgs/msg/PoseStamped"


@dataclass(frozen=True)
class CameraInfo:
    """Intrinsics: K (3, 3) in pixels; distortion (n,) by the named model; size in pixels."""

    K: npt.NDArray[np.float64]
    distortion: npt.NDArray[np.float64]
    model: str
    width: int
    height: int
    stamp_ns: int
    frame_id: str


@dataclass(frozen=True)
class Pose:
    """matrix (4, 4): takes points of the child (a camera) to the frame `frame_id`, in meters."""

    matrix: npt.NDArray[np.float64]
    stamp_ns: int
    frame_id: str


def camera_info(message: Any) -> CameraInfo:
    """From a decoded sensor_msgs/CameraInfo."""
    return CameraInfo(
        np.asarray(message.k, dtype=np.float64).reshape(3, 3),
        np.asarray(message.d, dtype=np.float64),
        str(message.distortion_model),
        int(message.width),
        int(message.height),
        header_stamp(message.header),
        str(message.header.frame_id),
    )


def pose(message: Any) -> Pose:
    """From a decoded geometry_msgs/PoseStamped."""
    position, q = message.pose.position, message.pose.orientation
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_matrix(q.x, q.y, q.z, q.w)
    matrix[:3, 3] = position.x, position.y, position.z
    return Pose(matrix, header_stamp(message.header), str(message.header.frame_id))


def rotation_matrix(x: float, y: float, z: float, w: float) -> npt.NDArray[np.float64]:
    """(3, 3) rotation of a quaternion, which is normalized first; (0, 0, 0, 0) is identity."""
    norm = float(np.sqrt(x * x + y * y + z * z + w * w))
    if norm == 0.0:
        return np.eye(3)
    x, y, z, w = x / norm, y / norm, z / norm, w / norm
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
