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

"""How methods degrade when the second image is changed more and more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from zeroco_ros.evaluation.methods import Method
from zeroco_ros.evaluation.metrics import PairScore, score_pair, score_set, SetScore
from zeroco_ros.evaluation.perturb import Perturbation
from zeroco_ros.evaluation.protocols import FlowPair
from zeroco_ros.evaluation.tables import markdown_table, page, text_table

LEAST_PIXELS = 500  # a pair that shows less after the change is left out at that level


@dataclass(frozen=True)
class Level:
    """
    All methods at one strength; scores by method, empty if no pair had enough to score on.

    scored: share of the pixels scored without a change that is still in view.
    """

    level: float
    scored: float
    scores: dict[str, SetScore]


@dataclass(frozen=True)
class Curve:
    """One kind of change on one set."""

    flow_set: str
    perturbation: Perturbation
    levels: tuple[Level, ...]


def estimates(perturbations: Sequence[Perturbation], pairs: int, methods: int) -> int:
    """How many estimates `degradation` makes: the unchanged pairs only once."""
    changed = sum(len(one.levels) - 1 for one in perturbations)
    return (1 + changed) * pairs * methods


def degradation(
    sets: Mapping[str, Sequence[FlowPair]],
    methods: Sequence[Method],
    perturbations: Sequence[Perturbation],
    advance: Callable[[str], None] = lambda _: None,
) -> list[Curve]:
    """
    Score every method on the pairs of every set under every change and level.

    advance is called before each estimate with a text that says which one.
    """
    curves = []
    for name, pairs in sets.items():
        plain = [_scores(pair, methods, advance, f"{name} {pair.name}") for pair in pairs]
        whole = sum(int(pair.valid.sum()) for pair in pairs)
        for kind in perturbations:
            levels = []
            for level in kind.levels:
                where = f"{name} {kind.name} {level:g}"
                changed = [kind.apply(pair, level) for pair in pairs]
                found = plain
                if level != kind.none:
                    found = [_scores(pair, methods, advance, where) for pair in changed]
                scored = sum(int(pair.valid.sum()) for pair in changed) / max(whole, 1)
                levels.append(Level(level, scored, _merged(found)))
            curves.append(Curve(name, kind, tuple(levels)))
    return curves


def _scores(
    pair: FlowPair, methods: Sequence[Method], advance: Callable[[str], None], where: str
) -> dict[str, PairScore]:
    """Scores by method, none if the pair has too little to score on."""
    found = {}
    for method in methods:
        advance(f"{where} {method.name}")
        if pair.valid.sum() >= LEAST_PIXELS:
            estimate = method.estimate(pair.target, pair.source)
            found[method.name] = score_pair(estimate.flow, pair.flow, pair.valid)
    return found


def _merged(found: Sequence[dict[str, PairScore]]) -> dict[str, SetScore]:
    kept = [scores for scores in found if scores]
    names = list(kept[0]) if kept else []
    return {name: score_set([scores[name] for scores in kept]) for name in names}


def as_json(
    curves: Sequence[Curve], methods: Sequence[Method], facts: Mapping[str, str]
) -> dict[str, Any]:
    """Everything that was measured as plain values."""
    return {
        "facts": dict(facts),
        "methods": {method.name: method.about for method in methods},
        "curves": [
            {
                "set": curve.flow_set,
                "perturbation": curve.perturbation.name,
                "unit": curve.perturbation.unit,
                "levels": [asdict(level) for level in curve.levels],
            }
            for curve in curves
        ],
    }


def as_text(curves: Sequence[Curve]) -> str:
    """One table for a terminal: AEPE and PCK-3 of every method at every level."""
    names = _names(curves)
    rows = [
        (curve.flow_set, curve.perturbation.name, *row)
        for curve in curves
        for row in _rows(curve, names)
    ]
    return "\n".join(text_table(("set", "change", "level", "in view", *names), rows, 3))


def as_markdown(
    curves: Sequence[Curve],
    methods: Sequence[Method],
    facts: Mapping[str, str],
    picture: str | None,
) -> str:
    """Give a page: facts, the picture of the curves (a path from the page), a table per change."""
    names = _names(curves)
    parts: list[list[str]] = []
    if picture:
        parts.append([f"![Error under each change]({picture})"])
    parts.append(_LEGEND)
    for kind in dict.fromkeys(curve.perturbation.name for curve in curves):
        chosen = [curve for curve in curves if curve.perturbation.name == kind]
        unit = chosen[0].perturbation.unit
        rows = [(curve.flow_set, *row) for curve in chosen for row in _rows(curve, names)]
        head = ("set", unit, "in view", *names)
        parts += [[f"## {kind.capitalize()}"], markdown_table(head, rows, 2)]
    parts.append([f"- `{method.name}`: {method.about}" for method in methods])
    return page("Flow under rotation, scale, exposure, blur and noise", facts, *parts)


_LEGEND = """\
Each cell: AEPE in pixels / PCK-3 in percent, mean over the pairs. The second image is changed,
the first one stays. Rotation and scale are about the center on a canvas of the same size, the
ground truth goes with them, and what comes into view is black, because it is not known.
in view: share of the pixels scored without the change that is still in view, over all
pairs. Exposure is a gain on linear light (gamma 2.2), clipped to 8 bits; motion blur is
horizontal; JPEG quality 100 stands for the image as it is.""".splitlines()


def _names(curves: Sequence[Curve]) -> list[str]:
    return list(
        dict.fromkeys(name for curve in curves for one in curve.levels for name in one.scores)
    )


def _rows(curve: Curve, names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for one in curve.levels:
        cells = [_cell(one.scores[name]) if name in one.scores else "-" for name in names]
        yield (f"{one.level:g}", f"{100 * one.scored:.0f} %", *cells)


def _cell(score: SetScore) -> str:
    return f"{score.aepe:.2f} / {100 * score.pck[1]:.0f}"
