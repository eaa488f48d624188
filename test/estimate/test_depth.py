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

"""Depth of a stream with given poses: right where it is said, and honest where it cannot be."""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from true_flow import TrueFlow

from zeroco_ros.errors import ConfigError, ImageError
from zeroco_ros.estimate.depth import DepthEstimator, DepthStream
from zeroco_ros.estimate.depth_config import DepthConfig
from zeroco_ros.estimate.flow import FlowEstimator
from zeroco_ros.estimate.results import DepthResult
from zeroco_ros.geometry.camera import Camera
from zeroco_ros.training.sequences import world_sequence, WorldFrame

SIZE = (120, 160)


@lru_cache(maxsize=8)
def world(kind: str, frames: int = 8) -> tuple[WorldFrame, ...]:
    return tuple(world_sequence(kind, frames, SIZE))


def opened(frames: tuple[WorldFrame, ...], **options: Any) -> DepthStream:
    flow: Any = TrueFlow(frames)
    camera = Camera(SIZE[1], SIZE[0], frames[0].K, "pinhole", ())
    return DepthEstimator.from_flow(flow, DepthConfig(**options)).stream(camera)


def run(stream: DepthStream, frames: tuple[WorldFrame, ...]) -> list[DepthResult | None]:
    return [stream.push(frame.image, i, frame.c2w) for i, frame in enumerate(frames)]


def elsewhere(frames: tuple[WorldFrame, ...]) -> tuple[WorldFrame, ...]:
    """Return the same frames, taken where nothing of the others is seen."""
    away = np.eye(4)
    away[:3, 3] = 100.0
    return tuple(dataclasses.replace(frame, c2w=away @ frame.c2w) for frame in frames)


def relative_error(result: DepthResult, frame: WorldFrame) -> tuple[float, float]:
    """Return AbsRel and coverage."""
    known = np.isfinite(result.depth)
    error = np.abs(result.depth - frame.depth)[known] / frame.depth[known]
    return float(error.mean()) if known.any() else np.nan, float(known.mean())


def test_given_poses_give_metric_depth_and_an_honest_sigma() -> None:
    frames = world("walk")
    stream = opened(frames)
    results = run(stream, frames)
    assert results[0] is None
    for result, frame in list(zip(results, frames, strict=True))[2:]:
        assert result is not None and result.state == "ok" and result.scale == "metric"
        error, coverage = relative_error(result, frame)
        assert error < 0.05 and coverage > 0.8
        known = np.isfinite(result.depth)
        assert (np.isfinite(result.sigma) == known).all() and (result.sigma[known] > 0).all()
        off = np.abs(result.depth - frame.depth)[known] / result.sigma[known]
        assert 0.05 < np.median(off) < 2  # 0.67 for a normal distribution
        np.testing.assert_array_equal(result.pose, frame.c2w)
        assert result.depth.dtype == result.sigma.dtype == np.float32


def test_each_frame_is_encoded_once_and_flows_are_bounded() -> None:
    frames = world("walk")
    stream = opened(frames, views=2)
    run(stream, frames)
    flow: Any = stream._flow
    assert flow.encoded == len(frames)
    assert flow.matched <= 2 * (len(frames) - 1)


def test_a_static_camera_gives_no_depth_no_key_frames_and_says_so() -> None:
    frames = world("static")
    stream = opened(frames)
    for result in run(stream, frames)[1:]:
        assert result is not None and result.state == "static" and not result.keyframe
        assert np.isnan(result.depth).all() and np.isnan(result.sigma).all()


def test_a_turning_camera_gives_no_depth_and_says_so() -> None:
    frames = world("rotation")
    for result in run(opened(frames), frames)[2:]:
        assert result is not None and result.state == "rotation"
        assert np.isnan(result.depth).all()


def test_a_plane_is_a_plane() -> None:
    frames = world("plane")
    results = run(opened(frames), frames)
    error, coverage = relative_error(results[-1], frames[-1])  # type: ignore[arg-type]
    assert error < 0.03 and coverage > 0.7


