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

"""The depth head beside geometry, with a stand-in that knows the shape but not the scale."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from true_flow import TrueFlow

from zeroco_ros.errors import WeightsError
from zeroco_ros.estimate.depth import DepthEstimator, DepthStream
from zeroco_ros.estimate.depth_config import DepthConfig
from zeroco_ros.estimate.depth_modes import learned_depth
from zeroco_ros.estimate.keyframe import Keyframe, Match
from zeroco_ros.estimate.learned_depth import RelativeDepth
from zeroco_ros.estimate.posed_view import DepthMap, unknown_depth
from zeroco_ros.geometry.camera import Camera
from zeroco_ros.training.sequences import world_sequence, WorldFrame

SIZE = (120, 160)
NOISE = 0.1


@lru_cache(maxsize=1)
def walk() -> tuple[WorldFrame, ...]:
    return tuple(world_sequence("walk", 5, SIZE))


class TrueShape:
    """A stand-in for a depth head: true inverse depth up to a factor, with noise."""

    def __init__(self) -> None:
        self.motions: list[np.ndarray] = []

    def predict(self, target: Any, source: Any, flow: Any, K: Any, *, motion: Any) -> Any:
        self.motions.append(motion)
        inverse = 1 / target.world.depth
        noise = np.random.default_rng(2).normal(0, NOISE, SIZE)
        inverse = (inverse * np.exp(noise) / np.median(inverse)).astype(np.float32)
        return RelativeDepth(inverse, np.full(SIZE, NOISE, np.float32), True)


def case(known: np.ndarray) -> tuple[TrueShape, Any, Match, WorldFrame, DepthMap]:
    """
    Return a frame, its match.

    And geometric depth that is 20 % off nowhere and known on a mask.
    """
    flow, frame = TrueFlow(walk()), walk()[2]
    target, source = flow.encode(frame.image), flow.encode(walk()[1].image)
    key = Keyframe(0, source, walk()[1].c2w, 0, True, None, np.zeros((6, 6)))
    depth = np.where(known, frame.depth, np.nan).astype(np.float32)
    geometric = DepthMap(depth, np.float32(0.02) * depth)
    return TrueShape(), target, Match(key, flow.match(target, source)), frame, geometric


def error(found: DepthMap, frame: WorldFrame, where: Any = ...) -> float:
    return float(np.nanmean((np.abs(found.depth - frame.depth) / frame.depth)[where]))


def test_learned_depth_takes_its_scale_from_geometry_and_fusion_takes_the_better() -> None:
    known = np.zeros(SIZE, bool)
    known[:, :80] = True
    head, target, match, frame, geometric = case(known)
    args = (head, "learned", target, match, frame.c2w, frame.K, geometric, 0.5)
    alone = learned_depth(*args)  # type: ignore[arg-type]
    assert np.isfinite(alone.depth).mean() > 0.99
    assert abs(np.median(alone.depth / frame.depth) - 1) < 0.03
    assert 0.05 < error(alone, frame) < 0.12
    both = learned_depth(args[0], "fused", *args[2:])  # type: ignore[arg-type]
    assert np.isfinite(both.depth).mean() > 0.99
    assert error(both, frame, known) < 0.03 < error(both, frame, ~known)
    assert np.median(both.sigma[known]) < np.median(both.sigma[~known])


def test_without_any_geometry_nothing_is_made_up() -> None:
    head, target, match, frame, _ = case(np.ones(SIZE, bool))
    blank = unknown_depth(SIZE)
    found = learned_depth(head, "fused", target, match, frame.c2w, frame.K, blank, 0.5)
    assert np.isnan(found.depth).all()


@pytest.mark.parametrize("mode", ["learned", "fused"])
def test_a_stream_asks_the_head_with_the_motion_it_knows(mode: Any) -> None:
    flow: Any = TrueFlow(walk())
    head: Any = TrueShape()
    camera = Camera(SIZE[1], SIZE[0], walk()[0].K, "pinhole", ())
    stream = DepthStream(flow, DepthConfig(mode=mode), camera, head)
    for i, frame in enumerate(walk()):
        result = stream.push(frame.image, i, frame.c2w)
    assert result is not None and result.state == "ok" and result.scale == "metric"
    assert error(DepthMap(result.depth, result.sigma), walk()[-1]) < 0.15
    assert len(head.motions) == len(walk()) - 1
    expected = np.linalg.inv(walk()[0].c2w) @ walk()[1].c2w
    np.testing.assert_allclose(head.motions[0], expected, atol=1e-9)


def test_a_head_that_is_missing_is_said_at_once(tiny_network: Any) -> None:
    from zeroco_ros.estimate.flow import FlowEstimator

    flow = FlowEstimator.from_model(tiny_network, "fast")
    with pytest.raises(WeightsError, match="nowhere"):
        DepthEstimator.from_flow(flow, DepthConfig(mode="fused", head="nowhere.safetensors"))
