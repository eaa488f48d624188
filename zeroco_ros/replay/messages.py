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

"""Results as the messages that the nodes would publish, for the output bag."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from zeroco_ros.bag.writer import BagWriter, message_class
from zeroco_ros.online.odometry import NOT_KNOWN, Place

Array = npt.NDArray[Any]


def copied_header(header: Any, frame_id: str | None = None) -> Any:
    """Return a header of the bag's own types with the stamp of another one, and its frame."""
    stamp = message_class("builtin_interfaces/msg/Time")(
        sec=int(header.stamp.sec), nanosec=int(header.stamp.nanosec)
    )
    frame = str(header.frame_id) if frame_id is None else frame_id
    return message_class("std_msgs/msg/Header")(stamp=stamp, frame_id=frame)


def image(pixels: Array, encoding: str, header: Any) -> Any:
    """Return a sensor_msgs/Image of pixels (H, W) or (H, W, C) in native byte order."""
    rows = np.ascontiguousarray(pixels).view(np.uint8)
    return message_class("sensor_msgs/msg/Image")(
        header=header,
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        is_bigendian=int(sys.byteorder == "big"),
        step=rows.size // pixels.shape[0],
        data=rows.reshape(-1),
    )


def camera_info(shape: tuple[int, ...], K: Array, header: Any) -> Any:
    """Return the pinhole camera of a rectified image (height, width)."""
    region = message_class("sensor_msgs/msg/RegionOfInterest")(
        x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
    )
    return message_class("sensor_msgs/msg/CameraInfo")(
        header=header,
        height=shape[0],
        width=shape[1],
        distortion_model="plumb_bob",
        d=np.zeros(5),
        k=np.asarray(K, np.float64).reshape(-1),
        r=np.eye(3).reshape(-1),
        p=np.hstack([K, np.zeros((3, 1))]).reshape(-1),
        binning_x=0,
        binning_y=0,
        roi=region,
    )


def odometry(place: Place, header: Any, world: str) -> Any:
    """Return a nav_msgs/Odometry of the camera, whose frame the header names; no velocities."""
    point, quaternion = (message_class(f"geometry_msgs/msg/{n}") for n in ("Point", "Quaternion"))
    vector = message_class("geometry_msgs/msg/Vector3")
    zero = vector(x=0.0, y=0.0, z=0.0)
    x, y, z = place.position
    qx, qy, qz, qw = place.quaternion
    pose = message_class("geometry_msgs/msg/Pose")(
        position=point(x=x, y=y, z=z), orientation=quaternion(x=qx, y=qy, z=qz, w=qw)
    )
    twist = message_class("geometry_msgs/msg/Twist")(linear=zero, angular=zero)
    return message_class("nav_msgs/msg/Odometry")(
        header=copied_header(header, world),
        child_frame_id=str(header.frame_id),
        pose=message_class("geometry_msgs/msg/PoseWithCovariance")(
            pose=pose, covariance=np.array(place.covariance, np.float64)
        ),
        twist=message_class("geometry_msgs/msg/TwistWithCovariance")(
            twist=twist, covariance=np.array(NOT_KNOWN, np.float64)
        ),
    )


def text(data: str) -> Any:
    """Return a std_msgs/String."""
    return message_class("std_msgs/msg/String")(data=data)


class ResultBag:
    """
    The output bag, or nothing where none is wanted.

    Messages are stamped with their header's time, where it has one, else with the time at which
    their image was recorded.
    """

    def __init__(self, writer: BagWriter | None) -> None:
        self._writer = writer

    def write(self, topic: str, stamp_ns: int, message: Any) -> None:
        """Append a message."""
        if self._writer is not None:
            self._writer.write_message(topic, stamp_ns, message)
