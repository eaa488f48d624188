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
Images of a moving camera in order, each with its calibration and its pose.

The calibration is latched, and a pose is interpolated at the image's stamp, which a synchronizer
of messages cannot do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
import time
from typing import Any

import numpy as np
import numpy.typing as npt

from zeroco_ros.geometry.camera import Camera
from zeroco_ros.online.camera_latch import CameraLatch, misfit, Shape
from zeroco_ros.online.frames import Frame
from zeroco_ros.online.log import Counts, Log
from zeroco_ros.online.pose_track import PoseSource
from zeroco_ros.stream import TemporalPairer

MOST_WAITING = 32  # images; one more drops the oldest


@dataclass(frozen=True)
class DepthItem:
    """
    An image for the worker. pose: (4, 4) camera-to-world in meters, or None.

    camera: of the image's size, as far as that is known without decompressing it. epoch: frames of
    different epochs have nothing to do with each other (a gap, a jump in time, another size).
    """

    frame: Frame
    camera: Camera
    pose: npt.NDArray[np.float64] | None
    epoch: int


@dataclass(frozen=True)
class _Waiting:
    frame: Frame
    shape: Shape | None
    epoch: int


class DepthIntake:
    """
    Image, camera_info and poses; hands each image to `submit` when it has both.

    An image waits `patience` seconds for them. Without a camera it is then dropped, without a pose
    it goes on. Stamps are judged by `TemporalPairer`, whose counters these are.
    image, info: the topics' names. clock: seconds, on which frames' `arrival` is too.
    latch: the calibration. misfit: why the newest image is not of that camera, or empty.
    poses: their source. pose_missing_since: by the clock, None while they come.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        log: Log,
        counters: Counts,
        submit: Callable[[DepthItem], None],
        *,
        image: str,
        info: str,
        poses: PoseSource,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._counters = counters
        self._submit = submit
        self._topic = image
        self._clock = clock
        self.latch = CameraLatch(info, bool(values["image_rectified"]), log)
        self.poses = poses
        self._waiting: deque[_Waiting] = deque()
        self._epoch = self._dropped = 0
        self.pose_missing_since: float | None = None
        self.misfit = ""
        self._settings = self._chosen(values)
        self._pairer = self._new_pairer()
        self._patience = float(values["patience"])

    def reconfigure(self, values: Mapping[str, Any]) -> None:
        """Take over changed parameters."""
        self.poses.reconfigure(values)
        self._patience = float(values["patience"])
        settings = self._chosen(values)
        if settings != self._settings:
            self._settings = settings
            counters, self._pairer = self._pairer.counters, self._new_pairer()
            self._pairer.counters = counters

    def clear(self) -> None:
        """Forget the images that wait, all stamps and poses; the calibration stays."""
        self._drop(len(self._waiting))
        self._pairer.clear()
        self.poses.clear()
        self.pose_missing_since = None
        self.misfit = ""

    def counts(self) -> dict[str, int]:
        """Return the counters of the stamps, of what was dropped while it waited, of cameras."""
        counts = self._pairer.counters.as_dict()
        return {**counts, "dropped": self._dropped, "camera_changes": self.latch.changes}

    @property
    def waiting(self) -> int:
        """Images that wait for their camera or pose."""
        return len(self._waiting)

    def advance(self) -> None:
        """Hand on the images that have what they need, or have waited long enough; in order."""
        while self._waiting:
            try:
                done = self._ready(self._waiting[0])
            except Exception as error:  # its own affair: the images after it go on
                self._log.failed(self._topic, error)
                done = True
            if not done:
                return
            self._waiting.popleft()

    def push(self, frame: Frame, shape: Shape | None) -> None:
        """Take the next image as it arrives; shape: (height, width), None while compressed."""
        counters = self._pairer.counters
        refused, started, jumps = counters.refused, counters.started, counters.jumps
        self._pairer.push(frame.stamp, frame, shape)
        if counters.refused > refused:
            return
        if counters.jumps > jumps:
            self._drop(len(self._waiting))
            self.poses.jumped_to(frame.stamp)
        self._epoch += counters.started - started
        self._waiting.append(_Waiting(frame, shape, self._epoch))
        if len(self._waiting) > MOST_WAITING:
            self._drop(1)
        self.advance()

    def take_info(self, message: Any) -> None:
        """See a CameraInfo."""
        if self.latch.take(message):
            self.advance()

    def _drop(self, count: int) -> None:
        """Give up the oldest images that wait."""
        for _ in range(count):
            self._waiting.popleft()
        self._dropped += count

    def _ready(self, waiting: _Waiting) -> bool:
        """Whether the image is dealt with: handed on, or dropped."""
        frame = waiting.frame
        camera = self.latch.camera_for(waiting.shape)
        patient = self._clock() - frame.arrival < self._patience
        if camera is None:
            if not patient:
                self._without_camera(waiting)
            return not patient
        self.misfit = ""
        pose = self._pose(frame)
        if pose is None and self.poses.topics and frame.stamp and patient:
            return False
        self._note_pose(pose is not None)
        self._submit(DepthItem(frame, camera, pose, waiting.epoch))
        return True

    def _pose(self, frame: Frame) -> npt.NDArray[np.float64] | None:
        return self.poses.at(frame.stamp, frame.header.frame_id) if frame.stamp else None

    def _note_pose(self, there: bool) -> None:
        if there or not self.poses.topics:
            self.pose_missing_since = None
            return
        self._counters.add("no_pose")
        if self.pose_missing_since is None:
            self.pose_missing_since = self._clock()

    def _without_camera(self, waiting: _Waiting) -> None:
        self._counters.add("no_camera_info")
        if self.latch.camera is not None and waiting.shape is not None:
            self.misfit = f"{self._topic}: {misfit(self.latch.camera, waiting.shape)}"
            self._log.error("misfit", self.misfit)

    def _chosen(self, values: Mapping[str, Any]) -> tuple[float, float]:
        return values["min_dt"], values["max_dt"]

    def _new_pairer(self) -> TemporalPairer[Frame]:
        return TemporalPairer(1, *self._settings, on_event=self._log.event)
