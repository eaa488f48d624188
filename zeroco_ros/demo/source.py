"""What of a bag the demo plays: one camera, and what is known about its frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zeroco_ros.bag.header import Header, read_header
from zeroco_ros.bag.images import COMPRESSED, IMAGE, image_topics
from zeroco_ros.bag.reader import BagReader
from zeroco_ros.errors import BagError
from zeroco_ros.stream import TemporalPairer

MAX_DT = 1.0  # seconds; flow_node's default for frames that still make a pair
NOT_CAMERAS = ("16UC1", "32FC1", "32FC2", "64FC1")
NOT_CAMERA_FORMATS = ("compressedDepth", "16UC1", "32FC1")


@dataclass(frozen=True)
class CameraSource:
    """A camera topic of a bag.

    topic, type: as recorded. encoding: "mono8", ... or a compressed image's format. width, height:
    pixels of the first frame. headers: of every frame in order. possible: headers' stamps of the
    frames that flow can be had for, those with a partner before them. info_topic: the calibration
    that belongs to it, or None.
    """

    bag: Path
    topic: str
    type: str
    encoding: str
    width: int
    height: int
    headers: tuple[Header, ...]
    possible: tuple[int, ...]
    info_topic: str | None

    @property
    def compressed(self) -> bool:
        """Whether the frames are CompressedImage."""
        return self.type == COMPRESSED

    @property
    def period(self) -> float:
        """Median time between frames in seconds, by their stamps; 0.1 for a single frame."""
        stamps = np.array([header.stamp_ns for header in self.headers])
        steps = np.diff(stamps)
        steps = steps[steps > 0]
        return float(np.median(steps)) / 1e9 if steps.size else 0.1


def find_camera(reader: BagReader, topic: str | None) -> CameraSource:
    """The named image topic, or the first one that is a camera and not depth or flow.

    Raises BagError where there is none, or too few frames for a pair.
    """
    topic = topic or _first_camera(reader)
    if topic not in reader.topics:
        raise BagError(f"{reader.path} has no topic {topic}; images are on: {_listed(reader)}")
    kind = reader.topics[topic].type
    if kind not in (IMAGE, COMPRESSED):
        raise BagError(f"{topic} is a {kind}, not an image; images are on: {_listed(reader)}")
    headers = tuple(read_header(message.data) for message in reader.messages([topic]))
    possible = _possible(headers)
    if not possible:
        raise BagError(
            f"{topic} of {reader.path} has {len(headers)} frames, no two of which follow each "
            f"other within {MAX_DT:g} s: there is no flow to be had"
        )
    encoding, width, height = _format(reader, topic)
    info = _camera_info(reader, topic)
    return CameraSource(reader.path, topic, kind, encoding, width, height, headers, possible, info)


def _first_camera(reader: BagReader) -> str:
    for topic in image_topics(reader):
        if reader.topics[topic].count == 0:
            continue
        encoding, _, _ = _format(reader, topic)
        refused = encoding in NOT_CAMERAS or any(part in encoding for part in NOT_CAMERA_FORMATS)
        if not refused:
            return topic
    raise BagError(f"{reader.path} has no camera topic; images are on: {_listed(reader)}")


def _format(reader: BagReader, topic: str) -> tuple[str, int, int]:
    """Encoding, width and height of a topic's first frame."""
    from zeroco_ros.ros.messages import to_array

    message = reader.decode(next(iter(reader.messages([topic]))))
    if hasattr(message, "encoding"):
        return str(message.encoding), int(message.width), int(message.height)
    if any(part in message.format for part in NOT_CAMERA_FORMATS):
        return str(message.format), 0, 0
    height, width = to_array(message).shape[:2]
    return str(message.format), width, height


def _possible(headers: tuple[Header, ...]) -> tuple[int, ...]:
    """Stamps of the frames that complete a pair by flow_node's own rules."""
    pairer: TemporalPairer[None] = TemporalPairer(max_dt=MAX_DT)
    stamps = [header.stamp_ns for header in headers]
    return tuple(stamp for stamp in stamps if pairer.push(stamp, None) is not None)


def _camera_info(reader: BagReader, topic: str) -> str | None:
    """The CameraInfo beside an image topic: the one that shares the longest name with it."""
    names = [t.name for t in reader.topics.values() if t.type == "sensor_msgs/msg/CameraInfo"]
    return best_match(topic, names, lambda shared: shared > 1)


def best_match(
    topic: str, names: list[str], enough: Callable[[int], bool] = lambda shared: True
) -> str | None:
    """The name with the most leading parts in common with `topic`, if they are enough.

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
