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

"""Steps of a soak as ROS messages, also such as no driver should ever send."""

from __future__ import annotations

import array
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sensor_msgs.msg import CameraInfo, Image

from zeroco_ros.soak.pictures import laid_out, Painter
from zeroco_ros.soak.steps import Picture, SECOND

HUGE = 2**32 - 1


def _set(**fields: Any) -> Callable[[Image], None]:
    def change(message: Image) -> None:
        for name, value in fields.items():
            setattr(message, name, value)

    return change


def _float(message: Image) -> None:
    values = np.full(message.height * message.width, np.nan, np.float32)
    _set(encoding="32FC1", step=4 * message.width, data=_bytes(values))(message)


# What is done to a good message, by the names in `acts.BROKEN`.
BREAK: Mapping[str, Callable[[Image], None]] = {
    "encoding": _set(encoding="rgb16"),
    "no encoding": _set(encoding=""),
    "float": _float,
    "short step": lambda message: _set(step=message.step // 3)(message),
    "long step": lambda message: _set(step=message.step + 1)(message),
    "too many rows": lambda message: _set(height=message.height + 1)(message),
    "cut off": lambda message: _set(data=message.data[: len(message.data) // 2])(message),
    "no data": _set(data=array.array("B")),
    "no pixels": _set(height=0, width=0, step=0, data=array.array("B")),
    "giant": _set(height=HUGE, width=HUGE, step=HUGE),
}


def image(picture: Picture, painter: Painter) -> Image:
    """Return the message of a picture."""
    pixels = laid_out(painter.paint(picture.number, picture.size, picture.look), picture.encoding)
    message = Image(height=picture.size[0], width=picture.size[1], encoding=picture.encoding)
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(picture.stamp, SECOND)
    message.header.frame_id = picture.frame_id
    message.step = pixels[0].nbytes
    message.data = _bytes(pixels)
    if picture.broken:
        BREAK[picture.broken](message)
    return message


def camera_info(kind: str, size: tuple[int, int]) -> CameraInfo:
    """Return the calibration of images of (height, width); kind: see `steps.Calibration`."""
    height, width = size
    focal = {"zero": 0.0, "other": 1.5 * width}.get(kind, float(width))
    message = CameraInfo(height=height, width=width, distortion_model="plumb_bob")
    message.k = [focal, 0.0, (width - 1) / 2, 0.0, focal, (height - 1) / 2, 0.0, 0.0, 1.0]
    if kind == "binned":
        message.binning_x = message.binning_y = 3
    return message


def _bytes(pixels: np.ndarray[Any, Any]) -> array.array[int]:
    data = array.array("B")
    data.frombytes(memoryview(np.ascontiguousarray(pixels)).cast("B"))
    return data
