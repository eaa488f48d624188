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

"""A threshold file: what a team demands of a run, or of the step from one run to the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import difflib
import math
from pathlib import Path
from typing import Any

import yaml

from zeroco_ros.errors import ConfigError
from zeroco_ros.replay.record import Metric, ReplayRun, Values
from zeroco_ros.report.comparison import common_values
from zeroco_ros.report.matching import match_runs, only_bag
from zeroco_ros.report.number_text import number, percent, signed
from zeroco_ros.report.summary import pooled, values_by_bag
from zeroco_ros.report.tracks import catalog

SINGLE = ("max", "min")
PAIR = (
    "max_increase",
    "max_decrease",
    "max_difference",
    "max_relative_increase",
    "max_relative_decrease",
)
FLAGS = ("each_bag", "allow_unknown")
SLACK = 1e-9  # of a limit: 0.85 - 0.83 is a little more than 0.02 to a computer; 0 is exact
# What every run has, beside its metrics.
BUILT_IN = {
    "failed_bags": Metric("Failed bags", "", "lower", "Bags that could not be played.", "stream"),
    "ok_bags": Metric("Played bags", "", "higher", "Bags that were played to the end.", "stream"),
    "matched_frames": Metric(
        "Matched frames",
        "ratio",
        "higher",
        "Share of the frames of both runs that have the same stamp in the other.",
        "stream",
    ),
}


@dataclass(frozen=True)
class Rule:
    """One line of a threshold file. kind: one of SINGLE or PAIR; each_bag: not only the pool."""

    metric: str
    kind: str
    limit: float
    each_bag: bool = False
    allow_unknown: bool = False


@dataclass(frozen=True)
class Finding:
    """
    What became of a rule.

    value: what is held against the limit, None where not known; bag: "" for all bags together;
    text: the finding in one line.
    """

    rule: Rule
    bag: str
    value: float | None
    passed: bool
    text: str


def read_thresholds(path: str | Path) -> list[Rule]:
    """
    Read a threshold file.

    Raises ConfigError, naming the place, for what is no YAML mapping, an unknown rule, a limit
    that is no finite number, or a key that comes twice.
    """
    try:
        content = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=_Strict)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValueError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise ConfigError(f"thresholds {path} cannot be read: {reason}") from error
    if not isinstance(content, dict) or not content:
        raise ConfigError(
            f"thresholds {path}: give one entry per metric, such as 'flow_coverage: {{min: 0.8}}'"
        )
    return [rule for name, entry in content.items() for rule in _rules(path, str(name), entry)]


class _Strict(yaml.SafeLoader):
    """YAML without a way to say the same thing twice: the second would silently win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = [key for index, key in enumerate(keys) if key in keys[:index]]
        if twice:
            raise ValueError(f"{twice[0]} is there twice (line {node.start_mark.line + 1} on)")
        return super().construct_mapping(node, deep)


def _rules(path: str | Path, name: str, entry: Any) -> list[Rule]:
    if not isinstance(entry, dict):
        raise ConfigError(
            f"thresholds {path}: {name} is {entry!r}: give rules, such as {{max: 2.0}}"
        )
    allowed = (*SINGLE, *PAIR, *FLAGS)
    unknown = [key for key in entry if key not in allowed]
    if unknown:
        raise ConfigError(
            f"thresholds {path}: {name} has the unknown rule {unknown[0]!r}: "
            f"use {', '.join(allowed)}"
        )
    flags = {flag: entry.get(flag, False) for flag in FLAGS}
    for flag, value in flags.items():
        if not isinstance(value, bool):
            raise ConfigError(f"thresholds {path}: {name}: {flag} is {value!r}: use true or false")
    limits = {key: entry[key] for key in (*SINGLE, *PAIR) if key in entry}
    if not limits:
        raise ConfigError(
            f"thresholds {path}: {name} has no limit: give {' or '.join(SINGLE)}, ..."
        )
    return [
        Rule(name, kind, _limit(path, name, kind, value), **flags)
        for kind, value in limits.items()
    ]


def _limit(path: str | Path, name: str, kind: str, value: Any) -> float:
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    if not plain or not math.isfinite(value):
        raise ConfigError(f"thresholds {path}: {name}: {kind} is {value!r}: give a finite number")
    if kind in PAIR and value < 0:
        raise ConfigError(f"thresholds {path}: {name}: {kind} is {value!r}: give 0 or more")
    return float(value)


