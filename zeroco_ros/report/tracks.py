"""Values over time as a report draws them: tracks of a bag, thinned without losing a peak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from zeroco_ros.replay.record import BagRecord, Column, Metric, ReplayRun
from zeroco_ros.report.axes import Scale, fitting, inside
from zeroco_ros.report.chart import Chart, Line, dot
from zeroco_ros.report.markup import Markup, element
from zeroco_ros.report.number_text import number, ticks, with_unit

POINTS = 3000  # of all lines of a chart together
SHORTEST = 120  # points of a line that are kept in any case
SLOTS = 7  # colors; bags after these are gray
BREAK = 3.5  # a line is broken where frames are this many times farther apart than usual
GROUPS = {
    "flow": "Flow",
    "depth": "Depth",
    "odometry": "Trajectory",
    "stream": "Stream",
    "time": "Time",
}


@dataclass(frozen=True)
class Track:
    """One metric of one bag. offsets: ns since start; values: of the same length, None unknown.

    marks: rows of frames to be marked.
    """

    label: str
    slot: int
    group: int
    start: int
    offsets: Sequence[int]
    values: Column
    marks: Sequence[int] = ()


def slot(number: int) -> int:
    """Return the color of the bag with this number."""
    return min(number, SLOTS)


def columns(run: ReplayRun, bag: BagRecord) -> dict[str, Column]:
    """Return the values per frame of a bag, those of timing.json included where they fit."""
    found = dict(bag.frames.values)
    for timing in run.timing.bags if run.timing else ():
        if timing.name == bag.name:
            fitting_ones = {
                name: column
                for name, column in timing.columns.items()
                if len(column) == len(bag.frames.stamp)
            }
            found.update(fitting_ones)
    return found


def catalog(run: ReplayRun) -> dict[str, Metric]:
    """Return the metrics of a run by name: groups in order, those with a reference first."""
    every = dict(run.metrics.metrics)
    if run.timing is not None:
        every.update(run.timing.metrics)
    order = list(GROUPS)

    def key(name: str) -> tuple[int, bool, str]:
        metric = every[name]
        group = order.index(metric.group) if metric.group in GROUPS else len(order)
        return group, not metric.needs_reference, name

    return {name: every[name] for name in sorted(every, key=key)}


def curve(metric: Metric, tracks: Sequence[Track], span: Scale, note: str = "") -> Markup:
    """Return the figure of a metric over time."""
    budget = max(SHORTEST, POINTS // max(len(tracks), 1))
    lines, rings = [], []
    values = [value for track in tracks for value in track.values if value is not None]
    scale = fitting(values, ceiling=_ceiling(metric))
    chart = Chart("", span, scale)
    for track in tracks:
        offsets, kept = thinned(track.offsets, track.values, budget)
        cut = max(_usual_step(track.offsets) * BREAK, _usual_step(offsets) * BREAK)
        lines.append(
            Line(track.label, track.slot, offsets, kept, track.group, track.start, cut=cut)
        )
        found = [_ring(chart, track, row) for row in track.marks]
        rings += [ring for ring in found if ring is not None]
    drawn = Chart(
        f"{metric.title} over time: {spread(values, metric.unit)}.",
        span,
        scale,
        lines,
        unit=_unit(metric),
        over=rings,
        x_title="seconds since the first frame",
        x_labels=second_labels(span),
        extra={"time": 1},
    )
    return figure(metric.title, aside(metric, scale), f"{metric.meaning} {note}".strip(), drawn)


def figure(title: str, small: str, text: str, *charts: Chart | Markup) -> Markup:
    """Return a figure with its title, what is small beside it, a sentence and charts."""
    head = element("div", element("h3", title), element("span", small), class_="titled")
    caption = element("figcaption", head, element("p", text) if text else None)
    bodies = [one.markup() if isinstance(one, Chart) else one for one in charts]
    return element("figure", caption, bodies)


def time_axis(ends: Sequence[int]) -> Scale:
    """Return the axis of time from 0 to the last of these offsets, in nanoseconds."""
    last = max(ends, default=0) / 1e9
    scale = inside(0.0, last or 1.0)
    ticks = tuple(1e9 * tick for tick in scale.ticks)
    return Scale(0.0, 1e9 * scale.high, ticks)


def second_labels(span: Scale) -> list[str]:
    """Return the labels of an axis of nanoseconds, in seconds."""
    return ticks([tick / 1e9 for tick in span.ticks])


def aside(metric: Metric, scale: Scale | None = None) -> str:
    """Return unit and direction of a metric in a few words."""
    parts = [
        metric.unit,
        {"lower": "lower is better", "higher": "higher is better"}.get(metric.better or "", ""),
    ]
    if scale is not None and scale.log:
        parts.append("logarithmic axis")
    return " · ".join(part for part in parts if part)


def spread(values: Sequence[float], unit: str) -> str:
    """Return lowest, median and highest in words."""
    if not values:
        return "no value is known"
    unit = "" if unit == "ratio" else unit
    low, middle, high = (
        with_unit(number(one), unit) for one in (min(values), median(values), max(values))
    )
    return f"lowest {low}, median {middle}, highest {high}"


def thinned(offsets: Sequence[int], values: Column, budget: int) -> tuple[list[int], Column]:
    """Return at most about `budget` points: of each stretch of frames its lowest and highest.

    Where nothing of a stretch is known one None is kept, so that the gap is seen.
    """
    size = len(offsets)
    if size <= budget:
        return list(offsets), list(values)
    stride = -(-2 * size // budget)
    kept: list[int] = []
    for begin in range(0, size, stride):
        rows = range(begin, min(begin + stride, size))
        known = [row for row in rows if values[row] is not None]
        if not known:
            kept.append(begin)
            continue
        by_value = sorted(known, key=lambda row: values[row] or 0.0)
        kept += sorted({by_value[0], by_value[-1]})
    return [offsets[row] for row in kept], [values[row] for row in kept]


def _usual_step(offsets: Sequence[int]) -> float:
    steps = [after - before for before, after in pairwise(offsets)]
    return float(median(steps)) if steps else float("inf")


def _ring(chart: Chart, track: Track, row: int) -> Markup | None:
    value = track.values[row] if 0 <= row < len(track.values) else None
    if value is None:
        return None
    x, y = chart.at(track.offsets[row], value)
    return element("g", dot(x, y, "ring"), dot(x, y, "hole"), data_group=track.group)


def _ceiling(metric: Metric) -> float | None:
    if metric.unit == "%":
        return 100.0
    return 1.0 if metric.unit == "ratio" and metric.better == "higher" else None


def _unit(metric: Metric) -> str:
    return "" if metric.unit == "ratio" else metric.unit
