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

"""Pairs for the depth head: which are chosen, and that every method is scored on the same."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from zeroco_ros.estimate.learned_depth import RelativeDepth
from zeroco_ros.estimate.results import FlowResult
from zeroco_ros.evaluation.depth_pairs import (
    as_markdown,
    evaluate_pairs,
    METHODS,
    pairs_of,
    PARALLAX,
)
from zeroco_ros.evaluation.sequences import PosedFrame, PosedSequence
from zeroco_ros.geometry.camera import Camera
from zeroco_ros.geometry.transforms import relative
from zeroco_ros.training.sequences import world_sequence, WorldFrame

SIZE = (96, 128)


@pytest.fixture(scope="module")
def world() -> list[WorldFrame]:
    return list(world_sequence("walk", 6, SIZE))


@pytest.fixture(scope="module")
def sequence(world: list[WorldFrame]) -> PosedSequence:
    frames = [PosedFrame(str(k), one.image, k, one.c2w, one.depth) for k, one in enumerate(world)]
    camera = Camera(SIZE[1], SIZE[0], world[0].K)
    return PosedSequence("walk", "", len(frames), camera, lambda: iter(frames))


class Truth:
    """Stands in for the flow estimator and for the depth head: knows flow and depth."""

    def __init__(self, world: list[WorldFrame], spread: float = 0.0) -> None:
        self.world = {one.image.tobytes(): one for one in world}
        self.spread = spread
        self.motions: list[Any] = []

    def encode(self, image: np.ndarray) -> Any:
        return SimpleNamespace(image=image, world=self.world[image.tobytes()])

    def match(self, target: Any, source: Any) -> FlowResult:
        first, second = target.world, source.world
        y, x = np.indices(SIZE).astype(np.float64)
        rays = np.linalg.inv(first.K) @ np.stack([x, y, np.ones_like(x)]).reshape(3, -1)
        motion = relative(second.c2w, first.c2w)
        there = first.K @ (motion[:3, :3] @ rays * first.depth.reshape(-1) + motion[:3, 3:])
        flow = (there[:2] / there[2]).T.reshape(*SIZE, 2) - np.stack([x, y], -1)
        sure = np.ones(SIZE, np.float32)
        return FlowResult(flow.astype(np.float32), sure, sure < 0, 0 * sure, flow[::16, ::16])

    def predict(self, target: Any, *_: Any, motion: Any = None) -> RelativeDepth:
        self.motions.append(motion)
        noise = np.exp(self.spread * np.random.default_rng(0).normal(size=SIZE))
        sigma = np.full(SIZE, max(self.spread, 1e-3), np.float32)
        inverse = (3.0 * noise / target.world.depth).astype(np.float32)
        return RelativeDepth(inverse, sigma, motion is not None)


def test_the_source_has_the_wanted_parallax(sequence: PosedSequence) -> None:
    pairs = list(pairs_of(sequence, 1))
    assert [pair.name.split()[0] for pair in pairs] == ["5"]
    nearest = abs(pairs[0].parallax - PARALLAX * SIZE[1])
    for other in range(5):
        kept = [frame for k, frame in enumerate(sequence.frames()) if k in (other, 5)]
        alone = PosedSequence("two", "", 2, sequence.camera, lambda kept=kept: iter(kept))
        (pair,) = pairs_of(alone, 1)
        assert abs(pair.parallax - PARALLAX * SIZE[1]) >= nearest - 1e-9


def test_truth_is_without_error(world: list[WorldFrame], sequence: PosedSequence) -> None:
    truth = Truth(world)
    rows = evaluate_pairs([sequence], truth, truth, 1)  # type: ignore[arg-type]
    found = {row.method: row for row in rows}
    assert list(found) == list(METHODS)
    assert found["learned"].abs_rel < 1e-5 and found["learned"].delta1 == 1
    assert found["triangulated"].abs_rel < 0.02
    depth = world[5].depth
    plane = float(np.mean(np.abs(np.median(depth) / depth - 1)))
    assert found["plane"].abs_rel == pytest.approx(plane, rel=1e-3)
    assert np.isnan(found["plane"].half)
    assert [motion is None for motion in truth.motions] == [True, False]


def test_sigma_is_scored(world: list[WorldFrame], sequence: PosedSequence) -> None:
    truth = Truth(world, spread=0.1)
    rows = evaluate_pairs([sequence], truth, truth, 1)  # type: ignore[arg-type]
    assert rows[0].abs_rel == pytest.approx(0.08, abs=0.01)
    assert rows[0].within == pytest.approx(0.68, abs=0.03)
    table = as_markdown(rows)
    assert table.count("\n") == 1 + len(METHODS) and "| walk | 1 |" in table


def test_sequences_without_depth_have_no_rows(sequence: PosedSequence) -> None:
    blind = PosedSequence(
        "blind",
        "",
        2,
        sequence.camera,
        lambda: iter([PosedFrame(f.name, f.image, f.stamp_ns, f.pose, None) for f in sequence]),
    )
    assert evaluate_pairs([blind], None, None) == []  # type: ignore[arg-type]
