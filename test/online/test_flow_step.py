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

"""One step of flow without a network: what is void or unusable has no answer and one counter."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from zeroco_ros.engine.backend import NonFiniteOutput
from zeroco_ros.online.flow_step import FlowStep
from zeroco_ros.online.frames import Frame, FramePair

HEIGHT, WIDTH = 4, 6


class Told:
    """Log and counters in one: how often each was raised."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.said: list[str] = []

    def add(self, name: str, count: int = 1) -> None:
        self.counts[name] += count

    def refuse(self, topic: str, reason: str) -> None:
        self.counts["refused"] += 1
        self.said.append(f"{topic}: {reason}")

    def non_finite(self, reason: str) -> None:
        self.counts["non_finite"] += 1
        self.said.append(reason)

    def event(self, kind: str, text: str) -> None:
        self.said.append(text)


class Estimator:
    """Answers with the flow and confidence it is given, or raises."""

    def __init__(self, flow: float = 1.0, confidence: float = 0.5, error: Any = None) -> None:
        self.answer, self.error = (flow, confidence), error
        self.seen: list[int] = []

    def encode(self, pixels: np.ndarray[Any, Any]) -> Any:
        self.seen.append(int(pixels[0, 0]))
        return SimpleNamespace(size=pixels.shape, level=int(pixels[0, 0]))

    def match(self, target: Any, source: Any) -> Any:
        if self.error is not None:
            raise self.error
        flow = np.full((HEIGHT, WIDTH, 2), target.level - source.level, np.float32)
        flow[1, 2, 0] *= self.answer[0]
        confidence = np.full((HEIGHT, WIDTH), self.answer[1], np.float32)
        return SimpleNamespace(flow=flow, confidence=confidence)


def frame(level: int, encoding: str = "mono8", size: tuple[int, int] = (HEIGHT, WIDTH)) -> Frame:
    stamp = SimpleNamespace(sec=1, nanosec=level)
    message = SimpleNamespace(
        header=SimpleNamespace(stamp=stamp, frame_id="eye"),
        height=size[0],
        width=size[1],
        encoding=encoding,
        is_bigendian=0,
        step=size[1],
        data=np.full(size, level, np.uint8).reshape(-1),
    )
    return Frame(message, "/image", 10_000)


def step(told: Told, estimator: Estimator | None = None) -> FlowStep:
    return FlowStep(estimator or Estimator(), told, told)  # type: ignore[arg-type]


@pytest.mark.parametrize(("reference", "on"), [("current", 1), ("previous", 0)])
def test_flow_is_the_motion_from_first_to_second(reference: str, on: int) -> None:
    frames = frame(10), frame(13)
    answer = step(Told())(FramePair(*frames), reference)
    assert answer is not None
    assert answer.reference is frames[on]
    # The estimator says target to source, here the difference of the gray levels.
    assert (answer.flow == (-3.0)).all()


@pytest.mark.fault(14, "a void flow or confidence is no result; `non_finite`", nodes="flow_node")
@pytest.mark.parametrize(
    "estimator",
    [
        Estimator(flow=np.nan),
        Estimator(flow=np.inf),
        Estimator(confidence=np.nan),
        Estimator(error=NonFiniteOutput("the volume is NaN")),
    ],
    ids=["flow NaN", "flow Inf", "confidence NaN", "network"],
)
def test_what_is_not_finite_has_no_answer(estimator: Estimator) -> None:
    told = Told()
    assert step(told, estimator)(FramePair(frame(1), frame(2)), "current") is None
    assert told.counts == {"non_finite": 1}


def test_a_frame_that_is_refused_costs_its_pairs_and_is_told_once() -> None:
    told = Told()
    run = step(told)
    frames = [frame(1), frame(2, "rgb16"), frame(3), frame(4)]
    answers = [run(FramePair(*pair), "current") for pair in pairwise(frames)]
    assert [answer is not None for answer in answers] == [False, False, True]
    assert told.counts == {"refused": 1, "unpaired": 1}
    (line,) = told.said
    assert line.startswith("/image: encoding 'rgb16' is not supported")


def test_each_frame_is_encoded_once() -> None:
    estimator = Estimator()
    run = step(Told(), estimator)
    frames = [frame(level) for level in range(4)]
    for pair in pairwise(frames):
        assert run(FramePair(*pair), "current") is not None
    assert sorted(estimator.seen) == [0, 1, 2, 3]


def test_one_camera_does_not_change_its_size_within_a_pair_and_two_may() -> None:
    told = Told()
    pair = FramePair(frame(1), frame(2, size=(HEIGHT, WIDTH - 1)))
    assert step(told)(pair, "current") is None
    assert told.counts == {"resolution_changes": 1, "unpaired": 1}
    assert step(told)(FramePair(frame(1), frame(2, size=(3, 5))), "left", one_camera=False)
    assert told.counts == {"resolution_changes": 1, "unpaired": 1}
