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

"""Flow of every pair of a bag, by the node's own steps."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from zeroco_ros.online.flow_step import FlowAnswer, FlowStep, LATER
from zeroco_ros.online.frames import FramePair
from zeroco_ros.replay import messages
from zeroco_ros.replay.events import EventLog
from zeroco_ros.replay.flow_values import flow_errors, flow_values, FlowFrame
from zeroco_ros.replay.inputs import ReplayFrame
from zeroco_ros.replay.pictures import flow_picture
from zeroco_ros.replay.stage import Stage
from zeroco_ros.ros.flow.counters import COUNTERS
from zeroco_ros.ros.flow.parameters import reference_of
from zeroco_ros.ros.synchronizer import build_stand_in, CameraPairer
from zeroco_ros.stream import TemporalPairer

if TYPE_CHECKING:
    from zeroco_ros.estimate.flow import FlowEstimator

NODE = "/flow_node"
WORST = ("epe", "forward_backward_error", "photometric_error", "flow_flicker")
Gray = npt.NDArray[np.uint8]


class FlowTask:
    """What flow_node does with the images of `image`, or of `left/image` and `right/image`."""

    def __init__(self, values: Mapping[str, Any], estimator: FlowEstimator, stage: Stage) -> None:
        self.log = EventLog(list(COUNTERS))
        self._stage = stage
        self._reference = reference_of(values)
        self._stereo = values["pairing"] == "synchronized"
        if self._stereo:
            pairing = values["slop"], values["sync_queue_size"]
            self._cameras = CameraPairer(*pairing, self._work, self.log.event, build_stand_in)
        else:
            settings = values["stride"], values["min_dt"], values["max_dt"]
            self._frames: TemporalPairer[ReplayFrame] = TemporalPairer(
                *settings, on_event=self.log.event
            )
        self._step = FlowStep(estimator, self.log, self.log)
        self._recent: deque[tuple[FramePair, FlowFrame]] = deque(maxlen=int(values["stride"]))
        # Truth is the motion between neighbors, on the later one's pixels.
        self._judged = values["stride"] == 1 and self._reference == "current"

    def take(self, frame: ReplayFrame, shape: tuple[int, ...] | None, side: int = 0) -> None:
        """
        Take the next image of the (left) camera, or of the right one (side 1).

        shape: (height, width), None while compressed.
        """
        if self._stereo:
            self._cameras.push(side, frame.stamp, frame)
            return
        pair = self._frames.push(frame.stamp, frame, shape)
        if pair is not None:
            self._work(pair.previous, pair.current)

    def _work(self, first: ReplayFrame, second: ReplayFrame) -> None:
        """Compute a pair: the row is that of the later frame, or of the left one."""
        row = first.row if self._stereo else second.row
        with self._stage.clock.measure("flow", row):
            answer = self._step(FramePair(first, second), self._reference, not self._stereo)
        if answer is None:
            return
        with self._stage.clock.measure("write", row):
            self._write(answer)
        self.log.add("out")
        with self._stage.clock.measure("metrics", row):
            self._measure(answer, first, second, row)

    def take_message(self, topic: str, message: Any) -> None:
        """See what is no image: nothing is needed."""

    def finish(self) -> None:
        """End; nothing waits."""

    @property
    def counters(self) -> dict[str, int]:
        """All counters of the node."""
        pairer = self._cameras.counts() if self._stereo else self._frames.counters.as_dict()
        return {name: count + pairer.get(name, 0) for name, count in self.log.counts.items()}

    def _write(self, answer: FlowAnswer) -> None:
        header = messages.copied_header(answer.reference.header)
        reference = answer.reference
        assert isinstance(reference, ReplayFrame)
        occluded = answer.result.occluded.astype(np.uint8) * np.uint8(255)
        for name, pixels, encoding in (
            ("flow", answer.flow, "32FC2"),
            ("confidence", answer.result.confidence, "32FC1"),
            ("occluded", occluded, "mono8"),
        ):
            message = messages.image(pixels, encoding, header)
            self._stage.bag.write(f"{NODE}/{name}", reference.written, message)

    def _measure(
        self, answer: FlowAnswer, first: ReplayFrame, second: ReplayFrame, row: int
    ) -> None:
        stage = self._stage
        pictures = gray_of(first), gray_of(second)
        frame = FlowFrame(
            answer.flow, answer.result, *pictures, on_second=self._reference in LATER
        )
        before = next((f for pair, f in self._recent if pair.second is first), None)
        truth = stage.reference.flow(second.stamp) if self._judged else None
        values = flow_values(frame, before, stage.pool)
        values |= flow_errors(frame, truth, stage.pool)
        self._recent.append((FramePair(first, second), frame))
        if stage.rows.states[row] == "none":
            stage.rows.states[row] = "ok"
        stage.rows.put(row, values)
        stage.worst.offer(row, values, WORST, lambda: flow_picture(frame, truth))


def gray_of(frame: ReplayFrame) -> Gray:
    """Return a frame's picture (H, W) uint8."""
    pixels = frame.decode()
    if pixels.ndim == 2:
        return np.asarray(pixels)
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
