"""The section of provenance: what has to be the same for the same numbers to come out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from zeroco_ros.replay.record import ReplayRun
from zeroco_ros.report.document import section
from zeroco_ros.report.markup import Markup, element
from zeroco_ros.report.number_text import NONE, number
from zeroco_ros.report.tables import Column, Group, Row, table


def provenance_section(run: ReplayRun) -> Markup:
    """Return command, model and its hash, versions, machine, timing and the configuration."""
    found = run.metrics
    rows: list[Row | Group] = [Group("Command")]
    rows.append(["the same again", element("code", found.command)])
    rows.append(Group("Model"))
    rows += [[name.replace("_", " "), _value(value)] for name, value in found.model.items()]
    rows.append(Group("Versions"))
    rows += [[name, _value(value)] for name, value in found.versions.items()]
    rows.append(Group("Machine"))
    rows += [[name.replace("_", " "), _value(value)] for name, value in found.machine.items()]
    if run.timing is not None:
        rows.append(Group("When and how fast"))
        rows += [[name, value] for name, value in _timing(run)]
    heads = [Column("What"), Column("Value", "anywhere")]
    settings: list[Row | Group] = []
    for part, values in found.config.items():
        settings.append(Group(part))
        settings += [[name, _value(value)] for name, value in flattened(values)]
    return section(
        "configuration",
        "Configuration",
        table("Model, versions, machine", heads, rows),
        stages_table(run),
        table("Settings", [Column("Setting"), Column("Value", "anywhere")], settings),
        note="The same bags, configuration, weights and machine give the same metrics, bit by "
        "bit; times differ.",
    )


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
    return table("Time of each step", heads, rows)
