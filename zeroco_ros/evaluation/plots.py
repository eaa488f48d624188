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

"""Pictures of evaluation results: degradation curves and reliability diagrams (matplotlib)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import io
from typing import Any

from zeroco_ros.errors import ConfigError
from zeroco_ros.evaluation.calibration import ConfidenceCounts
from zeroco_ros.evaluation.robustness import Curve

DPI = 110
COLUMNS = 4


def check_plotting() -> None:
    """Raise ConfigError, with what to do, if matplotlib is missing."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            "pictures need matplotlib, which is not installed: pip install 'zeroco_ros[eval]', "
            "or leave the picture out"
        ) from error


def curves_picture(curves: Sequence[Curve]) -> bytes:
    """
    PNG: for each set a panel for each change, AEPE over its levels, one scale for a set.

    Raises ConfigError without matplotlib.
    """
    names = list(dict.fromkeys(name for c in curves for one in c.levels for name in one.scores))
    panels: dict[str, list[Curve]] = {}
    for curve in curves:
        panels.setdefault(curve.flow_set, []).append(curve)
    rows = [
        chosen[start : start + COLUMNS]
        for chosen in panels.values()
        for start in range(0, len(chosen), COLUMNS)
    ]
    figure, axes = new_figure(len(rows), max(map(len, rows)), 2.7, 2.3)
    for row, chosen in zip(axes, rows, strict=True):
        for axis in row[len(chosen) :]:
            axis.set_axis_off()
        for axis, curve in zip(row, chosen, strict=False):
            _curve_panel(axis, curve, names)
            axis.set_ylim(_limits(panels[curve.flow_set]))
        row[0].set_ylabel("AEPE px")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(names), frameon=False)
    return as_png(figure)


def _curve_panel(axis: Any, curve: Curve, names: Sequence[str]) -> None:
    for number, name in enumerate(names):
        there = [index for index, one in enumerate(curve.levels) if name in one.scores]
        errors = [curve.levels[index].scores[name].aepe for index in there]
        axis.plot(there, errors, marker="o", markersize=3, color=f"C{number}", label=name)
    axis.set_yscale("log")
    axis.yaxis.set_major_formatter("{x:g}")
    axis.grid(alpha=0.3)
    axis.set_xticks(range(len(curve.levels)), [f"{one.level:g}" for one in curve.levels])
    axis.tick_params(labelsize=8)
    axis.set_xlabel(curve.perturbation.unit)
    axis.set_title(f"{curve.flow_set}: {curve.perturbation.name}", fontsize=9)


def _limits(curves: Sequence[Curve]) -> tuple[float, float]:
    """Range of the errors of several curves, with some room."""
    errors = [s.aepe for c in curves for one in c.levels for s in one.scores.values()]
    return max(min(errors, default=1), 0.01) / 1.3, max(max(errors, default=1), 0.02) * 1.3


def reliability_picture(counts: Mapping[str, ConfidenceCounts]) -> bytes:
    """
    PNG: a reliability diagram for each method, with the share of pixels in each bin below.

    Raises ConfigError without matplotlib.
    """
    figure, axes = new_figure(2, len(counts), 2.8, 2.2, ratios=(3, 1))
    for column, (name, found) in enumerate(counts.items()):
        upper, lower = axes[0][column], axes[1][column]
        wide, even = found.diagram(), found.diagram(equal_mass=True)
        upper.plot([0, 1], [0, 1], color="gray", linewidth=1, linestyle="--")
        upper.plot(wide.confidence, wide.accuracy, marker="o", markersize=4, label="equal width")
        upper.plot(even.confidence, even.accuracy, marker="s", markersize=4, label="equal mass")
        upper.set_title(f"{name}\nECE {100 * wide.ece:.1f} / {100 * even.ece:.1f} %", fontsize=9)
        upper.set_xlim(0, 1)
        upper.set_ylim(0, 1)
        upper.grid(alpha=0.3)
        lower.bar(wide.confidence, wide.share, width=0.06)
        lower.set_xlim(0, 1)
        lower.set_xlabel("confidence")
    axes[0][0].set_ylabel("share within 1/200")
    axes[1][0].set_ylabel("share of pixels")
    axes[0][0].legend(fontsize=7)
    return as_png(figure)


def new_figure(
    rows: int, columns: int, width: float, height: float, ratios: Sequence[int] | None = None
) -> tuple[Any, Any]:
    """Return a figure without a window, and its axes as rows of columns."""
    check_plotting()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, height * rows + 0.4), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(
        rows, columns, squeeze=False, gridspec_kw={"height_ratios": ratios} if ratios else None
    )
    return figure, grid


def as_png(figure: Any) -> bytes:
    """Return the figure as a PNG file, the same bytes for the same figure."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()
