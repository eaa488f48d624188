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

"""Which topics of a bag are cameras, and which belong together."""

from __future__ import annotations

from collections.abc import Callable

from zeroco_ros.bag.geometry_records import CAMERA_INFO
from zeroco_ros.bag.images import COMPRESSED, decode_image, IMAGE, image_topics
from zeroco_ros.bag.reader import BagReader
from zeroco_ros.errors import BagError

NOT_CAMERAS = ("16UC1", "32FC1", "32FC2", "64FC1")
NOT_CAMERA_FORMATS = ("compressedDepth", "16UC1", "32FC1")


def camera_topic(reader: BagReader, name: str | None = None) -> str:
    """
    Return the named image topic, or the first one that is a camera and not depth or flow.

    Raises BagError where there is none, with the names of what there is.
    """
    if name is None:
        return _first_camera(reader)
    if name not in reader.topics:
        raise BagError(f"{reader.path} has no topic {name}; images are on: {_listed(reader)}")
    kind = reader.topics[name].type
    if kind not in (IMAGE, COMPRESSED):
        raise BagError(f"{name} is a {kind}, not an image; images are on: {_listed(reader)}")
    return name


def _first_camera(reader: BagReader) -> str:
    for topic in image_topics(reader):
        if reader.topics[topic].count == 0:
            continue
        encoding, _, _ = image_format(reader, topic)
        refused = encoding in NOT_CAMERAS or any(part in encoding for part in NOT_CAMERA_FORMATS)
        if not refused:
            return topic
    raise BagError(f"{reader.path} has no camera topic; images are on: {_listed(reader)}")


def image_format(reader: BagReader, topic: str) -> tuple[str, int, int]:
    """
    Return encoding (or a compressed image's format), width and height of a topic's first frame.

    Depth that is compressed in a way of its own has the size 0 x 0.
    """
    message = reader.decode(next(iter(reader.messages([topic]))))
    if hasattr(message, "encoding"):
        return str(message.encoding), int(message.width), int(message.height)
    if any(part in message.format for part in NOT_CAMERA_FORMATS):
        return str(message.format), 0, 0
    height, width = decode_image(message).shape[:2]
    return str(message.format), width, height


def info_topic(reader: BagReader, topic: str) -> str | None:
    """Return CameraInfo beside an image topic: the one that shares the longest name with it."""
    names = [t.name for t in reader.topics.values() if t.type == CAMERA_INFO and t.count]
    return best_match(topic, names, lambda shared: shared > 1)


def best_match(
    topic: str, names: list[str], enough: Callable[[int], bool] = lambda shared: True
) -> str | None:
    """
    Return the name with the most leading parts in common with `topic`, if they are enough.

    "/cam0/image_raw" and "/cam0/camera_info" share two: the root and "cam0".
    """

    def shared(name: str) -> int:
        pairs = zip(topic.split("/"), name.split("/"), strict=False)
        count = 0
        for a, b in pairs:
            if a != b:
                break
            count += 1
        return count

    best = max(names, key=shared, default=None)
    return best if best is not None and enough(shared(best)) else None


def _listed(reader: BagReader) -> str:
    return ", ".join(image_topics(reader)) or "no topic"
