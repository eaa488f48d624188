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

"""Two runs side by side as one HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from zeroco_ros.media.atomic import atomic_write
from zeroco_ros.replay.record import Metric, ReplayRun
from zeroco_ros.report.axes import fitting, linear, Scale
from zeroco_ros.report.calibration import (
    reliability_figure,
    sigma_figure,
    sparsification_figure,
)
from zeroco_ros.report.chart import Chart, HEIGHT, legend, Line, stroke, WIDTH
from zeroco_ros.report.comparison import Comparison
from zeroco_ros.report.comparison_table import changes_table, paired_table, settings_table
from zeroco_ros.report.curves import folded, picks
from zeroco_ros.report.document import document, header, section
from zeroco_ros.report.findings import findings_section
from zeroco_ros.report.markup import element, join, Markup
from zeroco_ros.report.matching import BagPair
from zeroco_ros.report.thresholds import Finding
from zeroco_ros.report.tracks import (
    aside,
    BREAK,
    columns,
    figure,
    POINTS,
    second_labels,
    SHORTEST,
    thinned,
    time_axis,
    usual_step,
)
from zeroco_ros.report.verdict import of_comparison, of_findings

A, B, STEP = 0, 1, 7  # colors of the runs and of their difference


def write_comparison(
    path: str | Path,
    runs: tuple[ReplayRun, ReplayRun],
    names: tuple[str, str],
    comparison: Comparison,
    findings: Sequence[Finding] | None = None,
) -> Path:
    """
    Write the page to `path` and return it. names: what the runs are called on the page.

    Raises ImageError where the file cannot be written.
    """
    page = comparison_page(runs, names, comparison, findings)
    with atomic_write(path) as handle:
        handle.write(page.encode())
    return Path(path)


def comparison_page(
    runs: tuple[ReplayRun, ReplayRun],
    names: tuple[str, str],
    comparison: Comparison,
    findings: Sequence[Finding] | None = None,
) -> str:
    """Return the page as text."""
    verdict = of_comparison(comparison) if findings is None else of_findings(findings)
    parts = [
        ("thresholds", "Thresholds", findings_section(findings)),
        ("metrics", "Metrics", _metrics(comparison)),
        ("curves", "Over time", _curves(runs, comparison)),
        ("calibration", "Calibration", _calibration(runs)),
        ("differences", "What differs", _differences(comparison)),
    ]
    there = [(anchor, name, part) for anchor, name, part in parts if part is not None]
    matching = comparison.matching
    head = header(
        "Two replays compared · zeroco_ros",
        f"{names[0]} \u2192 {names[1]}",
        [
            (f"A {names[0]}", f"· {matching.frames_a} frames"),
            (f"B {names[1]}", f"· {matching.frames_b} frames"),
            (str(matching.frames), "frames in both"),
        ],
        verdict.markup(),
    )
    return document(
        f"{names[0]} and {names[1]}: replays compared",
        head,
        [(anchor, name) for anchor, name, _ in there],
        join([part for _, _, part in there]),
        "zeroco_ros · how to read this page: docs/REPORT.md",
    )


def _metrics(comparison: Comparison) -> Markup:
    matching = comparison.matching
    note = "A is what was, B what is proposed. Dots: the change of the metric; rings: one "
    note += "beyond the axis; bars: the 95 % interval of the mean change from frame to frame."
    if not matching.same:
        note += (
            f" The runs are not of the same frames: A and B are over the {matching.frames} frames "
            "that are in both (trajectory, calibration and the like over the bags that both have "
            "whole), not what the reports of the runs say."
        )
    return section(
        "metrics", "Metrics", changes_table(comparison), paired_table(comparison), note=note
    )


def _curves(runs: tuple[ReplayRun, ReplayRun], comparison: Comparison) -> Markup | None:
    pairs = [pair for pair in comparison.matching.pairs if pair.rows]
    if not pairs:
        return None
    span = time_axis([_offsets(pair)[-1] for pair in pairs])
    figures, equal = {}, []
    for change in comparison.changes:
        upper, lower = _lines(runs, pairs, change.name)
        steps = [value for line in lower for value in line.y if value is not None]
        if any(steps):
            figures[change.name] = _overlay(change.metric, upper, lower, span)
        elif steps:
            equal.append(change.metric.title)
    if not figures and not equal:
        return None
    text = f"Equal in every frame, and not drawn: {', '.join(equal)}." if equal else ""
    return section(
        "curves",
        "Over time",
        picks([pair.b.name for pair in pairs], colored=False) if len(pairs) > 1 else None,
        legend([(f"s{A}", "A"), (f"s{B}", "B"), (f"s{STEP}", "B \u2212 A, below")])
        if figures
        else None,
        *folded(figures),
        element("p", text, class_="small quiet") if text else None,
        note="Frames of the same stamp in both runs; below, their difference around 0.",
    )


def _lines(
    runs: tuple[ReplayRun, ReplayRun], pairs: Sequence[BagPair], name: str
) -> tuple[list[Line], list[Line]]:
    """Return the values of both runs, and their differences."""
    budget = max(SHORTEST, POINTS // (3 * len(pairs)))
    upper: list[Line] = []
    lower: list[Line] = []
    for group, pair in enumerate(pairs):
        left, right = columns(runs[0], pair.a).get(name), columns(runs[1], pair.b).get(name)
        if left is None or right is None:
            continue
        a = [left[i] for i, _ in pair.rows]
        b = [right[j] for _, j in pair.rows]
        step = [None if x is None or y is None else y - x for x, y in zip(a, b, strict=True)]
        offsets, start = _offsets(pair), pair.b.frames.stamp[pair.rows[0][1]]
        told = f" {pair.b.name}" if len(pairs) > 1 else ""
        for lines, label, slot, values in (
            (upper, f"A{told}", A, a),
            (upper, f"B{told}", B, b),
            (lower, f"B \u2212 A{told}", STEP, step),
        ):
            rows = thinned(values, budget)
            x = [offsets[row] for row in rows]
            cut = BREAK * max(usual_step(offsets), usual_step(x))
            y = [values[row] for row in rows]
            lines.append(Line(label, slot, x, y, group, start, cut=cut))
    return upper, lower


def _overlay(metric: Metric, upper: Sequence[Line], lower: Sequence[Line], span: Scale) -> Markup:
    known = [value for line in upper for value in line.y if value is not None]
    return figure(metric.title, aside(metric), "", *_stacked(metric, upper, lower, known, span))


def _stacked(
    metric: Metric, upper: Sequence[Line], lower: Sequence[Line], known: list[float], span: Scale
) -> tuple[Chart, Chart]:
    """Return both runs, and below their difference, on the same axis of time."""
    unit = "" if metric.unit == "ratio" else metric.unit
    steps = [value for line in lower for value in line.y if value is not None] or [0.0]
    most = max(abs(value) for value in steps) or 1.0
    around = linear(-most, most, 2)
    zero = HEIGHT * (1 - around.place(0.0))
    below = Chart(
        f"Difference of {metric.title} from frame to frame.",
        span,
        around,
        lower,
        unit=unit,
        shape="low",
        x_labels=second_labels(span),
        x_title="seconds since the first frame",
        under=[stroke([(0.0, zero), (float(WIDTH), zero)], "reference")],
        extra={"time": 1},
    )
    above = Chart(
        f"{metric.title} of both runs over time.",
        span,
        fitting(known),
        upper,
        unit=unit,
        x_labels=[""] * len(span.ticks),
        extra={"time": 1},
    )
    return above, below


def _offsets(pair: BagPair) -> list[int]:
    stamps = [pair.b.frames.stamp[j] for _, j in pair.rows]
    # a recording whose clock was set back is drawn in the order of its frames
    if any(after < before for before, after in pairwise(stamps)):
        stamps = sorted(stamps)
    return [stamp - stamps[0] for stamp in stamps]


def _calibration(runs: tuple[ReplayRun, ReplayRun]) -> Markup | None:
    a, b = (run.metrics.calibration for run in runs)
    figures = []
    if a.confidence is not None and b.confidence is not None:
        figures.append(reliability_figure([("A", a.confidence), ("B", b.confidence)]))
    if a.sigma is not None and b.sigma is not None:
        both = [("A", a.sigma), ("B", b.sigma)]
        figures += [sigma_figure(both), sparsification_figure(both)]
    if not figures:
        return None
    return section(
        "calibration",
        "Calibration",
        element("div", figures, class_="pairs three"),
        note="Points on the dashed line: what is stated is what is found.",
    )


def _differences(comparison: Comparison) -> Markup:
    matching = comparison.matching
    lines = [
        element("p", f"Only in {run}: {', '.join(names)}.")
        for run, names in (("A", matching.only_a), ("B", matching.only_b))
        if names
    ]
    return section(
        "differences",
        "What differs",
        settings_table(comparison),
        *lines,
        note="Configuration, weights, versions and machine: what may explain the numbers.",
    )
