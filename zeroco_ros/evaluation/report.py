"""Evaluation results as a table for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from zeroco_ros.evaluation.evaluate import MethodResult, SetResult
from zeroco_ros.evaluation.methods import Method

Row = tuple[str, ...]


def as_markdown(
    results: Sequence[SetResult], methods: Sequence[Method], facts: Mapping[str, str]
) -> str:
    """A page: facts (command line, date, machine, ...), the table, and what its words mean."""
    head, *body = _table(results, bold="**")
    lines = ["# Flow on data with ground truth", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += ["", _markdown_row(head), _markdown_row(["---"] * 2 + ["---:"] * (len(head) - 2))]
    lines += [_markdown_row(row) for row in body]
    lines += [
        "",
        "AEPE: mean over the pairs of the mean end-point error in pixels (the best one in bold).",
        "PCK: share of pixels within 1, 3 and 5 px of the truth, in percent, mean over the pairs.",
        "time / CPU: median over the pairs of one estimate from two images in memory, in ms, by",
        "the clock and summed over all threads.",
        "sparsification: area under the curve of the error that is left when the least certain",
        "pixels are removed, by confidence / by forward-backward error, relative to the error of",
        "all pixels: 1 says that the measure knows nothing, lower is better.",
        "",
    ]
    lines += [f"- `{method.name}`: {method.about}" for method in methods]
    lines += [""]
    lines += [f"- {result.name}: {result.about}" for result in results]
    return "\n".join(lines) + "\n"


def as_text(results: Sequence[SetResult]) -> str:
    """The table in columns of equal width, for a terminal."""
    rows = _table(results)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def as_json(
    results: Sequence[SetResult], methods: Sequence[Method], facts: Mapping[str, str]
) -> dict[str, Any]:
    """Everything that was measured, down to single pairs, as plain values."""
    return {
        "facts": dict(facts),
        "methods": {method.name: method.about for method in methods},
        "sets": [
            {
                "name": result.name,
                "about": result.about,
                "size": list(result.size),
                "methods": {row.method: _method_json(row) for row in result.methods},
            }
            for result in results
        ],
    }


def _method_json(row: MethodResult) -> dict[str, Any]:
    return {
        **asdict(row.score),
        "seconds": row.seconds,
        "cpu_seconds": row.cpu_seconds,
        "sparsification": row.sparsification,
        "per_pair": [asdict(pair) for pair in row.pairs],
    }


def _table(results: Sequence[SetResult], bold: str = "") -> list[Row]:
    """Header and rows: per set one row for each quantity, the methods side by side."""
    rows: list[Row] = [("set", "", *(row.method for row in results[0].methods))]
    for result in results:
        height, width = result.size
        score = result.methods[0].score
        labels = [
            result.name,
            f"{score.pairs} pairs {width}x{height}",
            f"motion {score.motion:.1f} px",
            "",
        ]
        quantities = _quantities(result.methods, bold)
        rows += [
            (label, name, *cells)
            for label, (name, cells) in zip(labels, quantities.items(), strict=False)
        ]
    return rows


def _quantities(methods: Sequence[MethodResult], bold: str) -> dict[str, list[str]]:
    """Cells of one set by quantity, one cell for each method."""
    errors = [f"{row.score.aepe:.2f}" for row in methods]
    best = min(range(len(methods)), key=lambda index: methods[index].score.aepe)
    errors[best] = f"{bold}{errors[best]}{bold}"
    cells = {
        "AEPE px": errors,
        "PCK 1 / 3 / 5 %": [
            " / ".join(f"{100 * share:.0f}" for share in row.score.pck) for row in methods
        ],
        "time / CPU ms": [
            f"{1000 * row.seconds:.0f} / {1000 * row.cpu_seconds:.0f}" for row in methods
        ],
    }
    areas = [" / ".join(f"{area:.2f}" for area in row.sparsification.values()) for row in methods]
    if any(areas):
        cells["sparsification"] = [area or "-" for area in areas]
    return cells


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
