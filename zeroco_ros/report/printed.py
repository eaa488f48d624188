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

"""A run or a comparison as text for a terminal and as JSON for a program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
import math
from typing import Any

from zeroco_ros.replay.record import ReplayRun
from zeroco_ros.report.comparison import Change, Comparison
from zeroco_ros.report.markup import visible
from zeroco_ros.report.number_text import number, percent, signed
from zeroco_ros.report.summary import pooled
from zeroco_ros.report.thresholds import Finding
from zeroco_ros.report.tracks import catalog

SCHEMA = 1


def run_lines(run: ReplayRun) -> list[str]:
    """Return the metrics of a run as lines of a table, and the bags that failed."""
    values = pooled(run)
    rows = [
        (name, number(values.get(name), 4), _unit(metric.unit), metric.title)
        for name, metric in catalog(run).items()
    ]
    lines = _aligned([("metric", "value", "unit", ""), *rows], numeric=(1,))
    for bag in run.metrics.bags:
        if bag.status != "ok":
            lines.append(f"failed: {visible(bag.name)}: {visible(bag.error or '')}")
    return lines


def comparison_lines(comparison: Comparison) -> list[str]:
    """Return both runs' metrics as lines of a table, and what differs in their configuration."""
    head = ("metric", "A", "B", "B - A", "relative", "95 % of mean", "unit", "B is")
    rows = [head, *(_change_row(change) for change in comparison.changes)]
    lines = _aligned(rows, numeric=(1, 2, 3, 4, 5))
    matching = comparison.matching
    lines.append("")
    lines.append(
        f"{matching.frames} frames in both (A {matching.frames_a}, B {matching.frames_b})"
    )
    for run, names in (("A", matching.only_a), ("B", matching.only_b)):
        if names:
            lines.append(f"only in {run}: {', '.join(visible(name) for name in names)}")
    for one in comparison.settings:
        lines.append(f"differs: {visible(one.name)}: {visible(one.a)} -> {visible(one.b)}")
    return lines


def finding_lines(findings: Sequence[Finding]) -> list[str]:
    """Return the rules of a threshold file and what became of them, one line each."""
    lines = [f"{'ok  ' if one.passed else 'FAIL'} {visible(one.text)}" for one in findings]
    failed = sum(not one.passed for one in findings)
    return [*lines, f"thresholds: {len(findings) - failed} hold, {failed} violated"]


def run_json(run: ReplayRun) -> dict[str, Any]:
    """Return a run's metrics as plain values."""
    values = pooled(run)
    return {
        "metrics": {
            name: {"value": values.get(name), "unit": metric.unit, "better": metric.better}
            for name, metric in catalog(run).items()
        },
        "bags": {bag.name: {"status": bag.status, "error": bag.error} for bag in run.metrics.bags},
    }


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as plain values."""
    matching = comparison.matching
    return {
        "metrics": {one.name: _change_json(one) for one in comparison.changes},
        "frames": {"both": matching.frames, "a": matching.frames_a, "b": matching.frames_b},
        "only_a": list(matching.only_a),
        "only_b": list(matching.only_b),
        "differs": {one.name: {"a": one.a, "b": one.b} for one in comparison.settings},
    }


def findings_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return what became of the rules as plain values; a step away from 0 is null if relative."""
    return {
        "passed": all(one.passed for one in findings),
        "rules": [
            {
                **asdict(one.rule),
                "bag": one.bag or None,
                "found": one.value if one.value is not None and math.isfinite(one.value) else None,
                "passed": one.passed,
                "text": one.text,
            }
            for one in findings
        ],
    }


def _change_json(change: Change) -> dict[str, Any]:
    values = asdict(change)
    metric = values.pop("metric")
    del values["name"]
    return {**values, "unit": metric["unit"], "better": metric["better"]}


def _change_row(change: Change) -> tuple[str, ...]:
    interval = ""
    if change.paired is not None:
        interval = " .. ".join(signed(end) for end in change.paired.interval)
    return (
        change.name,
        number(change.a, 4),
        number(change.b, 4),
        signed(change.difference),
        percent(change.relative),
        interval,
        _unit(change.metric.unit),
        change.word,
    )


def _unit(unit: str) -> str:
    return unit or "-"


def _aligned(rows: Sequence[Sequence[str]], numeric: Sequence[int]) -> list[str]:
    """Return columns of equal width; those in `numeric` to the right."""
    rows = [[visible(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if column in numeric else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
