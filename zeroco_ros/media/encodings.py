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
Pixel encodings of sensor_msgs/Image: how they lie in memory and how they become RGB or gray.

No ROS in here, only bytes and arrays. `decode_pixels` reads what a camera sends, as the estimator
takes it; `decode_stored` keeps the values of depth and flow as well. 16-bit brightness loses its
low 8 bits by a fixed shift; a stretch to the range of each frame would make it flicker.
"""

from __future__ import annotations

from collections.abc import Mapping
import contextlib
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np

from zeroco_ros.errors import ImageError

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Encoding:
    """One encoding: bytes per channel, channels per pixel, and the way to RGB (None: as it is)."""

    itemsize: int
    channels: int
    to_rgb: int | None = None
    even_width: bool = False
    kind: Literal["u", "f"] = "u"  # unsigned or floating point

    @property
    def pixel_bytes(self) -> int:
        """Bytes of one pixel in a row."""
        return self.itemsize * self.channels


# ROS names a Bayer pattern by the first two rows; OpenCV by the pixels one row and column in.
_BAYER = {
    "rggb": cv2.COLOR_BayerBG2RGB,
    "bggr": cv2.COLOR_BayerRG2RGB,
    "gbrg": cv2.COLOR_BayerGR2RGB,
    "grbg": cv2.COLOR_BayerGB2RGB,
}
_UYVY = Encoding(1, 2, cv2.COLOR_YUV2RGB_UYVY, even_width=True)
_YUYV = Encoding(1, 2, cv2.COLOR_YUV2RGB_YUY2, even_width=True)

ENCODINGS: dict[str, Encoding] = {
    "mono8": Encoding(1, 1),
    "mono16": Encoding(2, 1),
    "rgb8": Encoding(1, 3),
    "bgr8": Encoding(1, 3, cv2.COLOR_BGR2RGB),
    "rgba8": Encoding(1, 4, cv2.COLOR_RGBA2RGB),
    "bgra8": Encoding(1, 4, cv2.COLOR_BGRA2RGB),
    "yuv422": _UYVY,
    "uyvy": _UYVY,
    "yuv422_yuy2": _YUYV,
    "yuyv": _YUYV,
    **{f"bayer_{pattern}8": Encoding(1, 1, code) for pattern, code in _BAYER.items()},
    **{f"bayer_{pattern}16": Encoding(2, 1, code) for pattern, code in _BAYER.items()},
}
# What programs publish beside pictures of cameras; three channels are in OpenCV's order.
STORED: dict[str, Encoding] = {
    **ENCODINGS,
    "8UC1": Encoding(1, 1),
    "8UC3": Encoding(1, 3, cv2.COLOR_BGR2RGB),
    "16UC1": Encoding(2, 1),
    "32FC1": Encoding(4, 1, kind="f"),
    "32FC2": Encoding(4, 2, kind="f"),
}


def decode_pixels(
    data: Any,
    *,
    height: int,
    width: int,
    step: int,
    encoding: str,
    big_endian: bool = False,
    significant_bits: int = 16,
) -> Array:
    """
    Raw image bytes (any buffer) to (H, W, 3) uint8 RGB, or (H, W) uint8 for mono encodings.

    mono8 and rgb8 come back as a view of `data`, rows padded as they are; the rest is converted.
    significant_bits: of 16-bit encodings, 8 to 16; values above it saturate.
    Raises ImageError, with the numbers, when encoding, sizes and length do not fit together.
    """
    kind = check_layout(len(data), height=height, width=width, step=step, encoding=encoding)
    pixels = _view(data, kind, height, width, step, big_endian)
    if kind.itemsize == 2:
        pixels = to_8_bits(pixels, significant_bits)
    return pixels if kind.to_rgb is None else _to_rgb(pixels, kind.to_rgb, encoding)


def decode_stored(
    data: Any, *, height: int, width: int, step: int, encoding: str, big_endian: bool = False
) -> Array:
    """
    Raw image bytes (any buffer) to an array of its own, in native byte order.

    (H, W, 3) uint8 RGB for color, (H, W) uint8 or uint16 for gray and depth, (H, W) or (H, W, 2)
    float32 for 32FC1 and 32FC2. Raises ImageError like `decode_pixels`, for more encodings.
    """
    kind = check_layout(
        len(data), height=height, width=width, step=step, encoding=encoding, table=STORED
    )
    pixels = _view(data, kind, height, width, step, big_endian)
    if kind.to_rgb is None:
        return np.array(pixels, dtype=pixels.dtype.newbyteorder("="), order="C")
    if kind.itemsize == 2:
        pixels = to_8_bits(pixels, 16)
    return _to_rgb(pixels, kind.to_rgb, encoding)


def _view(
    data: Any, kind: Encoding, height: int, width: int, step: int, big_endian: bool
) -> Array:
    """(H, W) or (H, W, C) on the bytes as they are; the layout has been checked."""
    pixels: Array = np.ndarray(
        (height, width, kind.channels),
        f"{'>' if big_endian else '<'}{kind.kind}{kind.itemsize}",
        buffer=data,
        strides=(step, kind.pixel_bytes, kind.itemsize),
    )
    return pixels[..., 0] if kind.channels == 1 else pixels


def _to_rgb(pixels: Array, code: int, encoding: str) -> Array:
    if pixels.strides[0] % pixels.strides[1]:  # OpenCV takes padded rows only in whole pixels
        pixels = np.ascontiguousarray(pixels)
    try:
        return np.asarray(cv2.cvtColor(pixels, code))
    except cv2.error as error:
        height, width = pixels.shape[:2]
        raise ImageError(f"{width}x{height} {encoding}: cannot be converted to RGB") from error


def check_layout(
    length: int,
    *,
    height: int,
    width: int,
    step: int,
    encoding: str,
    table: Mapping[str, Encoding] = ENCODINGS,
) -> Encoding:
    """Give Encoding when sizes, step and the number of data bytes agree; ImageError otherwise."""
    kind = table.get(encoding)
    if kind is None:
        accepted = ", ".join(table)
        raise ImageError(f"encoding '{encoding}' is not supported; accepted are {accepted}")
    what = f"{width}x{height} {encoding} image"
    if height < 1 or width < 1:
        raise ImageError(f"{what}: it has no pixels")
    if kind.even_width and width % 2:
        raise ImageError(f"{what}: two pixels share their color, so the width must be even")
    if step < width * kind.pixel_bytes:
        raise ImageError(
            f"{what}: step is {step} bytes, a row needs at least {width * kind.pixel_bytes}"
        )
    if length != step * height:
        raise ImageError(
            f"{what}: {length} bytes of data, step {step} x height {height} makes {step * height}"
        )
    return kind


def to_8_bits(pixels: Array, significant_bits: int) -> Array:
    """uint16 of either byte order to uint8: a fixed shift, saturated above `significant_bits`."""
    if not 8 <= significant_bits <= 16:
        raise ImageError(f"significant_bits is {significant_bits}; allowed is 8 to 16")
    shifted = pixels >> (significant_bits - 8)
    if significant_bits < 16:
        np.minimum(shifted, 255, out=shifted)
    return shifted.astype(np.uint8)


def decode_file(data: Any, format_text: str) -> Array:
    """
    Return a JPEG or PNG file in memory to (H, W, 3) RGB or (H, W) gray, uint8 or uint16.

    `format_text` ("jpeg", "png", "bgr8; jpeg compressed bgr8") is only used to refuse what is not
    a picture (compressedDepth) and in messages: the data say themselves what they are.
    """
    raw = np.frombuffer(data, np.uint8)
    label = f"compressed image, format '{format_text}', {raw.size} bytes"
    if "compressedDepth" in format_text:
        raise ImageError(f"{label}: depth images are not camera images; accepted are jpeg and png")
    pixels: Array | None = None
    if _is_whole(raw):
        with contextlib.suppress(cv2.error):
            pixels = cv2.imdecode(raw, cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ImageError(f"{label}: cannot be decoded; accepted are whole jpeg and png images")
    if pixels.dtype not in (np.uint8, np.uint16):
        raise ImageError(f"{label}: {pixels.dtype} pixels; accepted are 8 and 16 bits per channel")
    if pixels.ndim == 2:
        return pixels
    code = {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGB}[pixels.shape[2]]
    return np.asarray(cv2.cvtColor(pixels, code))


def _is_whole(raw: Array) -> bool:
    """
    Return True for data that begin and end like a JPEG or PNG file.

    The decoder fills what a truncated JPEG lacks with gray and reports success. Zeros behind the
    end are allowed: some cameras pad.
    """
    head, tail = raw[:8].tobytes(), raw[-4096:].tobytes().rstrip(b"\0")
    if head.startswith(b"\xff\xd8\xff"):
        return tail.endswith(b"\xff\xd9")
    return head == b"\x89PNG\r\n\x1a\n" and tail.endswith(b"IEND\xaeB`\x82")
