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

"""The estimator around the network: geometry, sizes, streaming, input it must survive."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from zeroco_ros.croco.model import Encoding
from zeroco_ros.engine.backend import NonFiniteOutput
from zeroco_ros.errors import ConfigError, ImageError, WeightsError
from zeroco_ros.estimate.config import FlowConfig, PRESETS
from zeroco_ros.estimate.flow import FlowEstimator
from zeroco_ros.estimate.results import FlowResult

PLAIN = FlowConfig(max_side=640, readout="hard", refine="none", register_fix=False)
METADATA = {"matching": {"beta": 0.05, "register_fix": False}}


def estimator(backend: Any, config: FlowConfig = PLAIN, **changes: Any) -> FlowEstimator:
    config = dataclasses.replace(config, **changes)
    return FlowEstimator.from_backend(backend, config, metadata=METADATA)


def check(result: FlowResult, size: tuple[int, int]) -> None:
    """Check what every result owes, whatever was put in."""
    assert result.flow.shape == (*size, 2) and result.flow.dtype == np.float32
    assert result.confidence.shape == size and result.confidence.dtype == np.float32
    assert result.occluded.shape == size and result.occluded.dtype == np.bool_
    error = result.forward_backward_error
    assert error.shape == size and error.dtype == np.float32 and not np.isnan(error).any()
    assert np.isfinite(result.flow).all() and np.isfinite(result.coarse).all()
    assert result.confidence.min() >= 0 and result.confidence.max() <= 1
    assert result.coarse.ndim == 3 and result.coarse.dtype == np.float32


@pytest.mark.parametrize("readout", ["hard", "soft", "window"])
@pytest.mark.parametrize("correlation", ["cross_attention", "encoder", "decoder"])
def test_an_image_matches_itself(patches, scene, correlation: str, readout: str):
    result = estimator(patches, correlation=correlation, readout=readout, beta=1e-3).estimate(
        scene, scene
    )
    check(result, (480, 640))
    assert np.abs(result.flow).max() < 0.5
    assert not result.occluded.any() and result.confidence.min() > 0.9


@pytest.mark.parametrize("reciprocity", [True, False])
def test_a_shift_by_whole_tokens_is_exact(patches, scene, reciprocity: bool):
    """Target pixel (x, y) lies at (x + 48, y - 32) of the source."""
    target, source = scene[32:432, 48:544], scene[64:464, 0:496]
    result = estimator(patches, reciprocity=reciprocity, beta=0.02).estimate(target, source)
    check(result, (400, 496))
    inner = np.s_[64:-64, 64:-80]
    assert np.abs(result.flow[inner] - (48, -32)).max() < 1e-3
    assert result.forward_backward_error[inner].max() < 1e-3
    assert not result.occluded[inner].any()
    # The right edge of the target is not in the source: whatever it says, it must not look good.
    assert result.confidence[:, -24:].mean() < 0.1 < result.confidence[inner].min()


def test_swapping_the_images_swaps_the_direction(patches, scene):
    forward = estimator(patches).estimate(scene[:400, :480], scene[32:432, 16:496])
    backward = estimator(patches).estimate(scene[32:432, 16:496], scene[:400, :480])
    inner = np.s_[80:-80, 80:-80]
    np.testing.assert_allclose(forward.flow[inner], -backward.flow[inner], atol=1e-3)


def test_images_of_two_sizes(patches, scene):
    """The source is a larger crop: its pixels are the target's, 64 to the right, 32 down."""
    target, source = scene[96:352, 96:480], scene[64:464, 32:608]
    result = estimator(patches).estimate(target, source)
    check(result, (256, 384))
    assert np.abs(result.flow[20:-20, 20:-20] - (64, 32)).max() < 1e-3


@pytest.mark.parametrize("resize", ["letterbox", "stretch"])
def test_a_reduced_non_square_input(patches, scene, resize: str):
    """640x480 seen at 320x240: the match is good to a fraction of a token of 32 pixels."""
    target, source = scene[64:480], scene[:416]
    config = {"max_side": 320, "resize": resize, "readout": "window", "beta": 0.02}
    result = estimator(patches, **config).estimate(target, source)
    check(result, (416, 640))
    error = np.hypot(result.flow[..., 0], result.flow[..., 1] - 64)[:330]
    assert np.median(error) < 2 and (error < 8).mean() > 0.95


