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

"""The sections of bags, and of faults and counters."""

from __future__ import annotations

from zeroco_ros.replay.record import BagRecord, Metric, ReplayRun, Values
from zeroco_ros.report.document import section
from zeroco_ros.report.markup import element, Markup
from zeroco_ros.report.number_text import NONE, number, seconds
from zeroco_ros.report.summary import headlines, pooled, values_by_bag
from zeroco_ros.report.tables import Column, Row, table
from zeroco_ros.report.tracks import catalog

EVENTS = 200  # rows of the table of events


def bags_section(run: ReplayRun) -> Markup:
    """Return what was played, and which bags failed and why."""
    heads = [
        Column("Bag"),
        Column("Status", "anywhere"),
        Column("Frames", "num"),
        Column("Messages", "num"),
        Column("Duration", "num"),
        Column("Topics", "anywhere"),
        Column("Reference", "anywhere"),
        Column("SHA-256", "anywhere"),
    ]
    rows = [_bag_row(bag) for bag in run.metrics.bags]
    failed = sum(bag.status != "ok" for bag in run.metrics.bags)
    note = (
        f"{failed} of {len(rows)} failed; the numbers of this page are those of the others."
        if failed
        else ""
    )
    return section(
        "bags",
        "Bags",
        by_bag_table(run),
        table("What was played", heads, rows, stack=True),
        note=note,
    )


def by_bag_table(run: ReplayRun) -> Markup | None:
    """Return the headline numbers of each bag, the worst of each marked; None for a single bag."""
    metrics, values = catalog(run), values_by_bag(run)
    if len(values) < 2:
        return None
    names = headlines(metrics, pooled(run))
    worst = {name: _worst(metrics[name].better, name, values) for name in names}
    rows: list[Row] = []
    for bag, own in values.items():
        cells: list[Markup | str] = [bag]
        for name in names:
            marked = worst[name] is not None and own.get(name) == worst[name]
            text = number(own.get(name))
            cells.append(element("span", f"\u25bc {text}", class_="bad-text") if marked else text)
        rows.append(cells)
    heads = [Column("Bag"), *(Column(_short(metrics[name]), "num") for name in names)]
    caption = "Headline numbers by bag (\u25bc the worst)"
    return table(caption, heads, rows, stack=True, dense=True)


def _short(metric: Metric) -> str:
    return f"{metric.title} ({metric.unit})" if metric.unit not in ("", "ratio") else metric.title


def _worst(better: str | None, name: str, values: dict[str, Values]) -> float | None:
    """Return the worst value of a metric; None without a good side, or if all are the same."""
    known = [value for own in values.values() if (value := own.get(name)) is not None]
    if better is None or len(set(known)) < 2:
        return None
    return max(known) if better == "lower" else min(known)


def _bag_row(bag: BagRecord) -> Row:
    if bag.status == "ok":
        status = element("span", "\u2713 ok", class_="good-text")
    else:
        status = Markup(
            element("span", "\u2717 failed", class_="bad-text")
            + element("span", bag.error or "", class_="under")
        )
    name = Markup(element("span", bag.name) + element("code", bag.path, class_="under"))
    ok = bag.status == "ok"
    return [
        name,
        status,
        number(len(bag.frames.stamp)) if ok else NONE,
        number(bag.messages) if ok else NONE,
        f"{number(bag.duration)} s" if ok else NONE,
        _words(bag.topics),
        _words(bag.reference),
        element("code", bag.sha256) if bag.sha256 else NONE,
    ]


def _words(values: dict[str, str]) -> Markup | str:
    if not values:
        return NONE
    lines = [
        element("span", f"{key}: ", element("code", value), class_="under")
        for key, value in values.items()
    ]
    return Markup("".join(lines))


def faults_section(run: ReplayRun) -> Markup:
    """Return the counters of each bag, and the events in the order of their stamps."""
    bags = list(run.ok)
    names = list(
        dict.fromkeys([*run.metrics.counters, *(n for bag in bags for n in bag.counters)])
    )
    heads = [Column("Counter"), Column("All bags" if len(bags) > 1 else "Count", "num")]
    if len(bags) > 1:
        heads += [Column(bag.name, "num") for bag in bags]
    rows: list[Row] = []
    for name in names:
        counts = [bag.counters.get(name, 0) for bag in bags]
        row: list[Markup | str] = [
            name.replace("_", " "),
            str(run.metrics.counters.get(name, sum(counts))),
        ]
        rows.append([*row, *(str(one) for one in counts)] if len(bags) > 1 else row)
    parts = (
        [table("Counters", heads, rows, stack=len(heads) > 2, narrow=len(heads) < 5)]
        if rows
        else []
    )
    parts.append(_events(bags))
    return section("faults", "Faults and counters", *parts)


def _events(bags: list[BagRecord]) -> Markup:
    found = [(bag, event) for bag in bags for event in bag.events]
    if not found:
        return element("p", "No event: no gap, no jump, nothing refused, tracking never lost.")
    heads = [
        Column("Stamp (s)", "num"),
        Column("After (s)", "num"),
        Column("Kind"),
        Column("What happened", "long"),
        Column("Bag", "anywhere"),
    ]
    rows = [
        [
            seconds(event.stamp),
            number((event.stamp - bag.start) / 1e9),
            event.kind,
            event.text,
            bag.name,
        ]
        for bag, event in found[:EVENTS]
    ]
    more = f" (the first {EVENTS} of {len(found)})" if len(found) > EVENTS else ""
    return table(f"Events{more}", heads, rows, stack=True)
