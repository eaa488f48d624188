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

"""The metrics on fields whose answer is known."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from zeroco_ros.estimate.results import FlowResult
from zeroco_ros.replay.depth_values import depth_errors, depth_values, DepthFrame
from zeroco_ros.replay.flow_values import flow_errors, flow_values, FlowFrame
from zeroco_ros.replay.pool import BINS, Pool
from zeroco_ros.replay.tracks import Track
from zeroco_ros.replay.typed_json import from_plain, to_plain

H, W = 60, 80
K = np.array([[70.0, 0, 39.5], [0, 70.0, 29.5], [0, 0, 1]])


def texture(seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).uniform(0, 255, (H, W)).astype(np.float32)
    return cv2.GaussianBlur(noise, (0, 0), 3).astype(np.uint8)


def flow_frame(dx: float, *, on_second: bool, confidence: float = 0.9) -> FlowFrame:
    """Return a camera that moves the picture by dx to the right, its flow exact."""
    flow = np.zeros((H, W, 2), np.float32)
    flow[..., 0] = dx
    first = texture()
    shift = np.array([[1, 0, dx], [0, 1, 0]], np.float32)
    second = cv2.warpAffine(first, shift, (W, H), borderMode=cv2.BORDER_REPLICATE)
    result = FlowResult(
        flow=-flow if on_second else flow,
        confidence=np.full((H, W), confidence, np.float32),
        occluded=np.zeros((H, W), bool),
        forward_backward_error=np.full((H, W), 0.25, np.float32),
        coarse=np.zeros((4, 5, 2), np.float32),
    )
    return FlowFrame(flow, result, first, second, on_second)


@pytest.mark.parametrize("on_second", [True, False])
def test_exact_flow_leaves_no_residual_and_steady_motion_no_flicker(on_second: bool) -> None:
    frame = flow_frame(3.0, on_second=on_second)
    values = flow_values(frame, flow_frame(3.0, on_second=on_second), Pool())
    assert values["photometric_error"] < 0.05 < 1 < values["brightness_change"]
    assert values["flow_flicker"] == 0
    assert values["flow_magnitude"] == 3
    assert values["flow_coverage"] == 1
    assert values["forward_backward_error"] == 0.25
    faster = flow_values(frame, flow_frame(1.0, on_second=on_second), Pool())
    assert faster["flow_flicker"] == pytest.approx(2)
    alone = flow_values(frame, None, Pool())
    assert alone["flow_flicker"] is None


def test_errors_of_flow_and_what_the_confidence_is_worth() -> None:
    pool, frame = Pool(), flow_frame(3.0, on_second=True, confidence=0.75)
    truth = frame.flow.copy()
    truth[: H // 4, :, 1] += 2.0  # a quarter is 2 px wrong; the limit is 80 / 200 = 0.4 px
    assert flow_errors(frame, None, pool) == {}
    assert flow_errors(frame, np.full_like(truth, np.nan), pool) == {}
    values = flow_errors(frame, truth, pool)
    assert values["epe"] == pytest.approx(0.5)
    assert values["epe_median"] == 0
    assert (values["pck_1"], values["pck_3"], values["fl_all"]) == (0.75, 1, 0)
    calibration = pool.calibration().confidence
    assert calibration is not None
    assert calibration.ece == pytest.approx(0, abs=1e-6)  # 0.75 sure, 75 % right
    assert calibration.brier == pytest.approx(0.1875)


def wall(z: float, at: float, sigma: float = 0.1, **other: Any) -> DepthFrame:
    """Return a wall ahead, seen from z = at; its texture is fixed to the picture's center."""
    pose = np.eye(4)
    pose[2, 3] = at
    depth = np.full((H, W), z - at, np.float32)
    fields = {"era": 0, "metric": True, "parallax": 1.0, **other}
    gray = np.full((H, W), 128, np.uint8)
    return DepthFrame(depth, np.full((H, W), sigma, np.float32), K, pose, gray, **fields)


