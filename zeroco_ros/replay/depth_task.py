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

"""Depth of every frame of a bag, by the node's own steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TYPE_CHECKING

import cv2
import numpy as np

from zeroco_ros.online.depth_intake import DepthIntake, DepthItem
from zeroco_ros.online.depth_step import DepthStep
from zeroco_ros.online.odometry import place_of, PlaceKnown, within
from zeroco_ros.online.pose_track import PoseSource, PoseTrack
from zeroco_ros.replay import messages
from zeroco_ros.replay.depth_values import depth_errors, depth_values, DepthFrame
from zeroco_ros.replay.events import EventLog
from zeroco_ros.replay.inputs import Inputs, ReplayFrame
from zeroco_ros.replay.pictures import depth_picture
from zeroco_ros.replay.stage import Stage
from zeroco_ros.replay.tracks import Track

if TYPE_CHECKING:
    from zeroco_ros.estimate.depth import DepthEstimator
    from zeroco_ros.estimate.results import DepthResult

NODE = "/depth_node"
WORST = ("abs_rel", "depth_flicker", "relative_sigma")
TRACKED = ("ok", "static", "rotation")


class DepthTask:
    """What depth_node does with its topics, one message after another, in bag time."""

    def __init__(
        self,
        values: Mapping[str, Any],
        estimator: DepthEstimator,
        stage: Stage,
        inputs: Inputs,
        poses: PoseSource,
        log: EventLog,
    ) -> None:
        self.log = log
        self.track = Track()
        self._values = values
        self._stage = stage
        self._poses = poses
        self._intake = DepthIntake(
            values,
            log,
            log,
            self._work,
            image=inputs.camera,
            info=inputs.info or "camera_info",
            poses=poses,
            clock=lambda: stage.now,
        )
        self._step = DepthStep(estimator, log, log)
        self._placed = PlaceKnown(optical_world=not poses.topics)
        self._inputs = inputs
        self._before: DepthFrame | None = None
        self._era = 0
        self._epoch = -1
        self._scale = ""

    def take(self, frame: ReplayFrame, shape: tuple[int, ...] | None, side: int = 0) -> None:
        """Take the next image; shape: (height, width), None while compressed."""
        self._intake.push(frame, None if shape is None else (shape[0], shape[1]))

    def take_message(self, topic: str, message: Any) -> None:
        """Take a calibration or a pose."""
        if topic == self._inputs.info:
            self._intake.take_info(message)
        elif topic == self._inputs.poses and isinstance(self._poses, PoseTrack):
            self._poses.take(message)
        self._intake.advance()

    def finish(self) -> None:
        """Hand on what still waits: nothing more will come."""
        self._stage.now = float("inf")
        self._intake.advance()

    @property
    def counters(self) -> dict[str, int]:
        """All counters of the node."""
        stream = self._intake.counts()
        return {name: count + stream.get(name, 0) for name, count in self.log.counts.items()}

    def _work(self, item: DepthItem) -> None:
        frame = item.frame
        assert isinstance(frame, ReplayFrame)
        stage, self.log.now = self._stage, frame.stamp
        with stage.clock.measure("depth", frame.row):
            result = self._step(item)
        if item.epoch != self._epoch:
            self._epoch, self._era = item.epoch, self._era + 1
        if result is None:
            return
        if result.state == "starting" and result.keyframe:
            self._era += 1
        with stage.clock.measure("write", frame.row):
            self._write(result, item, frame)
        self.log.add("out")
        with stage.clock.measure("metrics", frame.row):
            self._measure(result, item, frame)

    def _write(self, result: DepthResult, item: DepthItem, frame: ReplayFrame) -> None:
        bag, at = self._stage.bag, frame.written
        header = messages.copied_header(frame.header)
        depth, sigma = within(result, float(self._values["max_depth"]))
        if result.scale != self._scale:
            self._scale = result.scale
            bag.write(f"{NODE}/scale", at, messages.text(result.scale))
        bag.write(f"{NODE}/depth", at, messages.image(depth, "32FC1", header))
        bag.write(f"{NODE}/depth_sigma", at, messages.image(sigma, "32FC1", header))
        info = messages.camera_info(depth.shape, result.K, header)
        bag.write(f"{NODE}/camera_info", at, info)
        if self._placed(result, item):
            world = self._poses.world or str(self._values["world_frame"])
            place = place_of(result, self._placed.optical_world)
            bag.write(f"{NODE}/odometry", at, messages.odometry(place, header, world))

    def _measure(self, result: DepthResult, item: DepthItem, frame: ReplayFrame) -> None:
        stage, row = self._stage, frame.row
        depth, sigma = within(result, float(self._values["max_depth"]))
        tracked = result.state in TRACKED
        now = DepthFrame(
            depth,
            sigma,
            result.K,
            result.pose if tracked else None,
            np.asarray(cv2.cvtColor(result.image, cv2.COLOR_RGB2GRAY), np.uint8),
            self._era,
            result.scale == "metric",
            result.parallax_px,
        )
        height, width = depth.shape
        truth = stage.reference.depth(frame.stamp, item.camera.resized(width, height))
        values = depth_values(now, self._before, stage.pool)
        values |= depth_errors(now, truth, stage.pool)
        self._before = now
        stage.rows.states[row] = result.state
        stage.rows.put(row, values)
        stage.worst.offer(row, values, WORST, lambda: depth_picture(now, truth))
        true_pose = stage.reference.pose(frame.stamp, row)
        if true_pose is not None:
            own = result.pose if tracked and item.pose is None else None
            self.track.add(row, self._era, own, true_pose, now.metric)
