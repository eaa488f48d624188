"""Flow of every pair of a bag, by the node's own steps."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from zeroco_ros.errors import ConfigError
from zeroco_ros.online.flow_step import LATER, FlowAnswer, FlowStep
from zeroco_ros.online.frames import FramePair
from zeroco_ros.replay import messages
from zeroco_ros.replay.events import EventLog
from zeroco_ros.replay.flow_values import FlowFrame, flow_errors, flow_values
from zeroco_ros.replay.inputs import ReplayFrame
from zeroco_ros.replay.pictures import flow_picture
from zeroco_ros.replay.stage import Stage
from zeroco_ros.ros.flow.parameters import reference_of
from zeroco_ros.ros.metrics import COUNTERS
from zeroco_ros.stream import TemporalPairer

if TYPE_CHECKING:
    from zeroco_ros.estimate.flow import FlowEstimator

NODE = "/flow_node"
WORST = ("epe", "forward_backward_error", "photometric_error", "flow_flicker")
Gray = npt.NDArray[np.uint8]


class FlowTask:
    """What flow_node does with the images of `image`, one after another.

    Raises ConfigError for pairs of two cameras, which are not replayed.
    """

    def __init__(self, values: Mapping[str, Any], estimator: FlowEstimator, stage: Stage) -> None:
        if values["pairing"] != "temporal":
            raise ConfigError(
                f"pairing '{values['pairing']}' is not replayed: give the parameters of one "
                "camera (pairing 'temporal'), or play the bag into the node (zeroco play)"
            )
        self.log = EventLog(list(COUNTERS))
        self._stage = stage
        self._reference = reference_of(values)
        pairing = values["stride"], values["min_dt"], values["max_dt"]
        self._pairer: TemporalPairer[ReplayFrame] = TemporalPairer(
            *pairing, on_event=self.log.event
        )
        self._step = FlowStep(estimator, self.log, self.log)
        self._recent: deque[tuple[FramePair, FlowFrame]] = deque(maxlen=int(values["stride"]))
        # Truth is the motion between neighbors, on the later one's pixels.
        self._judged = values["stride"] == 1 and self._reference == "current"

    def take(self, frame: ReplayFrame, shape: tuple[int, ...] | None) -> None:
        """Take the next image; shape: (height, width), None while compressed."""
        pair = self._pairer.push(frame.stamp, frame, shape)
        if pair is None:
            return
        with self._stage.clock.measure("flow", frame.row):
            answer = self._step(FramePair(pair.previous, pair.current), self._reference)
        if answer is None:
            return
        with self._stage.clock.measure("write", frame.row):
            self._write(answer)
        self.log.add("out")
        with self._stage.clock.measure("metrics", frame.row):
            self._measure(answer, pair.previous, pair.current)

    def take_message(self, topic: str, message: Any) -> None:
        """See what is no image: nothing is needed."""

    def finish(self) -> None:
        """End; nothing waits."""

    @property
    def counters(self) -> dict[str, int]:
        """All counters of the node."""
        stream = self._pairer.counters.as_dict()
        return {name: count + stream.get(name, 0) for name, count in self.log.counts.items()}

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

    def _measure(self, answer: FlowAnswer, first: ReplayFrame, second: ReplayFrame) -> None:
        stage, row = self._stage, second.row
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
