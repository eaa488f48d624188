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

"""Small bags made on the spot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zeroco_ros.bag.records import OfferedQos
from zeroco_ros.bag.writer import BagWriter, message_class

STEP_NS = 100_000_000
START_NS = 1_700_000_000_000_000_000


def header(stamp_ns: int, frame: str = "camera") -> Any:
    """Return a std_msgs/Header for rosbags."""
    stamp = message_class("builtin_interfaces/msg/Time")(
        sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9
    )
    return message_class("std_msgs/msg/Header")(stamp=stamp, frame_id=frame)


def image_message(
    pixels: np.ndarray, encoding: str, *, stamp_ns: int = START_NS, pad: int = 0, big: bool = False
) -> Any:
    """Return a sensor_msgs/Image for rosbags; rows may be padded by bytes or stored big-endian."""
    flat = pixels.astype(pixels.dtype.newbyteorder(">" if big else "<"))
    rows = np.ascontiguousarray(flat).view(np.uint8).reshape(pixels.shape[0], -1)
    rows = np.pad(rows, ((0, 0), (0, pad)), constant_values=77)
    return message_class("sensor_msgs/msg/Image")(
        header=header(stamp_ns),
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        is_bigendian=int(big),
        step=rows.shape[1],
        data=rows.reshape(-1),
    )


@pytest.fixture()
def make_bag(tmp_path: Path) -> Callable[..., Path]:
    """
    Return what makes a bag with /image (mono8) and /text.

    make_bag(name, frames=10, shape=(24, 32), **writer options)
    """

    def make(
        name: str = "bag", frames: int = 10, shape: tuple[int, int] = (24, 32), **options: Any
    ) -> Path:
        random = np.random.default_rng(5)
        path = tmp_path / name
        text = message_class("std_msgs/msg/String")
        with BagWriter(path, **options) as writer:
            writer.add_topic(
                "/image", "sensor_msgs/msg/Image", qos=OfferedQos("best_effort", "volatile", 5)
            )
            writer.add_topic("/text", "std_msgs/msg/String")
            for index in range(frames):
                stamp = START_NS + index * STEP_NS
                pixels = random.integers(0, 256, shape, dtype=np.uint8)
                message = image_message(pixels, "mono8", stamp_ns=stamp)
                writer.write_message("/image", stamp, message)
                writer.write_message("/text", stamp + STEP_NS // 2, text(data=f"note {index}"))
        return path

    return make
