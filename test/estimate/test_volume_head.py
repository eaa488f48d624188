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

"""Heads on the backbone's volume inside the estimator."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from zeroco_ros.errors import ConfigError
from zeroco_ros.estimate.config import FlowConfig
from zeroco_ros.estimate.flow import FlowEstimator
from zeroco_ros.heads.checkpoint import build_head, save_head

BETA = 0.005  # of the patches' cosines: only the right one counts
TINY: dict[str, dict[str, Any]] = {
    "aggregation": {"tokens": 768, "beta": BETA, "dim": 8, "heads": 2, "guide": 4, "fine": 4},
    "super_resolution": {
        "tokens": 768,
        "image": 4,
        "radius": 1,
        "refinement": {"dim": 8, "heads": 2, "hidden": 4, "reduction": 4},
    },
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Heads that were never trained: their flow is the coarse one, interpolated."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("heads")
    for kind, values in TINY.items():
        save_head(folder / f"{kind}.safetensors", build_head(kind, values))
    return {kind: str(folder / f"{kind}.safetensors") for kind in TINY}


def config_of(file: str, **changes: Any) -> FlowConfig:
    config = FlowConfig(head=file, refine="none", max_side=256, register_fix=False, beta=BETA)
    return dataclasses.replace(config, **changes)


def view(scene: np.ndarray, size: tuple[int, int], x: int = 0) -> np.ndarray:
    """Return a window of the scene; one further left shows everything further right."""
    return np.ascontiguousarray(scene[96 : 96 + size[0], 96 + x : 96 + x + size[1]])


# 192x256 fills the network's input; 168x232 leaves padding, half a token of it seen.
@pytest.mark.parametrize("size", [(192, 256), (168, 232)])
@pytest.mark.parametrize("kind", TINY)
def test_an_untrained_head_finds_a_shift(
    kind: str, size: tuple[int, int], patches, scene, files: dict[str, str]
):
    image, shifted = view(scene, size), view(scene, size, -32)
    estimator = FlowEstimator.from_backend(patches, config_of(files[kind]))
    result = estimator.estimate(image, shifted)
    assert result.flow.shape == (*size, 2) and result.flow.dtype == np.float32
    inner = result.flow[32:-32, 32:-96]
    np.testing.assert_allclose(inner, np.broadcast_to([32.0, 0.0], inner.shape), atol=0.2)
    assert (result.confidence[32:-32, 32:-96] > 0.5).all()
    assert patches.matched == 1  # head and coarse match share the decoder's work


@pytest.mark.parametrize("kind", TINY)
def test_images_of_different_size(kind: str, patches, scene, files: dict[str, str]):
    image, shifted = view(scene, (128, 160)), view(scene, (192, 256), -32)
    config = config_of(files[kind], max_side=320)
    result = FlowEstimator.from_backend(patches, config).estimate(image, shifted)
    inner = result.flow[32:-32, 32:-32]
    np.testing.assert_allclose(inner, np.broadcast_to([32.0, 0.0], inner.shape), atol=0.2)


@pytest.mark.parametrize("kind", TINY)
def test_a_reduced_input_returns_image_pixels(kind: str, patches, scene, files: dict[str, str]):
    image, shifted = view(scene, (192, 256)), view(scene, (192, 256), -32)
    config = config_of(files[kind], max_side=128)
    result = FlowEstimator.from_backend(patches, config).estimate(image, shifted)
    inner = result.flow[48:-48, 48:-112]
    np.testing.assert_allclose(inner, np.broadcast_to([32.0, 0.0], inner.shape), atol=0.2)


@pytest.mark.parametrize("kind", TINY)
def test_a_stream_encodes_each_frame_once(kind: str, patches, scene, files: dict[str, str]):
    stream = FlowEstimator.from_backend(patches, config_of(files[kind])).stream()
    frames = [view(scene, (96, 128), x) for x in (0, 16, 32)]
    results = [stream.push(frame) for frame in frames]
    assert patches.encoded == 3
    assert results[2] is not None and np.isfinite(results[2].flow).all()


def test_configurations_without_its_volume_are_refused(patches, files: dict[str, str]):
    for changes in ({"correlation": "encoder"}, {"zoom": (2,)}):
        config = config_of(files["aggregation"], **changes)
        with pytest.raises(ConfigError, match="only with correlation cross_attention"):
            FlowEstimator.from_backend(patches, config)


def test_a_head_of_another_backbone_is_refused(patches, scene, tmp_path: Path):
    file = tmp_path / "head.safetensors"
    save_head(file, build_head("aggregation", {**TINY["aggregation"], "tokens": 128}))
    estimator = FlowEstimator.from_backend(patches, config_of(str(file)))
    image = view(scene, (96, 128))
    with pytest.raises(ConfigError, match="have 128 channels, these 768"):
        estimator.estimate(image, image)


def test_the_temperature_has_to_be_known(patches, scene, files: dict[str, str]):
    estimator = FlowEstimator.from_backend(patches, config_of(files["aggregation"], beta=None))
    image = view(scene, (96, 128))
    with pytest.raises(ConfigError, match="set beta"):
        estimator.estimate(image, image)


def test_frames_of_another_estimator_are_refused(patches, scene, files: dict[str, str]):
    image = view(scene, (96, 128))
    frame = FlowEstimator.from_backend(patches, config_of("none")).encode(image)
    estimator = FlowEstimator.from_backend(patches, config_of(files["aggregation"]))
    with pytest.raises(ConfigError, match="encode it anew"):
        estimator.match(frame, estimator.encode(image))