def test_a_wall_that_comes_nearer_does_not_flicker() -> None:
    values = depth_values(wall(5.0, 1.0), wall(5.0, 0.0), Pool())
    assert values["depth_flicker"] == pytest.approx(0, abs=1e-6)
    assert values["depth_photometric_error"] == 0
    assert values["depth_coverage"] == 1
    assert values["relative_sigma"] == pytest.approx(0.025)
    wrong = depth_values(wall(5.0, 1.0), wall(5.5, 0.0), Pool())
    assert wrong["depth_flicker"] == pytest.approx(0.5 / 5.5, rel=1e-5)
    assert "depth_flicker" not in depth_values(wall(5.0, 1.0, era=1), wall(5.0, 0.0), Pool())


def test_errors_of_depth_and_what_sigma_is_worth() -> None:
    pool, frame = Pool(), wall(4.0, 0.0, sigma=0.5)
    truth = np.full((H, W), 4.4, np.float32)
    truth[:5] = np.nan
    values = depth_errors(frame, truth, pool)
    assert values["abs_rel"] == pytest.approx(0.4 / 4.4, rel=1e-5)
    assert (values["delta_1"], values["truth_coverage"], values["sigma_within_1"]) == (1, 1, 1)
    relative = depth_errors(wall(4.0, 0.0, sigma=0.5, metric=False), truth, Pool())
    assert relative["abs_rel"] == pytest.approx(0, abs=1e-6)
    assert relative["depth_scale"] == pytest.approx(1.1)
    sigma = pool.calibration().sigma
    assert sigma is not None and sigma.share == [1.0]
    assert sigma.sigma == pytest.approx([0.125])
    assert sigma.error == pytest.approx([0.1], rel=1e-5)
    assert sigma.within == [1, 1, 1]


def test_pools_add_up() -> None:
    """Two bags measured apart and merged are one measured at once, also by way of a file."""
    frames = [flow_frame(3.0, on_second=True), flow_frame(3.0, on_second=True, confidence=0.4)]
    truth = frames[0].flow.copy()
    truth[:20] += 1
    depths = [wall(4.0, 0.0, 0.3), wall(5.0, 0.0, 0.1)]
    measured = np.full((H, W), 4.2, np.float32)
    whole, parts = Pool(), [Pool(), Pool()]
    for frame, depth, part in zip(frames, depths, parts, strict=True):
        for pool in (whole, part):
            flow_values(frame, None, pool)
            flow_errors(frame, truth, pool)
            depth_errors(depth, measured, pool)
    merged = Pool()
    for part in parts:
        merged.merge(from_plain(Pool, to_plain(part)))
    assert merged.calibration() == whole.calibration()
    assert merged.shown() == whole.shown()


def test_histograms_hold_every_pixel_and_their_edges_say_where() -> None:
    pool = Pool()
    pool.histogram("epe", np.array([0.0, 0.01, 0.5, 1e9, np.inf]))
    shown = pool.shown()["epe"]
    assert sum(shown.counts) == 5 and shown.counts[-1] == 2
    index = next(i for i, count in enumerate(shown.counts) if count == 1)
    assert shown.edges[index] <= 0.5 < shown.edges[index + 1]
    assert len(shown.edges) == BINS["epe"][2] + 1


def test_the_longest_track_is_scored_after_alignment() -> None:
    track, true = Track(), [np.eye(4) for _ in range(8)]
    for index, pose in enumerate(true):
        pose[:3, 3] = index, index * index / 4, 0.5 * (index % 2)
    for row, pose in enumerate(true):
        era = 0 if row < 2 else 1
        own = pose.copy()
        own[:3, 3] = 0.25 * pose[:3, 3] + [1, 2, 3]  # another unit and origin
        track.add(row, era, None if row == 7 else own, pose, metric=False)
    values, rows = track.score()
    assert values["ate"] == pytest.approx(0, abs=1e-9)
    assert values["trajectory_share"] == 5 / 8
    assert sorted(rows) == [2, 3, 4, 5, 6]
    assert Track().score() == ({}, {})
