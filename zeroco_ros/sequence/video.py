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

"""A video file as a recording, through OpenCV."""

from __future__ import annotations

from collections.abc import Iterator
import os
from pathlib import Path

import cv2
import numpy as np

from zeroco_ros.errors import ConfigError, ImageError
from zeroco_ros.sequence.frames import Closing, Frame, NANOSECONDS


class VideoSequence(Closing):
    """
    Frames of a video, with the stamps that the file says.

    Raises ImageError for a file that is no video or whose first frame cannot be decoded.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self.path = path
        self.frame_id = ""
        self.warnings: list[str] = []
        video = _open(path)
        said = float(video.get(cv2.CAP_PROP_FPS))
        self._fps = said if 0 < said < 1e4 else fps
        count = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
        self.count = count if count > 0 else None
        decoded, _ = video.read()
        video.release()
        if not decoded:
            raise ImageError(f"{path}: no frame can be decoded; {_HINT}")
        self.words = f"{path}, {self._fps:.3g} frames per second"

    def frames(self, every: int = 1, limit: int | None = None) -> Iterator[Frame]:
        """As Sequence.frames; frames between are skipped without converting them."""
        video = _open(self.path)
        index, given, last = 0, 0, -1
        try:
            while (limit is None or given < limit) and video.grab():
                if index % every == 0:
                    decoded, picture = video.retrieve()
                    stamp = self._stamp(video, index, last)
                    if decoded:
                        image = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
                        yield Frame(image, stamp, index, f"{index:06d}")
                        given, last = given + 1, stamp
                    else:
                        self.warnings.append(f"{self.path}: frame {index} cannot be decoded")
                index += 1
        finally:
            video.release()

    def _stamp(self, video: cv2.VideoCapture, index: int, last: int) -> int:
        """Return what the file says, or by counting where it does not."""
        said = round(float(video.get(cv2.CAP_PROP_POS_MSEC)) * 1_000_000)
        return said if said > last else max(last + 1, round(index / self._fps * NANOSECONDS))


_HINT = (
    "convert it, for example: ffmpeg -i IN -c:v libx264 OUT.mp4; or to images: IN frames/%06d.png"
)


def _open(path: Path) -> cv2.VideoCapture:
    if path.stat().st_size == 0:
        raise ImageError(f"{path} is empty; give a bag, a video or a folder of images")
    if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".pgm", ".tif", ".tiff"):
        raise ConfigError(f"{path} is one image; give the folder that it is in")
    # what OpenCV and FFmpeg print about a damaged file comes back as our own error or warning
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    finally:
        cv2.utils.logging.setLogLevel(level)
    if not video.isOpened():
        raise ImageError(f"{path} is neither a bag nor a video that can be read; {_HINT}")
    return video
