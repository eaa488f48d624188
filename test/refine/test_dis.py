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

"""Refinement by DIS from a coarse flow."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from zeroco_ros.refine import dis
from zeroco_ros.refine.dis import refine_flow, SETTINGS


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    """(480, 640) uint8: texture from 80 pixels down to 4."""
    rng = np.random.default_rng(3)
    image = np.zeros((480, 640), np.float32)
    for cells, weight in ((8, 0.4), (32, 0.35), (160, 0.25)):
        grid = rng.uniform(0, 255, (cells * 3 // 4, cells)).astype(np.float32)
        image += weight * cv2.resize(grid, (640, 480), interpolation=cv2.INTER_CUBIC)
    return np.clip(image, 0, 255).astype(np.uint8)


def moved(scene: np.ndarray, dx: float, dy: float) -> np.ndarray:
    """Return the source whose pixel (x + dx, y + dy) is the scene's (x, y)."""
    matrix = np.array([[1, 0, dx], [0, 1, dy]], np.float64)
    return cv2.warpAffine(scene, matrix, (640, 480), flags=cv2.INTER_CUBIC)


def constant(dx: float, dy: float) -> np.ndarray:
    return np.full((480, 640, 2), (dx, dy), np.float32)


def error(flow: np.ndarray, dx: float, dy: float) -> np.ndarray:
    """End-point error where the match is inside the source by a margin."""
    inner = flow[16 + max(0, int(-dy)) : 464 - max(0, int(dy))]
    inner = inner[:, 16 + max(0, int(-dx)) : 624 - max(0, int(dx))]
    return np.hypot(inner[..., 0] - dx, inner[..., 1] - dy)


def plain_dis(target: np.ndarray, source: np.ndarray, preset: str) -> np.ndarray:
    return cv2.DISOpticalFlow.create(SETTINGS[preset].kind).calc(target, source, None)


@pytest.mark.parametrize("preset", SETTINGS)
def test_small_motion_is_no_worse_than_plain_dis(scene, preset: str):
    """The start is as far off as a coarse flow of 32-pixel tokens is."""
    source = moved(scene, 2.3, -1.4)
    start = constant(2.3, -1.4)
    noise = np.random.default_rng(0).normal(0, 4, (15, 20, 2)).astype(np.float32)
    start += cv2.resize(noise, (640, 480))
    ours = error(refine_flow(scene, source, start, preset), 2.3, -1.4)
    plain = error(plain_dis(scene, source, preset), 2.3, -1.4)
    assert ours.mean() <= plain.mean() * 1.05 + 0.03
    assert np.median(ours) < 0.25


@pytest.mark.parametrize("preset", SETTINGS)
def test_large_motion_is_carried_by_the_start(scene, preset: str):
    source = moved(scene, 150.4, -60.7)
    ours = error(refine_flow(scene, source, constant(148, -64), preset), 150.4, -60.7)
    plain = error(plain_dis(scene, source, preset), 150.4, -60.7)
    assert np.median(ours) < 0.25
    assert np.median(plain) > 50


@pytest.mark.parametrize("preset", SETTINGS)
def test_a_wrong_start_here_and_there_does_not_destroy(scene, preset: str):
    source = moved(scene, 20.5, 10.2)
    start = constant(20.5, 10.2)
    rng = np.random.default_rng(1)
    for _ in range(12):
        y, x = rng.integers(0, 440), rng.integers(0, 600)
        start[y : y + 40, x : x + 40] += rng.uniform(-200, 200, 2)
    ours = error(refine_flow(scene, source, start, preset), 20.5, 10.2)
    assert (ours < 1).mean() > 0.97


def test_images_of_two_sizes(scene):
    """The source shows more to the right and below, at the same scale."""
    target, source = scene[:300, :400], moved(scene, 7.4, 3.3)
    flow = refine_flow(target, source, np.full((300, 400, 2), (8, 4), np.float32))
    assert flow.shape == (300, 400, 2)
    inner = flow[16:-16, 16:-16] - (7.4, 3.3)
    assert np.median(np.hypot(inner[..., 0], inner[..., 1])) < 0.25
    back = refine_flow(source, target, np.full((480, 640, 2), (-8, -4), np.float32))
    inner = back[24:280, 32:380] + (7.4, 3.3)
    assert np.median(np.hypot(inner[..., 0], inner[..., 1])) < 0.25


