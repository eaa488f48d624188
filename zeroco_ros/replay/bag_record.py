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

"""What is kept of one bag: its record, its pictures, its timing."""

from __future__ import annotations

from collections.abc import Mapping

from zeroco_ros.replay.depth_task import DepthTask
from zeroco_ros.replay.inputs import Inputs
from zeroco_ros.replay.job import BAGS, FRAMES, Job
from zeroco_ros.replay.pictures import write_picture
from zeroco_ros.replay.record import BagRecord, BagTiming, Values, WorstFrame
from zeroco_ros.replay.rows import LATENCY, MODEL
from zeroco_ros.replay.stage import Stage, Task


def record_of(
    job: Job,
    inputs: Inputs,
    tasks: Mapping[str, Task],
    stage: Stage,
    sha256: str,
    warnings: list[str],
    messages: int,
    span: tuple[int, float],
) -> BagRecord:
    """
    Return the record of a bag that was played to its end; writes its worst frames' pictures.

    sha256: of the bag; span: when it begins, ns, and how long it is, s.
    """
    calibration = stage.pool.calibration()
    summary = _summary(tasks, stage)
    counters = {
        f"{name}_{counter}": count
        for name, task in tasks.items()
        for counter, count in task.counters.items()
        if count or counter in ("in", "out")
    }
    events = [event for task in tasks.values() for event in task.log.events]
    left = sum(task.log.left_out for task in tasks.values())
    if left:
        warnings.append(f"{left} events more are only counted")
    return BagRecord(
        name=job.name,
        path=str(job.path),
        sha256=sha256,
        status="ok",
        folder=f"{BAGS}/{job.name}" if job.keep else None,
        topics=inputs.as_dict(),
        messages=messages,
        start=span[0],
        duration=span[1],
        summary=summary,
        counters=counters,
        events=sorted(events, key=lambda event: event.stamp),
        frames=stage.rows.table(),
        calibration=calibration,
        histograms=stage.pool.shown(),
        worst=_pictures(job, stage),
        reference=dict(sorted(stage.reference.words.items())),
        warnings=warnings,
    )


def _summary(tasks: Mapping[str, Task], stage: Stage) -> Values:
    found: Values = {}
    depth = tasks.get("depth")
    if isinstance(depth, DepthTask):
        found, by_row = depth.track.score()
        for row, values in by_row.items():
            stage.rows.put(row, values)
        states = [state for state in stage.rows.states if state != "none"]
        found["lost_frames"] = states.count("lost") / len(states) if states else None
    for name, task in tasks.items():
        count = len(stage.rows.stamps)
        found[f"{name}_answered"] = task.counters["out"] / count if count else None
    calibration = stage.pool.calibration().confidence
    if calibration is not None:
        found["confidence_ece"] = calibration.ece
        found["confidence_brier"] = calibration.brier
    return {**stage.rows.means(), **found}


def _pictures(job: Job, stage: Stage) -> list[WorstFrame]:
    worst = []
    for metric, bad in stage.worst:
        picture = f"{FRAMES}/{job.name}_{bad.row:06d}_{metric}.png"
        write_picture(job.out / picture, bad.picture)
        stamp = stage.rows.stamps[bad.row]
        worst.append(WorstFrame(stamp, bad.row, metric, bad.value, picture, bad.caption))
    return worst


def timing_of(job: Job, stage: Stage, seconds: float, opening: float) -> BagTiming:
    """
    Return how long it took.

    opening: seconds for opening the bag and the networks; seconds: all the rest.
    """
    count = len(stage.rows.stamps)
    columns = stage.clock.columns(count)
    latency = [value for value in columns["latency_ms"] if value is not None]
    model = stage.clock.total(MODEL)
    done = len(latency)
    summary: Values = {
        "fps": count / seconds if seconds else None,
        "model_fps": done / model if model else None,
        "latency_ms": sum(latency) / done if done else None,
        "model_ms": 1000 * model / done if done else None,
        "wall_s": seconds,
        "opening_s": opening,
        "latency_s": stage.clock.total(LATENCY),
    }
    return BagTiming(job.name, summary, stage.clock.summary(), columns)
