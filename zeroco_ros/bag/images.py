"""Images of a bag as arrays, with the stamp and frame that their headers carry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from zeroco_ros.bag.reader import NANOSECONDS, BagReader
from zeroco_ros.bag.records import BagMessage
from zeroco_ros.errors import BagError, ImageError

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED = "sensor_msgs/msg/CompressedImage"

# encoding -> (type of a channel, channels)
_PLAIN = {
    "mono8": ("u1", 1),
    "8UC1": ("u1", 1),
    "rgb8": ("u1", 3),
    "bgr8": ("u1", 3),
    "8UC3": ("u1", 3),
    "rgba8": ("u1", 4),
    "bgra8": ("u1", 4),
    "mono16": ("u2", 1),
    "16UC1": ("u2", 1),
    "32FC1": ("f4", 1),
    "32FC2": ("f4", 2),
}
_GRAY = ("mono8", "8UC1")
_TO_RGB = {
    "bgr8": cv2.COLOR_BGR2RGB,
    "8UC3": cv2.COLOR_BGR2RGB,
    "rgba8": cv2.COLOR_RGBA2RGB,
    "bgra8": cv2.COLOR_BGRA2RGB,
}


@dataclass(frozen=True)
class StampedImage:
    """One picture. stamp_ns and frame_id: of its header; record_ns: when it was recorded.

    image: as `decode_image` returns it.
    """

    image: npt.NDArray[Any]
    stamp_ns: int
    frame_id: str
    record_ns: int


def read_images(reader: BagReader, topic: str) -> Iterator[StampedImage]:
    """The pictures of an Image or CompressedImage topic in order of recording.

    Raises BagError where the topic is missing or no image topic, ImageError for one that cannot
    be decoded.
    """
    kind = reader.topics[topic].type if topic in reader.topics else None
    if kind is not None and kind not in (IMAGE, COMPRESSED):
        raise BagError(f"{topic} is a {kind}, not an image; use one of {image_topics(reader)}")
    for message in reader.messages([topic]):
        yield stamped_image(reader, message)


def stamped_image(reader: BagReader, message: BagMessage) -> StampedImage:
    """Decode one message of an image topic."""
    decoded = reader.decode(message)
    return StampedImage(
        decode_image(decoded),
        header_stamp(decoded.header),
        str(decoded.header.frame_id),
        message.stamp_ns,
    )


def image_topics(reader: BagReader) -> list[str]:
    """Names of the topics with pictures, raw or compressed, in the bag's order."""
    return [topic.name for topic in reader.topics.values() if topic.type in (IMAGE, COMPRESSED)]


def header_stamp(header: Any) -> int:
    """A std_msgs/Header's stamp in integer nanoseconds."""
    return int(header.stamp.sec) * NANOSECONDS + int(header.stamp.nanosec)


def decode_image(message: Any) -> npt.NDArray[Any]:
    """The pixels of a decoded Image or CompressedImage.

    Returns (H, W, 3) uint8 RGB for color, (H, W) uint8 for gray, (H, W) uint16 for 16 bit, and
    (H, W) or (H, W, 2) float32 for 32FC1 and 32FC2. Raises ImageError naming what does not fit.
    """
    if hasattr(message, "format"):
        return _decompressed(bytes(message.data), str(message.format))
    return _plain(message)


def _plain(message: Any) -> npt.NDArray[Any]:
    encoding, height, width = str(message.encoding), int(message.height), int(message.width)
    if encoding not in _PLAIN:
        allowed = ", ".join(_PLAIN)
        raise ImageError(f"encoding '{encoding}' is not read from bags; it can be: {allowed}")
    kind, channels = _PLAIN[encoding]
    item = np.dtype(kind).newbyteorder(">" if message.is_bigendian else "<")
    row, step = width * channels * item.itemsize, int(message.step)
    data = np.asarray(message.data, dtype=np.uint8)
    if height < 1 or width < 1 or step < row or data.size < step * (height - 1) + row:
        raise ImageError(
            f"image of {width}x{height} {encoding} with step {step} and {data.size} bytes: "
            f"the numbers do not fit, it needs a step of {row} or more and height x step bytes"
        )
    shape = (height, width, channels) if channels > 1 else (height, width)
    strides = (step, channels * item.itemsize, item.itemsize)[: len(shape)]
    pixels = np.ndarray(shape, item, buffer=data.data, strides=strides)
    pixels = np.ascontiguousarray(pixels, dtype=item.newbyteorder("="))
    code = _TO_RGB.get(encoding)
    return pixels if code is None else np.asarray(cv2.cvtColor(pixels, code))


def _decompressed(data: bytes, form: str) -> npt.NDArray[Any]:
    """PNG, JPEG and what else OpenCV reads; 16-bit depth images keep their depth."""
    buffer = np.frombuffer(data, dtype=np.uint8)
    flags = cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR
    pixels = cv2.imdecode(buffer, flags) if buffer.size else None
    if pixels is None:
        raise ImageError(f"compressed image of {len(data)} bytes, format '{form}', is unreadable")
    return np.asarray(pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))
