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

from __future__ import annotations

import numpy as np
import pytest

from zeroco_ros.evaluation.perturb import (
    expose,
    jpeg,
    motion_blur,
    noise,
    PERTURBATIONS,
    rescale,
    rotate,
)
from zeroco_ros.evaluation.protocols import FlowPair
from zeroco_ros.media.panels import warped

HEIGHT, WIDTH = 90, 120


def _smooth(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    channels = [np.sin(x / 7 + k) + np.sin(y / 9 + k / 2) + np.sin((x + y) / 11) for k in range(3)]
    return np.clip(128 + 40 * np.stack(channels, axis=-1), 0, 255).astype(np.uint8)


@pytest.fixture
def pair() -> FlowPair:
    """Return a smooth picture moved by (4, -3); the left eighth is not scored."""
    whole = _smooth(HEIGHT + 20, WIDTH + 20)
    target, source = whole[10:-10, 10:-10], whole[13:-7, 6:-14]
    flow = np.tile(np.float32([4, -3]), (HEIGHT, WIDTH, 1))
    valid = np.ones((HEIGHT, WIDTH), dtype=bool)
    valid[:, : WIDTH // 8] = False
    valid[:3] = False
    valid[:, -4:] = False
    return FlowPair("moved", target, source, flow, valid)


def _mismatch(pair: FlowPair) -> float:
    """Largest gray difference after the ground truth's warp, away from the mask's border."""
    seen = warped(pair.source, pair.flow).astype(int)
    inside = pair.valid.copy()
    for axis in (0, 1):
        for shift in (-2, 2):
            inside &= np.roll(pair.valid, shift, axis)
    return float(np.abs(seen - pair.target)[inside].max())


@pytest.mark.parametrize("degrees", PERTURBATIONS["rotation"].levels)
def test_truth_turns_with_the_image(pair: FlowPair, degrees: float) -> None:
    turned = PERTURBATIONS["rotation"].apply(pair, degrees)
    assert turned.source.shape == pair.source.shape and not (turned.valid & ~pair.valid).any()
    assert turned.valid.sum() > 0.5 * pair.valid.sum()
    assert _mismatch(turned) <= 6
    x, y = np.arange(WIDTH) + turned.flow[..., 0], np.arange(HEIGHT)[:, None] + turned.flow[..., 1]
    assert (x[turned.valid] >= 0).all() and (y[turned.valid] <= HEIGHT - 1).all()


@pytest.mark.parametrize("factor", PERTURBATIONS["scale"].levels)
def test_truth_grows_with_the_image(pair: FlowPair, factor: float) -> None:
    scaled = PERTURBATIONS["scale"].apply(pair, factor)
    assert _mismatch(scaled) <= (10 if factor < 1 else 6)  # reduced detail is not all there
    inner = scaled.valid.sum() / pair.valid.sum()
    assert inner == 1 if factor <= 1 else 0.9 / factor**2 < inner < 1


def test_right_angles_are_exact(pair: FlowPair) -> None:
    half = rotate(pair, 180)
    assert np.array_equal(half.source, pair.source[::-1, ::-1])
    quarter = rotate(pair, 90)
    square = pair.source[:, (WIDTH - HEIGHT) // 2 : (WIDTH + HEIGHT) // 2]
    turned = quarter.source[:, (WIDTH - HEIGHT) // 2 : (WIDTH + HEIGHT) // 2]
    assert np.array_equal(turned, np.rot90(square, -1))  # clockwise as seen
    assert not quarter.source[:, : (WIDTH - HEIGHT) // 2].any()


def test_a_smaller_image_is_filtered_first() -> None:
    """A checkerboard of single pixels is gray at half its size, not a new pattern."""
    board = 255 * ((np.indices((64, 64)).sum(axis=0) % 2) == 0).astype(np.uint8)
    image = np.repeat(board[..., None], 3, axis=2)
    flow = np.zeros((64, 64, 2), np.float32)
    small = rescale(FlowPair("board", image, image, flow, np.ones((64, 64), bool)), 0.5)
    assert np.ptp(small.source[20:44, 20:44].astype(int)) < 40


@pytest.mark.parametrize("name", [n for n in PERTURBATIONS if n not in ("rotation", "scale")])
def test_pictures_change_more_and_more_and_truth_stays(pair: FlowPair, name: str) -> None:
    kind = PERTURBATIONS[name]
    assert kind.none in kind.levels and kind.apply(pair, kind.none) is pair
    weak, strong = sorted(kind.levels, key=lambda level: abs(level - kind.none))[1::2][:2]
    changed = [kind.apply(pair, level) for level in (weak, strong)]
    for one in changed:
        assert one.flow is pair.flow and one.valid is pair.valid
        assert one.source.dtype == np.uint8 and one.source.shape == pair.source.shape
        assert np.array_equal(kind.apply(pair, weak).source, changed[0].source)
    differences = [np.abs(one.source.astype(int) - pair.source).mean() for one in changed]
    assert 0 < differences[0] <= differences[1]


def test_exposure_is_a_gain_on_light() -> None:
    gray = np.full((4, 4, 3), 100, np.uint8)
    assert (expose(gray, 1) == round(100 * 2 ** (1 / 2.2))).all()
    assert (expose(gray, -3) == round(100 * 2 ** (-3 / 2.2))).all()
    assert (expose(gray, 4) == 255).all() and (expose(0 * gray, 3) == 0).all()


def test_motion_blur_is_centered_and_horizontal() -> None:
    dot = np.zeros((9, 41, 3), np.uint8)
    dot[4, 20] = 255
    rows, columns = np.nonzero(motion_blur(dot, 17)[..., 0])
    assert set(rows) == {4} and (columns.min(), columns.max()) == (12, 28)


def test_noise_and_jpeg_have_the_strength_they_say() -> None:
    gray = np.full((200, 200, 3), 128, np.uint8)
    assert noise(gray, 10).std() == pytest.approx(10, rel=0.05)
    image = _smooth(64, 64)
    errors = [np.abs(jpeg(image, q).astype(int) - image).mean() for q in (95, 20, 5)]
    assert errors[0] < errors[1] < errors[2] and errors[0] < 2
