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

"""Streaming evaluation: what goes in, what is scored, what is averaged."""

from __future__ import annotations

from collections.abc import Iterator
import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from zeroco_ros.errors import ConfigError
from zeroco_ros.estimate.network import NetworkOptions
from zeroco_ros.evaluation.classical_depth import TwoViewDepth
from zeroco_ros.evaluation.depth_evaluate import evaluate_depth, SILENT, summarize
from zeroco_ros.evaluation.depth_methods import depth_methods, NAMES, StreamSource
from zeroco_ros.evaluation.depth_metrics import score_frame
from zeroco_ros.evaluation.depth_report import as_json, as_markdown, as_text
from zeroco_ros.evaluation.depth_source import DepthAnswer, DepthMethod
from zeroco_ros.evaluation.sequences import PosedFrame, PosedSequence
from zeroco_ros.evaluation.shared_flow import MATCHES, SharedFlow
from zeroco_ros.geometry.camera import Camera
from zeroco_ros.training.sequences import world_sequence, WorldFrame

SIZE = (96, 128)
COUNT = 8


@pytest.fixture(scope="module")
def world() -> list[WorldFrame]:
    return list(world_sequence("walk", COUNT, SIZE))


@pytest.fixture(scope="module")
def sequence(world: list[WorldFrame]) -> PosedSequence:
    def frames() -> Iterator[PosedFrame]:
        for k, one in enumerate(world):
            yield PosedFrame(f"{k}", one.image, k * 10**8, one.c2w, one.depth)

    return PosedSequence("walk", "rendered", COUNT, Camera(*SIZE[::-1], world[0].K), frames)


