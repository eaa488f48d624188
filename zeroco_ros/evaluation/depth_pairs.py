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
The depth head on single pairs of posed sequences, beside triangulation and one depth for all.

Every pair is judged alone, after scaling by the ratio of the medians. Streams are
`depth_evaluate`'s business.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zeroco_ros.estimate.flow import FlowEstimator
from zeroco_ros.estimate.learned_depth import LearnedDepth
from zeroco_ros.estimate.results import FlowResult
from zeroco_ros.evaluation.depth_metrics import FrameScore, score_frame
from zeroco_ros.evaluation.sequences import PosedFrame, PosedSequence
from zeroco_ros.geometry.transforms import relative
from zeroco_ros.geometry.triangulate import triangulate

Array = npt.NDArray[np.float64]
Float = npt.NDArray[np.floating]

PARALLAX = 0.05  # of the image's longer side: what a pair's source is chosen for
REACH = 10  # frames back that it may be
SURE = 0.5  # confidence
SIGMA = 1.0  # pixels, of a match that is triangulated
METHODS = {
    "learned": "the depth head, relative pose estimated from the flow",
    "learned, given pose": "the same with the true relative pose",
    "triangulated": "flow of the preset default triangulated with the true pose; pixels without "
    "an answer have the median",
    "triangulated, sure": "the same where the flow's confidence is above 0.5, no other pixels",
    "plane": "one depth for all pixels",
}


@dataclass(frozen=True)
class Pair:
    """
    Target and source of one camera; images rectified.

    K: (3, 3); motion: (4, 4) source from target, meters; parallax: median, in pixels, rotation
    taken off, by the true depth.
    """

    name: str
    images: tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]
    K: Array
    motion: Array
    depth: Float
    parallax: float


@dataclass(frozen=True)
class PairRow:
    """
    Means over a sequence's pairs.

    coverage: share of the pixels with truth that the errors are of; half: AbsRel of the half with
    the smaller sigma, NaN for a method without one; within: share of pixels whose error is within
    one sigma.
    """

    sequence: str
    method: str
    pairs: int
    parallax: float
    coverage: float
    abs_rel: float
    delta1: float
    half: float
    within: float


def evaluate_pairs(
    sequences: Sequence[PosedSequence], flow: FlowEstimator, head: LearnedDepth, count: int = 12
) -> list[PairRow]:
    """Score all `METHODS` on up to `count` evenly spaced pairs of each sequence with depth."""
    rows = []
    for sequence in sequences:
        scores: dict[str, list[FrameScore]] = {name: [] for name in METHODS}
        parallax = []
        for pair in pairs_of(sequence, count):
            parallax.append(pair.parallax)
            for name, (depth, sigma) in answers(pair, flow, head).items():
                scores[name].append(score_frame(pair.name, depth, pair.depth, sigma))
        if parallax:
            middle = float(np.median(parallax))
            rows += [_row(sequence.name, name, middle, part) for name, part in scores.items()]
    return rows


def pairs_of(sequence: PosedSequence, count: int) -> Iterator[Pair]:
    """
    Evenly spaced targets, each with the earlier frame whose parallax is nearest to `PARALLAX`.

    Frames without depth or pose are no targets.
    """
    K = sequence.camera.rectified().K
    least = min(REACH, len(sequence) - 1)
    wanted = set(np.unique(np.linspace(least, len(sequence) - 1, count).round().astype(int)))
    kept: list[PosedFrame] = []
    for index, frame in enumerate(sequence):
        if index in wanted and frame.depth is not None and frame.pose is not None:
            posed = [other for other in kept if other.pose is not None]
            aim = PARALLAX * max(frame.image.shape[:2])
            choices = [_parallax(frame, other, K) for other in posed]
            if choices:
                best = int(np.argmin([abs(value - aim) for value in choices]))
                yield _pair(sequence, frame, posed[best], choices[best])
        kept = [*kept[-REACH + 1 :], frame]


