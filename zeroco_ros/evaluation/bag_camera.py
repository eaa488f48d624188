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

"""One camera of a bag, and what is known about its frames."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zeroco_ros.bag.camera_topics import best_match, camera_topic, image_format, info_topic
from zeroco_ros.bag.geometry_records import POSE_STAMPED
from zeroco_ros.bag.header import Header, read_header
from zeroco_ros.bag.images import COMPRESSED
from zeroco_ros.bag.reader import BagReader
from zeroco_ros.errors import BagError
from zeroco_ros.stream import TemporalPairer

MAX_DT = 1.0  # seconds; flow_node's default for frames that still make a pair


@dataclass(frozen=True)
class CameraSource:
    """
    A camera topic of a bag.

    topic, type: as recorded. encoding: "mono8", ... or a compressed image's format. width, height:
    pixels of the first frame. headers: of every frame in order. possible: headers' stamps of the
    frames that flow and depth can be had for, those with a partner before them. info_topic: the
    calibration that belongs to it, pose_topic: its poses (PoseStamped), or None.
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
    pose_topic: str | None

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
    """
    Return the named image topic, or the first one that is a camera and not depth or flow.

    Raises BagError where there is none, or too few frames for a pair.
    """
    topic = camera_topic(reader, topic)
    kind = reader.topics[topic].type
    headers = tuple(read_header(message.data) for message in reader.messages([topic]))
    possible = _possible(headers)
    if not possible:
        raise BagError(
            f"{topic} of {reader.path} has {len(headers)} frames, no two of which follow each "
            f"other within {MAX_DT:g} s: there is no flow to be had"
        )
    encoding, width, height = image_format(reader, topic)
    return CameraSource(
        reader.path,
        topic,
        kind,
        encoding,
        width,
        height,
        headers,
        possible,
        info_topic(reader, topic),
        _pose_topic(reader, topic),
    )


def _pose_topic(reader: BagReader, topic: str) -> str | None:
    """Poses in the camera's namespace; elsewhere they may be anything, a goal for example."""
    names = [t.name for t in reader.topics.values() if t.type == POSE_STAMPED and t.count]
    return best_match(topic, names, lambda shared: shared > 1)


def _possible(headers: tuple[Header, ...]) -> tuple[int, ...]:
    """Stamps of the frames that complete a pair by flow_node's own rules."""
    pairer: TemporalPairer[None] = TemporalPairer(max_dt=MAX_DT)
    stamps = [header.stamp_ns for header in headers]
    return tuple(stamp for stamp in stamps if pairer.push(stamp, None) is not None)
