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

"""How good the recorded depth is: against the truth, and what sigma says about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from zeroco_ros.bag.images import decode_image
from zeroco_ros.bag.reader import BagReader
from zeroco_ros.demo.moving import Mask, moving_pixels
from zeroco_ros.demo.nodes import DEPTH
from zeroco_ros.demo.pictures import answers
from zeroco_ros.demo.scoring import ByStamp, LEAST
from zeroco_ros.evaluation.bag_camera import CameraSource
from zeroco_ros.evaluation.bag_truth import true_depth
from zeroco_ros.evaluation.depth_metrics import (
    depth_errors,
    FrameScore,
    known_truth,
    score_frame,
)

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class DepthScore:
    """
    Means over frames of a recorded run.

    frames: with depth and truth; coverage: share of the pixels with truth that have depth, over
    all frames; abs_rel: mean |d - t| / t; delta: share within a factor of 1.25; surer, vaguer:
    abs_rel on the halves of each frame with the smaller and the larger sigma / depth; within:
    share of pixels whose error is below 1 sigma and below 2. scaled: whether each frame was
    scaled to the truth's median first, as it must be where the scale is not known. still: abs_rel
    on what does not move; moving: share of the pixels that do; None where the bag does not tell.
    """

    frames: int
    coverage: float
    abs_rel: float
    delta: float
    surer: float
    vaguer: float
    within: tuple[float, float]
    scaled: bool
    still: float | None = None
    moving: float | None = None


@dataclass(frozen=True)
class DepthFacts:
    """
    What can be said without truth.

    Frames with depth, their mean coverage, and the median of sigma / depth over them.
    """

    frames: int
    coverage: float
    relative_sigma: float


def score_depth(
    output: Path,
    camera: CameraSource,
    topic: str,
    *,
    scaled: bool,
    flow: str | None = None,
    progress: bool = True,
) -> DepthScore | None:
    """
    Score the depth of a recorded bag against a depth topic of the camera's bag.

    flow: topic with true flow, which tells what moves. None where no frame has depth and truth.
    """
    scores: list[FrameScore] = []
    halves: list[tuple[float, float]] = []
    still: list[float] = []
    moving: list[float] = []
    hidden = None if progress else True  # None: no bar where stderr is no terminal
    with BagReader(output) as recorded, BagReader(camera.bag) as reader:
        depths = ByStamp(recorded, DEPTH.kept("depth"), decode_image)
        sigmas = ByStamp(recorded, DEPTH.kept("depth_sigma"), decode_image)
        masks = dict(moving_pixels(reader, camera, flow, topic)) if flow is not None else {}
        truths = true_depth(reader, topic)
        bar = tqdm(truths, total=len(camera.headers), desc="scoring", unit="frame", disable=hidden)
        for stamp, truth in bar:
            depth, sigma = depths.at(stamp), sigmas.at(stamp)
            if depth is None or sigma is None or np.isfinite(truth).sum() < LEAST:
                continue
            scores.append(score_frame(str(stamp), depth, truth, sigma))
            if not scores[-1].known:
                continue
            right = (scores[-1].scale if scaled else None) or 1.0
            halves.append(_halves(right * depth, truth, sigma / depth))
            if stamp in masks:
                moving.append(float(masks[stamp].mean()))
                still += _still_error(right * depth, truth, ~masks[stamp])
    score = _summed(scores, halves, scaled)
    if score is None or not still:
        return score
    return replace(score, still=float(np.mean(still)), moving=float(np.mean(moving)))


def _halves(depth: Floats, truth: Floats, doubt: Floats) -> tuple[float, float]:
    """Return AbsRel of the known pixels with the smaller and the larger doubt."""
    with np.errstate(invalid="ignore"):
        known = known_truth(truth) & (depth > 0)
    order = np.argsort(doubt[known], kind="stable")
    error = (np.abs(depth[known] - truth[known]) / truth[known])[order]
    middle = (len(order) + 1) // 2
    surer = float(error[:middle].mean())
    return surer, float(error[middle:].mean()) if len(order) > 1 else surer


def _still_error(depth: Floats, truth: Floats, still: Mask) -> list[float]:
    """Return AbsRel of the pixels that stand still, nothing where there is none."""
    with np.errstate(invalid="ignore"):
        known = known_truth(truth) & (depth > 0) & still
    if not known.any():
        return []
    return [depth_errors(depth[known], truth[known]).abs_rel]


def depth_facts(output: Path) -> DepthFacts | None:
    """Coverage and sigma of a recorded bag's depth; None where no frame has any."""
    coverage, relative = [], []
    with BagReader(output) as reader:
        for _, depth, sigma in answers(reader, DEPTH):
            known = np.isfinite(depth)
            coverage.append(float(known.mean()))
            if known.any():
                relative.append(float(np.median(sigma[known] / depth[known])))
    if not relative:
        return None
    return DepthFacts(len(relative), float(np.mean(coverage)), float(np.median(relative)))


def _summed(
    scores: list[FrameScore], halves: list[tuple[float, float]], scaled: bool
) -> DepthScore | None:
    known = [score for score in scores if score.known]
    if not known:
        return None
    errors = [score.scaled if scaled else score.unscaled for score in known]
    sigmas = [score.sigma if scaled else score.sigma_unscaled for score in known]
    within = np.mean([sigma.within[:2] for sigma in sigmas if sigma is not None], axis=0)
    surer, vaguer = np.mean(halves, axis=0)
    return DepthScore(
        frames=len(known),
        coverage=float(np.mean([score.coverage for score in scores])),
        abs_rel=float(np.mean([e.abs_rel for e in errors if e is not None])),
        delta=float(np.mean([e.delta[0] for e in errors if e is not None])),
        surer=float(surer),
        vaguer=float(vaguer),
        within=(float(within[0]), float(within[1])),
        scaled=scaled,
    )
