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

"""Pictures of the recorded depth: some frames large, all of them as an animation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from zeroco_ros.bag.reader import BagReader
from zeroco_ros.demo.nodes import DEPTH
from zeroco_ros.demo.pictures import ANIMATED, answers, count_answers, PANEL_WIDTH, STILLS
from zeroco_ros.demo.scoring import ByStamp, Frames
from zeroco_ros.evaluation.bag_camera import CameraSource
from zeroco_ros.evaluation.bag_truth import meters
from zeroco_ros.media.animation import write_animation
from zeroco_ros.media.depth_color import DepthRange, typical_range
from zeroco_ros.media.depth_panels import depth_panel, depth_row
from zeroco_ros.media.images import write_image
from zeroco_ros.media.panels import side_by_side
from zeroco_ros.sequence.bag import BagSequence
from zeroco_ros.sequence.open import open_camera

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
_SAMPLED = 12  # depth maps that decide on the scale of the colors


@dataclass(frozen=True)
class DepthOutcome:
    """One frame, rectified, with what the node said about it, and the truth where it is known."""

    stamp_ns: int
    frame: Pixels
    depth: Floats
    sigma: Floats
    truth: Floats | None


def depth_outcomes(
    output: Path, camera: CameraSource, truth: str | None
) -> Iterator[DepthOutcome]:
    """Every frame that has both depth and sigma, in order. truth: a depth topic of the bag."""
    with ExitStack() as stack:
        reader = stack.enter_context(BagReader(output))
        recorded = stack.enter_context(BagSequence(camera.bag, camera.topic))
        model, _ = open_camera(recorded, None, (camera.width, camera.height))
        frames = Frames(recorded.reader, camera.topic)
        truths = None if truth is None else ByStamp(recorded.reader, truth, meters)
        for stamp, depth, sigma in answers(reader, DEPTH):
            _, frame = frames.pair(stamp)
            if frame is not None:
                rectified = np.asarray(model.rectify(frame), np.uint8)
                known = None if truths is None else truths.at(stamp)
                yield DepthOutcome(stamp, rectified, depth, sigma, known)


def draw_depth(
    output: Path,
    camera: CameraSource,
    folder: Path,
    *,
    metric: bool,
    truth: str | None = None,
    progress: bool = True,
) -> list[Path]:
    """
    Write depth_N.png and depth.gif into a folder; the paths written.

    output: the recorded bag; truth: topic of the camera's bag that gets a panel of its own.
    """
    count = count_answers(output, DEPTH)
    if count == 0:
        return []
    shown = depth_range(output, count, metric)
    stills = set(np.linspace(0, count - 1, min(STILLS, count)).round().astype(int).tolist())
    every = max(1, -(-count // ANIMATED))
    written: list[Path] = []
    animation: list[Pixels] = []
    hidden = None if progress else True  # None: no bar where stderr is no terminal
    found = depth_outcomes(output, camera, truth)
    for index, outcome in enumerate(
        tqdm(found, total=count, desc="drawing", unit="frame", disable=hidden)
    ):
        if index in stills:
            path = folder / f"depth_{index:03d}.png"
            write_image(path, depth_panels(outcome, shown))
            written.append(path)
        if index % every == 0:
            animation.append(depth_panels(_smaller(outcome), shown))
    if not animation:
        return written
    path = folder / "depth.gif"
    fps = min(12.0, 1 / camera.period)
    write_animation(path, animation, fps=fps, max_width=animation[0].shape[1])
    return [*written, path]


def depth_panels(outcome: DepthOutcome, shown: DepthRange) -> Pixels:
    """Frame, depth, sigma and, where it is known, the truth side by side."""
    panels = depth_row(outcome.frame, outcome.depth, outcome.sigma, shown)
    if outcome.truth is not None and shown.metric:
        panels.append(("true depth", depth_panel(outcome.truth, shown)))
    return side_by_side(panels)


def depth_range(output: Path, count: int, metric: bool) -> DepthRange:
    """One scale of colors for all, from some depth maps."""
    step = max(1, count // _SAMPLED)
    with BagReader(output) as reader:
        some = [
            depth[::4, ::4]
            for index, (_, depth, _) in enumerate(answers(reader, DEPTH))
            if index % step == 0
        ]
    return typical_range(np.stack(some), metric)


def _smaller(outcome: DepthOutcome) -> DepthOutcome:
    """Reduced to PANEL_WIDTH; depth without means over edges."""
    height, width = outcome.frame.shape[:2]
    if width <= PANEL_WIDTH:
        return outcome
    size = (PANEL_WIDTH, round(height * PANEL_WIDTH / width))

    def near(values: Any) -> Any:
        return cv2.resize(values, size, interpolation=cv2.INTER_NEAREST)

    frame = np.asarray(cv2.resize(outcome.frame, size, interpolation=cv2.INTER_AREA), np.uint8)
    return DepthOutcome(outcome.stamp_ns, frame, near(outcome.depth), near(outcome.sigma), None)
