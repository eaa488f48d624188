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

"""What the confidence of each method is worth, per set and over all sets, as page and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add
from typing import Any

from zeroco_ros.errors import ConfigError
from zeroco_ros.evaluation.calibration import ConfidenceCounts
from zeroco_ros.evaluation.evaluate import MethodResult, SetResult
from zeroco_ros.evaluation.methods import Method
from zeroco_ros.evaluation.report import calibration_json
from zeroco_ros.evaluation.tables import markdown_table, page, text_table

ALL = "all sets"

_HEAD = ("set", "method", "right %", "mean conf %", "ECE width %", "ECE mass %", "Brier")
_HEAD_RANK = ("AUSE conf", "AUSE fb")
_LEGEND = """\
A confidence is the probability that the flow vector is within 1/200 of the target image's longer
side of the truth (3.2 px at 640x480); `right` is the share of the scored pixels where it is.
ECE: expected calibration error in percent, 10 bins of equal width / of equal mass.
Brier: mean squared difference of confidence and outcome; in brackets what the best constant
would reach.
AUSE: area between the sparsification curve and the oracle's, relative to the error of all pixels,
mean over the pairs, by confidence and by forward-backward error; 0 is perfect.""".splitlines()


def pooled(results: Sequence[SetResult]) -> dict[str, ConfidenceCounts]:
    """
    Return the counts over the pixels of all sets by method, those with a confidence.

    Raises ConfigError if no method has one.
    """
    found = {
        row.method: [part for part in _column(results, row.method) if part is not None]
        for row in results[0].methods
    }
    counts = {name: reduce(add, parts) for name, parts in found.items() if parts}
    if not counts:
        raise ConfigError("none of these methods has a confidence: give a preset")
    return counts


def as_text(results: Sequence[SetResult]) -> str:
    """Return the table in columns of equal width, for a terminal."""
    return "\n".join(text_table((*_HEAD, *_HEAD_RANK), _rows(results), 2))


def as_markdown(
    results: Sequence[SetResult],
    methods: Sequence[Method],
    facts: Mapping[str, str],
    picture: str | None,
) -> str:
    """
    Return a page.

    facts, the reliability diagrams (a path from the page), the table, its words.
    """
    parts: list[list[str]] = []
    if picture:
        parts.append([f"![Reliability diagrams over all sets]({picture})"])
    parts.append(markdown_table((*_HEAD, *_HEAD_RANK), _rows(results), 2))
    parts.append(_LEGEND)
    parts.append([f"- `{method.name}`: {method.about}" for method in methods])
    parts.append([f"- {result.name}: {result.about}" for result in results])
    return page("What the confidence is worth", facts, *parts)


def as_json(
    results: Sequence[SetResult], methods: Sequence[Method], facts: Mapping[str, str]
) -> dict[str, Any]:
    """Reliability diagrams, scores and AUSE per set and method, and over all sets."""
    sets: dict[str, Any] = {}
    for result in results:
        rows = [row for row in result.methods if row.confidence is not None]
        sets[result.name] = {
            row.method: {**calibration_json(row.confidence), "ause": row.ause}
            for row in rows
            if row.confidence is not None
        }
    return {
        "facts": dict(facts),
        "methods": {method.name: method.about for method in methods},
        "sets": sets,
        ALL: {name: calibration_json(counts) for name, counts in pooled(results).items()},
    }


def _column(results: Sequence[SetResult], method: str) -> list[ConfidenceCounts | None]:
    """One method's counts on every set, wholes left out: their pairs are in their parts."""
    wholes = {result.part_of for result in results if result.part_of}
    return [
        row.confidence
        for result in results
        if result.name not in wholes
        for row in result.methods
        if row.method == method
    ]


def _rows(results: Sequence[SetResult]) -> list[tuple[str, ...]]:
    rows = [
        (result.name, row.method, *_calibration(row.confidence), *_ranks(row))
        for result in results
        for row in result.methods
        if row.confidence is not None
    ]
    everything = pooled(results).items()
    return rows + [(ALL, name, *_calibration(counts), "", "") for name, counts in everything]


def _calibration(counts: ConfidenceCounts) -> tuple[str, ...]:
    constant = counts.accuracy * (1 - counts.accuracy)
    return (
        f"{100 * counts.accuracy:.1f}",
        f"{100 * counts.mean_confidence:.1f}",
        f"{100 * counts.diagram().ece:.1f}",
        f"{100 * counts.diagram(equal_mass=True).ece:.1f}",
        f"{counts.brier:.3f} ({constant:.3f})",
    )


def _ranks(row: MethodResult) -> tuple[str, str]:
    areas = row.ause
    confidence, cycle = (areas.get(name) for name in ("confidence", "fb_error"))
    return (
        "-" if confidence is None else f"{confidence:.3f}",
        "-" if cycle is None else f"{cycle:.3f}",
    )
