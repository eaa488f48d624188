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

"""The depth head beside a running backbone: sizes, scale, intrinsics, given motion, refusals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from zeroco_ros.errors import ConfigError, WeightsError
from zeroco_ros.estimate.config import FlowConfig
from zeroco_ros.estimate.flow import FlowEstimator
from zeroco_ros.estimate.learned_depth import in_model, LearnedDepth, seen_motion
from zeroco_ros.estimate.results import FlowResult
from zeroco_ros.geometry.transforms import relative
from zeroco_ros.heads.checkpoint import build_head, save_head
from zeroco_ros.heads.depth_geometry import cell_centers, rays
from zeroco_ros.matching.flow import fit_letterbox
from zeroco_ros.training.sequences import world_sequence

TINY = {
    "tokens": 768,
    "beta": 0.005,
    "dim": 8,
    "guide": 4,
    "stem": 4,
    "widths": [8, 12, 16],
    "blocks": 1,
    "heads": 2,
}
SIZE = (120, 168)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a head that was never trained: half the logarithm of what was triangulated."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("depth") / "head.safetensors"
    save_head(path, build_head("depth", TINY), {"sigma_factor": 2.0})
    return path


@pytest.fixture(scope="module")
def views():
    """Two frames of a walk, the true flow between them, and the motion."""
    first, second = list(world_sequence("walk", 2, SIZE))
    motion = relative(second.c2w, first.c2w)
    y, x = np.indices(SIZE).astype(np.float64)
    rays = np.linalg.inv(first.K) @ np.stack([x, y, np.ones_like(x)]).reshape(3, -1)
    there = motion[:3, :3] @ rays * first.depth.reshape(-1) + motion[:3, 3:]
    pixels = first.K @ there
    flow = (pixels[:2] / pixels[2]).T.reshape(*SIZE, 2) - np.stack([x, y], -1)
    sure = np.full(SIZE, 0.97, np.float32)
    flow = flow.astype(np.float32)
    result = FlowResult(flow, sure, sure < 0, 0 * sure, flow[::16, ::16])
    return first, second, result, motion


def open_depth(patches, file: Path, max_side: int = 320) -> tuple[FlowEstimator, LearnedDepth]:
    config = FlowConfig(max_side=max_side, refine="none", register_fix=False, beta=0.005)
    estimator = FlowEstimator.from_backend(patches, config)
    return estimator, LearnedDepth(estimator.backend, file)


# 120x168 needs padding; 96 makes the network's input smaller than the image.
@pytest.mark.parametrize("max_side", [320, 96])
@pytest.mark.parametrize("given", [True, False])
def test_depth_follows_the_flow(patches, views, file: Path, max_side: int, given: bool) -> None:
    first, second, flow, motion = views
    estimator, learned = open_depth(patches, file, max_side)
    target, source = estimator.encode(first.image), estimator.encode(second.image)
    found = learned.predict(target, source, flow, first.K, motion=motion if given else None)
    assert found.inverse.shape == found.sigma.shape == SIZE and found.motion
    assert found.inverse.dtype == found.sigma.dtype == np.float32
    assert np.median(found.inverse) == pytest.approx(1.0, abs=1e-3)
    error = 2 * np.log(found.inverse) + np.log(first.depth)
    error = np.abs(error - np.median(error))
    assert np.median(error) < (0.03 if max_side == 320 else 0.06)
    np.testing.assert_allclose(found.sigma, 2 * 0.4, rtol=1e-3)  # times the file's factor


def test_a_frame_is_looked_at_once(patches, views, file: Path) -> None:
    first, second, flow, motion = views
    estimator, learned = open_depth(patches, file)
    frames = [estimator.encode(view.image) for view in (first, second)]
    kept = [learned.encode(frame) for frame in frames]
    found = learned.predict(kept[0], kept[1], flow, first.K, motion=motion)
    again = learned.predict(frames[0], frames[1], flow, first.K, motion=motion)
    np.testing.assert_array_equal(found.inverse, again.inverse)


def test_no_motion_still_answers(patches, views, file: Path) -> None:
    first, _, flow, _ = views
    estimator, learned = open_depth(patches, file)
    frame = estimator.encode(first.image)
    unsure = replace(flow, flow=0 * flow.flow, confidence=0 * flow.confidence)
    for motion in (None, np.eye(4)):
        found = learned.predict(frame, frame, unsure, first.K, motion=motion)
        assert not found.motion and np.isfinite(found.inverse).all() and (found.sigma > 0).all()


def test_a_turn_and_a_still_camera_show_no_motion() -> None:
    """What an essential matrix would make of them is arbitrary; the head has to know."""
    K = np.array([[150.0, 0, 79.5], [0, 150.0, 59.5], [0, 0, 1]])
    centers = cell_centers((30, 40))
    own = rays(centers, torch.from_numpy(K)[None].float())[0]
    angle = np.radians(6.0)
    turn = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
    rng = np.random.default_rng(0)
    sure = np.full((30, 40), 3.0, np.float32)
    for matrix, step, seen in ((np.eye(3), 0.0, False), (turn, 0.0, False), (turn, 0.3, True)):
        there = np.einsum("ij,jhw->ihw", matrix, own.numpy())
        depth = 2 + np.sin(np.arange(40) / 5.0)
        there[0] += step / depth
        pixels = np.einsum("ij,jhw->ihw", K, there / there[2:])[:2]
        flow = (pixels - centers.numpy()).transpose(1, 2, 0) + rng.normal(0, 0.1, (30, 40, 2))
        assert (seen_motion(flow.astype(np.float32), sure, K, K) is not None) == seen


def test_intrinsics_of_the_network_input() -> None:
    """A point projects to the same place by either way."""
    K = np.array([[500.0, 0, 320.2], [0, 505.0, 239.1], [0, 0, 1]])
    box = fit_letterbox((480, 640), max_side=320)
    ray = np.array([0.31, -0.22, 1.0])
    image, model = (K @ ray)[:2], (in_model(K, box) @ ray)[:2]
    np.testing.assert_allclose(box.to_model(image), model, atol=1e-4)


def test_refusals(patches, views, file: Path, tmp_path: Path) -> None:
    first, second, flow, _ = views
    estimator, learned = open_depth(patches, file)
    frame = estimator.encode(first.image)
    with pytest.raises(ConfigError, match="give the flow of these frames"):
        learned.predict(frame, frame, replace(flow, flow=flow.flow[:50]), first.K)
    with pytest.raises(WeightsError, match="does not exist"):
        LearnedDepth(estimator.backend, "nowhere")
    with pytest.raises(ConfigError, match="depth is needed"):
        LearnedDepth(estimator.backend, "flow_head")
    with pytest.raises(ConfigError, match="a flow head is needed"):
        FlowEstimator.from_backend(patches, FlowConfig(head=str(file)))
    other = tmp_path / "other.safetensors"
    save_head(other, build_head("depth", {**TINY, "tokens": 128}))
    foreign = LearnedDepth(estimator.backend, other)
    with pytest.raises(ConfigError, match="have 128 channels, these 768"):
        foreign.predict(frame, estimator.encode(second.image), flow, first.K)


def test_the_shipped_head_sees_depth_and_knows_when_it_cannot() -> None:
    """Two views of a room it was not trained on, flow and motion its own; then two equal views."""
    estimator = FlowEstimator("default", device="cpu", precision="fp32")
    learned = LearnedDepth(estimator.backend)
    frames = list(world_sequence("walk", 5, (240, 320)))
    target, source = (estimator.encode(frames[k].image) for k in (4, 1))
    found = learned.predict(target, source, estimator.match(target, source), frames[4].K)
    assert found.motion
    ratio = np.log(found.inverse * frames[4].depth)
    plane = np.log(frames[4].depth)
    error, guess = (float(np.abs(x - np.median(x)).mean()) for x in (ratio, plane))
    assert error < 0.5 * guess
    still = learned.predict(target, target, estimator.match(target, target), frames[4].K)
    assert not still.motion
    assert np.median(still.sigma) > 3 * np.median(found.sigma)