def test_large_images_are_reduced_first(scene):
    large, size = cv2.resize(scene, (1600, 1200)), SETTINGS["fast"].max_side
    assert size < 1600
    matrix = np.array([[1, 0, 12.0], [0, 1, -6]], np.float64)
    source = cv2.warpAffine(large, matrix, (1600, 1200), flags=cv2.INTER_CUBIC)
    flow = refine_flow(large, source, np.zeros((1200, 1600, 2), np.float32), "fast")
    inner = flow[40:-40, 40:-40] - (12, -6)
    assert flow.shape == (1200, 1600, 2) and flow.dtype == np.float32
    assert np.median(np.hypot(inner[..., 0], inner[..., 1])) < 0.5


@pytest.mark.parametrize("preset", SETTINGS)
@pytest.mark.parametrize("level", [0, 90, 255])
def test_without_texture_the_result_is_finite_and_stays(preset: str, level: int):
    image = np.full((120, 160), level, np.uint8)
    start = np.full((120, 160, 2), (5, -3), np.float32)
    flow = refine_flow(image, image, start, preset)
    assert np.isfinite(flow).all() and np.abs(flow).max() <= 5 + 1e-3


def test_nonsense_in_the_start_does_not_come_out(scene):
    start = constant(1e30, -1e30)
    start[:100] = np.nan
    start[100:200] = np.inf
    flow = refine_flow(scene, scene, start)
    assert np.isfinite(flow).all()
    assert np.abs(flow[..., 0]).max() <= 2 * 640 and np.abs(flow[..., 1]).max() <= 2 * 480


@pytest.mark.parametrize("preset", SETTINGS)
@pytest.mark.parametrize("size", [(1, 1), (2, 30), (8, 8), (11, 200), (16, 640), (3000, 9)])
def test_small_and_thin_images(size: tuple[int, int], preset: str):
    """When given as they are, most of these end the process in OpenCV."""
    image = np.random.default_rng(0).integers(0, 255, size).astype(np.uint8)
    start = np.full((*size, 2), 1.5, np.float32)
    flow = refine_flow(image, image, start, preset)
    assert flow.shape == (*size, 2) and np.isfinite(flow).all()


def test_a_small_image_leaves_no_trace(scene):
    source = moved(scene, 9, 4)
    before = refine_flow(scene, source, constant(8, 8))
    small = np.ascontiguousarray(scene[:20, :20])
    refine_flow(small, small, np.zeros((20, 20, 2), np.float32))
    np.testing.assert_array_equal(refine_flow(scene, source, constant(8, 8)), before)


def test_the_start_is_not_changed_and_the_result_repeats(scene):
    source, start = moved(scene, 9, 4), constant(8, 8)
    first = refine_flow(scene, source, start)
    refine_flow(source, scene, constant(-50, 3))  # the solver keeps buffers, not results
    np.testing.assert_array_equal(refine_flow(scene, source, start), first)
    np.testing.assert_array_equal(start, constant(8, 8))


def test_a_start_that_is_nearly_right_needs_no_competitor(monkeypatch: pytest.MonkeyPatch) -> None:
    """beside=False runs DIS once, from the start."""
    calls = []
    original = dis._solver

    def counted(settings: dis.DisSettings, started: bool, thread: int) -> object:
        calls.append(started)
        return original(settings, started, thread)

    monkeypatch.setattr(dis, "_solver", counted)
    image = np.random.default_rng(3).integers(0, 255, (120, 160), dtype=np.uint8)
    still = np.zeros((120, 160, 2), np.float32)
    dis.refine_flow(image, image, still, "default", beside=False)
    assert calls == [True]
    calls.clear()
    dis.refine_flow(image, image, still, "default")
    assert sorted(calls) == [False, True]
