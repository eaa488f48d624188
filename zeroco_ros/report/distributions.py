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

"""The section of histograms: pixels by value."""

from __future__ import annotations

from itertools import pairwise
import math

from zeroco_ros.replay.record import Histogram, Metric, ReplayRun
from zeroco_ros.report.axes import linear, Scale
from zeroco_ros.report.chart import bar, Chart, Line
from zeroco_ros.report.document import section
from zeroco_ros.report.markup import element, Markup
from zeroco_ros.report.number_text import number, ticks
from zeroco_ros.report.tracks import aside, catalog, figure


def histograms_section(run: ReplayRun) -> Markup | None:
    """Return a histogram for each that the run has; None without any."""
    metrics = catalog(run)
    places = {name: place for place, name in enumerate(metrics)}
    found = sorted(
        run.metrics.histograms.items(), key=lambda one: (places.get(one[0], len(places)), one[0])
    )
    figures = [
        histogram_figure(name, histogram, metrics.get(name))
        for name, histogram in found
        if sum(histogram.counts) > 0
    ]
    if not figures:
        return None
    return section(
        "distributions",
        "Distributions",
        element("div", figures, class_="pairs"),
        note="Share of all pixels of all frames by value; what lies outside is in the outermost "
        "bars.",
    )


def histogram_figure(name: str, histogram: Histogram, metric: Metric | None) -> Markup:
    """Return one histogram. The bars of a confidence have the colors it has in pictures."""
    total = sum(histogram.counts)
    shares = [100 * count / total for count in histogram.counts]
    unit = metric.unit if metric is not None and metric.unit != "ratio" else ""
    title = metric.title if metric is not None else name.replace("_", " ").capitalize()
    half = f"{_median(histogram)} {unit}".rstrip()
    marks = _marks(histogram)
    span = Scale(0.0, float(len(shares)), tuple(place for place, _ in marks))
    height = linear(0.0, max(shares), 3)
    drawn = Chart(
        f"Histogram of {title}, {total} pixels; half of them below {half}.",
        span,
        height,
        [_told(name, histogram, shares, unit)],
        shape="half",
        under=_bars(Chart("", span, height), shares, "confidence" in name and not histogram.log),
        y_title="% of the pixels",
        x_title=" ".join(
            word for word in (unit, "(logarithmic)" if histogram.log else "") if word
        ),
        x_labels=ticks([value for _, value in marks]),
    )
    small = aside(metric) if metric is not None else ""
    return figure(title, small, f"Half of the pixels lie below {half}.", drawn)


def _bars(chart: Chart, shares: list[float], colored: bool) -> list[Markup]:
    size = len(shares)
    return [
        bar(
            chart,
            index + 0.06,
            index + 0.94,
            share,
            f"v{min(10 * index // size, 9)}" if colored else "bars",
        )
        for index, share in enumerate(shares)
    ]


def _told(name: str, histogram: Histogram, shares: list[float], unit: str) -> Line:
    texts = [
        f"{number(low)} to {number(high)} {unit}".rstrip() + f": {number(share)} % of the pixels"
        for (low, high), share in zip(pairwise(histogram.edges), shares, strict=True)
    ]
    middles = [index + 0.5 for index in range(len(shares))]
    return Line(name, 0, middles, list(shares), texts=texts, drawn=False)


def _marks(histogram: Histogram) -> list[tuple[float, float]]:
    """Return (place in bars, value) of about five edges; decades where they grow geometrically."""
    edges = histogram.edges
    last = len(edges) - 1
    if histogram.log and edges[0] > 0:
        low, high = math.log10(edges[0]), math.log10(edges[-1])
        powers = range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)
        if len(powers) >= 2:
            return [
                (last * (power - low) / (high - low), 10.0**power)
                for power in powers[:: -(-len(powers) // 6)]
            ]
    stride = max(1, round(last / 5))
    return [(float(index), edges[index]) for index in range(0, last + 1, stride)]


def _median(histogram: Histogram) -> str:
    half, below = sum(histogram.counts) / 2, 0
    for count, low, high in zip(
        histogram.counts, histogram.edges, histogram.edges[1:], strict=False
    ):
        if below + count >= half:
            return number(low + (high - low) * (half - below) / max(count, 1), 2)
        below += count
    return number(histogram.edges[-1])
