"""The header at the front of a message, read without decoding the rest."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from zeroco_ros.errors import BagError

_LITTLE_ENDIAN = 1  # last bit of the second byte of a CDR encapsulation


@dataclass(frozen=True)
class Header:
    """std_msgs/Header: stamp in integer nanoseconds, name of the frame."""

    stamp_ns: int
    frame_id: str


def read_header(data: bytes) -> Header:
    """The header of a CDR message whose first field it is (Image, CameraInfo, PoseStamped, ...).

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
