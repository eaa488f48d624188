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

"""The table of two runs for a page, with a drawing of each relative change."""

from __future__ import annotations

from collections.abc import Sequence
import math

from zeroco_ros.report.comparison import Change, Comparison, Paired
from zeroco_ros.report.markup import element, Markup
from zeroco_ros.report.number_text import NONE, number, percent, signed
from zeroco_ros.report.tables import Column, Group, Row, table
from zeroco_ros.report.tracks import aside, GROUPS

WORDS = {
    "better": ("\u25b2 better", "good-text"),
    "worse": ("\u25bc worse", "bad-text"),
    "equal": ("= equal", "quiet"),
    "unclear": ("\u2248 unclear", "quiet"),
    "changed": ("\u2022 changed", ""),
    "unknown": ("not known", "quiet"),
}
COLORS = {"better": "good", "worse": "bad"}
SPANS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # half of the drawings' axis, as relative change
HELD = 0.85  # share of the changes that the axis holds; others are drawn at its end


def changes_table(comparison: Comparison) -> Markup:
    """Return every metric: both values, difference, drawing of it, verdict."""
    limit = axis_limit(comparison.changes)
    heads = [
        Column("Metric"),
        Column("A", "num"),
        Column("B", "num"),
        Column("Difference", "num"),
        Column("Relative", "num"),
        Column(f"{percent(-limit)} … {percent(limit)}", "drawn"),
        Column("B is", "word"),
    ]
    rows: list[Row | Group] = []
    group = None
    for change in comparison.changes:
        if change.metric.group != group:
            group = change.metric.group
            rows.append(Group(GROUPS.get(group, group)))
        rows.append(_row(change, limit))
    return table("All metrics", heads, rows, stack=True)


def _row(change: Change, limit: float) -> Row:
    small = " · ".join(part for part in (change.name, aside(change.metric)) if part)
    text, color = WORDS[change.word]
    return [
        Markup(element("span", change.metric.title) + element("span", small, class_="under")),
        number(change.a, 4),
        number(change.b, 4),
        signed(change.difference),
        percent(change.relative),
        forest(change, limit),
        element("span", text, class_=color or None),
    ]


def axis_limit(changes: Sequence[Change]) -> float:
    """Return half of the drawings' common axis: a round share that holds most of the changes."""
    sizes = sorted(abs(one.relative) for one in changes if one.relative)
    wanted = sizes[int(HELD * (len(sizes) - 1))] if sizes else 0.0
    return next((one for one in SPANS if one >= wanted), SPANS[-1])


def forest(change: Change, limit: float) -> Markup | str:
    """
    Return the relative change as a dot with its 95 % interval around a line at 0.

    A change beyond the axis is a ring at its end.
    """
    if change.relative is None or change.a is None:
        return ""
    color = COLORS.get(change.word, "quiet")
    parts = [element("line", x1="50%", x2="50%", y1="0", y2="100%", class_="zero")]
    ends = _ends(change.paired, change.a)
    if ends is not None:
        low, high = (_place(end, limit) for end in ends)
        parts.append(element("line", x1=low, x2=high, y1="50%", y2="50%", class_=f"ends {color}"))
    beyond = " beyond" if abs(change.relative) > limit else ""
    place = _place(change.relative, limit)
    parts.append(element("circle", cx=place, cy="50%", r="4.5", class_=f"{color}{beyond}"))
    alt = f"relative change {percent(change.relative)}"
    if ends is not None:
        alt += f", 95 % interval {percent(ends[0])} to {percent(ends[1])}"
    return element("svg", parts, class_="forest", role="img", aria_label=alt)


def _ends(paired: Paired | None, a: float) -> tuple[float, float] | None:
    if paired is None or a == 0:
        return None
    low, high = paired.interval
    return low / abs(a), high / abs(a)


def _place(share: float, limit: float) -> str:
    inside = min(max(share if math.isfinite(share) else 0.0, -limit), limit)
    return f"{50 + 46 * inside / limit:.1f}%"


def paired_table(comparison: Comparison) -> Markup | None:
    """Return the paired differences per frame with their spread; None if there are none."""
    heads = [
        Column("Metric"),
        Column("Frames", "num"),
        Column("Mean B \u2212 A", "num"),
        Column("95 % interval", "num span"),
        Column("Median", "num"),
        Column("Spread (SD)", "num"),
        Column("9 of 10 frames", "num span"),
        Column("B better in", "num"),
    ]
    rows: list[Row | Group] = []
    for change in comparison.changes:
        one = change.paired
        if one is None or change.word == "equal":
            continue
        unit = change.metric.unit
        rows.append(
            [
                Markup(
                    element("span", change.metric.title) + element("span", unit, class_="under")
                ),
                str(one.frames),
                signed(one.mean),
                _between(*one.interval),
                signed(one.median),
                number(one.spread),
                _between(one.p05, one.p95),
                NONE if one.wins is None else f"{100 * one.wins:.0f} %",
            ]
        )
    if not rows:
        return None
    return table("Differences from frame to frame", heads, rows, stack=True, dense=True)


def _between(low: float, high: float) -> str:
    return f"{signed(low)} … {signed(high)}"


def settings_table(comparison: Comparison) -> Markup:
    """Return what differs in configuration, weights, versions, machine."""
    if not comparison.settings:
        return element("p", "No difference: configuration, weights, versions and machine agree.")
    heads = [Column("Setting"), Column("A", "anywhere"), Column("B", "anywhere")]
    rows = [
        [one.name, element("code", one.a), element("code", one.b)] for one in comparison.settings
    ]
    return table("What differs", heads, rows, stack=True)
