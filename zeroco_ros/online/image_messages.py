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
sensor_msgs Image and CompressedImage to what the estimator takes, by their fields.

Messages of any origin (rclpy, rosbags) are read: (H, W, 3) uint8 RGB or (H, W) uint8 gray.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from zeroco_ros.media.encodings import decode_file, decode_pixels, to_8_bits

Array = np.ndarray[Any, Any]


def to_array(message: Any, *, significant_bits: int = 16) -> Array:
    """
    Return a raw or compressed image message to (H, W, 3) uint8 RGB or (H, W) uint8 gray.

    mono8 and rgb8 come back as views of the message's data: treat them as read-only and drop them
    with the message. 16-bit values are shifted right by a fixed 8 bits, or by
    `significant_bits` - 8 for sensors that fill fewer bits (values above saturate).
    Raises ImageError that says what does not fit, with the numbers.
    """
    if hasattr(message, "format"):
        return decode_compressed(message.data, message.format, significant_bits=significant_bits)
    return decode_pixels(
        buffer_of(message.data),
        height=message.height,
        width=message.width,
        step=message.step,
        encoding=message.encoding,
        big_endian=bool(message.is_bigendian),
        significant_bits=significant_bits,
    )


def image_size(message: Any) -> tuple[int, int] | None:
    """(height, width) of a raw image message; None for a compressed one, whose size is inside."""
    if hasattr(message, "format"):
        return None
    return message.height, message.width


def decode_compressed(data: Any, format_text: str, *, significant_bits: int = 16) -> Array:
    """
    Decode a JPEG or PNG in memory to (H, W, 3) uint8 RGB or (H, W) uint8 gray; 16-bit too.

    Raises ImageError like `media.encodings.decode_file`.
    """
    pixels = decode_file(buffer_of(data), format_text)
    return to_8_bits(pixels, significant_bits) if pixels.dtype == np.uint16 else pixels


def buffer_of(data: Any) -> Any:
    """Message data as something with the buffer protocol (a list in hand-made messages)."""
    return bytearray(data) if isinstance(data, (list, tuple)) else data