def check_thresholds(
    rules: Sequence[Rule], run: ReplayRun, before: ReplayRun | None = None
) -> list[Finding]:
    """
    Hold a run, and its step from the run before, against the rules.

    Raises ConfigError for a metric that neither run has, or a rule on a difference without a run
    before.
    """
    known = {**BUILT_IN, **catalog(run), **(catalog(before) if before is not None else {})}
    for rule in rules:
        if rule.metric not in known:
            raise ConfigError(_unknown(rule.metric, known))
        if before is None and (rule.kind in PAIR or rule.metric == "matched_frames"):
            raise ConfigError(
                f"threshold {rule.metric}: {rule.kind} compares two runs: give both, as in "
                "zeroco report BEFORE AFTER --thresholds FILE"
            )
    scopes = _scopes(run, before)
    return [
        _judge(rule, bag, scope)
        for rule in rules
        for bag, scope in scopes.items()
        if not bag or rule.each_bag
    ]


def _unknown(name: str, known: Mapping[str, Metric]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f" (did you mean {close[0]}?)" if close else ""
    return f"threshold for the unknown metric {name}{hint}; there are: {', '.join(known)}"


@dataclass(frozen=True)
class _Scope:
    """Values that rules are held against. own: of the run; step: (before, after) in common."""

    own: Values
    step: tuple[Values, Values] = ({}, {})


def _scopes(run: ReplayRun, before: ReplayRun | None) -> dict[str, _Scope]:
    """Return the values of all bags ("") and of each one by its name."""
    own = {**pooled(run), **_built_in(run)}
    by_bag = values_by_bag(run)
    if before is None:
        return {"": _Scope(own), **{name: _Scope(values) for name, values in by_bag.items()}}
    matching = match_runs(before, run)
    frames = matching.frames_a + matching.frames_b
    own["matched_frames"] = 2 * matching.frames / frames if frames else 0.0
    earlier, after = common_values(before, run, matching)
    scopes = {"": _Scope(own, ({**earlier, **_built_in(before)}, {**after, **_built_in(run)}))}
    pairs = {pair.b.name: pair for pair in matching.pairs}
    for name, values in by_bag.items():
        if name in pairs:
            alone = only_bag(before, pairs[name].a), only_bag(run, pairs[name].b)
            scopes[name] = _Scope(values, common_values(*alone, match_runs(*alone)))
        else:
            scopes[name] = _Scope(values)
    return scopes


def _built_in(run: ReplayRun) -> Values:
    played = sum(1 for _ in run.ok)
    return {"failed_bags": float(len(run.metrics.bags) - played), "ok_bags": float(played)}


def _judge(rule: Rule, bag: str, scope: _Scope) -> Finding:
    before, after = scope.step if rule.kind in PAIR else ({}, scope.own)
    value = _tested(rule.kind, after.get(rule.metric), before.get(rule.metric))
    where = f" of {bag}" if bag else ""
    if value is None:
        text = f"{rule.metric}{where} is not known, {rule.kind} {number(rule.limit)}"
        return Finding(rule, bag, None, rule.allow_unknown, text)
    room = SLACK * abs(rule.limit)
    passed = value >= rule.limit - room if rule.kind == "min" else value <= rule.limit + room
    return Finding(rule, bag, value, passed, f"{rule.metric}{where} {_told(rule, value)}")


def _tested(kind: str, after: float | None, before: float | None) -> float | None:
    """Return what is held against the limit: a value, or how far it went the wrong way."""
    if after is None or (kind in PAIR and before is None):
        return None
    if kind in SINGLE or before is None:
        return after
    step = after - before
    if kind == "max_difference":
        return abs(step)
    if kind.endswith("decrease"):
        step = -step
    if "relative" not in kind:
        return step
    return (
        step / abs(before)
        if before != 0
        else (0.0 if step == 0 else math.copysign(math.inf, step))
    )


def _told(rule: Rule, value: float) -> str:
    limit = rule.limit
    if rule.kind in SINGLE:
        return f"is {number(value, 4)}, {rule.kind} {number(limit, 4)}"
    if "relative" in rule.kind:
        sign = -1 if rule.kind.endswith("decrease") else 1
        size = "from 0" if math.isinf(value) else percent(sign * value)
        return f"changed by {size}, {rule.kind} {percent(limit).lstrip('+')}"
    sign = -1 if rule.kind == "max_decrease" else 1
    return f"changed by {signed(sign * value, 4)}, {rule.kind} {number(limit, 4)}"
