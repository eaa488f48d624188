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

"""The section of calibration: what confidence and sigma are worth."""

from __future__ import annotations

from zeroco_ros.replay.record import ConfidenceCalibration, ReplayRun, SigmaCalibration
from zeroco_ros.report.axes import fitting, linear, Scale
from zeroco_ros.report.chart import bar, Chart, HEIGHT, legend, Line, stroke, WIDTH
from zeroco_ros.report.document import section
from zeroco_ros.report.markup import element, Markup
from zeroco_ros.report.number_text import number
from zeroco_ros.report.tables import Column, table
from zeroco_ros.report.tracks import figure

UNIT = Scale(0.0, 1.0, (0.0, 0.25, 0.5, 0.75, 1.0))


def calibration_section(run: ReplayRun) -> Markup | None:
    """Return reliability diagram, sigma against errors, sparsification; None without any."""
    found = run.metrics.calibration
    figures = []
    if found.confidence is not None and found.confidence.confidence:
        figures.append(reliability_figure([("", found.confidence)]))
    if found.sigma is not None:
        figures.append(sigma_figure([("", found.sigma)]))
        figures.append(sparsification_figure([("", found.sigma)]))
    if not figures:
        return None
    return section(
        "calibration",
        "Calibration",
        element("div", figures, class_="pairs three"),
        sigma_table(found.sigma) if found.sigma is not None else None,
        note="Whether the results know how good they are. Points on the dashed line: what is "
        "stated is what is found.",
    )


def reliability_figure(found: list[tuple[str, ConfidenceCalibration]]) -> Markup:
    """Return the reliability diagram (Guo et al., ICML 2017) with the share of pixels below it."""
    lines = [
        Line(
            name,
            place,
            one.confidence,
            list(one.accuracy),
            texts=[
                f"{name + ': ' if name else ''}confidence {number(c)}: {number(100 * a)} % right, "
                f"{number(100 * s)} % of the pixels"
                for c, a, s in zip(one.confidence, one.accuracy, one.share, strict=True)
            ],
            dots=True,
        )
        for place, (name, one) in enumerate(found)
    ]
    eces = " against ".join(f"{number(one.ece)}" for _, one in found)
    upper = Chart(
        f"Reliability diagram; expected calibration error {eces}.",
        UNIT,
        UNIT,
        lines,
        shape="square",
        under=[_diagonal()],
        y_title=f"share that is right: {found[0][1].limit}",
        x_title="" if len(found) == 1 else "stated confidence",
    )
    bodies: list[Chart | Markup] = [upper]
    if len(found) == 1:
        bodies.append(_shares(found[0][1]))
    else:
        bodies.insert(0, legend([(f"s{place}", name) for place, (name, _) in enumerate(found)]))
    briers = " against ".join(number(one.brier) for _, one in found)
    text = f"Expected calibration error {eces}, Brier score {briers}; 0 is perfect."
    return figure("Confidence", "flow", text, *bodies)


def _shares(one: ConfidenceCalibration) -> Chart:
    scale = linear(0.0, max(one.share), 2)
    chart = Chart("", UNIT, scale)
    bars = []
    for mean, share in zip(one.confidence, one.share, strict=True):
        left = min(int(mean * 10), 9) / 10
        bars.append(bar(chart, left + 0.006, left + 0.094, share, "bars"))
    return Chart(
        "Share of the pixels in each bin of confidence.",
        UNIT,
        scale,
        shape="square low",
        under=bars,
        y_title="share of the pixels",
        x_title="stated confidence",
    )


def sigma_figure(found: list[tuple[str, SigmaCalibration]]) -> Markup:
    """Return stated sigma against the error found, both relative to depth, by bins of sigma."""
    values = [value for _, one in found for value in (*one.sigma, *one.error)]
    scale = fitting(values)
    lines = [
        Line(
            name,
            place,
            one.sigma,
            list(one.error),
            texts=[
                f"{name + ': ' if name else ''}stated {number(100 * s)} %, found "
                f"{number(100 * e)} % of depth, {number(100 * p)} % of the pixels"
                for s, e, p in zip(one.sigma, one.error, one.share, strict=True)
            ],
            dots=True,
        )
        for place, (name, one) in enumerate(found)
    ]
    chart = Chart(
        "Stated against found relative error of depth, by bins of sigma.",
        scale,
        scale,
        lines,
        shape="square",
        under=[_diagonal()],
        y_title="error found (RMS of |error| / depth)",
        x_title="sigma stated (sigma / depth)",
    )
    within = " against ".join(
        ", ".join(f"{100 * share:.1f}" for share in one.within) for _, one in found
    )
    text = f"Within 1, 2, 3 sigma: {within} % of the pixels (normal errors: 68.3, 95.4, 99.7 %)."
    return figure("Sigma", "depth", text, _names(found), chart)


def sparsification_figure(found: list[tuple[str, SigmaCalibration]]) -> Markup:
    """Return the error left after the least certain pixels are removed, and the best possible."""
    lines = []
    for place, (name, one) in enumerate(found):
        lines.append(
            Line(f"{name} by sigma".strip(), place, one.curve.removed, list(one.curve.error))
        )
    oracle = found[0][1].curve
    high = fitting([value for line in lines for value in line.y if value is not None])
    span = UNIT
    chart = Chart("", span, high)
    best = [chart.at(x, y) for x, y in zip(oracle.removed, oracle.oracle, strict=True)]
    drawn = Chart(
        "Sparsification curve: error left against share of pixels removed.",
        span,
        high,
        lines,
        shape="square",
        under=[stroke(best, "reference")],
        y_title="mean error left, relative to all pixels",
        x_title="share of the pixels removed, least certain first",
    )
    ause = " against ".join(number(one.ause) for _, one in found)
    text = f"Area to the best possible order (AUSE) {ause}; 0 is perfect."
    entries = [(f"s{place}", name or "by sigma") for place, (name, _) in enumerate(found)]
    return figure(
        "Sparsification", "depth", text, legend([*entries, ("dashed", "best possible")]), drawn
    )


def sigma_table(one: SigmaCalibration) -> Markup:
    """Return the quantiles of |error| / sigma beside those of normal errors."""
    rows = [
        [f"{100 * level:g} %", number(found), number(normal)]
        for level, normal, found in zip(one.levels, one.normal, one.quantiles, strict=True)
    ]
    heads = [
        Column("Share of the pixels below"),
        Column("|error| / sigma found", "num"),
        Column("for normal errors", "num"),
    ]
    return table("Quantiles of depth error in sigmas", heads, rows, narrow=True)


def _names(found: list[tuple[str, SigmaCalibration]]) -> Markup:
    if len(found) == 1:
        return Markup("")
    return legend([(f"s{place}", name) for place, (name, _) in enumerate(found)])


def _diagonal() -> Markup:
    return stroke([(0.0, float(HEIGHT)), (float(WIDTH), 0.0)], "reference")
