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

"""Panels of a frame for people: what was seen, what came out, how wrong it is."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from zeroco_ros.evaluation.metrics import end_point_error
from zeroco_ros.media.atomic import atomic_write
from zeroco_ros.media.depth_color import DepthRange
from zeroco_ros.media.depth_panels import depth_panel, sigma_panel
from zeroco_ros.media.images import RGB
from zeroco_ros.media.panels import (
    confidence_panel,
    flow_panel,
    put_text,
    side_by_side,
    text_scale,
)
from zeroco_ros.replay.depth_values import DepthFrame
from zeroco_ros.replay.flow_values import FlowFrame

Float = npt.NDArray[np.floating]

WIDTH = 480  # pixels of a panel: readable on a telephone, two beside each other
COMPRESSION = 3
UNKNOWN = 90  # gray of what is not known
Panel = tuple[str, RGB]


def flow_picture(frame: FlowFrame, truth: Float | None) -> tuple[RGB, str]:
    """Return picture, flow, confidence and error, or way back, of a pair, two by two; caption."""
    seen = frame.second if frame.on_second else frame.first
    if truth is None or truth.shape != frame.flow.shape:
        error, name = frame.result.forward_backward_error, "forward-backward error"
    else:
        error, name = end_point_error(frame.flow, truth), "end-point error"
    panels = [
        ("image", as_rgb(seen)),
        ("flow", flow_panel(frame.flow)),
        ("confidence", confidence_panel(frame.result.confidence)),
        (name, error_panel(error, 0.1, 30.0, "px")),
    ]
    return _grid(panels), f"image, flow, confidence, {name}"


def depth_picture(frame: DepthFrame, truth: Float | None) -> tuple[RGB, str]:
    """Return picture, depth, sigma and, with truth, the relative error, two by two; caption."""
    shown = _range(frame)
    panels = [
        ("image", as_rgb(frame.gray)),
        ("depth" if frame.metric else "depth, scale unknown", depth_panel(frame.depth, shown)),
        ("standard deviation", sigma_panel(frame.depth, frame.sigma)),
    ]
    if truth is not None and truth.shape == frame.depth.shape:
        both = np.isfinite(truth) & np.isfinite(frame.depth)
        scale = 1.0
        if not frame.metric and both.any():
            scale = float(np.median(truth[both]) / np.median(frame.depth[both]))
        error = np.abs(scale * frame.depth - truth) / truth
        panels.append(("relative error", error_panel(error, 0.01, 1.0, "of the truth")))
    return _grid(panels), ", ".join(name for name, _ in panels)


def error_panel(error: Float, low: float, high: float, unit: str) -> RGB:
    """Color (H, W) errors from blue to red by ratios; unknown ones are gray, inf is the worst."""
    known = ~np.isnan(error)
    value = np.clip(np.where(known, error, low), low, high)
    level = np.log(value / low) / np.log(high / low)
    bgr = cv2.applyColorMap(np.round(255 * level).astype(np.uint8), cv2.COLORMAP_TURBO)
    picture = np.where(known[..., None], bgr[..., ::-1], UNKNOWN).astype(np.uint8)
    text = f"blue {low:g}, red {high:g} {unit}"
    put_text(picture, text, (6, picture.shape[0] - 8), text_scale(picture))
    return picture


def write_picture(path: Path, picture: RGB) -> None:
    """Write a PNG, atomically; much faster than `media.images.write_image`, and larger."""
    setting = [cv2.IMWRITE_PNG_COMPRESSION, COMPRESSION]
    _, data = cv2.imencode(".png", np.ascontiguousarray(picture[..., ::-1]), setting)
    with atomic_write(path) as handle:
        handle.write(data.tobytes())


def as_rgb(gray: npt.NDArray[np.uint8]) -> RGB:
    """Return (H, W) gray as (H, W, 3)."""
    return np.repeat(gray[..., None], 3, axis=2)


def _grid(panels: list[Panel]) -> RGB:
    return side_by_side([(name, _resized(panel)) for name, panel in panels], columns=2)


def _resized(panel: RGB) -> RGB:
    height = max(1, round(panel.shape[0] * WIDTH / panel.shape[1]))
    mode = cv2.INTER_AREA if panel.shape[1] > WIDTH else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(panel, (WIDTH, height), interpolation=mode), np.uint8)


def _range(frame: DepthFrame) -> DepthRange:
    known = frame.depth[np.isfinite(frame.depth) & (frame.depth > 0)]
    if not known.size:
        return DepthRange(0.5, 2.0, frame.metric)
    near, far = (float(x) for x in np.percentile(known, [2, 98]))
    return DepthRange(near, max(far, 1.01 * near), frame.metric)
