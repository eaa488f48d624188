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

"""
Charts as inline SVG that stretches to any width while its letters keep their size.

A chart is three SVG elements in a grid: the labels of y, the drawing, the labels of x. The drawing
is stretched (`preserveAspectRatio="none"`), with strokes that do not scale; labels stand at
percentages. So one picture is right on a desk, on a phone and on paper, without any script. What
the script needs to show values under the pointer stands beside it as JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
import json
import math
from typing import Any

from zeroco_ros.report import number_text
from zeroco_ros.report.axes import Scale
from zeroco_ros.report.markup import element, join, Markup, visible

WIDTH, HEIGHT = 1000, 240  # of the drawing, in its own units


@dataclass(frozen=True)
class Line:
    """
    One line: x ascending, y of the same length with None where nothing is known.

    slot: which of the page's colors. group: what the buttons of the page show and hide together.
    start: nanoseconds at x = 0, where x is nanoseconds. texts: what is told of each point instead
    of its value. cut: a step in x from which on the line is broken. drawn: False for points that
    are only told. told: False for lines that are only drawn.
    """

    label: str
    slot: int
    x: Sequence[float]
    y: Sequence[float | None]
    group: int = 0
    start: int | None = None
    texts: Sequence[str] | None = None
    cut: float = math.inf
    dots: bool = False
    drawn: bool = True
    told: bool = True


@dataclass(frozen=True)
class Chart:
    """
    A drawing to be made: scales, lines, and marks as ready SVG below and above the lines.

    alt: what the picture shows, for those who do not see it. faint: many lines lie on each other.
    """

    alt: str
    x: Scale
    y: Scale
    lines: Sequence[Line] = ()
    unit: str = ""
    x_title: str = ""
    y_title: str = ""
    x_labels: Sequence[str] | None = None
    shape: str = "wide"
    faint: bool = False
    under: Sequence[Markup] = ()
    over: Sequence[Markup] = ()
    extra: dict[str, Any] = field(default_factory=dict)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return the drawing's coordinates of a point."""
        return WIDTH * self.x.place(x), HEIGHT * (1 - self.y.place(y))

    def markup(self) -> Markup:
        """Return the chart as a block of HTML."""
        drawing = element(
            "svg",
            _grid(self),
            self.under,
            [_path(self, line) for line in self.lines if line.drawn],
            self.over,
            class_="drawing",
            viewBox=f"0 0 {WIDTH} {HEIGHT}",
            preserveAspectRatio="none",
            role="img",
            aria_label=self.alt,
        )
        return element(
            "div",
            element("div", self.y_title, class_="ytitle") if self.y_title else None,
            _y_labels(self),
            drawing,
            _x_labels(self),
            element("div", self.x_title, class_="xtitle") if self.x_title else None,
            _data(self),
            class_=f"plot {self.shape} faint" if self.faint else f"plot {self.shape}",
        )


def bar(chart: Chart, left: float, right: float, top: float, class_: str) -> Markup:
    """Return a bar from the bottom of a chart up to `top`, in the chart's units."""
    (x0, y), (x1, bottom) = chart.at(left, top), chart.at(right, chart.y.low)
    return element("rect", x=x0, y=y, width=x1 - x0, height=bottom - y, class_=class_)


def stroke(points: Sequence[tuple[float, float]], class_: str) -> Markup:
    """Return a line through points that are in the drawing's coordinates already."""
    return element("path", d="M" + "L".join(_pair(*one) for one in points), class_=class_)


def outline(points: Sequence[tuple[float, float]]) -> str:
    """Return the path of a closed shape through points in the drawing's coordinates."""
    return "M" + "L".join(_pair(*one) for one in points) + "Z"


def dot(x: float, y: float, class_: str) -> Markup:
    """Return a round dot: a line of no length with round ends, which stretching keeps round."""
    return element("path", d=f"M{_pair(x, y)}h0", class_=f"dot {class_}")


def _grid(chart: Chart) -> Markup:
    rows = [HEIGHT * (1 - chart.y.place(one)) for one in chart.y.ticks]
    path = "".join(f"M0 {row:.1f}H{WIDTH}" for row in rows)
    return element("path", d=path, class_="grid")


def _path(chart: Chart, line: Line) -> Markup:
    pieces: list[str] = []
    before: float | None = None
    for x, y in zip(line.x, line.y, strict=True):
        if y is None:
            before = None
            continue
        joined = before is not None and x - before <= line.cut
        pieces.append(f"{'L' if joined else 'M'}{_pair(*chart.at(x, y))}")
        if not joined:
            pieces.append("h0")  # a point between two gaps is seen, too
        before = x
    drawn = element("path", d="".join(pieces), class_=f"line s{line.slot}")
    known = [(x, y) for x, y in zip(line.x, line.y, strict=True) if y is not None]
    dots = [dot(*chart.at(x, y), f"s{line.slot}") for x, y in known] if line.dots else None
    return element("g", drawn, dots, data_group=line.group)


def _y_labels(chart: Chart) -> Markup:
    texts = [
        element("text", text, x="100%", dx="-6", y=_share(1 - chart.y.place(tick)), dy=".32em")
        for tick, text in zip(chart.y.ticks, number_text.ticks(chart.y.ticks), strict=True)
    ]
    return element("svg", texts, class_="ylabels", aria_hidden="true")


def _x_labels(chart: Chart) -> Markup:
    labels = chart.x_labels or number_text.ticks(chart.x.ticks)
    many = len(chart.x.ticks) > 5
    texts = [
        element(
            "text",
            text,
            x=_share(chart.x.place(tick)),
            y="17",
            class_="odd" if odd % 2 and many else None,
        )
        for odd, (tick, text) in enumerate(zip(chart.x.ticks, labels, strict=True))
    ]
    return element("svg", texts, class_="xlabels", aria_hidden="true")


def _data(chart: Chart) -> Markup | None:
    """Return the values of the lines for the script."""
    told = [line for line in chart.lines if line.told]
    if not told:
        return None
    lines = []
    for line in told:
        known = [index for index, y in enumerate(line.y) if y is not None]
        one: dict[str, Any] = {
            "name": visible(line.label),
            "slot": line.slot,
            "group": line.group,
            "x": [_short(line.x[index]) for index in known],
            "y": [_short(line.y[index]) for index in known],
        }
        if line.start is not None:
            one["start"] = str(line.start)
        if line.texts is not None:
            one["texts"] = [line.texts[index] for index in known]
        lines.append(one)
    values = {
        "x": [chart.x.low, chart.x.high, int(chart.x.log)],
        "y": [chart.y.low, chart.y.high, int(chart.y.log)],
        "unit": chart.unit,
        "lines": lines,
        **chart.extra,
    }
    return json_block(values)


def json_block(values: Any) -> Markup:
    """Return JSON that a page's script reads; nothing in it can end the element."""
    text = json.dumps(values, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(f'<script type="application/json">{text}</script>')


def legend(entries: Sequence[tuple[str, str]]) -> Markup:
    """Return (class of the color, text) as a list."""
    items = [
        element("li", element("span", class_=f"swatch {color}", aria_hidden="true"), text)
        for color, text in entries
    ]
    return element("ul", join(items), class_="legend")


def _pair(x: float, y: float) -> str:
    return f"{_plain(x)} {_plain(y)}"


def _plain(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _share(part: float) -> str:
    return f"{_plain(100 * part) if part in (0, 1) else f'{100 * part:.2f}'}%"


def _short(value: float | None) -> float | int | None:
    """Return five significant digits; whole numbers as they are."""
    if value is None or isinstance(value, int):
        return value
    rounded = float(f"{value:.5g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded
