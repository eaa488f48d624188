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

"""Where a camera has been: its key frames, its last pose and motion, its unit of length."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zeroco_ros.estimate.depth_config import DepthConfig
from zeroco_ros.estimate.frames import EncodedFrame
from zeroco_ros.estimate.keyframe import Keyframe, link, Match
from zeroco_ros.estimate.posed_view import DepthMap
from zeroco_ros.geometry.transforms import inverse
from zeroco_ros.stream.window import KeyframeWindow

Array = npt.NDArray[np.float64]

# Share of the pixels with depth from which on a key frame's depth places later frames.
SOME = 0.05
# Parallax below so many pixels is noise of the flow, however small the picture.
NOISE = 1.0
# Small pictures get a finer grid than configured: at least so many columns.
COLUMNS = 64
# Frames beside the key frames whose pictures are kept to see depth with.
RECENT = 3
# Sightings of the ground that are remembered.
HEIGHTS = 5


@dataclass(frozen=True)
class Known:
    """Depth of a frame, key frame or not, and its pose (4, 4) camera to world."""

    depth: DepthMap
    pose: Array


@dataclass(frozen=True)
class Passed:
    """A frame that did not become a key frame: its gray picture and its pose (4, 4)."""

    gray: npt.NDArray[np.uint8]
    pose: Array


class Track:
    """
    The state of a depth stream between two frames.

    pose: (4, 4) of the last frame, camera to world; motion: (4, 4) from that frame to the one
    before; covariance: (6, 6) of the pose; metric: whether lengths are meters; posed: whether the
    world is that of given poses; lost: frames lost in a row; last: the depth of the last frame
    that had some, None after a start or when the unit changed; recent: the last frames that did
    not become key frames; heights: known height over the one seen, of the last sightings of the
    ground. least: parallax in pixels that tells motion from noise; fine, step:
    grids of pose and adjustment in pixels.
    """

    def __init__(self, config: DepthConfig, side: int) -> None:
        self.least = max(config.least_parallax * side, NOISE)
        self.fine = max(2, min(config.grid, side // COLUMNS))
        self.step = 2 * self.fine
        self.window: KeyframeWindow[Keyframe] = KeyframeWindow(
            config.window,
            max(config.key_parallax * side, self.least),
            config.key_overlap,
            self.least,
        )
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.window.clear()
        self.pose: Array = np.eye(4)
        self.motion: Array = np.eye(4)
        self.covariance: Array = np.zeros((6, 6))
        self.metric = self.posed = False
        self.lost = 0
        self.last: Known | None = None
        self.recent: deque[Passed] = deque(maxlen=RECENT)
        self.heights: deque[float] = deque(maxlen=HEIGHTS)

    @property
    def mapped(self) -> bool:
        """Whether the depth of some key frame is known."""
        return any(key.depth is not None for key in self.window)

    def start(self, frame: EncodedFrame, stamp: int, given: Array | None) -> None:
        """Begin anew with this frame, at the given pose or where the last one was."""
        self.window.clear()
        self.metric = self.posed = given is not None
        if given is not None:
            self.pose, self.covariance = given, np.zeros((6, 6))
        self.motion, self.lost, self.last = np.eye(4), 0, None
        self.recent.clear()
        self.heights.clear()
        self.add(frame, stamp, given=given is not None, depth=None)

    def move(self, pose: Array, covariance: Array) -> None:
        """Place the next frame at `pose`."""
        self.motion = inverse(self.pose) @ pose
        self.pose, self.covariance, self.lost = pose, covariance, 0

    def add(
        self,
        frame: EncodedFrame,
        stamp: int,
        *,
        given: bool,
        depth: DepthMap | None,
        matches: Sequence[Match] = (),
    ) -> None:
        """Make the frame, at the last pose, a key frame."""
        if depth is not None and not np.isfinite(depth.depth).mean() > SOME:
            depth = None
        links = tuple(link(match, self.step) for match in matches)
        self.window.add(
            Keyframe(
                self.window.added, frame, self.pose, stamp, given, depth, self.covariance, links
            )
        )

    def rescale(self, factor: float) -> None:
        """Another unit of length, the last pose stays where it is."""
        here = self.pose[:3, 3]
        for key in self.window:
            key.pose = key.pose.copy()
            key.pose[:3, 3] = here + factor * (key.pose[:3, 3] - here)
            if key.depth is not None:
                key.depth = key.depth.scaled(factor)
        self.motion = self.motion.copy()
        self.motion[:3, 3] *= factor
        units = np.outer(*(np.repeat([factor, 1.0], 3),) * 2)
        self.covariance = self.covariance * units
        for key in self.window:
            key.covariance = key.covariance * units
        self.heights = deque((ratio / factor for ratio in self.heights), HEIGHTS)
        self._forget_passed()

    def correct(self, correction: Array) -> None:
        """Move the key frames whose poses were estimated by this (4, 4), in the world."""
        self._forget_passed()
        for key in self.window:
            if not key.given:
                key.pose = correction @ key.pose

    def forget_estimated(self) -> None:
        """Keep only the key frames whose poses were given."""
        self._forget_passed()
        kept = [key for key in self.window if key.given]
        self.window.clear()
        for key in kept:
            self.window.add(key)

    def _forget_passed(self) -> None:
        """Forget what frames that are no key frames knew: it does not hold any more."""
        self.last = None
        self.recent.clear()
