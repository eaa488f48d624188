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

"""Evaluation results as a table for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from zeroco_ros.evaluation.calibration import ConfidenceCounts, Reliability
from zeroco_ros.evaluation.cost import Cost
from zeroco_ros.evaluation.evaluate import MethodResult, SetResult
from zeroco_ros.evaluation.methods import Method
from zeroco_ros.evaluation.published import published_for
from zeroco_ros.evaluation.tables import markdown_table, page, text_table

Row = tuple[str, ...]

_LEGEND = """\
AEPE: mean over the pairs of the mean end-point error in pixels (the best one in bold).
PCK: share of pixels within 1, 3 and 5 px of the truth, in percent, mean over the pairs.
AEPE / DIS: that AEPE divided by OpenCV DIS's; below 1 is better than DIS.
time / CPU: median over the pairs of one estimate from two images in memory, in ms, by
the clock and summed over all threads.
AUSE: area between the sparsification curve (error left when the least certain pixels are
removed) and the oracle's, relative to the error of all pixels, mean over the pairs, by
confidence / by forward-backward error; 0 is perfect.
ECE: expected calibration error of the confidence in percent, 10 bins of equal mass over the
pixels of all pairs; a confidence is the probability that the flow is within 1/200 of the image's
longer side of the truth.
failures: pairs without an answer, counted as zero flow.""".splitlines()
_COST_LEGEND = """\
One pair, each method in a process of its own: median time of one estimate by the clock, and
growth of the peak resident memory over Python, NumPy, OpenCV and the pair; in brackets what of
that is there before the first estimate (PyTorch, weights).""".splitlines()


def as_markdown(
    results: Sequence[SetResult],
    methods: Sequence[Method],
    facts: Mapping[str, str],
    costs: Sequence[Cost] = (),
) -> str:
    """
    Return a page.

    facts (command line, date, machine, ...), the tables, and what its words mean.
    """
    names = [f"- `{method.name}`: {method.about}" for method in methods]
    sets = [f"- {result.name}: {result.about}" for result in results]
    head, *body = _table(results, bold="**")
    parts = [markdown_table(head, body, 2), _LEGEND]
    published = _published(results)
    if published:
        parts += [["Published numbers, not measured here:"], markdown_table(*published, 2)]
    if costs:
        parts += [_COST_LEGEND, markdown_table(*_cost_table(costs))]
    return page("Flow on data with ground truth", facts, *parts, names, sets)


def as_text(results: Sequence[SetResult], costs: Sequence[Cost] = ()) -> str:
    """Return the tables in columns of equal width, for a terminal."""
    head, *body = _table(results)
    lines = text_table(head, body, 2)
    published = _published(results)
    if published:
        lines += ["", "published, not measured here:", *text_table(*published, 2)]
    if costs:
        lines += ["", *text_table(*_cost_table(costs))]
    return "\n".join(lines)


def as_json(
    results: Sequence[SetResult],
    methods: Sequence[Method],
    facts: Mapping[str, str],
    costs: Sequence[Cost] = (),
) -> dict[str, Any]:
    """Everything that was measured, down to single pairs, as plain values."""
    names = [result.name for result in results]
    return {
        "facts": dict(facts),
        "methods": {method.name: method.about for method in methods},
        "sets": [
            {
                "name": result.name,
                "about": result.about,
                "size": list(result.size),
                "methods": {row.method: _method_json(row) for row in result.methods},
            }
            for result in results
        ],
        "costs": [asdict(cost) for cost in costs],
        "published": [asdict(entry) for entry in published_for(names)],
    }


def _method_json(row: MethodResult) -> dict[str, Any]:
    return {
        **asdict(row.score),
        "seconds": row.seconds,
        "cpu_seconds": row.cpu_seconds,
        "failures": row.failures,
        "ause": row.ause,
        "calibration": calibration_json(row.confidence) if row.confidence else None,
        "per_pair": [
            {
                "pair": pair.pair,
                "group": pair.group,
                "score": asdict(pair.score),
                "seconds": pair.seconds,
                "cpu_seconds": pair.cpu_seconds,
                "ause": {name: curve.ause for name, curve in pair.curves.items()},
                "failed": pair.failed,
            }
            for pair in row.pairs
        ],
    }


def calibration_json(counts: ConfidenceCounts) -> dict[str, Any]:
    """Accuracy, mean confidence, Brier score, and both reliability diagrams with their ECE."""
    diagrams = {"equal_width": counts.diagram(), "equal_mass": counts.diagram(equal_mass=True)}
    return {
        "accuracy": counts.accuracy,
        "mean_confidence": counts.mean_confidence,
        "brier": counts.brier,
        **{name: _diagram_json(diagram) for name, diagram in diagrams.items()},
    }


def _diagram_json(diagram: Reliability) -> dict[str, Any]:
    return {
        "ece": diagram.ece,
        "confidence": diagram.confidence.tolist(),
        "accuracy": diagram.accuracy.tolist(),
        "share": diagram.share.tolist(),
    }


def _table(results: Sequence[SetResult], bold: str = "") -> list[Row]:
    """Header and rows: per set one row for each quantity, the methods side by side."""
    rows: list[Row] = [("set", "", *(row.method for row in results[0].methods))]
    for result in results:
        height, width = result.size
        score = result.methods[0].score
        quantities = _quantities(result.methods, bold)
        labels = [
            result.name,
            f"{score.pairs} pair{'s' * (score.pairs != 1)} {width}x{height}",
            f"motion {score.motion:.1f} px",
            *[""] * len(quantities),
        ]
        rows += [
            (label, name, *cells)
            for label, (name, cells) in zip(labels, quantities.items(), strict=False)
        ]
    return rows


def _quantities(methods: Sequence[MethodResult], bold: str) -> dict[str, list[str]]:
    """Cells of one set by quantity, one cell for each method."""
    scores = [row.score for row in methods]
    errors = [f"{score.aepe:.2f}" for score in scores]
    best = min(range(len(methods)), key=lambda index: scores[index].aepe)
    errors[best] = f"{bold}{errors[best]}{bold}"
    shares = [" / ".join(f"{100 * share:.0f}" for share in score.pck) for score in scores]
    cells = {"AEPE px": errors, "PCK 1 / 3 / 5 %": shares}
    dis = [score.aepe for row, score in zip(methods, scores, strict=True) if row.method == "dis"]
    if dis and dis[0] > 0:
        cells["AEPE / DIS"] = [f"{score.aepe / dis[0]:.2f}" for score in scores]
    cells["time / CPU ms"] = [
        f"{1000 * row.seconds:.0f} / {1000 * row.cpu_seconds:.0f}" for row in methods
    ]
    areas = [" / ".join(f"{area:.2f}" for area in row.ause.values()) for row in methods]
    if any(areas):
        cells["AUSE conf / fb"] = [area or "-" for area in areas]
        cells["ECE %"] = [_ece(row) for row in methods]
    if any(row.failures for row in methods):
        cells["failures"] = [str(row.failures) for row in methods]
    return cells


def _ece(row: MethodResult) -> str:
    if row.confidence is None:
        return "-"
    return f"{100 * row.confidence.diagram(equal_mass=True).ece:.1f}"


def _published(results: Sequence[SetResult]) -> tuple[Row, list[Row]] | None:
    entries = published_for([result.name for result in results])
    if not entries:
        return None
    rows: list[Row] = [
        (entry.flow_set, entry.method, f"{entry.aepe:.2f}", entry.source) for entry in entries
    ]
    return ("set", "method", "AEPE px", "published in"), rows


def _cost_table(costs: Sequence[Cost]) -> tuple[Row, list[Row]]:
    height, width = costs[0].size
    rows: list[Row] = [
        (
            f"ms, {count} thread{'s' * (count > 1)}",
            *(f"{1000 * c.seconds[count]:.0f}" for c in costs),
        )
        for count in costs[0].seconds
    ]
    rows.append(("memory MB", *(_megabytes(cost) for cost in costs)))
    return (f"{width}x{height}", *(cost.method for cost in costs)), rows


def _megabytes(cost: Cost) -> str:
    if cost.memory is None or cost.loaded is None:
        return "-"
    return f"{cost.memory:.0f} ({cost.loaded:.0f})"
