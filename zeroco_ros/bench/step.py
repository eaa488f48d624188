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

"""A stream's step against the plain two-pass implementation and the CPU's matrix product."""

from __future__ import annotations

import copy
from itertools import cycle

from zeroco_ros.bench.flops import product_rate, Work
from zeroco_ros.bench.measure import Case, interleaved, Timing
from zeroco_ros.bench.plain import PlainTwoPass
from zeroco_ros.bench.plan import Plan
from zeroco_ros.bench.record import Cell, Column, Section, spread_cells, spread_columns
from zeroco_ros.bench.subjects import moving_frames, network_config, open_subject, Subject
from zeroco_ros.engine.layers import computes_bf16, computes_int8
from zeroco_ros.estimate.flow import FlowEstimator
from zeroco_ros.estimate.frames import normalize

NEEDED = 4.0  # times as fast as the plain implementation, in the fastest precision
_PEAKS = {"fp32": "fp32", "bf16": "bf16", "int8": "bf16"}
COLUMNS = (
    Column("name", "step"),
    *spread_columns("ms", "ms"),
    Column("speed", "times as fast", 2),
    Column("speed_low", "25 %", 2),
    Column("speed_high", "75 %", 2),
    Column("gflop", "GFLOP"),
    Column("rate", "GFLOP/s", 0),
    Column("peak", "of the product's, %", 0),
)


def cpu_precisions() -> list[str]:
    """Precisions that this CPU has, the exact one first."""
    found = ["fp32"]
    return found + ["bf16"] * computes_bf16() + ["int8"] * computes_int8()


def stream_case(subject: Subject, size: tuple[int, int], precision: str) -> Case:
    """Return a step of a stream, already begun, of the network alone."""
    estimator = FlowEstimator.from_model(
        subject.model, network_config(size, precision), metadata=subject.metadata
    )
    frames, stream = cycle(moving_frames(size)), estimator.stream()
    stream.push(next(frames))
    return lambda: stream.push(next(frames))


def plain_case(subject: Subject, size: tuple[int, int]) -> Case:
    """Return plain implementation on the same frames, from the same pixels to the same flow."""
    model = copy.deepcopy(subject.model)
    plain = PlainTwoPass(model, register_fix=subject.register_fix, beta=subject.beta)
    frames = moving_frames(size)
    number = iter(range(1, 1 << 30))

    def run() -> object:
        at = next(number)
        target, source = frames[at % len(frames)], frames[(at - 1) % len(frames)]
        return plain.flow(normalize(target), normalize(source))

    return run


def step_section(plan: Plan) -> Section:
    """See the module."""
    subject = open_subject(plan.network)
    work = Work(subject.model.config, (plan.input[0] // 16, plan.input[1] // 16))
    cases = {"plain": plain_case(subject, plan.input)}
    for precision in cpu_precisions():
        cases[precision] = stream_case(subject, plan.input, precision)
    timings = interleaved(cases, plan.rounds, say=plan.say)
    peaks = _peaks(plan)
    rows = [_row("plain", timings, work.plain_step, peaks)]
    rows += [_row(name, timings, work.stream_step, peaks) for name in cases if name != "plain"]
    best = max(float(row["speed"] or 0) for row in rows)
    failed = []
    if plan.network == "vit_b" and not plan.quick and best < NEEDED:
        failed.append(f"a step {NEEDED:g} times as fast as the plain one (best: {best:.2f})")
    return Section(
        "step",
        f"A stream's step against the plain implementation, {subject.about}, "
        f"{plan.input[1]}x{plan.input[0]}",
        COLUMNS,
        tuple(rows),
        (
            "plain: both images encoded, two decoder passes, all maps kept, fp32. Speed: the "
            "ratio of each round, its median and quartiles. GFLOP: counted from the network.",
            "The product: "
            + ", ".join(f"{name} {rate / 1e9:.0f}" for name, rate in peaks.items())
            + " GFLOP/s for 2048 x 2048 matrices in this run. The share of int8 is of bf16's.",
        ),
        tuple(failed),
    )


def _peaks(plan: Plan) -> dict[str, float]:
    side = 512 if plan.quick else 2048
    return {name: product_rate(name, side) for name in cpu_precisions()}


def _row(
    name: str, timings: dict[str, Timing], operations: float, peaks: dict[str, float]
) -> dict[str, Cell]:
    spread = timings[name].spread
    rate = operations / spread.median
    peak = peaks[_PEAKS.get(name, "fp32")]
    title = "plain, two passes" if name == "plain" else f"stream, {name}"
    return {
        "name": title,
        **spread_cells("ms", spread, 1e3),
        **spread_cells("speed", timings[name].times_faster_than(timings["plain"])),
        "gflop": operations / 1e9,
        "rate": rate / 1e9,
        "peak": 100 * rate / peak,
    }
