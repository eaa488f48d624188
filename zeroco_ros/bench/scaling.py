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

"""How a step grows with the resolution, and a depth frame with the window."""

from __future__ import annotations

import dataclasses
from itertools import count

import numpy as np

from zeroco_ros.bench.measure import Case, interleaved
from zeroco_ros.bench.plan import Plan
from zeroco_ros.bench.record import Cell, Column, Section, spread_cells, spread_columns
from zeroco_ros.bench.step import plain_case, stream_case
from zeroco_ros.bench.subjects import moving_frames, open_subject
from zeroco_ros.engine.layers import computes_bf16
from zeroco_ros.estimate.depth import DepthEstimator
from zeroco_ros.estimate.depth_config import depth_preset
from zeroco_ros.geometry.camera import Camera

SIZES = ((224, 224), (240, 320), (352, 352), (480, 640))
VIEWS = (1, 2, 3, 5)
COLUMNS = (
    Column("what", "what"),
    Column("size", "input or window"),
    *spread_columns("ms", "ms"),
    Column("speed", "plain takes times as long", 2),
)


def scaling_section(plan: Plan) -> Section:
    """See the module: the networks of the bench and the shipped one; depth by the latter."""
    rows = [row for name in _networks(plan) for row in _resolutions(plan, name)]
    rows += _windows(plan)
    note = (
        "network: a step of the stream at this input, nothing after the coarse flow; plain: the "
        "plain implementation in the same rounds. depth: a frame of the preset fast at the "
        "camera's size, matched with so many key frames."
    )
    return Section("scaling", "Resolution and window", COLUMNS, tuple(rows), (note,))


def _networks(plan: Plan) -> list[str]:
    return (
        [plan.network]
        if plan.network == "tiny"
        else list(dict.fromkeys([plan.network, "default"]))
    )


def _resolutions(plan: Plan, name: str) -> list[dict[str, Cell]]:
    subject = open_subject(name)
    precision = "bf16" if computes_bf16() else "fp32"
    sizes = ((96, 96), (96, 128)) if plan.quick else SIZES
    rows: list[dict[str, Cell]] = []
    for size in sizes:
        cases = {
            "ours": stream_case(subject, size, precision),
            "plain": plain_case(subject, size),
        }
        timings = interleaved(cases, max(1, plan.rounds // 2), say=plan.say)
        ratio = timings["ours"].times_faster_than(timings["plain"])
        rows.append(
            {
                "what": f"network {name}, {precision}",
                "size": f"{size[1]}x{size[0]}",
                **spread_cells("ms", timings["ours"].spread, 1e3),
                "speed": ratio.median,
            }
        )
    return rows


def _windows(plan: Plan) -> list[dict[str, Cell]]:
    views = VIEWS[:2] if plan.quick else VIEWS
    cases = {f"{number} key frames": _depth_case(plan, number) for number in views}
    timings = interleaved(cases, max(1, plan.rounds // 2), say=plan.say)
    return [
        {
            "what": "depth, preset fast",
            "size": name,
            **spread_cells("ms", timing.spread, 1e3),
            "speed": None,
        }
        for name, timing in timings.items()
    ]


def _depth_case(plan: Plan, views: int) -> Case:
    """
    Return a frame of a camera that moves sideways with given poses.

    Its window full of key frames.
    """
    height, width = (96, 128) if plan.quick else plan.image
    frames = moving_frames((height, width), 40, step=0.02 * width)
    config = dataclasses.replace(depth_preset("fast"), views=views, window=max(2, views))
    focal = float(width)
    matrix = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
    stream = DepthEstimator(config, threads=plan.threads).stream(Camera(width, height, matrix))
    numbers = count()

    def run() -> object:
        number = next(numbers)
        pose = np.eye(4)
        # forth and back, so that the picture never ends
        at = number % (2 * len(frames) - 2)
        at = min(at, 2 * len(frames) - 2 - at)
        pose[0, 3] = 0.05 * at
        return stream.push(frames[at], 100_000_000 * number, pose)

    for _ in range(max(2, views) + 2):
        run()
    return run
