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

"""Running depth methods over posed sequences, frame by frame, and collecting scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
import time

import numpy as np
import numpy.typing as npt

from zeroco_ros.evaluation.depth_metrics import DepthErrors, FrameScore, score_frame, SigmaScore
from zeroco_ros.evaluation.depth_source import DepthAnswer, DepthMethod, DepthSource
from zeroco_ros.evaluation.sequences import PosedFrame, PosedSequence, resampled_depth
from zeroco_ros.evaluation.trajectory import score_trajectory, TrajectoryScore

Array = npt.NDArray[np.float64]

SILENT = "no answer"


@dataclass(frozen=True)
class FrameRecord:
    """
    One answer. state: of the answer, or `SILENT`. score: None where the frame has no truth.

    pose, truth: (4, 4) camera to world, the method's and the sequence's. seconds, cpu_seconds: of
    the answer alone, by the clock and of all threads.
    """

    name: str
    state: str
    score: FrameScore | None
    pose: Array | None
    truth: Array | None
    seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class DepthSummary:
    """
    Means over the frames of a sequence, every frame counting the same.

    frames: with truth, the first one left out (nothing can be said about it); scored: of these,
    with any depth. coverage: mean share of the pixels with truth that have a depth; a frame
    without an answer counts as 0. Errors are means over the scored frames: scaled by each frame's
    median, unscaled, and of the half with the smaller sigma. spread: standard deviation of the
    logarithm of the frames' scales, 0 for a scale that is the same all along. drift: log of the
    last quarter's median scale over the first quarter's.
    """

    frames: int
    scored: int
    coverage: float
    scaled: DepthErrors | None
    unscaled: DepthErrors | None
    half: DepthErrors | None
    half_unscaled: DepthErrors | None
    half_relative: DepthErrors | None
    sigma: SigmaScore | None
    sigma_unscaled: SigmaScore | None
    spread: float
    drift: float


@dataclass
class MethodRun:
    """One method on one sequence: what it said about every frame."""

    method: DepthMethod
    records: list[FrameRecord] = field(default_factory=list)

    @property
    def depth(self) -> DepthSummary | None:
        """Errors of the depth, None for a sequence without truth."""
        return summarize([r.score for r in self.records[1:] if r.score is not None])

    @property
    def trajectory(self) -> TrajectoryScore | None:
        """Errors of the method's own poses; None where it has fewer than two or got them."""
        pairs = self.poses()
        if self.method.poses != "estimated" or len(pairs[0]) < 2:
            return None
        return score_trajectory(*pairs)

    def poses(self) -> tuple[Array, Array]:
        """Return the method's and the true poses of the frames with both, each (N, 4, 4)."""
        both = [(r.pose, r.truth) for r in self.records if r.pose is not None]
        known = [(pose, truth) for pose, truth in both if truth is not None]
        ours, theirs = (np.array([pair[k] for pair in known]).reshape(-1, 4, 4) for k in (0, 1))
        return ours, theirs

    @property
    def states(self) -> dict[str, int]:
        """How many frames got which state, the most frequent first."""
        return dict(Counter(record.state for record in self.records).most_common())

    @property
    def seconds(self) -> float:
        """Median time of an answer by the clock; the first frame is left out."""
        return float(np.median([record.seconds for record in self.records[1:] or self.records]))

    @property
    def cpu_seconds(self) -> float:
        """Median processor time of an answer; the first frame is left out."""
        return float(
            np.median([record.cpu_seconds for record in self.records[1:] or self.records])
        )


@dataclass(frozen=True)
class SequenceResult:
    """All methods on one sequence. size: (height, width) of its images."""

    name: str
    about: str
    size: tuple[int, int]
    runs: tuple[MethodRun, ...]


def evaluate_depth(
    sequences: Sequence[PosedSequence],
    methods: Sequence[DepthMethod],
    advance: Callable[[str], None] = lambda _: None,
) -> list[SequenceResult]:
    """
    Stream every sequence through every method and score the answers.

    Causal: an answer is taken before the next frame is shown. All methods get a frame before any
    gets the next one. Where depth is not measured, only methods that estimate poses take part.
    advance is called before each answer with a text that says which one.
    Raises what reading the sequence or the method raises.
    """
    return [_evaluate(sequence, methods, advance) for sequence in sequences]