def _pair(
    sequence: PosedSequence, target: PosedFrame, source: PosedFrame, parallax: float
) -> Pair:
    assert target.pose is not None and source.pose is not None and target.depth is not None
    images = tuple(sequence.camera.rectify(frame.image) for frame in (target, source))
    return Pair(
        f"{target.name} from {source.name}",
        (images[0], images[1]),
        sequence.camera.rectified().K,
        relative(source.pose, target.pose),
        target.depth,
        parallax,
    )


def _parallax(target: PosedFrame, source: PosedFrame, K: Array) -> float:
    """Median distance in pixels between where points and their directions are seen."""
    assert target.pose is not None and source.pose is not None and target.depth is not None
    depth = target.depth[::8, ::8]
    good = np.isfinite(depth)
    rows, columns = np.nonzero(good)
    rays = np.linalg.inv(K) @ np.stack([8.0 * columns, 8.0 * rows, np.ones(len(rows))])
    motion = relative(source.pose, target.pose)
    turned = motion[:3, :3] @ rays
    there = turned + motion[:3, 3:] / depth[good]
    ahead = (turned[2] > 0.1) & (there[2] > 0.1)
    if not ahead.any():
        return float("inf")
    x, y = ((turned[k] / turned[2] - there[k] / there[2])[ahead] for k in (0, 1))
    return float(np.median(np.hypot(x, y)) * K[0, 0])


def answers(
    pair: Pair, flow: FlowEstimator, head: LearnedDepth
) -> dict[str, tuple[Float, Float | None]]:
    """Depth (H, W) at any scale and its sigma, if there is one, of every method."""
    target, source = (flow.encode(image) for image in pair.images)
    match = flow.match(target, source)
    free = head.predict(target, source, match, pair.K)
    given = head.predict(target, source, match, pair.K, motion=pair.motion)
    learned = {"learned": free, "learned, given pose": given}
    found: dict[str, tuple[Float, Float | None]] = {
        name: (1 / one.inverse, one.sigma / one.inverse) for name, one in learned.items()
    }
    depth = triangulated(pair, match)
    found["triangulated"] = depth, None
    found["triangulated, sure"] = np.where(match.confidence > SURE, depth, np.nan), None
    found["plane"] = np.ones_like(pair.depth), None
    return found


def triangulated(pair: Pair, match: FlowResult) -> Float:
    """Depth of every pixel by the true pose; what lies behind or nowhere gets the median."""
    sigma = np.full(match.confidence.shape, SIGMA)
    inverse = triangulate(pair.K, None, [(match.flow, sigma, pair.motion, pair.K)]).value
    good = np.isfinite(inverse) & (inverse > 1e-4)
    middle = np.median(inverse[good]) if good.any() else 1.0
    return np.asarray(1 / np.where(good, inverse, middle), dtype=np.float32)


def _row(sequence: str, method: str, parallax: float, scores: Sequence[FrameScore]) -> PairRow:
    scaled = [one.scaled for one in scores if one.scaled is not None]
    halves = [one.half_relative.abs_rel for one in scores if one.half_relative is not None]
    within = [one.sigma.within[0] for one in scores if one.sigma is not None]
    return PairRow(
        sequence,
        method,
        len(scaled),
        parallax,
        float(np.mean([one.coverage for one in scores])),
        float(np.mean([one.abs_rel for one in scaled])),
        float(np.mean([one.delta[0] for one in scaled])),
        float(np.mean(halves)) if halves else float("nan"),
        float(np.mean(within)) if within else float("nan"),
    )


def as_markdown(rows: Sequence[PairRow]) -> str:
    """Return a table, one line per sequence and method."""
    lines = [
        "| sequence | pairs | parallax, px | method | coverage | AbsRel | delta1 "
        "| AbsRel, surer half | within 1 sigma |",
        "|---" * 9 + "|",
    ]
    for row in rows:
        half = "" if np.isnan(row.half) else f"{row.half:.3f}"
        within = "" if np.isnan(row.within) else f"{row.within:.2f}"
        lines.append(
            f"| {row.sequence} | {row.pairs} | {row.parallax:.0f} | {row.method} | "
            f"{row.coverage:.2f} | {row.abs_rel:.3f} | {row.delta1:.3f} | {half} | {within} |"
        )
    return "\n".join(lines)
