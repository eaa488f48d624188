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

"""Values over time as a report draws them: tracks of a bag, thinned without losing a peak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
import math
from statistics import median

from zeroco_ros.replay.catalog import ALL, TIMES
from zeroco_ros.replay.record import BagRecord, Column, Metric, ReplayRun
from zeroco_ros.report.axes import fitting, inside, Scale
from zeroco_ros.report.chart import Chart, dot, Line, outline
from zeroco_ros.report.markup import element, Markup
from zeroco_ros.report.number_text import number, ticks, with_unit

POINTS = 3000  # of all lines of a chart together
SHORTEST = 120  # points of a line that are kept in any case
BAND = ("10th percentile", "90th percentile")
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
    """
    One metric of one bag. offsets: ns since start; values: of the same length, None unknown.

    marks: rows of frames to be marked. band: two columns around the values, such as percentiles.
    """

    label: str
    slot: int
    group: int
    start: int
    offsets: Sequence[int]
    values: Column
    marks: Sequence[int] = ()
    band: tuple[Column, Column] | None = None


def slot(number: int) -> int:
    """Return the color of the bag with this number."""
    return min(number, SLOTS)


def columns(run: ReplayRun, bag: BagRecord) -> dict[str, Column]:
    """
    Return the values per frame of a bag, those of timing.json included.

    A column that has not as many rows as there are frames is of another run and left out.
    """
    found = dict(bag.frames.values)
    for timing in run.timing.bags if run.timing else ():
        if timing.name == bag.name:
            found.update(timing.columns)
    return {
        name: [one if one is not None and math.isfinite(one) else None for one in column]
        for name, column in found.items()
        if len(column) == len(bag.frames.stamp)
    }


def catalog(run: ReplayRun) -> dict[str, Metric]:
    """
    Return the metrics of a run by name: by groups, in the order of the replay's catalog.

    A metric of another version, which the catalog does not have, comes last in its group.
    """
    every = dict(run.metrics.metrics)
    if run.timing is not None:
        every.update(run.timing.metrics)
    groups = {group: place for place, group in enumerate(GROUPS)}
    places = {name: place for place, name in enumerate((*ALL, *TIMES))}

    def key(name: str) -> tuple[int, int, str]:
        group = groups.get(every[name].group, len(groups))
        return group, places.get(name, len(places)), name

    return {name: every[name] for name in sorted(every, key=key)}


def curve(metric: Metric, tracks: Sequence[Track], span: Scale, note: str = "") -> Markup:
    """Return the figure of a metric over time."""
    budget = max(SHORTEST, POINTS // max(len(tracks), 1))
    values = [value for track in tracks for value in track.values if value is not None]
    edges = [value for track in tracks for side in track.band or () for value in side]
    scale = fitting(
        [*values, *(value for value in edges if value is not None)], ceiling=_ceiling(metric)
    )
    chart = Chart("", span, scale)
    lines: list[Line] = []
    bands: list[Markup] = []
    rings: list[Markup] = []
    for track in tracks:
        rows = thinned(track.values, budget)
        lines += _lines(track, rows)
        if track.band is not None:
            bands.append(_band(chart, track, rows))
        found = [_ring(chart, track, row) for row in track.marks]
        rings += [ring for ring in found if ring is not None]
    drawn = Chart(
        f"{metric.title} over time: {spread(values, metric.unit)}.",
        span,
        scale,
        lines,
        unit=_unit(metric),
        under=bands,
        over=rings,
        x_title="seconds since the first frame",
        x_labels=second_labels(span),
        faint=len(tracks) > SLOTS,
        extra={"time": 1},
    )
    text = f"{sentence(metric.meaning)} {note}".strip()
    return figure(metric.title, aside(metric, scale), text, drawn)


def _lines(track: Track, rows: Sequence[int]) -> list[Line]:
    offsets = [track.offsets[row] for row in rows]
    cut = BREAK * max(usual_step(track.offsets), usual_step(offsets))
    sides = () if track.band is None else zip(BAND, track.band, strict=True)
    every = [(track.label, track.values, True), *((name, side, False) for name, side in sides)]
    return [
        Line(
            label,
            track.slot,
            offsets,
            [values[row] for row in rows],
            track.group,
            track.start,
            cut=cut,
            drawn=drawn,
        )
        for label, values, drawn in every
    ]


def _band(chart: Chart, track: Track, rows: Sequence[int]) -> Markup:
    """Return the area between both sides of a band, in a piece for each stretch without a gap."""
    low, high = track.band or ([], [])
    pieces: list[str] = []
    stretch: list[tuple[float, float, float]] = []
    for row in [*rows, -1]:
        bottom, top = (low[row], high[row]) if row >= 0 else (None, None)
        if bottom is not None and top is not None:
            x, y = chart.at(track.offsets[row], bottom)
            stretch.append((x, y, chart.at(0.0, top)[1]))
        elif stretch:
            there = [(x, y) for x, y, _ in stretch]
            back = [(x, y) for x, _, y in reversed(stretch)]
            pieces.append(outline([*there, *back]))
            stretch = []
    area = element("path", d="".join(pieces), class_=f"band f{track.slot}")
    return element("g", area, data_group=track.group)


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


def thinned(values: Column, budget: int) -> list[int]:
    """
    Return at most about `budget` rows: of each stretch of frames its lowest and highest.

    Where nothing of a stretch is known its first row is kept, so that the gap is seen.
    """
    size = len(values)
    if size <= budget:
        return list(range(size))
    stride = -(-2 * size // budget)
    kept: list[int] = []
    for begin in range(0, size, stride):
        known = [
            (value, row)
            for row in range(begin, min(begin + stride, size))
            if (value := values[row]) is not None
        ]
        kept += sorted({min(known)[1], max(known)[1]}) if known else [begin]
    return kept


def sentence(phrase: str) -> str:
    """Return a phrase with a capital and a full stop."""
    text = phrase.strip()
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")


def usual_step(offsets: Sequence[int]) -> float:
    """Return the median step of offsets; infinite for fewer than two."""
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