def test_explicit_size_with_padding(patches, scene):
    target, source = scene[:384, :384], scene[16:400, :384]
    result = estimator(patches, size=(384, 640)).estimate(target, source)
    check(result, (384, 384))
    assert result.coarse.shape == (24, 24, 2)
    assert np.abs(result.flow[40:-20, 20:-20] - (0, -16)).max() < 1e-3


def test_zoom_tiles_go_through_the_network_in_one_batch(patches, scene):
    result = estimator(patches, max_side=160, zoom=(2, 3)).estimate(scene, scene)
    check(result, (480, 640))
    assert np.abs(result.flow).max() < 1e-3
    assert patches.encoded == 2 + 2 * 2 * (4 + 9)  # two images, then pairs of tiles both ways
    assert patches.matched == 1 + 2 * (4 + 9)


def test_the_stream_equals_the_pair_and_encodes_each_frame_once(patches, scene):
    frames = [scene[:240, 16 * i : 320 + 16 * i] for i in range(4)]
    stream = estimator(patches).stream()
    results = [stream.push(frame, stamp=1000 + i) for i, frame in enumerate(frames)]
    assert results[0] is None
    assert patches.encoded == 4 and patches.matched == 3
    for i in (1, 2, 3):
        one = results[i]
        assert one is not None
        assert (one.reference_stamp, one.other_stamp) == (1000 + i, 999 + i)
        pair = estimator(patches).estimate(frames[i], frames[i - 1])
        np.testing.assert_array_equal(one.flow, pair.flow)
        np.testing.assert_array_equal(one.confidence, pair.confidence)


def test_a_stream_survives_a_bad_frame_a_new_size_and_a_reset(patches, scene):
    stream = estimator(patches).stream()
    assert stream.push(scene, 1) is None
    with pytest.raises(ImageError):
        stream.push(scene[:8, :8], 2)
    result = stream.push(scene[:300, :400], 3)
    assert result is not None and result.other_stamp == 1
    check(result, (300, 400))
    stream.reset()
    assert stream.push(scene, 4) is None


def test_encode_and_match_are_the_two_halves_of_estimate(patches, scene):
    one = estimator(patches)
    first, second = one.encode(scene[:400]), one.encode(scene[32:432])
    result = one.match(first, second)
    np.testing.assert_array_equal(result.flow, one.estimate(scene[:400], scene[32:432]).flow)


def test_the_same_input_gives_the_same_output(patches, scene):
    for name in PRESETS:
        one = estimator(patches, PRESETS[name])
        first, second = (one.estimate(scene[:240, :320], scene[7:247, 5:325]) for _ in range(2))
        np.testing.assert_array_equal(first.flow, second.flow)
        np.testing.assert_array_equal(first.confidence, second.confidence)


BLANKS = {
    "black": lambda scene: np.zeros_like(scene),
    "gray": lambda scene: np.full_like(scene, 128),
    "white": lambda scene: np.full_like(scene, 255),
    "overexposed": lambda scene: np.clip(scene.astype(int) + 254, 0, 255).astype(np.uint8),
    "dark noise": lambda scene: np.random.default_rng(0).integers(
        8, 12, scene.shape, dtype=np.uint8
    ),
}


@pytest.mark.parametrize("blank", BLANKS)
@pytest.mark.parametrize("name", PRESETS)
def test_nothing_to_see_means_no_confidence(patches, scene, name: str, blank: str):
    scene = scene[:240, :320]
    empty, one = BLANKS[blank](scene), estimator(patches, PRESETS[name])
    for target, source in ((empty, scene), (scene, empty), (empty, empty)):
        result = one.estimate(target, source)
        check(result, (240, 320))
        assert result.confidence.max() < 0.02
        assert result.occluded.mean() > 0.99


