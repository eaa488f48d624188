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

"""A run's folder as `zeroco replay` leaves it, made without any network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from zeroco_ros.replay.catalog import ALL, TIMES
from zeroco_ros.replay.record import (
    BagRecord,
    BagTiming,
    Calibration,
    ConfidenceCalibration,
    Event,
    Frames,
    Histogram,
    MetricsRecord,
    ReplayRun,
    SigmaCalibration,
    SparsificationCurve,
    Stage,
    TimingRecord,
    WorstFrame,
)

START = 1_700_000_000_000_000_000
PERIOD = 100_000_000
PER_FRAME = (
    "epe",
    "flow_coverage",
    "confidence",
    "confidence_p10",
    "confidence_p90",
    "forward_backward_error",
    "flow_flicker",
    "abs_rel",
    "position_error",
)
METRICS = {name: ALL[name] for name in (*PER_FRAME, "confidence_ece", "ate", "lost_frames")}


def make_run(
    *, bags: tuple[str, ...] = ("drive_a", "drive_b"), frames: int = 40, worse: float = 0.0
) -> ReplayRun:
    """
    Return a run with these bags and one that failed.

    worse: added to the error of each frame.
    """
    records = [_bag(name, number, frames, worse) for number, name in enumerate(bags)]
    pooled = {
        name: float(np.mean([one.summary[name] for one in records if one.summary[name]] or [0]))
        for name in METRICS
    }
    broken = BagRecord(
        "broken", "bags/broken", "", "failed", error="broken.mcap is cut off after 12 messages"
    )
    metrics = MetricsRecord(
        schema=1,
        metrics=METRICS,
        summary=dict(pooled),
        bags=[*records, broken],
        counters={"in": frames * len(bags), "out": frames * len(bags) - 2, "gap": 2},
        calibration=records[0].calibration,
        histograms=records[0].histograms,
        config={"flow": {"head": "flow_head", "size": [240, 320]}, "replay": {"pace": 0.0}},
        model={"name": "default", "sha256": "ab" * 32, "backend": "torch", "device": "cpu"},
        versions={"zeroco_ros": "0.1.0", "numpy": "2.4.6"},
        machine={"system": "Linux x86_64"},
        command="zeroco replay drive_a drive_b -o run",
    )
    return ReplayRun(metrics, _timing(records))


def write_run(folder: Path, run: ReplayRun) -> Path:
    """Save a run with pictures of its worst frames."""
    run.save(folder)
    for bag in run.metrics.bags:
        for worst in bag.worst:
            picture = np.full((60, 80, 3), 90, np.uint8)
            picture[20:40, 20:60] = (30, 120, 200)
            path = folder / worst.picture
            path.parent.mkdir(exist_ok=True)
            cv2.imwrite(str(path), picture)
    return folder


def renamed(run: ReplayRun, name: str) -> ReplayRun:
    """Return the run with another name for its first bag."""
    first, *others = run.metrics.bags
    bag = replace(first, name=name, path=f"bags/{name}")
    return replace(run, metrics=replace(run.metrics, bags=[bag, *others]))


def _bag(name: str, number: int, frames: int, worse: float) -> BagRecord:
    random = np.random.default_rng(number)
    start = START + number * 1000 * PERIOD
    wave = np.sin(np.arange(frames) / 6 + number)
    columns = {
        "epe": 0.8 + 0.3 * wave + 0.05 * random.standard_normal(frames) + worse,
        "flow_coverage": 0.85 + 0.05 * wave,
        "confidence": 0.75 - 0.08 * wave,
        "confidence_p10": 0.5 - 0.1 * wave,
        "confidence_p90": 0.93 - 0.02 * wave,
        "forward_backward_error": 0.3 + 0.1 * np.abs(wave),
        "flow_flicker": 0.4 + 0.1 * np.abs(wave) + 0.02 * random.standard_normal(frames),
        "abs_rel": 0.09 + 0.03 * np.abs(wave),
        "position_error": 0.02 + 0.01 * np.abs(wave),
    }
    values: dict[str, list[float | None]] = {
        key: [float(one) for one in column] for key, column in columns.items()
    }
    for column in values.values():
        column[0] = None
    state = ["ok"] * frames
    state[0] = "starting"
    state[frames // 2] = "lost"
    summary: dict[str, float | None] = {
        key: float(np.mean([one for one in column if one is not None]))
        for key, column in values.items()
    }
    worst = int(np.argmax(columns["epe"]))
    return BagRecord(
        name=name,
        path=f"bags/{name}",
        sha256=f"{number:02x}" * 32,
        status="ok",
        folder=name,
        topics={"image": "/camera/image_raw"},
        messages=3 * frames,
        start=start,
        duration=frames * PERIOD / 1e9,
        summary={**summary, "confidence_ece": 0.041, "ate": 0.021, "lost_frames": 1 / frames},
        counters={"in": frames, "out": frames - 1, "gap": 1},
        events=[Event(start + 5 * PERIOD, "gap", "1.2 s without a frame")],
        frames=Frames([start + i * PERIOD for i in range(frames)], state, values),
        calibration=_calibration(),
        histograms=_histograms(),
        worst=[
            WorstFrame(
                start + worst * PERIOD,
                worst,
                "epe",
                float(columns["epe"][worst]),
                f"frames/{name.encode().hex()[:16]}_{worst}.png",
                "image, flow, confidence, error",
            )
        ],
        reference={"flow": "/camera/flow_truth"},
        warnings=["12 messages of /tf were left out"] if number == 0 else [],
    )


def _calibration() -> Calibration:
    confidence = np.linspace(0.05, 0.95, 10)
    removed = np.linspace(0, 0.95, 20)
    return Calibration(
        ConfidenceCalibration(
            "within 1/200 of the image's longer side (3.2 px at 640x480)",
            [float(one) for one in confidence],
            [float(one) for one in confidence**1.2],
            [float(one) for one in np.arange(1, 11) / 55],
            0.041,
            0.12,
        ),
        SigmaCalibration(
            [0.5, 0.683, 0.9, 0.954],
            [0.6745, 1.0, 1.645, 2.0],
            [0.6, 0.95, 1.8, 2.4],
            [0.69, 0.93, 0.98],
            [0.01, 0.03, 0.1],
            [0.012, 0.028, 0.13],
            [0.5, 0.3, 0.2],
            0.21,
            SparsificationCurve(
                [float(one) for one in removed],
                [float(one) for one in 1 - 0.7 * removed],
                [float(one) for one in 1 - removed],
            ),
        ),
    )


def _histograms() -> dict[str, Histogram]:
    edges = [float(one) for one in np.geomspace(0.01, 100, 25)]
    return {
        "forward_backward_error": Histogram(
            edges, [int(400 * np.exp(-((i - 9) ** 2) / 20)) for i in range(24)], True
        ),
        "confidence": Histogram(
            [float(one) for one in np.linspace(0, 1, 21)], [i * i for i in range(20)], False
        ),
    }


def _timing(records: list[BagRecord]) -> TimingRecord:
    bags = []
    for number, bag in enumerate(records):
        count = len(bag.frames.stamp)
        columns: dict[str, list[float | None]] = {
            "latency_ms": [80.0 + 10 * ((i * 7 + number) % 5) for i in range(count)]
        }
        bags.append(
            BagTiming(bag.name, {"latency_ms": 98.0}, {"flow": Stage(70.0, 95.0, count)}, columns)
        )
    return TimingRecord(
        schema=1,
        created="2026-11-21T20:00:00+00:00",
        engine="local",
        workers=1,
        wall_s=12.5,
        fps=6.4,
        model_fps=9.1,
        metrics=TIMES,
        summary={"latency_ms": 98.0, "model_ms": 70.0, "fps": 6.4, "model_fps": 9.1},
        stages={"flow": Stage(70.0, 95.0, 80)},
        bags=bags,
        argv=["zeroco", "replay", "drive_a"],
    )
