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

"""Depth as messages: an organized point cloud, its CameraInfo, the camera's odometry."""

from __future__ import annotations

import sys
from typing import Any, TYPE_CHECKING

from geometry_msgs.msg import Point, Quaternion
from nav_msgs.msg import Odometry
import numpy as np
import numpy.typing as npt
from sensor_msgs.msg import CameraInfo, PointCloud2, PointField
from std_msgs.msg import Header

from zeroco_ros.geometry.pointcloud import unproject
from zeroco_ros.online.odometry import NOT_KNOWN, place_of
from zeroco_ros.ros.messages import byte_array

if TYPE_CHECKING:
    from zeroco_ros.estimate.results import DepthResult

Array = npt.NDArray[Any]
_POINT = np.dtype([("x", "f4"), ("y", "f4"), ("z", "f4"), ("rgb", "u4")])


def point_cloud(depth: Array, K: Array, image: Array, header: Header) -> PointCloud2:
    """
    Return an organized cloud (height x width), in the optical frame, NaN where depth is.

    depth: (H, W) float32. K: (3, 3). image: (H, W, 3) uint8 RGB on the same pixels.
    """
    height, width = depth.shape
    points = np.empty((height, width), _POINT)
    xyz = unproject(depth, K)
    for index, axis in enumerate("xyz"):
        points[axis] = xyz[..., index]
    red, green, blue = (image[..., channel].astype(np.uint32) for channel in range(3))
    points["rgb"] = red << 16 | green << 8 | blue
    message = PointCloud2(header=header, height=height, width=width)
    # By convention rgb is called a float32, whose bytes are 0 r g b.
    message.fields = [
        PointField(name=name, offset=4 * index, datatype=PointField.FLOAT32, count=1)
        for index, name in enumerate(("x", "y", "z", "rgb"))
    ]
    message.is_bigendian = sys.byteorder == "big"
    message.point_step = _POINT.itemsize
    message.row_step = _POINT.itemsize * width
    message.is_dense = False
    message.data = byte_array(points.view(np.uint8))
    return message


def camera_info(shape: tuple[int, ...], K: Array, header: Header) -> CameraInfo:
    """Return the pinhole camera of a rectified image (height, width)."""
    message = CameraInfo(header=header, height=shape[0], width=shape[1])
    message.distortion_model = "plumb_bob"
    message.d = [0.0] * 5
    message.k = [float(x) for x in K.ravel()]
    message.r = [float(x) for x in np.eye(3).ravel()]
    message.p = [float(x) for x in np.hstack([K, np.zeros((3, 1))]).ravel()]
    return message


def odometry(result: DepthResult, header: Header, world: str, optical_world: bool) -> Odometry:
    """
    Return the camera's pose in `world`; velocities are not known.

    optical_world: turn a world with a camera's axes to x forward, z up.
    """
    place = place_of(result, optical_world)
    message = Odometry(child_frame_id=header.frame_id)
    message.header.stamp = header.stamp
    message.header.frame_id = world
    x, y, z = place.position
    message.pose.pose.position = Point(x=x, y=y, z=z)
    qx, qy, qz, qw = place.quaternion
    message.pose.pose.orientation = Quaternion(x=qx, y=qy, z=qz, w=qw)
    message.pose.covariance = place.covariance
    message.twist.covariance = list(NOT_KNOWN)
    return message