class Oracle:
    """Knows the world; answers at half the size, in another unit, 10 % of the pixels missing."""

    def __init__(self, world: list[WorldFrame], unit: float = 1.0) -> None:
        self.world, self.unit, self.count = world, unit, -1
        self.poses: list[Any] = []

    def push(self, image: Any, stamp_ns: int, pose: Any) -> DepthAnswer | None:
        self.count += 1
        self.poses.append(pose)
        one = self.world[self.count]
        assert np.array_equal(image, one.image) and stamp_ns == self.count * 10**8
        if self.count == 0:
            return None
        if self.count == 3:
            nothing = np.full(SIZE, np.nan, np.float32)
            return DepthAnswer(nothing, nothing, one.K, None, "lost")
        depth = one.depth[::2, ::2] * np.float32(self.unit)
        depth[: SIZE[0] // 20] = np.nan
        own = one.c2w.copy()
        own[:3, 3] *= self.unit
        K = np.diag([0.5, 0.5, 1]) @ one.K
        return DepthAnswer(depth, 0.1 * depth, K, own, "ok")


def _method(name: str, poses: Any, source: Any) -> DepthMethod:
    return DepthMethod(name, f"about {name}", poses, lambda camera: source)


def test_answers_are_scored_against_the_truth_of_their_own_pixels(
    world: list[WorldFrame], sequence: PosedSequence
) -> None:
    given, own = Oracle(world), Oracle(world, 0.2)
    methods = [_method("a", "given", given), _method("b", "estimated", own)]
    seen: list[str] = []
    (result,) = evaluate_depth([sequence], methods, seen.append)
    assert all(pose is not None for pose in given.poses) and own.poses == [None] * COUNT
    assert seen[:3] == [
        "walk 0 a, given poses",
        "walk 0 b, estimated poses",
        "walk 1 a, given poses",
    ]
    first, second = result.runs
    assert first.states == {"ok": COUNT - 2, SILENT: 1, "lost": 1}
    depth, scaled = first.depth, second.depth
    assert depth is not None and depth.unscaled is not None and scaled is not None
    assert depth.frames == COUNT - 1 and depth.scored == COUNT - 2
    known = 1 - (SIZE[0] // 20) / (SIZE[0] // 2)
    assert depth.coverage == pytest.approx(known * (COUNT - 2) / (COUNT - 1))
    assert depth.unscaled.abs_rel < 1e-6 and depth.sigma_unscaled is not None
    assert scaled.unscaled is not None and scaled.scaled is not None
    assert scaled.unscaled.abs_rel == pytest.approx(0.8) and scaled.scaled.abs_rel < 1e-6
    assert scaled.spread < 1e-6 and abs(scaled.drift) < 1e-6
    assert first.trajectory is None  # it was given
    path = second.trajectory
    assert path is not None and path.poses == COUNT - 2
    assert path.scale == pytest.approx(5) and path.ate.rmse < 1e-9 < 0.05 < path.ate_rigid.rmse


def test_the_report_says_it_all(world: list[WorldFrame], sequence: PosedSequence) -> None:
    methods = [
        _method("a", "given", Oracle(world)),
        _method("b", "estimated", Oracle(world, 0.2)),
        *depth_methods(["constant"]),
    ]
    results = evaluate_depth([sequence], methods)
    text, page = as_text(results), as_markdown(results, methods, {"date": "today"}, "x.png")
    for word in ("a, given poses", "b, estimated poses", "constant", "covered %", "ATE m"):
        assert word in text and word in page
    assert "- date: today" in page and "(x.png)" in page and "- `b`: about b" in page
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| walk")]
    assert rows[0][2:5] == ["78.6", "0.000", "0.000"]
    assert rows[1][4] == "-"  # relative depth has no metric error
    assert all(len(row) == 12 for row in rows[:3])
    report = json.loads(json.dumps(as_json(results, methods, {})))
    found = report["sequences"][0]["methods"]
    assert found["b, estimated poses"]["trajectory"]["poses"] == COUNT - 2
    assert len(found["b, estimated poses"]["per_frame"]) == COUNT
    assert found["a, given poses"]["trajectory"] is None
    assert found["constant"]["depth"]["coverage"] == 1


def test_a_trajectory_without_depth(world: list[WorldFrame], sequence: PosedSequence) -> None:
    frames = [PosedFrame(f.name, f.image, f.stamp_ns, f.pose, None) for f in sequence]
    bare = PosedSequence("bare", "-", COUNT, sequence.camera, lambda: iter(frames), False)
    methods = [_method("b", "estimated", Oracle(world)), *depth_methods(["constant"])]
    (result,) = evaluate_depth([bare], methods)
    assert [run.method.label for run in result.runs] == ["b, estimated poses"]
    assert result.runs[0].depth is None and result.runs[0].trajectory is not None
    page = as_markdown([result], methods, {})
    assert "## Trajectories" in page and "## Depth" not in page


def test_means_over_frames() -> None:
    truth = np.full((1, 4), 2.0)
    scores = [score_frame(str(k), truth * factor, truth) for k, factor in enumerate((1, 2, 4, 8))]
    found = summarize([*scores, score_frame("lost", truth * np.nan, truth)])
    assert found is not None and found.unscaled is not None
    assert found.unscaled.abs_rel == pytest.approx((0 + 1 + 3 + 7) / 4)
    assert (found.frames, found.scored, found.coverage) == (5, 4, 0.8)
    assert found.spread == pytest.approx(np.std(np.log([1, 2, 4, 8])))
    assert found.drift == pytest.approx(np.log(1 / 8))
    assert summarize([]) is None
    blind = summarize([score_frame("lost", truth * np.nan, truth)])
    assert blind is not None and blind.scaled is None and blind.coverage == 0


def test_two_views_by_opencv(world: list[WorldFrame], sequence: PosedSequence) -> None:
    (result,) = evaluate_depth([sequence], depth_methods(["dis", "constant"]))
    given = result.runs[0].depth
    assert given is not None and given.unscaled is not None and given.unscaled.abs_rel < 0.3
    assert given.coverage > 0.9
    last = [run.records[-1].score for run in result.runs]
    errors = [one.scaled.abs_rel for one in last if one is not None and one.scaled is not None]
    assert len(errors) == 3 and max(errors[:2]) < 0.9 * errors[2]
    path = result.runs[1].trajectory
    assert path is not None and path.ate.rmse < 0.1 * path.path and path.rpe.direction < 20
    assert result.runs[1].states["starting"] == 2


def test_two_views_keep_their_scale(world: list[WorldFrame], sequence: PosedSequence) -> None:
    source = TwoViewDepth(sequence.camera)
    answers = [source.push(one.image, 0, None) for one in world]
    scales = [
        np.nanmedian(answer.depth) / np.median(one.depth)
        for one, answer in zip(world, answers, strict=True)
        if answer is not None and answer.pose is not None
    ]
    assert len(scales) == COUNT - 3 and max(scales) < 1.4 * min(scales)


def test_shared_work_is_done_once_and_paid_by_all() -> None:
    calls: list[str] = []

    def encode(image: Any) -> Any:
        calls.append("encode")
        return SimpleNamespace(image=image)

    def match(target: Any, source: Any) -> Any:
        calls.append("match")
        return SimpleNamespace()

    shared = SharedFlow(SimpleNamespace(encode=encode, match=match, config="c"))
    images = [np.full((2, 2), k, np.uint8) for k in range(2)]
    first, second = (shared.encode(image) for image in images)
    assert shared.take_credit() == (0, 0)
    assert shared.encode(images[0].copy()) is first and shared.config == "c"
    assert shared.match(first, second) is shared.match(first, second)
    assert shared.match(second, first) is not shared.match(first, second)
    assert calls == ["encode"] * 2 + ["match"] * 2
    wall, cpu = shared.take_credit()
    assert wall > 0 and cpu >= 0 and shared.take_credit() == (0, 0)
    for _ in range(MATCHES):
        shared.match(second, SimpleNamespace())  # type: ignore[arg-type]
    calls.clear()
    shared.match(first, second)
    assert calls == ["match"]  # long ago: forgotten


def test_a_stream_is_used_as_the_node_uses_it() -> None:
    result = SimpleNamespace(depth=1, sigma=2, K=3, pose=4, state="ok")
    stream = SimpleNamespace(push=lambda *args: None if args[1] == 0 else result)
    source = StreamSource(stream)  # type: ignore[arg-type]
    assert source.push(np.zeros(1, np.uint8), 0, None) is None
    answer = source.push(np.zeros(1, np.uint8), 1, None)
    assert answer is not None and (answer.depth, answer.pose, answer.state) == (1, 4, "ok")
    result.state = "lost"  # its pose is the last known one, not this frame's
    again = source.push(np.zeros(1, np.uint8), 1, None)
    assert again is not None and again.pose is None


def test_names(tiny_weights: Any) -> None:
    methods = depth_methods(
        ["fast", "dis", "constant"], options=NetworkOptions(weights=tiny_weights)
    )
    assert [method.label for method in methods] == [
        "fast, given poses",
        "fast, estimated poses",
        "dis, given poses",
        "dis, estimated poses",
        "constant",
    ]
    assert [one.poses for one in depth_methods(["dis"], "estimated")] == ["estimated"]
    with pytest.raises(ConfigError, match=f"unknown method 'x'.*{NAMES[0]}"):
        depth_methods(["x"])
    with pytest.raises(ConfigError, match=r"unknown poses 'mine'.*both"):
        depth_methods(["dis"], "mine")


def test_this_packages_depth_takes_part(sequence: PosedSequence) -> None:
    methods = depth_methods(["fast"], "given", options=NetworkOptions(threads=1))
    (result,) = evaluate_depth([sequence], methods)
    run = result.runs[0]
    assert run.records[0].state == SILENT and run.depth is not None
    assert run.depth.scored >= 1 and run.depth.unscaled is not None
    assert run.depth.unscaled.abs_rel < 0.5 and run.depth.sigma_unscaled is not None
    assert run.seconds > 0
