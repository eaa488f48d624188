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

"""Objectives compared at equal compute: same network, same pairs, same processor time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
import json
import math
import os
from pathlib import Path
import time
from typing import Any

from zeroco_ros.errors import ConfigError
from zeroco_ros.training.holdout import (
    endpoint_errors,
    held_out_sets,
    no_motion_errors,
    summary,
)
from zeroco_ros.training.recipe import ObjectivePlan, Recipe
from zeroco_ros.training.shards import ShardSource
from zeroco_ros.training.train import train
from zeroco_ros.training.trainer import RunOptions, Trainer


@dataclass(frozen=True)
class Variant:
    """An objective of the table; occluded: the recipe's weight of cells without a match."""

    about: str
    objective: ObjectivePlan
    occluded: float = 0.03


VARIANTS: dict[str, Variant] = {
    "matching": Variant(
        "cross-entropy of the volume, cells without a match toward uniform (weight 0.03)",
        ObjectivePlan(),
    ),
    "completion": Variant(
        "CroCo's pretext alone: 90 % of one view rebuilt from the rest and the other view",
        ObjectivePlan(matching=0, completion=1),
    ),
    "regression": Variant(
        "robust error of the soft-argmax in pixels", ObjectivePlan(matching=0, regression=1)
    ),
    "matching+regression": Variant(
        "matching and 0.02 x regression per pixel", ObjectivePlan(regression=0.02)
    ),
    "matching-cell": Variant(
        "matching, cells without a match choose an explicit cell (weight 0.1)",
        ObjectivePlan(occluded="cell"),
        0.1,
    ),
    "matching-ignored": Variant(
        "matching, cells without a match ignored", ObjectivePlan(occluded="ignored")
    ),
    "matching+completion": Variant("matching and 0.3 x completion", ObjectivePlan(completion=0.3)),
}


@dataclass(frozen=True)
class AblationRow:
    """One objective's result: errors in pixels by set, averaged weights."""

    name: str
    about: str
    steps: int
    minutes: float
    errors: dict[str, float]


def ablate(
    recipe: Recipe,
    options: RunOptions,
    names: Sequence[str],
    pairs: int = 1024,
    advance: Callable[[Sequence[AblationRow]], None] = lambda _: None,
) -> list[AblationRow]:
    """
    Train every named objective for `options.minutes` of processor time, one after the other.

    All runs see the same `pairs` rendered pairs, finished before the first clock starts, and begin
    with the same weights (`options.start`, or random ones of the recipe's seed). Each run has a
    folder in `options.out`. The first two rows are no motion and the untrained network. advance
    gets all rows so far after each objective. Raises ConfigError for an unknown name or no name.
    """
    unknown = [name for name in names if name not in VARIANTS]
    if unknown or not names:
        given = ", ".join(unknown) or "none given"
        raise ConfigError(f"objectives: {given}; known: {', '.join(VARIANTS)}")
    if options.minutes is None:
        raise ConfigError("an ablation needs --minutes: the time of each objective")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError("an ablation compares processor times: run it in one process")
    # All have the pixel head, used or not, so that all start with the same random numbers.
    model = replace(recipe.model, prediction_head=True)
    fixed = math.ceil(pairs / recipe.data.shard)
    recipe = replace(recipe, model=model, data=replace(recipe.data, fixed=fixed))
    folder = options.out / "pairs"
    options.out.mkdir(parents=True, exist_ok=True)
    with ShardSource(recipe, folder, options.textures, 0) as source:
        source.complete()
    rows = reference_rows(recipe, options)
    for name in names:
        variant = VARIANTS[name]
        changed = replace(recipe, objective=variant.objective, occluded=variant.occluded)
        own = replace(options, out=options.out / name, pairs=folder, clock=time.process_time)
        trainer = train(changed, own)
        minutes = trainer.elapsed / 60
        rows.append(AblationRow(name, variant.about, trainer.step, minutes, last_errors(own.out)))
        advance(rows)
    return rows


def reference_rows(recipe: Recipe, options: RunOptions) -> list[AblationRow]:
    """Errors of no motion at all and of the network before training."""
    sets = held_out_sets(options.held_out, recipe.held_out) if options.held_out else {}
    untrained = Trainer(recipe, options).average
    errors = summary(endpoint_errors(untrained, sets))["aepe"]
    judged = {} if options.judge is None else options.judge(untrained)
    still = summary(no_motion_errors(sets))["aepe"]
    return [
        AblationRow("(no motion)", "flow of zero", 0, 0.0, still),
        AblationRow("(untrained)", "tied projections, random otherwise", 0, 0.0, errors | judged),
    ]


def last_errors(out: Path) -> dict[str, float]:
    """Return the last errors in a run's log, held-out sets and real ones."""
    found: dict[str, float] = {}
    for line in (out / "log.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if "aepe" in record or "real" in record:
            found = {**record.get("aepe", {}), **record.get("real", {})}
    return found


def as_markdown(rows: Sequence[AblationRow], facts: Mapping[str, Any]) -> str:
    """Return the table as a page."""
    names = list(dict.fromkeys(name for row in rows for name in row.errors))
    head = ["objective", "steps", *names]
    lines = ["# Objectives at equal compute", "", ABOUT, ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += ["", f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for row in rows:
        values = [f"{row.errors[n]:.2f}" if n in row.errors else "" for n in names]
        lines.append(f"| {' | '.join([row.name, str(row.steps), *values])} |")
    lines += ["", *(f"- `{row.name}`: {row.about}" for row in rows), ""]
    return "\n".join(lines)


def as_json(rows: Sequence[AblationRow], facts: Mapping[str, Any]) -> str:
    """Return the same as JSON."""
    return json.dumps({"facts": dict(facts), "rows": [asdict(row) for row in rows]}, indent=1)


ABOUT = """\
AEPE in pixels on visible pixels (lower is better), coarse match without refinement. The held-out
sets are new homographies (up to 5, 18 and 40 degrees) and scenes; sets of real images, where there
are any, are evaluated at their own size and were never trained on. Every objective had the same
pairs, the same start and the same processor time; the learning rate follows the clock."""
