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

"""The parts of a run, one per bag, as one record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import datetime
from pathlib import Path
import shlex
from typing import Any

import numpy as np

from zeroco_ros.replay import catalog
from zeroco_ros.replay.config import changed
from zeroco_ros.replay.job import Job, machine, Part, versions
from zeroco_ros.replay.pool import Pool
from zeroco_ros.replay.record import (
    BagTiming,
    Calibration,
    MetricsRecord,
    ReplayRun,
    SCHEMA,
    Stage,
    TimingRecord,
    Values,
)


@dataclass(frozen=True)
class Execution:
    """How a run was executed: for timing.json alone. wall_s: of the whole command so far."""

    engine: str
    workers: int
    wall_s: float
    argv: tuple[str, ...]
    reused: frozenset[str] = frozenset()


def merge(
    jobs: Sequence[Job], parts: Sequence[Part], execution: Execution, files: Sequence[Path]
) -> ReplayRun:
    """
    Return the record of a run: bags in the order of the jobs, sums over those that are ok.

    files: the parameter files as given.
    """
    good = [part for part in parts if part.record.status == "ok"]
    pool = Pool()
    counters: dict[str, int] = {}
    for part in good:
        pool.merge(part.pool)
        for name, count in part.record.counters.items():
            counters[name] = counters.get(name, 0) + count
    calibration = pool.calibration()
    summary = _pooled(good, calibration, counters)
    metrics = MetricsRecord(
        schema=SCHEMA,
        metrics={name: catalog.ALL[name] for name in sorted(_named(good, summary))},
        summary=summary,
        bags=[part.record for part in parts],
        counters=dict(sorted(counters.items())),
        calibration=calibration,
        histograms=pool.shown(),
        config=_config(jobs[0]),
        model=next((part.model for part in good), {}),
        versions=versions(),
        machine=machine(jobs[0].values),
        command=_command(jobs, files),
    )
    return ReplayRun(metrics, _timing(parts, good, execution))


def _named(parts: Sequence[Part], summary: Values) -> set[str]:
    columns = {name for part in parts for name in part.record.frames.values}
    own = {name for part in parts for name in part.record.summary}
    return (columns | own | set(summary)) & catalog.ALL.keys()


def _pooled(
    parts: Sequence[Part], calibration: Calibration, counters: Mapping[str, int]
) -> Values:
    """Means over the frames of all bags; what only whole bags have, over bags."""
    found: Values = {}
    names = {name for part in parts for name in part.record.frames.values}
    for name in sorted(names):
        columns = [part.record.frames.values.get(name, []) for part in parts]
        known = [value for column in columns for value in column if value is not None]
        found[name] = float(np.mean(known)) if known else None
    for name in sorted(catalog.SUMMARY.keys() & {n for p in parts for n in p.record.summary}):
        own = [part.record.summary.get(name) for part in parts]
        values = [value for value in own if value is not None]
        found[name] = float(np.mean(values)) if values else None
    frames = sum(len(part.record.frames.stamp) for part in parts)
    for task in ("flow", "depth"):
        if counters.get(f"{task}_in") and frames:
            found[f"{task}_answered"] = counters[f"{task}_out"] / frames
    if calibration.confidence is not None:
        found["confidence_ece"] = calibration.confidence.ece
        found["confidence_brier"] = calibration.confidence.brier
    return found


def _config(job: Job) -> dict[str, dict[str, Any]]:
    """All parameters by task, and the replay's own options."""
    own: dict[str, Any] = {
        "topic": job.topic,
        "camera_info": job.info,
        "poses": job.poses,
        "right": job.right,
        "reference": list(job.reference),
        "rate": job.rate,
        "output_bag": job.keep,
    }
    return {**{task: dict(values) for task, values in job.values.items()}, "replay": own}


def _command(jobs: Sequence[Job], files: Sequence[Path]) -> str:
    """Return what gives the same numbers again, without where to write and how to execute."""
    job = jobs[0]
    words = ["zeroco", "replay", *(str(one.path) for one in jobs)]
    words += ["--task", "both" if len(job.values) == 2 else next(iter(job.values))]
    for file in files:
        words += ["--config", str(file)]
    given: dict[str, Any] = {}
    for task, values in job.values.items():
        given |= changed(task, values)
    for name, value in sorted(given.items()):
        shown = str(value).lower() if isinstance(value, bool) else value
        words += ["-p", f"{name}:={shown}"]
    options = {"--topic": job.topic, "--camera-info": job.info, "--poses": job.poses}
    options["--right"] = job.right
    for option, value in options.items():
        words += [option, value] if value else []
    for name in job.reference:
        words += ["--reference", name]
    return shlex.join(words)


def _timing(parts: Sequence[Part], good: Sequence[Part], execution: Execution) -> TimingRecord:
    fresh = [part for part in good if part.record.name not in execution.reused]
    frames = sum(len(part.record.frames.stamp) for part in fresh)
    worked = [value for part in good if part.timing for value in _known(part.timing, "latency_ms")]
    model = sum(part.model_seconds for part in good)
    busy = execution.wall_s if execution.wall_s > 0 else None
    fps = frames / busy if fresh and busy else None
    model_fps = len(worked) / model if model else None
    latency = float(np.mean(worked)) if worked else None
    return TimingRecord(
        schema=SCHEMA,
        created=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        engine=execution.engine,
        workers=execution.workers,
        wall_s=execution.wall_s,
        fps=fps,
        model_fps=model_fps,
        metrics=dict(catalog.TIMES),
        summary={
            "fps": fps,
            "model_fps": model_fps,
            "latency_ms": latency,
            "model_ms": 1000 * model / len(worked) if worked else None,
        },
        stages=_stages(good),
        bags=[_bag_timing(part, execution) for part in parts],
        argv=list(execution.argv),
    )


def _bag_timing(part: Part, execution: Execution) -> BagTiming:
    name = part.record.name
    if part.timing is None:
        return BagTiming(name, {}, {}, {})
    timing = part.timing
    reused = name in execution.reused
    return BagTiming(name, timing.summary, timing.stages, timing.columns, reused)


def _known(timing: BagTiming, column: str) -> list[float]:
    return [value for value in timing.columns.get(column, []) if value is not None]


def _stages(parts: Sequence[Part]) -> dict[str, Stage]:
    """Of all bags: medians weighted by frames, which is what can be said without all values."""
    found: dict[str, list[Stage]] = {}
    for part in parts:
        for name, stage in (part.timing.stages if part.timing else {}).items():
            found.setdefault(name, []).append(stage)
    return {name: _joined(stages) for name, stages in sorted(found.items())}


def _joined(stages: Sequence[Stage]) -> Stage:
    counts = [stage.count for stage in stages]
    median = np.average([stage.median_ms for stage in stages], weights=counts)
    p95 = np.average([stage.p95_ms for stage in stages], weights=counts)
    return Stage(float(median), float(p95), sum(counts))
