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

"""What the node adds to the estimator, and whether its memory stays where it is."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
import tempfile
import time
from typing import TYPE_CHECKING

import cv2
import numpy as np

from zeroco_ros.bench.measure import Case, interleaved, Spread, Timing
from zeroco_ros.bench.plan import Plan
from zeroco_ros.bench.record import Cell, Column, Section, spread_cells, spread_columns
from zeroco_ros.bench.subjects import moving_frames
from zeroco_ros.estimate.config import preset
from zeroco_ros.estimate.flow import FlowEstimator

if TYPE_CHECKING:
    from zeroco_ros.bench.camera import NodeCamera
    from zeroco_ros.soak.process import NodeUnderTest

SHARE, LEAST = 0.10, 0.003  # of the estimator's time, seconds: the larger is allowed
FLAT = 8.0  # MB of 2**20 bytes by which the node's memory may grow
COLUMNS = (
    Column("name", "what"),
    *spread_columns("ms", "ms"),
    Column("added", "added, ms", 2),
    Column("share", "added, %"),
)


@dataclass(frozen=True)
class MemoryCourse:
    """Resident memory of the node in MB (2**20 bytes), sampled evenly over the frames."""

    frames: int
    megabytes: tuple[float, ...]

    @property
    def growth(self) -> float:
        """Median of the last tenth over that of the second tenth: the first one is warming up."""
        tenth = max(1, len(self.megabytes) // 10)
        early = self.megabytes[tenth : 2 * tenth] or self.megabytes[:1]
        return float(np.median(self.megabytes[-tenth:]) - np.median(early))

    def note(self) -> str:
        """In words."""
        return (
            f"Memory of the node over {self.frames} frames: {self.megabytes[-1]:.0f} MB at the "
            f"end, {self.growth:+.1f} MB from the second tenth of them to the last."
        )


def node_section(plan: Plan) -> Section:
    """Message in to message out of the real flow_node against the estimator, round by round."""
    from zeroco_ros.ros.environment import require_rclpy

    require_rclpy()
    from zeroco_ros.bench.camera import NodeCamera, own_namespace
    from zeroco_ros.soak.process import NodeUnderTest
    from zeroco_ros.soak.subject import FLOW

    space = own_namespace()
    parameters = {"preset": plan.preset, "threads": plan.threads, "max_dt": 3600.0}
    rows: list[dict[str, Cell]] = []
    with tempfile.TemporaryDirectory() as scratch:
        node = NodeUnderTest(FLOW, space, parameters, Path(scratch) / "node.log")
        try:
            for outputs in (("flow",), ("flow", "confidence")):
                with NodeCamera(node, space, outputs) as camera:
                    timings = _side_by_side(plan, camera)
                    rows += _rows(timings, outputs)
            with NodeCamera(node, space, ("flow",)) as camera:
                camera.begin(moving_frames(plan.image)[0])
                course = _memory(plan, node, camera)
        finally:
            node.stop()
    height, width = plan.image
    return Section(
        "node",
        f"flow_node against the bare estimator, preset {plan.preset}, {width}x{height}, 30 Hz",
        COLUMNS,
        tuple(rows),
        (
            "From handing over an rgb8 message to having received the answers, the node as a "
            "process of its own, messages at 30 Hz or as fast as they are answered; bare: the "
            "estimator in this process, in the same rounds, from pixels to result. Added: the "
            "median of the rounds' differences.",
            course.note(),
        ),
        tuple(_failures(rows, course)),
    )


def _side_by_side(plan: Plan, camera: NodeCamera) -> dict[str, Timing]:
    frames = moving_frames(plan.image, 6)
    camera.begin(frames[0])
    estimator = FlowEstimator(preset(plan.preset), threads=plan.threads)
    stream = estimator.stream()
    bare, sent = cycle(frames), cycle(frames)
    waits: list[float] = []

    def message() -> object:
        waits.append(camera.answered(next(sent)))
        return None

    cases: dict[str, Case] = {"bare": lambda: stream.push(next(bare)), "node": message}
    cv2.setNumThreads(-1)  # OpenCV's own choice, as in the node
    try:
        timings = interleaved(cases, 3 * plan.rounds, warm_up=3, say=plan.say)
    finally:
        cv2.setNumThreads(plan.threads)
    kept = len(timings["bare"].seconds)
    return {"bare": timings["bare"], "node": Timing(tuple(waits[-kept:]))}


def _rows(timings: dict[str, Timing], outputs: tuple[str, ...]) -> list[dict[str, Cell]]:
    bare, node = timings["bare"], timings["node"]
    pairs = zip(bare.seconds, node.seconds, strict=True)
    added = Spread.of([theirs - own for own, theirs in pairs]).median
    listening = " and ".join(outputs)
    return [
        {"name": f"bare estimator ({listening})", **spread_cells("ms", bare.spread, 1e3)},
        {
            "name": f"flow_node to {listening}",
            **spread_cells("ms", node.spread, 1e3),
            "added": 1e3 * added,
            "share": 100 * added / bare.spread.median,
        },
    ]


def _memory(plan: Plan, node: NodeUnderTest, camera: NodeCamera) -> MemoryCourse:
    """Frames at 30 Hz or as fast as they are answered."""
    frames = cycle(moving_frames(plan.image, 6))
    every = max(1, plan.frames // 200)
    course = []
    for number in range(plan.frames):
        started = time.monotonic()
        camera.answered(next(frames))
        if number % every == 0:
            course.append(node.megabytes)
            plan.say(f"node: frame {number} of {plan.frames}, {course[-1]:.0f} MB")
        time.sleep(max(0.0, 1 / 30 - (time.monotonic() - started)))
    return MemoryCourse(plan.frames, tuple(course))


def _failures(rows: list[dict[str, Cell]], course: MemoryCourse) -> list[str]:
    failed = []
    for bare, row in zip(rows[::2], rows[1::2], strict=True):
        allowed = max(1e3 * LEAST, SHARE * float(bare["ms"] or 0))
        if float(row["added"] or 0) > allowed:
            failed.append(
                f"{row['name']}: at most {allowed:.1f} ms over the bare estimator "
                f"(found {row['added']:.1f})"
            )
    if course.growth > FLAT:
        failed.append(f"memory of the node flat over {course.frames} frames")
    return failed
