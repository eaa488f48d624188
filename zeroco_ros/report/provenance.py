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

"""The section of provenance: what has to be the same for the same numbers to come out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from zeroco_ros.replay.record import ReplayRun
from zeroco_ros.report.document import section
from zeroco_ros.report.markup import element, Markup
from zeroco_ros.report.number_text import NONE, number
from zeroco_ros.report.tables import Column, Group, Row, table

TASKS = ("flow", "depth")


def provenance_section(run: ReplayRun) -> Markup:
    """Return command, model and its hash, versions, machine, timing and the configuration."""
    found = run.metrics
    rows: list[Row | Group] = [Group("Command")]
    rows.append(["the same again", element("code", found.command)])
    rows.append(Group("Versions"))
    rows += [[name, _value(value)] for name, value in found.versions.items()]
    rows.append(Group("Machine"))
    rows += [[name.replace("_", " "), _value(value)] for name, value in found.machine.items()]
    if run.timing is not None:
        rows.append(Group("When and how fast"))
        rows += [[name, value] for name, value in _timing(run)]
    heads = [Column("What"), Column("Value", "anywhere")]
    settings = beside("Settings", {part: dict(flattened(v)) for part, v in found.config.items()})
    return section(
        "configuration",
        "Configuration",
        beside("Model", models(run)),
        table("Command, versions, machine", heads, rows),
        stages_table(run),
        element("details", element("summary", "All settings"), settings) if settings else None,
        note="The same bags, configuration, weights and machine give the same metrics, bit by "
        "bit; times differ.",
    )


def models(run: ReplayRun) -> dict[str, dict[str, str]]:
    """Return what is known of the model by task ("flow", "depth"); what is empty is left out."""
    found: dict[str, dict[str, str]] = {}
    for name, value in run.metrics.model.items():
        task, _, fact = name.rpartition(": ")
        if value:
            found.setdefault(task or "model", {})[fact] = value
    return dict(sorted(found.items(), key=lambda one: one[0] != "flow"))


def beside(caption: str, parts: Mapping[str, Mapping[str, Any]]) -> Markup | None:
    """Return a table with a column for each of TASKS, and other parts below them."""
    parts = {name: part for name, part in parts.items() if part}
    if not parts:
        return None
    columns = [part for part in TASKS if part in parts] or list(parts)[:1]
    names = dict.fromkeys(name for part in columns for name in parts[part])
    rows: list[Row | Group] = [
        [name, *(_value(parts[part][name]) if name in parts[part] else NONE for part in columns)]
        for name in names
    ]
    for part in parts:
        if part not in columns:
            rows.append(Group(part))
            fill = [""] * (len(columns) - 1)
            rows += [[name, _value(value), *fill] for name, value in parts[part].items()]
    heads = [Column(part, "anywhere") for part in columns]
    return table(caption, [Column("Name"), *heads], rows, stack=True)


def flattened(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (dotted name, value) of nested settings, in their order."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from flattened(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def shown(value: Any) -> str:
    """Return a setting as text."""
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(shown(one) for one in value) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _value(value: Any) -> Markup:
    return element("code", shown(value))


def _timing(run: ReplayRun) -> list[tuple[str, str]]:
    timing = run.timing
    if timing is None:
        return []
    reused = sum(bag.reused for bag in timing.bags)
    rows = [
        ("created", timing.created),
        ("engine", f"{timing.engine}, {timing.workers} at once"),
        ("time in all", f"{number(timing.wall_s)} s"),
        ("speed, everything counted", f"{number(timing.fps)} frames a second"),
        ("speed of the model alone", f"{number(timing.model_fps)} frames a second"),
    ]
    return [*rows, ("bags kept from an earlier run", str(reused))] if reused else rows


def stages_table(run: ReplayRun) -> Markup | None:
    """Return the time of each step, or None without timing."""
    if run.timing is None or not run.timing.stages:
        return None
    heads = [
        Column("Step"),
        Column("Median (ms)", "num"),
        Column("95th percentile (ms)", "num"),
        Column("Frames", "num"),
    ]
    rows = [
        [name.replace("_", " "), number(one.median_ms), number(one.p95_ms), str(one.count)]
        for name, one in run.timing.stages.items()
    ]
    return table("Time of each step", heads, rows, narrow=True)
