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

"""Images of a bag as arrays, with the stamp and frame that their headers carry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from zeroco_ros.bag.reader import BagReader, NANOSECONDS
from zeroco_ros.bag.records import BagMessage
from zeroco_ros.errors import BagError
from zeroco_ros.media.encodings import decode_file, decode_stored

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED = "sensor_msgs/msg/CompressedImage"


@dataclass(frozen=True)
class StampedImage:
    """
    One picture. stamp_ns and frame_id: of its header; record_ns: when it was recorded.

    image: as `decode_image` returns it.
    """

    image: npt.NDArray[Any]
    stamp_ns: int
    frame_id: str
    record_ns: int


def read_images(reader: BagReader, topic: str) -> Iterator[StampedImage]:
    """
    Yield the pictures of an Image or CompressedImage topic in order of recording.

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
    """Return a std_msgs/Header's stamp in integer nanoseconds."""
    return int(header.stamp.sec) * NANOSECONDS + int(header.stamp.nanosec)


def decode_image(message: Any) -> npt.NDArray[Any]:
    """
    Return the pixels of a decoded Image or CompressedImage.

    Returns (H, W, 3) uint8 RGB for color, (H, W) uint8 for gray, (H, W) uint16 for 16 bit, and
    (H, W) or (H, W, 2) float32 for 32FC1 and 32FC2. Raises ImageError naming what does not fit.
    """
    data: Any = message.data
    if not isinstance(data, bytes):
        data = np.asarray(data, dtype=np.uint8)
    if hasattr(message, "format"):
        return decode_file(data, str(message.format))
    return decode_stored(
        data,
        height=int(message.height),
        width=int(message.width),
        step=int(message.step),
        encoding=str(message.encoding),
        big_endian=bool(message.is_bigendian),
    )
