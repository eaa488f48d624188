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

"""The header at the front of a message, read without decoding the rest."""

from __future__ import annotations

from dataclasses import dataclass
import struct

from zeroco_ros.errors import BagError

_LITTLE_ENDIAN = 1  # last bit of the second byte of a CDR encapsulation


@dataclass(frozen=True)
class Header:
    """std_msgs/Header: stamp in integer nanoseconds, name of the frame."""

    stamp_ns: int
    frame_id: str


def read_header(data: bytes) -> Header:
    """
    Return header of a CDR message whose first field it is (Image, CameraInfo, PoseStamped, ...).

    Takes microseconds however large the image behind it. Raises BagError where the bytes are too
    few or the text is none; it cannot notice that a message has another first field.
    """
    try:
        order = "<" if data[1] & _LITTLE_ENDIAN else ">"
        seconds, nanoseconds, length = struct.unpack_from(f"{order}iII", data, 4)
        text = data[16 : 16 + length]
        if len(text) != length:
            raise ValueError(f"{length} bytes of frame_id, {len(text)} there")
        frame = bytes(text).rstrip(b"\0").decode("utf-8")
    except (struct.error, IndexError, ValueError) as error:
        raise BagError(f"a message of {len(data)} bytes has no readable header") from error
    return Header(seconds * 1_000_000_000 + nanoseconds, frame)
