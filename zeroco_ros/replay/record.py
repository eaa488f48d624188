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
What a replay leaves in its folder, as dataclasses: metrics.json and timing.json.

| in the folder | what |
|---|---|
| metrics.json | what is measured of the results; the same bytes for the same input, see below |
| timing.json | how fast, when, by how many workers |
| NAME/output_bag | what the nodes would have published, per bag |
| frames/*.png | pictures of the worst frames |

metrics.json depends on the bags, the configuration, the weights and the kind of machine, on
nothing of the clock. A value that is not known is None (null), also where a number was not finite.
Metrics are named in snake_case; `metrics` says what each one is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zeroco_ros.errors import ConfigError
from zeroco_ros.replay.typed_json import json_schema, read_json, write_json

SCHEMA = 1
METRICS, TIMING = "metrics.json", "timing.json"

Values = dict[str, float | None]
Column = list[float | None]


@dataclass(frozen=True)
class Metric:
    """
    What a number is.

    better: "lower", "higher" or None; group: "flow", "depth", "odometry", "stream" or "time";
    unit: "px", "%", "m", "deg", "gray levels", "ratio", "ms", "1/s" or "".
    """

    title: str
    unit: str
    better: str | None
    meaning: str
    group: str
    needs_reference: bool = False


@dataclass(frozen=True)
class Event:
    """Something that happened to the stream: a gap, a jump, an image refused, tracking lost."""

    stamp: int
    kind: str
    text: str


@dataclass(frozen=True)
class Frames:
    """
    One row per frame that was taken in, in the order of the bag.

    stamp: of the image's header, ns. state: of its depth (ok, static, rotation, lost, starting),
    "ok" for flow alone, "none" where nothing came of the frame. values: a column per metric.
    """

    stamp: list[int] = field(default_factory=list)
    state: list[str] = field(default_factory=list)
    values: dict[str, Column] = field(default_factory=dict)


@dataclass(frozen=True)
class Histogram:
    """
    Pixels by value. edges: (n + 1); counts: (n), those outside in the outermost ones.

    log: whether the edges grow geometrically.
    """

    edges: list[float]
    counts: list[int]
    log: bool


@dataclass(frozen=True)
class ConfidenceCalibration:
    """
    Reliability of the confidence: what share of the vectors is right, by confidence.

    limit: what is right, in words. confidence, accuracy, share: (n,) of the bins that hold
    something. ece: expected calibration error; brier: mean squared difference to the outcome.
    """

    limit: str
    confidence: list[float]
    accuracy: list[float]
    share: list[float]
    ece: float
    brier: float


@dataclass(frozen=True)
class SparsificationCurve:
    """Mean error left, relative to all, after the least certain share was removed."""

    removed: list[float]
    error: list[float]
    oracle: list[float]


@dataclass(frozen=True)
class SigmaCalibration:
    """
    Reliability of the standard deviation of depth.

    levels: probabilities; normal: |error| / sigma that has them for exact normal errors;
    quantiles: what it really is, mean over frames. within: shares of pixels below 1, 2 and 3
    sigma, pooled over pixels. sigma, error, share: by bins of sigma / depth, the root mean square
    of sigma / depth and of |error| / depth, and the share of the pixels. ause, curve: means over
    frames.
    """

    levels: list[float]
    normal: list[float]
    quantiles: list[float]
    within: list[float]
    sigma: list[float]
    error: list[float]
    share: list[float]
    ause: float
    curve: SparsificationCurve


@dataclass(frozen=True)
class Calibration:
    """What confidence and sigma are worth; None without a reference."""

    confidence: ConfidenceCalibration | None = None
    sigma: SigmaCalibration | None = None


@dataclass(frozen=True)
class WorstFrame:
    """A frame that is worst by a metric. frame: its row; picture: path in the run's folder."""

    stamp: int
    frame: int
    metric: str
    value: float
    picture: str
    caption: str


@dataclass(frozen=True)
class BagRecord:
    """
    One bag.

    name: unique in the run; sha256: over all its files; status: "ok" or "failed", with `error` in
    one line; start: ns, duration: s; folder: of its output, in the run's folder; topics that were
    read, and reference: by what they are for.
    """

    name: str
    path: str
    sha256: str
    status: str
    error: str | None = None
    folder: str | None = None
    topics: dict[str, str] = field(default_factory=dict)
    messages: int = 0
    start: int = 0
    duration: float = 0.0
    summary: Values = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    frames: Frames = field(default_factory=Frames)
    calibration: Calibration = field(default_factory=Calibration)
    histograms: dict[str, Histogram] = field(default_factory=dict)
    worst: list[WorstFrame] = field(default_factory=list)
    reference: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class MetricsRecord:
    """
    metrics.json. summary, counters, calibration, histograms: pooled over the bags that are ok.

    config: {"flow": {...}, "depth": {...}, "replay": {...}}. model: name, sha256, backend, device,
    precision and the like. machine: what determines the numbers. command: how to get the same.
    """

    schema: int
    metrics: dict[str, Metric]
    summary: Values
    bags: list[BagRecord]
    counters: dict[str, int]
    calibration: Calibration
    histograms: dict[str, Histogram]
    config: dict[str, dict[str, Any]]
    model: dict[str, str | None]
    versions: dict[str, str]
    machine: dict[str, str]
    command: str


@dataclass(frozen=True)
class Stage:
    """Time of one step, ms: over the frames that took it."""

    median_ms: float
    p95_ms: float
    count: int


@dataclass(frozen=True)
class BagTiming:
    """One bag. columns: in the order of its frames. reused: kept from an earlier run."""

    name: str
    summary: Values
    stages: dict[str, Stage]
    columns: dict[str, Column]
    reused: bool = False


@dataclass(frozen=True)
class TimingRecord:
    """
    timing.json. created: ISO 8601, UTC. engine: "local" or "ray"; workers: how many at once.

    fps: frames of all bags by the clock on the wall, everything counted (reading, metrics,
    writing, pictures); model_fps: by the time that the estimators alone took. argv: as given.
    """

    schema: int
    created: str
    engine: str
    workers: int
    wall_s: float
    fps: float | None
    model_fps: float | None
    metrics: dict[str, Metric]
    summary: Values
    stages: dict[str, Stage]
    bags: list[BagTiming]
    argv: list[str]


@dataclass(frozen=True)
class ReplayRun:
    """A run's folder. timing: None where timing.json is not there."""

    metrics: MetricsRecord
    timing: TimingRecord | None = None

    @property
    def ok(self) -> Iterator[BagRecord]:
        """Return the bags that did not fail."""
        return (bag for bag in self.metrics.bags if bag.status == "ok")

    @classmethod
    def load(cls, folder: str | Path) -> ReplayRun:
        """
        Read a run.

        Raises ConfigError, in one line, for a folder that holds none, or one of another schema, or
        a damaged one. Nothing in it is executed.
        """
        folder = Path(folder)
        if not (folder / METRICS).is_file():
            raise ConfigError(f"{folder} is no run of zeroco replay: it has no {METRICS}")
        metrics = read_json(folder / METRICS, MetricsRecord)
        if metrics.schema != SCHEMA:
            raise ConfigError(
                f"{folder / METRICS} has schema {metrics.schema}, this version reads {SCHEMA}: "
                "run zeroco replay again"
            )
        timing = folder / TIMING
        return cls(metrics, read_json(timing, TimingRecord) if timing.is_file() else None)

    def save(self, folder: str | Path) -> None:
        """Write both files, each whole or not at all."""
        write_json(Path(folder) / METRICS, self.metrics)
        if self.timing is not None:
            write_json(Path(folder) / TIMING, self.timing)


def metrics_schema() -> dict[str, Any]:
    """JSON Schema of metrics.json."""
    return json_schema(MetricsRecord)
