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

"""The pose of a frame from flow against known depth: right, and no more certain than it is."""

from __future__ import annotations

import dataclasses
from functools import lru_cache

import numpy as np
import pytest
from true_flow import true_flow, TrueFlow

from zeroco_ros.estimate.motion import landmarks, locate
from zeroco_ros.estimate.posed_view import DepthMap
from zeroco_ros.estimate.results import FlowResult
from zeroco_ros.geometry.transforms import inverse, rotation_angle, se3_exp
from zeroco_ros.training.sequences import world_sequence, WorldFrame

SIZE = (120, 160)
STEP = 4


@lru_cache(maxsize=2)
def walk() -> tuple[WorldFrame, ...]:
    return tuple(world_sequence("walk", 6, SIZE))


def flow_between(target: WorldFrame, source: WorldFrame, noise: float = 0.3) -> FlowResult:
    stand_in = TrueFlow([target, source], noise)
    return stand_in.match(stand_in.encode(target.image), stand_in.encode(source.image))


def depth_of(frame: WorldFrame, relative_sigma: float, seed: int = 0) -> DepthMap:
    noise = np.random.default_rng(seed).normal(0, relative_sigma, frame.depth.shape)
    depth = (frame.depth * (1 + noise)).astype(np.float32)
    return DepthMap(depth, np.float32(max(relative_sigma, 1e-3)) * depth)


def errors(found: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """Degrees, meters."""
    off = inverse(true) @ found
    return float(np.degrees(rotation_angle(off[:3, :3]))), float(np.linalg.norm(off[:3, 3]))


@pytest.mark.parametrize("sigma", [0.0, 0.05])
def test_finds_the_pose_from_a_start_that_is_off(sigma: float) -> None:
    key, frame = walk()[2], walk()[3]
    known = landmarks(flow_between(frame, key), depth_of(key, sigma), key.c2w, key.K, STEP)
    assert known is not None
    start = key.c2w @ se3_exp([0.1, -0.05, 0.1, 0.02, 0.03, -0.02])
    found = locate(key.K, [known], [start])
    assert found is not None and found.agree > 0.7
    turned, moved = errors(found.pose, frame.c2w)
    assert turned < 0.15 and moved < 0.01


def test_the_best_of_several_starts_is_refined() -> None:
    key, frame = walk()[0], walk()[3]
    known = landmarks(flow_between(frame, key), depth_of(key, 0.02), key.c2w, key.K, STEP)
    assert known is not None
    lost = key.c2w @ se3_exp([0, 0, 0, 0, 2.5, 0])
    found = locate(key.K, [known], [lost, key.c2w])
    assert found is not None and errors(found.pose, frame.c2w)[0] < 0.3


def test_a_third_of_wrong_matches_does_no_harm() -> None:
    key, frame = walk()[2], walk()[3]
    flow = flow_between(frame, key)
    wrong = flow.flow.copy()
    wrong[:, :50] += (9.0, -6.0)  # a thing that goes its own way
    flow = dataclasses.replace(flow, flow=wrong)
    known = landmarks(flow, depth_of(key, 0.02), key.c2w, key.K, STEP)
    assert known is not None
    found = locate(key.K, [known], [key.c2w])
    assert found is not None and 0.5 < found.agree < 0.8
    turned, moved = errors(found.pose, frame.c2w)
    assert turned < 0.3 and moved < 0.02


def test_unknown_depth_still_constrains_like_an_epipolar_line() -> None:
    """With depths that are all but unknown the direction of the translation stays right."""
    key, frame = walk()[1], walk()[3]
    true = depth_of(key, 0.0)
    vague = DepthMap(true.depth, 30 * true.depth)
    known = landmarks(flow_between(frame, key), vague, key.c2w, key.K, STEP)
    assert known is not None
    found = locate(key.K, [known], [frame.c2w @ se3_exp([0.03, 0, 0, 0.01, 0, 0])])
    assert found is not None
    went, true_way = (p[:3, 3] - key.c2w[:3, 3] for p in (found.pose, frame.c2w))
    cosine = went @ true_way / np.linalg.norm(went) / np.linalg.norm(true_way)
    assert np.degrees(np.arccos(min(1.0, cosine))) < 3
    sure = locate(
        key.K,
        [landmarks(flow_between(frame, key), true, key.c2w, key.K, STEP)],
        [key.c2w],
    )
    assert sure is not None
    assert np.trace(found.covariance[:3, :3]) > 10 * np.trace(sure.covariance[:3, :3])


def test_the_covariance_covers_the_error() -> None:
    key, frame = walk()[2], walk()[3]
    flow, _ = true_flow(frame, key)
    random, scores = np.random.default_rng(5), []
    base = flow_between(frame, key, 0.0)
    for _ in range(12):
        noisy = (flow + random.normal(0, 0.17, flow.shape)).astype(np.float32)
        one = dataclasses.replace(base, flow=noisy)
        known = landmarks(one, depth_of(key, 0.0), key.c2w, key.K, STEP)
        assert known is not None
        found = locate(key.K, [known], [key.c2w])
        assert found is not None
        off = found.pose[:3, 3] - frame.c2w[:3, 3]
        scores.append(off @ np.linalg.solve(found.covariance[:3, :3], off) / 3)
    # The noise here is independent from pixel to pixel; that of a real flow is not, and the
    # covariance allows for it: errors are smaller than told, not larger.
    assert 0.02 < np.mean(scores) < 1.5


def test_nothing_known_is_none_and_no_exception() -> None:
    key, frame = walk()[2], walk()[3]
    flow = flow_between(frame, key)
    blank = DepthMap(*(np.full(SIZE, np.nan, np.float32) for _ in range(2)))
    assert landmarks(flow, blank, key.c2w, key.K, STEP) is None
    nowhere = dataclasses.replace(flow, confidence=np.zeros(SIZE, np.float32))
    assert landmarks(nowhere, depth_of(key, 0.0), key.c2w, key.K, STEP) is None
    assert locate(key.K, [], [key.c2w]) is None
