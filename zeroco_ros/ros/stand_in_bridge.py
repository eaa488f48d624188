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
Stand-in for cv_bridge, which PyPI does not have: the Python CvBridge with the same methods.

It converts between mono8, mono16, rgb8, bgr8, rgba8 and bgra8, reads YUV 4:2:2 and Bayer images,
and passes everything else through by its type code (8UC3, 16UC1, 32FC2, ...). Unlike the original
it is right for padded rows and big-endian data.
"""

from __future__ import annotations

import re
import sys
from typing import Any

import cv2
import numpy as np

from zeroco_ros.errors import ImageError
from zeroco_ros.media.encodings import check_layout, decode_pixels, ENCODINGS
from zeroco_ros.online.image_messages import buffer_of
from zeroco_ros.ros.messages import byte_array

Array = np.ndarray[Any, Any]

_DTYPES = {
    "8U": np.uint8,
    "8S": np.int8,
    "16U": np.uint16,
    "16S": np.int16,
    "32S": np.int32,
    "32F": np.float32,
    "64F": np.float64,
}
_CODES = {np.dtype(dtype): code for code, dtype in _DTYPES.items()}
# Color codes of cvtColor between encodings of the same depth; rgb and bgr are the hubs.
_COLORS = ("rgb", "bgr", "rgba", "bgra")


class CvBridgeError(TypeError):
    """Raised when a conversion is not possible."""


class CvBridge:
    """Image messages to OpenCV arrays and back."""

    def imgmsg_to_cv2(self, img_msg: Any, desired_encoding: str = "passthrough") -> Array:
        """
        Return a sensor_msgs/Image to an array (H, W) or (H, W, C), native byte order.

        desired_encoding: "passthrough" keeps the message's. Raises CvBridgeError.
        """
        try:
            if img_msg.encoding.startswith(("bayer_", "yuv", "uyvy")):
                return self._special(img_msg, desired_encoding)
            return _convert(_read(img_msg), img_msg.encoding, desired_encoding)
        except (ImageError, cv2.error) as error:
            raise CvBridgeError(str(error)) from error

    def cv2_to_imgmsg(self, cvim: Array, encoding: str = "passthrough", header: Any = None) -> Any:
        """
        Return an array (H, W) or (H, W, C) to a sensor_msgs/Image.

        encoding: "passthrough" writes the type code (8UC3). Raises TypeError for what is no
        array, CvBridgeError when the array does not have the type that `encoding` stands for.
        """
        from sensor_msgs.msg import Image

        if not isinstance(cvim, (np.ndarray, np.generic)):
            raise TypeError("Your input type is not a numpy array")
        code = _type_code(cvim)
        if encoding != "passthrough" and code != _code_of(encoding):
            raise CvBridgeError(
                f"encoding specified as {encoding}, but image has incompatible type {code}"
            )
        message = Image()
        if header is not None:
            message.header = header
        message.height, message.width = cvim.shape[:2]
        message.encoding = code if encoding == "passthrough" else encoding
        message.is_bigendian = int(sys.byteorder == "big")
        message.step = cvim.nbytes // cvim.shape[0]
        message.data = byte_array(cvim.astype(cvim.dtype.newbyteorder("="), copy=False))
        return message

    def compressed_imgmsg_to_cv2(
        self, cmprs_img_msg: Any, desired_encoding: str = "passthrough"
    ) -> Array:
        """Return a sensor_msgs/CompressedImage to an array: BGR, or gray for gray files."""
        raw = np.frombuffer(buffer_of(cmprs_img_msg.data), np.uint8)
        try:
            pixels = cv2.imdecode(raw, cv2.IMREAD_ANYCOLOR) if raw.size else None
        except cv2.error:
            pixels = None
        if pixels is None:
            raise CvBridgeError(f"{raw.size} bytes of '{cmprs_img_msg.format}' cannot be decoded")
        return _convert(pixels, "bgr8" if pixels.ndim == 3 else "mono8", desired_encoding)

    def cv2_to_compressed_imgmsg(self, cvim: Array, dst_format: str = "jpg") -> Any:
        """Pack a BGR or gray array into a sensor_msgs/CompressedImage."""
        from sensor_msgs.msg import CompressedImage

        if not isinstance(cvim, (np.ndarray, np.generic)):
            raise TypeError("Your input type is not a numpy array")
        try:
            fine, data = cv2.imencode(f".{dst_format}", cvim)
        except cv2.error as error:
            raise CvBridgeError(f"cannot be encoded as {dst_format}: {error}") from error
        if not fine:
            raise CvBridgeError(f"cannot be encoded as {dst_format}")
        message = CompressedImage(format=dst_format)
        message.data = byte_array(data)
        return message

    def _special(self, message: Any, desired: str) -> Array:
        """Bayer and YUV 4:2:2: raw on passthrough, else by way of RGB."""
        kind = ENCODINGS.get(message.encoding)
        if desired == "passthrough" or kind is None:
            return _read(message)
        pixels = decode_pixels(
            buffer_of(message.data),
            height=message.height,
            width=message.width,
            step=message.step,
            encoding=message.encoding,
            big_endian=bool(message.is_bigendian),
        )
        return _convert(pixels, "rgb8", desired)


def _code_of(encoding: str) -> str:
    """mono8 -> 8UC1, bgr8 -> 8UC3, 32FC2 -> 32FC2. Raises CvBridgeError."""
    if re.fullmatch(r"(8U|8S|16U|16S|32S|32F|64F)C[1-4]", encoding):
        return encoding
    if encoding in ENCODINGS:
        kind = ENCODINGS[encoding]
        return f"{8 * kind.itemsize}UC{kind.channels}"
    if encoding in ("rgb16", "bgr16", "rgba16", "bgra16"):
        return f"16UC{len(encoding) - 2}"
    raise CvBridgeError(f"Unrecognized image encoding [{encoding}]")


def _type_code(pixels: Array) -> str:
    code = _CODES.get(pixels.dtype.newbyteorder("="))
    if code is None or pixels.ndim not in (2, 3):
        raise CvBridgeError(f"{pixels.shape} of {pixels.dtype} is not an image")
    return f"{code}C{pixels.shape[2] if pixels.ndim == 3 else 1}"


def _read(message: Any) -> Array:
    """Return the pixels as they are, contiguous and in native byte order."""
    code, channels = _code_of(message.encoding).split("C")
    dtype = np.dtype(_DTYPES[code])
    data = buffer_of(message.data)
    row = message.width * int(channels) * dtype.itemsize
    if message.encoding in ENCODINGS:
        check_layout(
            len(data),
            height=message.height,
            width=message.width,
            step=message.step,
            encoding=message.encoding,
        )
    elif message.step < row or len(data) != message.step * message.height or row == 0:
        raise CvBridgeError(
            f"{message.width}x{message.height} {message.encoding}: step {message.step}, "
            f"{len(data)} bytes of data, a row needs {row}"
        )
    pixels: Array = np.ndarray(
        (message.height, message.width, int(channels)),
        dtype.newbyteorder(">" if message.is_bigendian else "<"),
        buffer=data,
        strides=(message.step, int(channels) * dtype.itemsize, dtype.itemsize),
    )
    pixels = pixels.astype(dtype)
    return pixels[..., 0] if channels == "1" else pixels


def _convert(pixels: Array, encoding: str, desired: str) -> Array:
    """Between gray and color orders of 8 and 16 bits."""
    if desired in ("passthrough", encoding):
        return pixels
    have, want = _color_of(encoding), _color_of(desired)
    if have is None or want is None:
        if _code_of(desired) == _type_code(pixels):  # bgr8 <-> 8UC3: the same memory
            return pixels
        raise CvBridgeError(f"[{encoding}] cannot be converted to [{desired}]")
    if have[0] != want[0]:
        names = {"mono": "GRAY"}
        code = f"COLOR_{names.get(have[0], have[0].upper())}2{names.get(want[0], want[0].upper())}"
        pixels = cv2.cvtColor(pixels, getattr(cv2, code))
    if have[1] == want[1]:
        return pixels
    if want[1] == "8":
        return np.asarray((pixels.astype(np.float32) * (255 / 65535)).round().astype(np.uint8))
    return pixels.astype(np.uint16) * np.uint16(257)


def _color_of(encoding: str) -> tuple[str, str] | None:
    """("bgr", "8") for bgr8; None for what is no color or gray encoding."""
    match = re.fullmatch(r"(mono|rgba?|bgra?)(8|16)", encoding)
    return (match[1], match[2]) if match else None
