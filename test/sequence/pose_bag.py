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

"""Bags with poses in every form: of the camera, of a body that carries it, in tf."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from zeroco_ros.bag.writer import BagWriter, message_class
from zeroco_ros.geometry.transforms import matrix_to_quaternion, so3_exp, transform

START, STEP = 5_000_000_000, 100_000_000
FRAMES = 6
# from the body (x ahead, z up) to the camera (z ahead, y down), 0.2 m before it
BODY_FROM_CAMERA = transform([[0, 0, 1], [-1, 0, 0], [0, -1, 0]], [0.2, 0.0, 0.1])


def body_pose(time: float) -> np.ndarray:
    """World from body `time` seconds after START: a curve."""
    return transform(so3_exp([0.0, 0.0, 0.5 * time]), [time, 0.3 * time, 0.0])


def camera_pose(time: float) -> np.ndarray:
    """World from camera."""
    return np.asarray(body_pose(time) @ BODY_FROM_CAMERA)


def header(stamp_ns: int, frame: str) -> Any:
    stamp = message_class("builtin_interfaces/msg/Time")(
        sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9
    )
    return message_class("std_msgs/msg/Header")(stamp=stamp, frame_id=frame)


def _quaternion(matrix: np.ndarray) -> Any:
    x, y, z, w = (float(value) for value in matrix_to_quaternion(matrix[:3, :3]))
    return message_class("geometry_msgs/msg/Quaternion")(x=x, y=y, z=z, w=w)


def pose(matrix: np.ndarray) -> Any:
    x, y, z = (float(value) for value in matrix[:3, 3])
    point = message_class("geometry_msgs/msg/Point")(x=x, y=y, z=z)
    return message_class("geometry_msgs/msg/Pose")(position=point, orientation=_quaternion(matrix))


def stamped_transform(head: Any, child: str, matrix: np.ndarray) -> Any:
    x, y, z = (float(value) for value in matrix[:3, 3])
    vector = message_class("geometry_msgs/msg/Vector3")(x=x, y=y, z=z)
    inside = message_class("geometry_msgs/msg/Transform")(
        translation=vector, rotation=_quaternion(matrix)
    )
    return message_class("geometry_msgs/msg/TransformStamped")(
        header=head, child_frame_id=child, transform=inside
    )


def odometry(head: Any, child: str, matrix: np.ndarray) -> Any:
    covariance = np.zeros(36)
    vector = message_class("geometry_msgs/msg/Vector3")
    twist = message_class("geometry_msgs/msg/Twist")(
        linear=vector(x=0.0, y=0.0, z=0.0), angular=vector(x=0.0, y=0.0, z=0.0)
    )
    return message_class("nav_msgs/msg/Odometry")(
        header=head,
        child_frame_id=child,
        pose=message_class("geometry_msgs/msg/PoseWithCovariance")(
            pose=pose(matrix), covariance=covariance
        ),
        twist=message_class("geometry_msgs/msg/TwistWithCovariance")(
            twist=twist, covariance=covariance
        ),
    )


def image(head: Any) -> Any:
    return message_class("sensor_msgs/msg/Image")(
        header=head,
        height=24,
        width=32,
        encoding="mono8",
        is_bigendian=0,
        step=32,
        data=np.zeros(24 * 32, np.uint8),
    )


def write_bag(path: Path, *, mounted: bool = True, tf: bool = True, camera: str = "eye") -> Path:
    """
    Frames at START + STEP * i; poses twice as often, half a step beside the frames.

    mounted: /tf_static says how the camera sits on the body; tf: /tf says where the body is.
    """
    tf_message = message_class("tf2_msgs/msg/TFMessage")
    with BagWriter(path) as writer:
        if mounted:
            fixed = stamped_transform(header(0, "base"), camera, BODY_FROM_CAMERA)
            writer.write_message("/tf_static", START, tf_message(transforms=[fixed]))
        for index in range(-1, 2 * FRAMES + 1):
            stamp = START + index * STEP // 2 + STEP // 4
            time = (stamp - START) / 1e9
            world = header(stamp, "odom")
            writer.write_message("/odom", stamp, odometry(world, "base", body_pose(time)))
            pose_stamped = message_class("geometry_msgs/msg/PoseStamped")
            writer.write_message(
                "/pose", stamp, pose_stamped(header=world, pose=pose(camera_pose(time)))
            )
            moved = stamped_transform(world, camera, camera_pose(time))
            writer.write_message("/transform", stamp, moved)
            if tf:
                body = stamped_transform(world, "base", body_pose(time))
                drift = stamped_transform(header(stamp, "map"), "odom", np.eye(4))
                writer.write_message("/tf", stamp, tf_message(transforms=[body, drift]))
        for index in range(FRAMES):
            stamp = START + index * STEP
            writer.write_message("/eye/image", stamp, image(header(stamp, camera)))
    return path