def test_a_moving_object_is_less_known_and_less_sure_than_what_stands() -> None:
    frames = world("moving")
    for result, frame in list(zip(run(opened(frames), frames), frames, strict=True))[2:]:
        assert result is not None and frame.moving.mean() > 0.05
        known, share = np.isfinite(result.depth), result.sigma / result.depth
        assert known[frame.moving].mean() < 0.75 < 0.9 < known[~frame.moving].mean()
        assert np.nanmedian(share[frame.moving]) > 1.3 * np.nanmedian(share[~frame.moving])
        assert relative_error(result, frame)[0] < 0.05


def test_nothing_in_common_is_lost() -> None:
    walk, other = world("walk"), elsewhere(world("plane"))
    frames = (walk[0], other[0])
    stream = opened(frames)
    stream.push(walk[0].image, 0, walk[0].c2w)
    result = stream.push(other[0].image, 1, other[0].c2w)
    assert result is not None and result.state == "lost" and not result.keyframe
    assert np.isnan(result.depth).all()
    np.testing.assert_array_equal(result.pose, other[0].c2w)


def test_one_covered_frame_does_not_cost_the_window() -> None:
    walk, other = world("walk"), elsewhere(world("plane"))
    frames = (*walk[:3], other[0], walk[3])
    states = [r.state if r is not None else None for r in run(opened(frames), frames)]
    assert states == [None, "ok", "ok", "lost", "ok"]


@pytest.mark.parametrize("jump", [0.5, 5.0])
def test_a_jump_of_the_given_poses_starts_anew(jump: float) -> None:
    """A correction of the map or a reset of the odometry: the pictures know nothing of it."""
    frames = world("walk")
    stream = opened(frames)
    states = []
    for i, frame in enumerate(frames):
        pose = frame.c2w.copy()
        pose[0, 3] += jump if i >= 4 else 0
        result = stream.push(frame.image, i, pose)
        if result is not None:
            states.append(result.state)
            if i != 4:
                assert relative_error(result, frame)[0] < 0.08
    assert states == ["ok", "ok", "ok", "starting", "ok", "ok", "ok"]


def test_clear_and_set_camera_start_anew() -> None:
    frames = world("walk")
    stream = opened(frames)
    run(stream, frames[:3])
    stream.clear()
    assert stream.push(frames[3].image, 3, frames[3].c2w) is None
    stream.set_camera(stream.camera)
    assert stream.push(frames[4].image, 4, frames[4].c2w) is None


def test_bad_images_and_poses_are_refused_and_the_stream_goes_on() -> None:
    frames = world("walk")
    stream = opened(frames)
    stream.push(frames[0].image, 0, frames[0].c2w)
    with pytest.raises(ImageError, match="set_camera"):
        stream.push(frames[1].image[:-2], 1, frames[1].c2w)
    with pytest.raises(ImageError):
        stream.push(frames[1].image.astype(np.float32), 1, frames[1].c2w)  # type: ignore[arg-type]
    for pose in (np.eye(3), np.full((4, 4), np.nan), 2 * np.eye(4), np.diag([1.0, 1, -1, 1])):
        with pytest.raises(ConfigError, match="pose"):
            stream.push(frames[1].image, 1, pose)
    result = stream.push(frames[1].image, 1, frames[1].c2w)
    assert result is not None and result.state == "ok"


def test_the_way_through_a_real_network(tiny_network: Any) -> None:
    frames = world("walk")
    flow = FlowEstimator.from_model(tiny_network, "fast")
    camera = Camera(SIZE[1], SIZE[0], frames[0].K, "pinhole", ())
    stream = DepthEstimator.from_flow(flow, "fast").stream(camera)
    results = run(stream, frames[:3])
    for result in results[1:]:
        assert result is not None and result.depth.shape == SIZE
        assert result.image.shape == (*SIZE, 3) and result.K.shape == (3, 3)