def test_gray_images_are_taken_as_they_are(patches, scene):
    gray = scene[:240, :320, 1]
    color = np.repeat(gray[..., None], 3, axis=2)
    one = estimator(patches)
    for image in (gray, gray[..., None]):
        np.testing.assert_array_equal(
            one.estimate(image, image).flow, one.estimate(color, color).flow
        )


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (np.zeros((3, 3, 3), np.uint8), "3x3 pixels: at least 16x16"),
        (np.zeros((0, 0, 3), np.uint8), "0x0 pixels"),
        (np.zeros((16, 40_000), np.uint8), "at most 32000"),
        (np.zeros((64, 64, 4), np.uint8), "(64, 64, 4)"),
        (np.zeros((64,), np.uint8), "(64,)"),
        (np.zeros((2, 64, 64, 3), np.uint8), "(2, 64, 64, 3)"),
        (np.zeros((64, 64, 3), np.float32), "float32"),
        (np.full((64, 64, 3), np.nan), "float64"),
        (np.zeros((64, 64), np.uint16), "uint16"),
        ([[0, 1], [2, 3]], "list"),
        (None, "NoneType"),
    ],
)
def test_images_that_are_none(patches, scene, image: Any, said: str):
    for pair in ((image, scene), (scene, image)):
        with pytest.raises(ImageError) as refused:
            estimator(patches).estimate(*pair)
        assert said in str(refused.value) and "\n" not in str(refused.value)
    assert patches.encoded == 0


def test_huge_images_are_refused_and_large_ones_bounded(patches):
    with pytest.raises(ImageError, match="max_pixels 20000"):
        estimator(patches, max_pixels=20_000).encode(np.zeros((200, 200, 3), np.uint8))
    frame = estimator(patches, max_side=320).encode(np.zeros((3000, 4000, 3), np.uint8))
    assert frame.encoding.tokens.shape[1] == 15 * 20


@pytest.mark.parametrize("size", [(16, 16), (16, 640), (480, 16), (17, 31), (33, 250)])
@pytest.mark.parametrize("name", PRESETS)
def test_small_and_thin_images(patches, scene, name: str, size: tuple[int, int]):
    image = np.ascontiguousarray(scene[: size[0], : size[1]])
    check(estimator(patches, PRESETS[name]).estimate(image, image), size)


def test_a_view_into_a_larger_array_is_fine(patches, scene):
    view = scene[::2, ::-2]
    result = estimator(patches).estimate(view, view.copy())
    assert np.abs(result.flow).max() < 1e-3


def test_nan_from_the_network_is_an_error_and_the_next_pair_is_fine(patches, scene):
    broken = True

    class Failing(type(patches)):
        def encode(self, images: torch.Tensor) -> Encoding:
            encoding = super().encode(images)
            if broken:
                encoding.tokens[0, 3, 5] = float("nan")
            return encoding

    one = estimator(Failing())
    with pytest.raises(NonFiniteOutput, match="NaN"):
        one.estimate(scene, scene)
    broken = False
    check(one.estimate(scene, scene), (480, 640))


def test_what_the_weights_say_is_used_where_the_options_are_open(patches):
    one = FlowEstimator.from_backend(patches, "default", metadata=METADATA)
    assert (one.beta, one.register_fix) == (0.05, False)
    text = FlowEstimator.from_backend(
        patches, "default", metadata={"matching": '{"beta": 0.5, "register_fix": true}'}
    )
    assert (text.beta, text.register_fix) == (0.5, True)
    official = FlowEstimator.from_backend(patches, "default")
    assert (official.beta, official.register_fix) == (None, True)
    told = FlowEstimator.from_backend(
        patches, FlowConfig(beta=0.7, register_fix=False), metadata=METADATA
    )
    assert (told.beta, told.register_fix) == (0.7, False)


@pytest.mark.parametrize("stored", ["{", '"text"', {"beta": -1}, {"beta": "warm"}, [1]])
def test_unreadable_metadata_is_named(patches, stored: Any):
    with pytest.raises(WeightsError, match="'matching' metadata"):
        FlowEstimator.from_backend(patches, "default", metadata={"matching": stored})


def test_wrong_names_are_refused():
    with pytest.raises(ConfigError, match="unknown preset 'fastest'"):
        FlowEstimator("fastest")
    with pytest.raises(WeightsError, match="nothing_here"):
        FlowEstimator("default", weights="nothing_here.safetensors")
