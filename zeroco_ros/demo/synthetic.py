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

"""
A bag of the demo's own: the drive through the gallery, with exact ground truth.

| topic | type | what |
|---|---|---|
| /camera/image_raw | Image rgb8 | the pictures, with a camera's noise |
| /camera/camera_info | CameraInfo | pinhole, no distortion |
| /camera/depth/image_raw | Image 16UC1 | millimeters, exact |
| /camera/flow_truth | Image 32FC2 | motion from the previous frame, exact, NaN where unseen |
| /camera/pose | PoseStamped | camera to world, optical axes |
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from zeroco_ros.bag.writer import BagWriter, message_class
from zeroco_ros.demo.gallery import DURATION, gallery, view_at
from zeroco_ros.demo.quads import flow_between, Look, look, render, View

FRAMES = 30
WHOLE = 60  # frames that take the whole drive
SIZE = (480, 640)
IMAGE_TOPIC = "/camera/image_raw"
FLOW_TOPIC = "/camera/flow_truth"
DEPTH_TOPIC = "/camera/depth/image_raw"
INFO_TOPIC = "/camera/camera_info"
POSE_TOPIC = "/camera/pose"
FRAME_ID = "camera_optical_frame"
START_NS = 1_700_000_000_000_000_000
PERIOD_NS = 100_000_000
NOISE = 2.0  # gray levels, standard deviation
FLOW_STEP = 1 / 64  # pixels; rounded to this, the flow takes a third of the room


def write_synthetic_bag(
    path: str | Path,
    *,
    frames: int = FRAMES,
    size: tuple[int, int] = SIZE,
    seed: int = 0,
    progress: bool = True,
) -> None:
    """
    Render the drive into a new MCAP bag, the same bytes for the same arguments.

    frames: at 10 Hz; WHOLE or more take the whole drive. size: height and width in pixels. seed:
    of the noise. A bag that is there is replaced.
    """
    quads = gallery()
    random = np.random.default_rng(seed)
    step = DURATION / max(frames, WHOLE)  # of the drive; fewer frames are its beginning
    before: Look | None = None
    hidden = None if progress else True  # None: no bar where stderr is no terminal
    with BagWriter(path, compression="chunk", overwrite=True) as writer:
        for index in tqdm(range(frames), desc="rendering", unit="frame", disable=hidden):
            view = view_at(index * step, size)
            header = _header(START_NS + index * PERIOD_NS)
            now = look(quads, view)
            flow = flow_between(quads, now, before or now)
            if before is None:
                flow[:] = np.nan
            picture = _noisy(render(quads, view), random)
            _write(writer, header, view, picture, flow, now.depth)
            before = now


def _noisy(picture: npt.NDArray[np.uint8], random: np.random.Generator) -> npt.NDArray[np.uint8]:
    """With a camera's noise, most of it the same in all three channels."""
    gray = random.standard_normal((*picture.shape[:2], 1), dtype=np.float32)
    color = random.standard_normal(picture.shape, dtype=np.float32)
    noise = np.float32(NOISE) * (gray + np.float32(0.5) * color)
    return np.clip(picture + noise + np.float32(0.5), 0, 255).astype(np.uint8)


def _write(
    writer: BagWriter,
    header: Any,
    view: View,
    picture: npt.NDArray[np.uint8],
    flow: npt.NDArray[np.float32],
    depth: npt.NDArray[np.float32],
) -> None:
    stamp = header.stamp.sec * 10**9 + header.stamp.nanosec
    millimeters = np.where(np.isfinite(depth), np.round(depth * 1000), 0).astype(np.uint16)
    rounded = np.round(flow / FLOW_STEP).astype(np.float32) * np.float32(FLOW_STEP)
    world = message_class("std_msgs/msg/Header")(stamp=header.stamp, frame_id="world")
    writer.write_message(IMAGE_TOPIC, stamp, _image(header, picture, "rgb8"))
    writer.write_message(INFO_TOPIC, stamp, _camera_info(header, view))
    writer.write_message(DEPTH_TOPIC, stamp, _image(header, millimeters, "16UC1"))
    writer.write_message(FLOW_TOPIC, stamp, _image(header, rounded, "32FC2"))
    writer.write_message(POSE_TOPIC, stamp, _pose(world, view.c2w))


def _header(stamp_ns: int) -> Any:
    seconds, nanoseconds = divmod(stamp_ns, 10**9)
    stamp = message_class("builtin_interfaces/msg/Time")(sec=seconds, nanosec=nanoseconds)
    return message_class("std_msgs/msg/Header")(stamp=stamp, frame_id=FRAME_ID)


def _image(header: Any, pixels: npt.NDArray[Any], encoding: str) -> Any:
    rows = np.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder("<"))).view(np.uint8)
    return message_class("sensor_msgs/msg/Image")(
        header=header,
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        is_bigendian=0,
        step=rows.size // pixels.shape[0],
        data=rows.reshape(-1),
    )


def _camera_info(header: Any, view: View) -> Any:
    region = message_class("sensor_msgs/msg/RegionOfInterest")(
        x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
    )
    return message_class("sensor_msgs/msg/CameraInfo")(
        header=header,
        height=view.size[0],
        width=view.size[1],
        distortion_model="plumb_bob",
        d=np.zeros(5),
        k=view.K.reshape(-1),
        r=np.eye(3).reshape(-1),
        p=np.hstack([view.K, np.zeros((3, 1))]).reshape(-1),
        binning_x=0,
        binning_y=0,
        roi=region,
    )


def _pose(header: Any, c2w: npt.NDArray[np.float64]) -> Any:
    x, y, z, w = _quaternion(c2w[:3, :3])
    point = message_class("geometry_msgs/msg/Point")(x=c2w[0, 3], y=c2w[1, 3], z=c2w[2, 3])
    turn = message_class("geometry_msgs/msg/Quaternion")(x=x, y=y, z=z, w=w)
    pose = message_class("geometry_msgs/msg/Pose")(position=point, orientation=turn)
    return message_class("geometry_msgs/msg/PoseStamped")(header=header, pose=pose)


def _quaternion(R: npt.NDArray[np.float64]) -> tuple[float, float, float, float]:
    """
    (x, y, z, w) of a rotation.

    The eigenvector of Bar-Itzhack's matrix (2000) for its largest eigenvalue, which is stable for
    every rotation.
    """
    K = np.array(
        [
            [R[0, 0] - R[1, 1] - R[2, 2], 0, 0, 0],
            [R[0, 1] + R[1, 0], R[1, 1] - R[0, 0] - R[2, 2], 0, 0],
            [R[0, 2] + R[2, 0], R[1, 2] + R[2, 1], R[2, 2] - R[0, 0] - R[1, 1], 0],
            [R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1], np.trace(R)],
        ]
    )
    x, y, z, w = np.linalg.eigh(K)[1][:, -1]  # eigh reads the lower triangle
    sign = 1.0 if w >= 0 else -1.0
    return float(sign * x), float(sign * y), float(sign * z), float(sign * w)
