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

"""Depth of a stream without given poses, or with some: one scale, honest states, no inventions."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from true_flow import TrueFlow

from zeroco_ros.estimate.depth import DepthEstimator, DepthStream
from zeroco_ros.estimate.depth_config import DepthConfig
from zeroco_ros.estimate.results import DepthResult
from zeroco_ros.geometry.camera import Camera
from zeroco_ros.geometry.transforms import inverse, rotation_angle
from zeroco_ros.training.sequences import world_sequence, WorldFrame

SIZE = (120, 160)


@lru_cache(maxsize=8)
def world(kind: str, frames: int = 8) -> tuple[WorldFrame, ...]:
    return tuple(world_sequence(kind, frames, SIZE))


def opened(frames: tuple[WorldFrame, ...], **options: Any) -> DepthStream:
    flow: Any = TrueFlow(frames)
    camera = Camera(SIZE[1], SIZE[0], frames[0].K, "pinhole", ())
    return DepthEstimator.from_flow(flow, DepthConfig(**options)).stream(camera)


def factor(result: DepthResult, frame: WorldFrame) -> float:
    return float(np.nanmedian(frame.depth / result.depth))


def error(result: DepthResult, frame: WorldFrame, scale: float) -> float:
    return float(np.nanmean(np.abs(scale * result.depth - frame.depth) / frame.depth))


def results_of(stream: DepthStream, frames: tuple[WorldFrame, ...]) -> list[DepthResult]:
    found = [stream.push(frame.image, i) for i, frame in enumerate(frames)]
    assert found[0] is None
    return [result for result in found if result is not None]


@lru_cache(maxsize=1)
def walked() -> tuple[DepthResult, ...]:
    return tuple(results_of(opened(world("walk")), world("walk")))


def test_one_unknown_scale_for_the_whole_stream() -> None:
    frames = world("walk")[1:]
    assert all(r.state == "ok" and r.scale == "relative" for r in walked())
    scales = [factor(r, f) for r, f in zip(walked(), frames, strict=True)]
    settled = scales[-4:]
    assert max(settled) < 1.05 * min(settled)
    for result, frame in zip(walked()[-4:], frames[-4:], strict=True):
        assert error(result, frame, settled[0]) < 0.06


def test_the_estimated_poses_are_those_of_the_walk() -> None:
    frames, start = world("walk")[1:], world("walk")[0].c2w
    scale = factor(walked()[-1], frames[-1])
    for result, frame in zip(walked()[2:], frames[2:], strict=True):
        true = inverse(start) @ frame.c2w
        assert np.degrees(rotation_angle(result.pose[:3, :3].T @ true[:3, :3])) < 1.0
        off = np.linalg.norm(scale * result.pose[:3, 3] - true[:3, 3])
        assert off < 0.05 * np.linalg.norm(true[:3, 3]) + 0.005
        assert result.pose_covariance is not None
        assert (np.linalg.eigvalsh(result.pose_covariance) > -1e-12).all()


def test_a_known_baseline_makes_it_metric() -> None:
    frames = world("walk")
    length = float(np.linalg.norm(frames[1].c2w[:3, 3] - frames[0].c2w[:3, 3]))
    first, *_, last = results_of(opened(frames, baseline=length), frames[:4])
    assert first.scale == last.scale == "metric"
    assert error(last, frames[3], 1.0) < 0.15


def test_metric_goes_on_when_poses_stop_and_follows_when_they_return() -> None:
    frames = world("walk")
    stream = opened(frames)
    poses = [f.c2w if i in (0, 1, 2, 5, 7) else None for i, f in enumerate(frames)]
    for i, (frame, pose) in enumerate(zip(frames, poses, strict=True)):
        result = stream.push(frame.image, i, pose)
        if i >= 3:
            assert result is not None and result.state == "ok" and result.scale == "metric"
            assert np.linalg.norm(result.pose[:3, 3] - frame.c2w[:3, 3]) < 0.03
            assert error(result, frame, 1.0) < 0.06
            assert (result.pose_covariance is None) == (pose is not None)


def test_the_first_given_pose_of_a_stream_starts_anew_in_its_world() -> None:
    frames = world("walk")
    stream = opened(frames)
    for i in range(3):
        stream.push(frames[i].image, i)
    result = stream.push(frames[3].image, 3, frames[3].c2w)
    assert result is not None and result.state == "starting" and np.isnan(result.depth).all()
    result = stream.push(frames[4].image, 4, frames[4].c2w)
    assert result is not None and result.state == "ok" and result.scale == "metric"


def test_given_poses_only_means_no_guessing() -> None:
    frames = world("walk")
    stream = opened(frames, poses="given")
    for i in range(2):
        stream.push(frames[i].image, i, frames[i].c2w)
    result = stream.push(frames[2].image, 2)
    assert result is not None and result.state == "lost" and np.isnan(result.depth).all()


@pytest.mark.parametrize("kind", ["static", "rotation"])
def test_no_parallax_from_the_start_invents_nothing(kind: str) -> None:
    frames = world(kind)
    for result in results_of(opened(frames), frames):
        assert result.state == kind and np.isnan(result.depth).all()
        assert np.linalg.norm(result.pose[:3, 3]) == 0
    turned = inverse(frames[0].c2w) @ frames[-1].c2w
    assert np.degrees(rotation_angle(result.pose[:3, :3].T @ turned[:3, :3])) < 0.3


def test_standing_still_after_a_walk_adds_no_key_frames_and_keeps_depth() -> None:
    frames = world("walk")[:4]
    stream = opened(frames)
    results_of(stream, frames)
    before = stream._track.window.added
    noise = np.random.default_rng(1)
    for i in range(6):
        still = frames[3].image + noise.integers(0, 2, frames[3].image.shape, dtype=np.uint8)
        flow: Any = stream._flow
        flow._frames[still.tobytes()] = frames[3]
        result = stream.push(still, 10 + i)
        assert result is not None and result.state in ("ok", "static")
        assert np.isfinite(result.depth).mean() > 0.6
    assert stream._track.window.added <= before + 1


def test_a_plane_stays_a_plane_or_is_left_open() -> None:
    frames = world("plane")
    for result, frame in zip(results_of(opened(frames), frames), frames[1:], strict=True):
        known = np.isfinite(result.depth)
        if known.any():
            assert error(result, frame, factor(result, frame)) < 0.1
        else:
            assert result.state in ("starting", "rotation", "static", "lost")


def test_a_moving_object_does_not_pull_the_camera_along() -> None:
    frames = world("moving")
    results = results_of(opened(frames), frames)
    start = frames[0].c2w
    scale = factor(results[-1], frames[-1])
    true = inverse(start) @ frames[-1].c2w
    assert np.linalg.norm(scale * results[-1].pose[:3, 3] - true[:3, 3]) < 0.08


def test_nothing_in_common_is_lost_then_starts_anew() -> None:
    walk, other = world("walk"), world("plane")
    frames = walk[:3] + other[:6]
    stream = opened(frames)
    states = [r.state for r in results_of(stream, frames)]
    assert states[2:4] == ["lost", "lost"] and states[4] == "starting"
    assert "lost" not in states[5:]


def test_memory_is_bounded_by_the_window() -> None:
    frames = world("walk")
    stream = opened(frames, window=3, views=2)
    for turn in range(2):
        for i, frame in enumerate(frames if turn % 2 == 0 else frames[::-1]):
            stream.push(frame.image, 100 * turn + i)
    window = stream._track.window
    assert len(window) == 3 and window.added > 4
    assert all(len(key.links) <= 2 for key in window)
