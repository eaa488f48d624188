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

"""A bench as one picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zeroco_ros.bench.record import BenchRecord, Section
from zeroco_ros.errors import ConfigError

INK, PALE, MARK, OTHER = "#22313f", "#b8c4ce", "#2a7f9e", "#d08a2c"
_WIDTH = 11.0


def draw(record: BenchRecord, path: Path) -> bool:
    """
    Write the picture (PNG); False where the record has nothing that is drawn.

    Raises ConfigError without matplotlib.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigError(
            "the picture needs matplotlib: pip install 'zeroco_ros[eval]' (or use --no-picture)"
        ) from error
    drawers = {
        "step": _steps,
        "stages": _stages,
        "memory": _memory,
        "scaling": _scaling,
        "backends": _backends,
    }
    there = [(make, part) for name, make in drawers.items() if (part := record.section(name))]
    if not there:
        return False
    rows = (len(there) + 1) // 2
    figure = Figure(figsize=(_WIDTH, 3.4 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    for number, (make, part) in enumerate(there):
        make(figure.add_subplot(rows, 2 if len(there) > 1 else 1, number + 1), part)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    return True


def _bars(
    axes: Any,
    names: list[str],
    values: list[float],
    texts: list[str],
    spread: list[list[float]] | None = None,
    *,
    first: str = PALE,
) -> None:
    places = range(len(names))[::-1]
    colors = [first if number == 0 else MARK for number in range(len(names))]
    axes.barh(list(places), values, color=colors, xerr=spread, ecolor=INK, height=0.62)
    ends = [v + more for v, more in zip(values, spread[1], strict=True)] if spread else values
    for place, value, text in zip(places, ends, texts, strict=True):
        axes.annotate(
            text, (value, place), xytext=(8, 0), textcoords="offset points", va="center", color=INK
        )
    axes.set_yticks(list(places), names)
    axes.set_xlim(0, max(ends) * 1.35)
    _plain(axes)


def _plain(axes: Any) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _number(value: Any) -> float:
    return float(value or 0)


def _with_spread(axes: Any, part: Section) -> None:
    rows = part.rows
    values = [_number(row["ms"]) for row in rows]
    spread = [
        [_number(row["ms"]) - _number(row["ms_low"]) for row in rows],
        [_number(row["ms_high"]) - _number(row["ms"]) for row in rows],
    ]
    texts = [f"{_number(r['ms']):.0f} ms  ({_number(r['speed']):.2f}x)" for r in rows]
    _bars(axes, [str(row["name"]) for row in rows], values, texts, spread)
    axes.set_xlabel("ms, median and quartiles")


def _steps(axes: Any, part: Section) -> None:
    _with_spread(axes, part)
    axes.set_title("A frame of a stream against two plain passes", fontsize=10, loc="left")


def _backends(axes: Any, part: Section) -> None:
    _with_spread(axes, part)
    axes.set_title(part.title, fontsize=10, loc="left")


def _stages(axes: Any, part: Section) -> None:
    rows = [row for row in part.rows if not str(row["name"]).startswith("all")][:9]
    values = [_number(row["ms"]) for row in rows]
    texts = [f"{_number(r['ms']):.1f} ms  ({_number(r['share']):.0f} %)" for r in rows]
    _bars(axes, [str(row["name"]) for row in rows], values, texts, first=MARK)
    axes.set_xlabel("ms")
    axes.set_title(part.title, fontsize=10, loc="left")


def _memory(axes: Any, part: Section) -> None:
    size = str(part.rows[-1]["size"])
    rows = [row for row in part.rows if row["size"] == size]
    values = [_number(row["attention"]) for row in rows]
    texts = [f"{_number(r['attention']):.0f} MB  (1/{_number(r['less']):.0f})" for r in rows]
    _bars(axes, [str(row["name"]) for row in rows], values, texts)
    axes.set_xlabel("MB")
    axes.set_title(f"Peak memory of the cross-attention at {size}", fontsize=10, loc="left")


def _scaling(axes: Any, part: Section) -> None:
    for color, what in zip(
        (MARK, OTHER, INK, PALE), dict.fromkeys(str(r["what"]) for r in part.rows), strict=False
    ):
        rows = [row for row in part.rows if row["what"] == what]
        if what.startswith("depth"):
            continue
        pixels = [_area(str(row["size"])) / 1000 for row in rows]
        axes.plot(pixels, [_number(row["ms"]) for row in rows], "o-", color=color, label=what)
    axes.set_xlabel("1000 pixels of the network's input")
    axes.set_ylabel("ms")
    axes.set_yscale("log")
    axes.legend(frameon=False, fontsize=8)
    axes.set_title("Resolution", fontsize=10, loc="left")
    _plain(axes)


def _area(size: str) -> float:
    width, _, height = size.partition("x")
    return float(width) * float(height)
