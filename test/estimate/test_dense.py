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

"""A flow head inside the estimator."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from zeroco_ros.engine.backend import NonFiniteOutput
from zeroco_ros.errors import ConfigError, WeightsError
from zeroco_ros.estimate.config import FlowConfig
from zeroco_ros.estimate.dense import DenseHead
from zeroco_ros.estimate.flow import FlowEstimator
from zeroco_ros.heads.checkpoint import build_head, save_head
from zeroco_ros.heads.recurrent import RecurrentHead

TINY = {
    "widths": [8, 8, 8],
    "match": 8,
    "context": 8,
    "hidden": 8,
    "iterations": [1, 1],
    "radius": [2, 2],
}


@pytest.fixture(scope="module")
def head_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """
    Return a head that was never trained and adds nothing.

    Its flow is the coarse one, smoothed.
    """
    torch.manual_seed(0)
    head = build_head("recurrent", TINY)
    assert isinstance(head, RecurrentHead)
    for block in (head.eighth, head.quarter):  # gate closed: the window's own match is not taken
        torch.nn.init.constant_(block.leave.bias[2:], -20.0)
    path = tmp_path_factory.mktemp("head") / "tiny.safetensors"
    save_head(
        path, head, {"calibration": {"bias": 0.5, "certainty": 0.0, "cycle": 1.0, "lost": 9}}
    )
    return str(path)


def view(
    scene: np.ndarray, y: int = 0, x: int = 0, size: tuple[int, int] = (192, 256)
) -> np.ndarray:
    """Return a window of the scene; one further left shows everything further right."""
    top, left = 96 + y, 96 + x
    return np.ascontiguousarray(scene[top : top + size[0], left : left + size[1]])


def plain(head_file: str, **changes: Any) -> FlowConfig:
    config = FlowConfig(
        head=head_file, refine="none", max_side=256, readout="hard", register_fix=False
    )
    return dataclasses.replace(config, **changes)


def test_an_idle_head_keeps_the_coarse_flow_of_a_shift(patches, scene, head_file: str):
    image, shifted = view(scene), view(scene, x=-32)
    with_head = FlowEstimator.from_backend(patches, plain(head_file))
    result = with_head.estimate(image, shifted)
    assert result.flow.shape == (192, 256, 2) and result.flow.dtype == np.float32
    inner = result.flow[32:-32, 32:-80]
    np.testing.assert_allclose(inner, np.broadcast_to([32.0, 0.0], inner.shape), atol=0.5)
    good = result.confidence[48:-48, 48:-96]
    assert (good > 0.55).all() and (good < 0.63).all()  # sigmoid(0.5) where the way back is right


def test_a_head_at_reduced_size_returns_image_pixels(patches, scene, head_file: str):
    image, shifted = view(scene), view(scene, y=-32)
    config = plain(head_file, head_max_side=128)
    result = FlowEstimator.from_backend(patches, config).estimate(image, shifted)
    inner = result.flow[32:-80, 32:-32]
    np.testing.assert_allclose(inner, np.broadcast_to([0.0, 32.0], inner.shape), atol=0.7)


def test_both_images_swapped_turn_the_flow_around(patches, scene, head_file: str):
    image, shifted = view(scene), view(scene, x=-16)
    estimator = FlowEstimator.from_backend(patches, plain(head_file))
    there, back = estimator.estimate(image, shifted), estimator.estimate(shifted, image)
    np.testing.assert_allclose(there.flow[32:-32, 40:-60], -back.flow[32:-32, 40:-60], atol=0.6)


def test_images_of_two_sizes(patches, scene, head_file: str):
    target, source = view(scene), view(scene, 0, 0, (160, 208))
    config = plain(head_file)
    result = FlowEstimator.from_backend(patches, config).estimate(target, source)
    assert result.flow.shape == (192, 256, 2)
    assert result.confidence.shape == (192, 256)
    assert np.median(np.abs(result.flow[32:120, 32:150])) < 1.0


def test_the_stream_encodes_a_frame_once_for_the_head_too(
    patches, scene, head_file: str, monkeypatch: pytest.MonkeyPatch
):
    seen = []
    original = DenseHead.encode

    def counted(self: DenseHead, images: Any) -> Any:
        seen.append(len(images))
        return original(self, images)

    monkeypatch.setattr(DenseHead, "encode", counted)
    estimator = FlowEstimator.from_backend(patches, plain(head_file))
    frames = [view(scene, x=-16 * k) for k in range(4)]
    stream = estimator.stream()
    results = [stream.push(frame) for frame in frames]
    assert seen == [1, 1, 1, 1]
    alone = estimator.estimate(frames[1], frames[0])
    assert results[1] is not None
    np.testing.assert_allclose(results[1].flow, alone.flow, atol=1e-3)


def test_a_head_that_returns_nan_is_an_error_and_the_next_pair_is_fine(
    patches, scene, head_file: str
):
    estimator = FlowEstimator.from_backend(patches, plain(head_file))
    image = view(scene)
    frame = estimator.encode(image)
    assert frame.head is not None
    broken = tuple(
        dataclasses.replace(level, match=level.match * torch.nan) for level in frame.head.levels
    )
    bad = dataclasses.replace(frame, head=dataclasses.replace(frame.head, levels=broken))
    with pytest.raises(NonFiniteOutput, match="head"):
        estimator.match(bad, frame)
    assert np.isfinite(estimator.match(frame, frame).flow).all()


def test_frames_of_another_estimator_are_refused(patches, scene, head_file: str):
    backend = patches
    without = FlowEstimator.from_backend(backend, plain("none"))
    frame = without.encode(view(scene))
    with pytest.raises(ConfigError, match="without a head"):
        FlowEstimator.from_backend(backend, plain(head_file)).match(frame, frame)


@pytest.mark.parametrize("name", ["", 3, None])
def test_what_is_no_head_name(name: Any):
    with pytest.raises(ConfigError, match="head"):
        FlowConfig(head=name)


def test_a_missing_head_file_is_named(patches, tmp_path: Path):
    with pytest.raises(WeightsError, match=r"nothing\.safetensors"):
        FlowEstimator.from_backend(patches, plain(str(tmp_path / "nothing.safetensors")))


@pytest.mark.parametrize("size", [(16, 200), (200, 16), (17, 19)])
def test_small_and_thin_images(patches, scene, head_file: str, size: tuple[int, int]):
    image = view(scene, 0, 0, size)
    result = FlowEstimator.from_backend(patches, plain(head_file)).estimate(image, image)
    assert result.flow.shape == (*size, 2)
    assert np.isfinite(result.flow).all()


def test_a_source_of_another_scale(patches, scene, head_file: str):
    """The head sees target and source reduced by different factors."""
    target = view(scene)
    source = view(scene, y=-64, x=-64, size=(320, 384))  # the same part, 64 px further in
    config = plain(head_file, head_max_side=192, max_side=384)
    result = FlowEstimator.from_backend(patches, config).estimate(target, source)
    inner = result.flow[24:-24, 24:-24]
    np.testing.assert_allclose(inner, np.broadcast_to([64.0, 64.0], inner.shape), atol=1.5)