def _evaluate(
    sequence: PosedSequence, methods: Sequence[DepthMethod], advance: Callable[[str], None]
) -> SequenceResult:
    useful = [one for one in methods if sequence.measured or one.poses == "estimated"]
    runs = [MethodRun(method) for method in useful]
    sources = [method.open(sequence.camera) for method in useful]
    K = sequence.camera.rectified().K
    for frame in sequence:
        for run, source in zip(runs, sources, strict=True):
            advance(f"{sequence.name} {frame.name} {run.method.label}")
            run.records.append(_answer(run.method, source, frame, K))
    size = sequence.camera.height, sequence.camera.width
    return SequenceResult(sequence.name, sequence.about, size, tuple(runs))


def _answer(method: DepthMethod, source: DepthSource, frame: PosedFrame, K: Array) -> FrameRecord:
    """One timed and scored answer; K is that of the rectified image, which truth is given on."""
    pose = frame.pose if method.poses == "given" else None
    method.credit()
    wall, cpu = time.perf_counter(), time.process_time()
    answer = source.push(frame.image, frame.stamp_ns, pose)
    seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu
    saved, cpu_saved = method.credit()
    return FrameRecord(
        frame.name,
        SILENT if answer is None else answer.state,
        _score(answer, frame, K),
        None if answer is None else answer.pose,
        frame.pose,
        seconds + saved,
        cpu_seconds + cpu_saved,
    )


def _score(answer: DepthAnswer | None, frame: PosedFrame, K: Array) -> FrameScore | None:
    if frame.depth is None:
        return None
    if answer is None:
        return score_frame(frame.name, np.full_like(frame.depth, np.nan), frame.depth)
    height, width = answer.depth.shape
    truth = resampled_depth(frame.depth, K, answer.K, (height, width))
    return score_frame(frame.name, answer.depth, truth, answer.sigma)


def summarize(scores: Sequence[FrameScore]) -> DepthSummary | None:
    """Means over frames; None without a frame that has truth."""
    scores = [score for score in scores if score.truth]
    if not scores:
        return None
    good = [score for score in scores if score.known]
    logs = np.log([score.scale for score in good if score.scale is not None])
    quarter = max(1, len(logs) // 4)
    ends = [float(np.median(part)) for part in (logs[:quarter], logs[-quarter:]) if part.size]
    return DepthSummary(
        frames=len(scores),
        scored=len(good),
        coverage=float(np.mean([score.coverage for score in scores])),
        scaled=_mean_errors([score.scaled for score in good]),
        unscaled=_mean_errors([score.unscaled for score in good]),
        half=_mean_errors([score.half for score in good]),
        half_unscaled=_mean_errors([score.half_unscaled for score in good]),
        half_relative=_mean_errors([score.half_relative for score in good]),
        sigma=_mean_sigma([score.sigma for score in good]),
        sigma_unscaled=_mean_sigma([score.sigma_unscaled for score in good]),
        spread=float(np.std(logs)) if logs.size else 0.0,
        drift=ends[1] - ends[0] if len(ends) == 2 else 0.0,
    )


def _mean_errors(errors: Sequence[DepthErrors | None]) -> DepthErrors | None:
    """Means of all numbers, the pixels' sum."""
    there = [one for one in errors if one is not None]
    if not there:
        return None
    names = [one.name for one in fields(DepthErrors) if one.name not in ("pixels", "delta")]
    means = {name: float(np.mean([getattr(one, name) for one in there])) for name in names}
    first, second, third = (float(np.mean([one.delta[k] for one in there])) for k in range(3))
    return DepthErrors(
        pixels=sum(one.pixels for one in there), delta=(first, second, third), **means
    )


def _mean_sigma(scores: Sequence[SigmaScore | None]) -> SigmaScore | None:
    there = [one for one in scores if one is not None]
    if not there:
        return None
    a, b, c, d = (float(np.mean([one.quantiles[k] for one in there])) for k in range(4))
    one, two, three = (float(np.mean([s.within[k] for s in there])) for k in range(3))
    return SigmaScore(
        ause=float(np.mean([s.ause for s in there])),
        ause_relative=float(np.mean([s.ause_relative for s in there])),
        quantiles=(a, b, c, d),
        within=(one, two, three),
    )
