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

"""
Sub-pixel flow at full resolution: OpenCV's DIS, started from the coarse flow.

DIS: Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016. At every pyramid
level OpenCV's patches try the given flow beside what the coarser level found and keep what fits
the pixels better: a wrong start costs little, a right one carries motions that DIS alone misses.
Where motion is small, DIS alone can still be the better one: the thorough efforts run both and
keep per pixel what explains the neighborhood better.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
import threading
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

# Below it OpenCV changes its own settings for good, or crashes: thin images are extended to it.
LEAST_SIDE = 96
# DIS alone is believed only this near to the start (share of the longer side, two tokens at the
# default's input size): further away it fits by chance more often than by right.
REACH = 0.1
# Side of the neighborhood in which two candidates are compared, in pixels.
NEIGHBORHOOD = 65

ByteArray = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class DisSettings:
    """
    Settings of DIS.

    kind: OpenCV's preset. max_side: larger images are reduced first. both: run DIS without the
    start too and keep the better one per pixel.
    """

    kind: int
    max_side: int
    both: bool


SETTINGS: dict[str, DisSettings] = {
    "fast": DisSettings(cv2.DISOPTICAL_FLOW_PRESET_FAST, 640, both=False),
    "default": DisSettings(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM, 1280, both=True),
    "accurate": DisSettings(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM, 2560, both=True),
}


def refine_flow(
    target: ByteArray,
    source: ByteArray,
    flow: FloatArray,
    preset: str = "default",
    *,
    beside: bool = True,
) -> FloatArray:
    """
    Refine flow (H, W, 2) of target (H, W) to source (Hs, Ws), both uint8 gray: (H, W, 2).

    preset: "fast", "default" or "accurate". beside: let DIS alone compete where the preset does; a
    start that is right to a pixel or two has no use for it. Always finite, and no vector reaches
    further than one image size outside of the source; a pixel where DIS fails keeps its flow.
    """
    settings = SETTINGS[preset]
    if not beside:
        settings = replace(settings, both=False)
    height, width = target.shape
    rows, columns = max(height, source.shape[0]), max(width, source.shape[1])
    scale = min(1.0, settings.max_side / max(rows, columns))
    size = max(1, round(columns * scale)), max(1, round(rows * scale))
    ratio = np.array([size[0] / columns, size[1] / rows], dtype=np.float32)
    limit = np.array([2 * columns, 2 * rows], dtype=np.float32)
    flow = np.clip(np.nan_to_num(flow), -limit, limit)
    start = _reduce(_extend(flow, rows, columns), size) * ratio
    first, second = (_reduce(_extend(image, rows, columns), size) for image in (target, source))
    refined = _run(first, second, start, settings)
    whole = refined if size == (columns, rows) else _enlarge(refined / ratio, columns, rows)
    whole = whole[:height, :width]
    good = (np.abs(whole) <= limit).all(axis=2, keepdims=True)
    return np.where(good, whole, flow)


def dis_flow(target: ByteArray, source: ByteArray) -> FloatArray:
    """
    DIS alone, medium preset at full resolution, of target (H, W) to source (Hs, Ws): (H, W, 2).

    Both uint8 gray. What `refine_flow` is compared with: it starts from no motion.
    """
    rows = max(target.shape[0], source.shape[0], LEAST_SIDE)
    columns = max(target.shape[1], source.shape[1], LEAST_SIDE)
    first, second = _extend(target, rows, columns), _extend(source, rows, columns)
    solver = _solver(SETTINGS["accurate"], False, threading.get_ident())
    flow = solver.calc(first, second, None)[: target.shape[0], : target.shape[1]]
    return np.array(flow, dtype=np.float32)


def _run(
    target: ByteArray, source: ByteArray, start: FloatArray, settings: DisSettings
) -> FloatArray:
    """DIS on two images of one size, from `start`, beside DIS alone if the settings say so."""
    height, width = target.shape
    rows, columns = max(height, LEAST_SIDE), max(width, LEAST_SIDE)
    first, second = _extend(target, rows, columns), _extend(source, rows, columns)
    begin = np.array(_extend(start, rows, columns), dtype=np.float32)
    refined = _solver(settings, True, threading.get_ident()).calc(first, second, begin.copy())
    if settings.both:
        alone = _solver(settings, False, threading.get_ident()).calc(first, second, None)
        refined = _better(first, second, refined, alone, begin)
    return np.asarray(refined[:height, :width], dtype=np.float32)


def _better(
    target: ByteArray, source: ByteArray, led: FloatArray, alone: FloatArray, start: FloatArray
) -> FloatArray:
    """Per pixel `alone` where it is near the start and fits its surroundings better, or `led`."""
    distance = np.hypot(alone[..., 0] - start[..., 0], alone[..., 1] - start[..., 1])
    near = distance < REACH * max(target.shape)
    if not near.any():
        return led
    fits = _misfit(target, source, alone) < _misfit(target, source, led)
    return np.where((near & fits)[..., None], alone, led)


def _misfit(target: ByteArray, source: ByteArray, flow: FloatArray) -> FloatArray:
    """
    Variance of the brightness difference around each pixel, (H, W); inf outside the source.

    A variance, so that an exposure that changed between the images does not count.
    """
    height, width = target.shape
    x = flow[..., 0] + np.arange(width, dtype=np.float32)
    y = flow[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    there = cv2.remap(source, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    difference = target.astype(np.float32) - there.astype(np.float32)
    side = (NEIGHBORHOOD, NEIGHBORHOOD)
    mean = cv2.blur(difference, side)
    variance = cv2.blur(difference * difference, side) - mean * mean
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    return np.where(inside, variance, np.float32(np.inf))


def _extend(image: Any, rows: int, columns: int) -> Any:
    """Two images of different size get one canvas, which DIS needs; positions stay."""
    below, right = rows - image.shape[0], columns - image.shape[1]
    if not below and not right:
        return np.ascontiguousarray(image)
    return cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_REPLICATE)


def _reduce(image: Any, size: tuple[int, int]) -> Any:
    if (image.shape[1], image.shape[0]) == size:
        return image
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _enlarge(flow: FloatArray, columns: int, rows: int) -> FloatArray:
    return np.asarray(cv2.resize(flow, (columns, rows)), dtype=np.float32)


@lru_cache(maxsize=16)
def _solver(settings: DisSettings, started: bool, thread: int) -> Any:
    """
    Return OpenCV's object, which keeps its buffers from one call to the next.

    Calls with and without a start get objects of their own (OpenCV 5 crashes where one object
    serves both and the size changes), and so does each thread.
    """
    return cv2.DISOpticalFlow.create(settings.kind)
