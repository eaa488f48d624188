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

"""A camera topic of a bag as a recording."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from zeroco_ros.bag.camera_topics import camera_topic, image_format, info_topic
from zeroco_ros.bag.header import read_header
from zeroco_ros.bag.images import stamped_image
from zeroco_ros.bag.reader import BagReader
from zeroco_ros.errors import BagError, ImageError
from zeroco_ros.media.encodings import to_8_bits
from zeroco_ros.sequence.frames import Closing, Frame, selected


class BagSequence(Closing):
    """
    The pictures of one camera of a bag, with their headers' stamps.

    topic: None takes the first one that is a camera. reader, topic and info_topic (the CameraInfo
    beside it, or None) are there for what else the bag knows. Raises BagError where there is no
    such topic or nothing on it.
    """

    def __init__(self, path: Path, topic: str | None) -> None:
        self.path = path
        self.warnings: list[str] = []
        self.reader = BagReader(path, on_warning=self.warnings.append)
        try:
            self.topic = camera_topic(self.reader, topic)
            self.count: int | None = self.reader.topics[self.topic].count
            if not self.count:
                raise BagError(f"{self.topic} of {path} holds no pictures")
            first = next(iter(self.reader.messages([self.topic])))
            self.frame_id = read_header(first.data).frame_id
            self.encoding, _, _ = image_format(self.reader, self.topic)
        except BaseException:
            self.reader.close()
            raise
        self.info_topic = info_topic(self.reader, self.topic)
        self.words = f"{self.count} frames on {self.topic} of {path}"

    def frames(self, every: int = 1, limit: int | None = None) -> Iterator[Frame]:
        """As Sequence.frames."""
        for index, message in selected(self.reader.messages([self.topic]), every, limit):
            try:
                found = stamped_image(self.reader, message)
            except (ImageError, BagError) as error:
                self.warnings.append(f"frame {index} of {self.topic}: {error}")
                continue
            image = found.image
            if image.dtype == np.uint16:
                image = to_8_bits(image, 16)
            if image.dtype != np.uint8:
                raise BagError(f"{self.topic} is not a camera: its pictures are {image.dtype}")
            yield Frame(image, found.stamp_ns, index, f"{index:06d}")

    def close(self) -> None:
        """Close the bag."""
        self.reader.close()
