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

"""The headline numbers of a report, and the table of all metrics."""

from __future__ import annotations

from collections.abc import Sequence

from zeroco_ros.replay.record import Metric, ReplayRun, Values
from zeroco_ros.report.document import section
from zeroco_ros.report.markup import element, Markup
from zeroco_ros.report.number_text import NONE, number
from zeroco_ros.report.tables import Column, Group, Row, table
from zeroco_ros.report.tracks import catalog, GROUPS, sentence

TILES = 8
# What is shown large, where a run has it: errors first, then what needs no truth, then speed.
HEADLINES = (
    "epe",
    "abs_rel",
    "ate",
    "flow_coverage",
    "depth_coverage",
    "forward_backward_error",
    "flow_flicker",
    "depth_flicker",
    "photometric_error",
    "flow_answered",
    "latency_ms",
    "fps",
)
LAST = ("latency_ms", "fps")  # keep their places also where there is more than enough before
MANY = 6  # bags from which on the table of metrics shows the range instead of each bag


def summary_section(run: ReplayRun) -> Markup:
    """Return the headline numbers."""
    metrics, values = catalog(run), pooled(run)
    tiles = [_tile(metrics[name], values[name]) for name in headlines(metrics, values)]
    return section(
        "summary",
        "Summary",
        element("ul", tiles, class_="tiles"),
        note=_note(run),
    )


def metrics_section(run: ReplayRun) -> Markup:
    """Return the table of all metrics."""
    return section("metrics", "Metrics", metrics_table(run, catalog(run), pooled(run)))


def pooled(run: ReplayRun) -> Values:
    """Return the values over all bags by name, those of timing.json included."""
    return {**run.metrics.summary, **(run.timing.summary if run.timing else {})}


def values_by_bag(run: ReplayRun) -> dict[str, Values]:
    """Return the values of each bag by its name, those of timing.json included."""
    times = {one.name: one.summary for one in run.timing.bags} if run.timing else {}
    return {bag.name: {**bag.summary, **times.get(bag.name, {})} for bag in run.ok}


def headlines(metrics: dict[str, Metric], values: Values) -> list[str]:
    """Return the names of the metrics shown large: HEADLINES that are known, else any that are."""
    known = [name for name in metrics if values.get(name) is not None]
    chosen = [name for name in HEADLINES if name in known]
    chosen += [name for name in known if name not in chosen and metrics[name].better is not None]
    last = [name for name in LAST if name in chosen]
    first = [name for name in chosen if name not in last]
    return [*first[: TILES - len(last)], *last]


def _note(run: ReplayRun) -> str:
    ok = sum(1 for _ in run.ok)
    over = "the bag" if ok == 1 else f"the {ok} bags that were played to the end"
    text = f"Over all frames of {over}."
    if not any(metric.needs_reference for metric in run.metrics.metrics.values()):
        text += " No ground truth was given: the numbers say how well the results agree with each "
        text += "other and with the pictures, not how right they are."
    return text


def _tile(metric: Metric, value: float | None) -> Markup:
    unit = "" if metric.unit == "ratio" else metric.unit
    shown = element("small", f"\u00a0{unit}") if unit and value is not None else None
    return element(
        "li",
        element("div", metric.title, class_="name"),
        element("div", number(value), shown, class_="value"),
        element("p", sentence(metric.meaning)),
        class_="tile",
    )


def metrics_table(run: ReplayRun, metrics: dict[str, Metric], values: Values) -> Markup:
    """Return every metric with unit, direction, value, meaning, and the bags' own values."""
    bags = list(run.ok)
    single, many = len(bags) <= 1, len(bags) > MANY
    heads = [Column("Metric"), Column("All bags" if not single else "Value", "num")]
    if many:
        heads += [Column("Lowest bag", "num"), Column("Highest bag", "num")]
    elif not single:
        heads += [Column(bag.name, "num") for bag in bags]
    heads += [Column("Unit"), Column("What it is", "long")]
    of_bags = list(values_by_bag(run).values())
    rows: list[Row | Group] = []
    group = None
    for name, metric in metrics.items():
        if metric.group != group:
            group = metric.group
            rows.append(Group(GROUPS.get(group, group)))
        own = [one.get(name) for one in of_bags]
        row: list[Markup | str] = [_named(metric, name), number(values.get(name))]
        if many:
            row += _range(own, [bag.name for bag in bags])
        elif not single:
            row += [number(one) for one in own]
        rows.append([*row, unit_cell(metric), sentence(metric.meaning)])
    return table("All metrics", heads, rows, stack=True)


def unit_cell(metric: Metric) -> Markup:
    """Return a metric's unit, and below it the direction that is good."""
    direction = {"lower": "lower is better", "higher": "higher is better"}.get(metric.better or "")
    below = element("span", direction, class_="under") if direction else ""
    return Markup(element("span", metric.unit or NONE) + below)


def _named(metric: Metric, name: str) -> Markup:
    return Markup(f"{element('span', metric.title)}{element('code', name, class_='under')}")


def _range(values: Sequence[float | None], names: Sequence[str]) -> list[Markup | str]:
    known = [(value, name) for value, name in zip(values, names, strict=True) if value is not None]
    if not known:
        return [NONE, NONE]
    return [
        Markup(f"{number(value)}{element('span', name, class_='under')}")
        for value, name in (min(known), max(known))
    ]
