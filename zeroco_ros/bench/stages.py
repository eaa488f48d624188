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

"""Where the time of a step goes: every stage's own seconds, by wrapping the functions it is in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, ExitStack
from itertools import cycle
import time
from typing import Any
from unittest import mock

import numpy as np

from zeroco_ros.bench.plan import Plan
from zeroco_ros.bench.record import Cell, Column, Section
from zeroco_ros.bench.subjects import moving_frames
from zeroco_ros.estimate import coarse, dense, flow, zoomed
from zeroco_ros.estimate.config import preset
from zeroco_ros.estimate.flow import FlowEstimator

NETWORK = ("backbone: encode", "backbone: decode and volume", "head: features", "head: updates")
_FUNCTIONS: tuple[tuple[str, Any, str], ...] = (
    ("resize, normalize, letterbox", flow, "network_input"),
    ("texture", flow, "frame_texture"),
    ("resize for the head", dense, "reduce_image"),
    ("resize for the head", dense, "normalize"),
    ("read-out", coarse, "match_volume"),
    ("read-out", coarse, "reciprocal_volume"),
    ("upsampling of the coarse flow", zoomed, "upsample_flow"),
    ("upsampling of the coarse flow", flow, "upsample_map"),
    ("head: start and result", dense.DenseHead, "_start"),
    ("head: start and result", dense, "_to_image"),
    ("refinement (DIS)", flow, "refine_flow"),
    ("forward-backward error", flow, "forward_backward_error"),
    ("confidence", flow, "seen_texture"),
    ("confidence", flow, "coarse_confidence"),
    ("occlusion", flow, "occlusion"),
)
REST = "everything else"


class StageClock:
    """Own seconds of nested stages: what a stage spends in others is theirs."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._clock = clock
        self._stack: list[str] = []
        self._since = 0.0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time inside as this stage's."""
        self._account()
        self._stack.append(name)
        try:
            yield
        finally:
            self._account()
            self._stack.pop()

    def _account(self) -> None:
        now = self._clock()
        if self._stack:
            self.seconds[self._stack[-1]] += now - self._since
        self._since = now

    def wrap(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, timed as a stage."""

        def timed(*args: Any, **keywords: Any) -> Any:
            with self.stage(name):
                return function(*args, **keywords)

        return timed


def stages_section(plan: Plan) -> Section:
    """Stages of a stream's step of the preset on camera images, in the automatic precision."""
    estimator = FlowEstimator(preset(plan.preset), threads=plan.threads)
    stream = estimator.stream()
    images = cycle(moving_frames(plan.image))
    for _ in range(3):
        stream.push(next(images))
    rounds = []
    for number in range(plan.rounds):
        plan.say(f"stages: round {number + 1} of {plan.rounds}")
        clock = StageClock()
        with _timed(clock, estimator), clock.stage(REST):
            stream.push(next(images))
        rounds.append(dict(clock.seconds))
    names = sorted({name for r in rounds for name in r}, key=lambda n: -_median(rounds, n))
    total = sum(_median(rounds, name) for name in names)
    rows: list[dict[str, Cell]] = [
        {"name": n, "ms": 1e3 * _median(rounds, n), "share": 100 * _median(rounds, n) / total}
        for n in names
    ]
    after = sum(_median(rounds, name) for name in names if name not in NETWORK)
    rows.append({"name": "all", "ms": 1e3 * total, "share": 100.0})
    rows.append({"name": "all but the networks", "ms": 1e3 * after, "share": 100 * after / total})
    height, width = plan.image
    title = f"Stages of a step, preset {plan.preset}, {width}x{height}, "
    columns = Column("name", "stage"), Column("ms", "ms"), Column("share", "share, %")
    return Section("stages", title + estimator.backend.precision, columns, tuple(rows))


@contextmanager
def _timed(clock: StageClock, estimator: FlowEstimator) -> Iterator[None]:
    backend, head = estimator.backend, getattr(estimator._head, "_backend", None)
    wrapped: list[tuple[str, Any, str]] = [
        *_FUNCTIONS,
        ("backbone: encode", backend, "encode"),
        ("backbone: decode and volume", backend, "volumes"),
    ]
    if head is not None:
        wrapped += [("head: features", head, "encode"), ("head: updates", head, "flow")]
    with ExitStack() as stack:
        for name, owner, attribute in wrapped:
            timed = clock.wrap(name, getattr(owner, attribute))
            stack.enter_context(mock.patch.object(owner, attribute, timed))
        yield


def _median(rounds: list[dict[str, float]], name: str) -> float:
    return float(np.median([r.get(name, 0.0) for r in rounds]))
