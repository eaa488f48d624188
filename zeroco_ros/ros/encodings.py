"""Pixel encodings of sensor_msgs/Image: how they lie in memory and how they become RGB or gray.

No ROS in here, only bytes and arrays. 16-bit values lose their low 8 bits by a fixed shift; a
stretch to the range of each frame would make the brightness flicker from frame to frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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
    """Raw image bytes (any buffer) to (H, W, 3) uint8 RGB, or (H, W) uint8 for mono encodings.

    mono8 and rgb8 come back as a view of `data`, rows padded as they are; the rest is converted.
    significant_bits: of 16-bit encodings, 8 to 16; values above it saturate.
    Raises ImageError, with the numbers, when encoding, sizes and length do not fit together.
    """
    kind = check_layout(len(data), height=height, width=width, step=step, encoding=encoding)
    order = ">" if big_endian else "<"
    pixels: Array = np.ndarray(
        (height, width, kind.channels),
        f"{order}u{kind.itemsize}",
        buffer=data,
        strides=(step, kind.pixel_bytes, kind.itemsize),
    )
    if kind.channels == 1:
        pixels = pixels[..., 0]
    if kind.itemsize == 2:
        pixels = to_8_bits(pixels, significant_bits)
    if kind.to_rgb is None:
        return pixels
    if step % kind.pixel_bytes:  # OpenCV takes padded rows only in whole pixels
        pixels = np.ascontiguousarray(pixels)
    try:
        return np.asarray(cv2.cvtColor(pixels, kind.to_rgb))
    except cv2.error as error:
        raise ImageError(f"{width}x{height} {encoding}: cannot be converted to RGB") from error


def check_layout(length: int, *, height: int, width: int, step: int, encoding: str) -> Encoding:
    """The Encoding when sizes, step and the number of data bytes agree; ImageError otherwise."""
    kind = ENCODINGS.get(encoding)
    if kind is None:
        accepted = ", ".join(ENCODINGS)
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
