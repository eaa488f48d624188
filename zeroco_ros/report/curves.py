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

"""The section of curves: every value that a frame has, over time, for all bags."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from zeroco_ros.replay.record import BagRecord, ReplayRun
from zeroco_ros.report.axes import Scale
from zeroco_ros.report.chart import Chart, dot, legend, Line
from zeroco_ros.report.document import section
from zeroco_ros.report.markup import element, Markup
from zeroco_ros.report.tracks import (
    catalog,
    columns,
    curve,
    figure,
    second_labels,
    slot,
    time_axis,
    Track,
)

STATES = {
    "ok": "result",
    "starting": "starting",
    "static": "static: no motion to see depth by",
    "rotation": "rotation only",
    "lost": "tracking lost",
    "none": "no result",
}
ROWS = 16  # bags of the strip of states
BANDS = 3  # bags up to which percentiles are drawn as bands
# The curves that are looked at first; the others are folded away below them.
MAIN = (
    "epe",
    "flow_coverage",
    "confidence",
    "forward_backward_error",
    "photometric_error",
    "flow_flicker",
    "abs_rel",
    "depth_coverage",
    "relative_sigma",
    "depth_flicker",
    "position_error",
    "latency_ms",
)


def curves_section(run: ReplayRun) -> Markup | None:
    """Return the curves over time, or None where no bag has frames."""
    bags = [bag for bag in run.ok if bag.frames.stamp]
    if not bags:
        return None
    span = time_axis([bag.frames.stamp[-1] - _start(bag) for bag in bags])
    figures = {}
    banded = len(bags) <= BANDS
    for name, metric in catalog(run).items():
        if banded and name.endswith(("_p10", "_p90")) and name[:-4] in run.metrics.metrics:
            continue  # these are the sides of its band
        tracks = _tracks(run, bags, name)
        if any(value is not None for track in tracks for value in track.values):
            figures[name] = curve(metric, tracks, span, _note(tracks))
    return section(
        "curves",
        "Over time",
        picks([bag.name for bag in bags]) if len(bags) > 1 else None,
        states_figure(bags, span),
        *folded(figures),
        note="One value per frame. Point at a curve, or use the arrow keys on it, to read values "
        "and stamps; the line marks the same time in all of them.",
    )


def folded(figures: dict[str, Markup]) -> list[Markup]:
    """Return the MAIN figures side by side, and below them the others, folded away."""
    main = [figures[name] for name in MAIN if name in figures]
    others = [one for name, one in figures.items() if name not in MAIN]
    if not main:
        main, others = others, []
    shown = [element("div", main, class_="pairs")]
    if others:
        title = element("summary", f"More curves ({len(others)})")
        shown.append(element("details", title, element("div", others, class_="pairs")))
    return shown


def _note(tracks: Sequence[Track]) -> str:
    notes = []
    if any(track.band is not None for track in tracks):
        notes.append("The band is between the 10th and the 90th percentile of the pixels.")
    if any(track.marks for track in tracks):
        notes.append("Rings are worst frames, shown below.")
    return " ".join(notes)


def picks(names: Sequence[str], *, colored: bool = True) -> Markup:
    """Return the buttons that show the lines of one bag, or of all."""
    buttons = [
        element("button", "All bags", type="button", data_pick=-1, aria_pressed="true"),
        *(
            element(
                "button",
                element("span", class_=f"swatch s{slot(number)}", aria_hidden="true")
                if colored
                else None,
                name,
                type="button",
                data_pick=number,
                aria_pressed="false",
            )
            for number, name in enumerate(names)
        ),
    ]
    return element("div", buttons, class_="pick", role="group", aria_label="Bags shown")


def _tracks(run: ReplayRun, bags: Sequence[BagRecord], name: str) -> list[Track]:
    found = []
    for number, bag in enumerate(bags):
        found_columns = columns(run, bag)
        values = found_columns.get(name)
        if values is None:
            continue
        low, high = (found_columns.get(f"{name}_{end}") for end in ("p10", "p90"))
        band = (low, high) if low is not None and high is not None and len(bags) <= BANDS else None
        start = _start(bag)
        offsets = [stamp - start for stamp in bag.frames.stamp]
        marks = [worst.frame for worst in bag.worst if worst.metric == name]
        found.append(Track(bag.name, slot(number), number, start, offsets, values, marks, band))
    return found


def states_figure(bags: Sequence[BagRecord], span: Scale) -> Markup | None:
    """Return a strip for each bag that shows what came of each frame, with the events on it."""
    note = f"The first {ROWS} of {len(bags)} bags." if len(bags) > ROWS else ""
    bags = bags[:ROWS]
    present = [one for one in STATES if any(one in bag.frames.state for bag in bags)]
    happened = any(bag.events for bag in bags)
    if present == ["ok"] and not happened:
        return None
    height = Scale(0.0, float(len(bags)), ())
    chart = Chart("", span, height)
    bars, rings, lines = [], [], []
    for number, bag in enumerate(bags):
        row = len(bags) - 1 - number
        bars.append(element("g", _bars(chart, bag, row), data_group=number))
        rings.append(element("g", _rings(chart, bag, row), data_group=number))
        lines.append(_told(bag, number, row))
    told = ", ".join(f"{STATES[one]} {_count(bags, one)}" for one in present)
    drawn = Chart(
        f"State of each frame over time: {told}.",
        span,
        height,
        lines,
        shape="strip" if len(bags) == 1 else "low" if len(bags) < 6 else "half",
        under=bars,
        over=rings,
        x_labels=second_labels(span),
        x_title="seconds since the first frame",
        extra={"time": 1},
    )
    entries = [(f"state-{one}", f"{STATES[one]} ({_count(bags, one)})") for one in present]
    if happened:
        entries.append(("bad-mark", "event, see Faults and counters"))
    return figure("State", "frames", note, legend(entries), drawn)


def _bars(chart: Chart, bag: BagRecord, row: int) -> list[Markup]:
    """Return bars over frames of the same state; a bar ends where the next frame begins."""
    stamps, start, bars = bag.frames.stamp, _start(bag), []
    first = 0
    for state, frames in groupby(bag.frames.state):
        last = first + sum(1 for _ in frames)
        end = stamps[last] if last < len(stamps) else stamps[-1] + _period(bag)
        x0, top = chart.at(stamps[first] - start, row + 0.88)
        x1, bottom = chart.at(end - start, row + 0.12)
        bars.append(
            element(
                "rect",
                x=x0,
                y=top,
                width=max(x1 - x0, 1.5),
                height=bottom - top,
                class_=f"state-{state}" if state in STATES else "state-none",
            )
        )
        first = last
    return bars


def _rings(chart: Chart, bag: BagRecord, row: int) -> list[Markup]:
    rings = []
    for event in bag.events:
        x, y = chart.at(event.stamp - _start(bag), row + 0.5)
        rings.append(element("g", dot(x, y, "ring"), dot(x, y, "hole")))
    return rings


def _told(bag: BagRecord, number: int, row: int) -> Line:
    start = _start(bag)
    texts = [f"{bag.name}: {STATES.get(state, state)}" for state in bag.frames.state]
    offsets = [stamp - start for stamp in bag.frames.stamp]
    middle: list[float | None] = [row + 0.5] * len(offsets)
    return Line(bag.name, slot(number), offsets, middle, number, start, texts, drawn=False)


def _count(bags: Sequence[BagRecord], state: str) -> int:
    return sum(bag.frames.state.count(state) for bag in bags)


def _start(bag: BagRecord) -> int:
    return bag.frames.stamp[0]


def _period(bag: BagRecord) -> int:
    stamps = bag.frames.stamp
    return (stamps[-1] - stamps[0]) // max(len(stamps) - 1, 1)
