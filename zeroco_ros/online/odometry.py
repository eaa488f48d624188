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

"""Where the camera is, as nav_msgs/Odometry says it, and whether that may be said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from zeroco_ros.geometry.transforms import matrix_to_quaternion

if TYPE_CHECKING:
    from zeroco_ros.estimate.results import DepthResult
    from zeroco_ros.online.depth_intake import DepthItem

Array = npt.NDArray[Any]
# REP 103: optical axes (x right, y down, z forward) as seen with x forward, y left, z up.
FORWARD_FROM_OPTICAL = np.array([[0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1.0]])
UNKNOWN = -1.0  # first element of a covariance that is not known, as in sensor_msgs/Imu
NOT_KNOWN = [UNKNOWN, *[0.0] * 35]


@dataclass(frozen=True)
class Place:
    """position: x y z; quaternion: x y z w; covariance: 36 numbers, row by row."""

    position: tuple[float, float, float]
    quaternion: tuple[float, float, float, float]
    covariance: list[float]


def place_of(result: DepthResult, optical_world: bool) -> Place:
    """
    Return the camera's pose in its world.

    optical_world: turn a world with a camera's axes to x forward, z up.
    """
    turn = FORWARD_FROM_OPTICAL if optical_world else np.eye(4)
    pose = turn @ result.pose
    x, y, z = (float(value) for value in pose[:3, 3])
    qx, qy, qz, qw = (float(value) for value in matrix_to_quaternion(pose[:3, :3]))
    covariance = _covariance(result.pose_covariance, turn[:3, :3])
    return Place((x, y, z), (qx, qy, qz, qw), covariance)


def _covariance(matrix: Array | None, turn: Array) -> list[float]:
    """36 numbers, axes turned; UNKNOWN first where there is none."""
    if matrix is None:
        return list(NOT_KNOWN)
    both = np.kron(np.eye(2), turn)
    return [float(value) for value in (both @ matrix @ both.T).ravel()]


class PlaceKnown:
    """
    Whether a result's pose is its frame's own, in the world of ~/odometry.

    Not where tracking was lost or has just begun, nor where a source of poses has not yet said
    where the camera is: that world is another one, and its unit no meter. optical_world: the world
    is the first camera's (poses are estimated).
    """

    def __init__(self, optical_world: bool) -> None:
        self.optical_world = optical_world
        self._posed: int | None = None  # epoch in which a pose was given last

    def __call__(self, result: DepthResult, item: DepthItem) -> bool:
        """To be asked for every result, in order."""
        if item.pose is not None:
            self._posed = item.epoch
            return True
        if result.state in ("lost", "starting"):
            return False
        return self.optical_world or (result.scale == "metric" and self._posed == item.epoch)


def within(result: DepthResult, max_depth: float) -> tuple[Array, Array]:
    """Depth and sigma (H, W), NaN beyond max_depth (in the unit of depth); 0 keeps all."""
    depth, sigma = result.depth, result.sigma
    if max_depth > 0:
        far = depth > max_depth
        depth, sigma = (np.where(far, np.float32(np.nan), a) for a in (depth, sigma))
    return depth, sigma
