"""A run's folder as `zeroco replay` leaves it, made without any network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from zeroco_ros.replay.record import (
    BagRecord,
    BagTiming,
    Calibration,
    ConfidenceCalibration,
    Event,
    Frames,
    Histogram,
    Metric,
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
METRICS = {
    "flow_epe": Metric(
        "End-point error", "px", "lower", "Mean distance to the true flow vector.", "flow", True
    ),
    "flow_coverage": Metric(
        "Coverage", "ratio", "higher", "Share of the pixels with a trusted vector.", "flow"
    ),
    "flow_flicker": Metric(
        "Flicker", "px", "lower", "Change of the flow between frames, motion taken off.", "flow"
    ),
    "flow_confidence": Metric("Confidence", "ratio", None, "Mean confidence.", "flow"),
    "depth_abs_rel": Metric(
        "Relative error", "ratio", "lower", "Mean of |depth - true| / true.", "depth", True
    ),
    "trajectory_ate": Metric(
        "Trajectory error", "m", "lower", "RMSE of the aligned positions.", "odometry", True
    ),
    "frames_failed": Metric("Frames failed", "", "lower", "Frames without a result.", "stream"),
}
PER_FRAME = ("flow_epe", "flow_coverage", "flow_flicker", "flow_confidence", "depth_abs_rel")
TIMES = {
    "latency_ms": Metric("Latency", "ms", "lower", "Time from frame to result.", "time"),
    "fps": Metric("Speed", "1/s", "higher", "Frames a second.", "time"),
}


def make_run(
    *, bags: tuple[str, ...] = ("drive_a", "drive_b"), frames: int = 40, worse: float = 0.0
) -> ReplayRun:
    """Return a run with these bags and one that failed.

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
        "flow_epe": 0.8 + 0.3 * wave + 0.05 * random.standard_normal(frames) + worse,
        "flow_coverage": 0.85 + 0.05 * wave,
        "flow_flicker": 0.4 + 0.1 * np.abs(wave) + 0.02 * random.standard_normal(frames),
        "flow_confidence": 0.75 - 0.08 * wave,
        "depth_abs_rel": 0.09 + 0.03 * np.abs(wave),
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
    worst = int(np.argmax(columns["flow_epe"]))
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
        summary={**summary, "trajectory_ate": 0.021, "frames_failed": 1.0},
        counters={"in": frames, "out": frames - 1, "gap": 1},
        events=[Event(start + 5 * PERIOD, "gap", "1.2 s without a frame")],
        frames=Frames([start + i * PERIOD for i in range(frames)], state, values),
        calibration=_calibration(),
        histograms=_histograms(),
        worst=[
            WorstFrame(
                start + worst * PERIOD,
                worst,
                "flow_epe",
                float(columns["flow_epe"][worst]),
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
            "1/200 of the longer side",
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
        "flow_epe": Histogram(
            edges, [int(400 * np.exp(-((i - 9) ** 2) / 20)) for i in range(24)], True
        ),
        "flow_confidence": Histogram(
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
        1, "2026-11-21T20:00:00+00:00", "local", 1, 12.5, 6.4, 9.1, TIMES,
        {"latency_ms": 98.0, "fps": 6.4}, {"flow": Stage(70.0, 95.0, 80)}, bags,
        ["zeroco", "replay", "drive_a"],
    )  # fmt: skip
