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

"""From a depth head's run to its weights file and its model card."""

from __future__ import annotations

from dataclasses import dataclass
import hashlib
from pathlib import Path
from typing import Any

import torch

from zeroco_ros import __version__
from zeroco_ros.heads.checkpoint import save_head
from zeroco_ros.heads.depth import DepthHead, DepthHeadConfig
from zeroco_ros.training.card import DEPTH_CARD
from zeroco_ros.training.depth_holdout import depth_errors, held_out_depth, SEED, sigma_factor
from zeroco_ros.training.depth_recipe import depth_recipe_from, DepthRecipe
from zeroco_ros.training.depth_views import Observer
from zeroco_ros.training.head_run import read_run
from zeroco_ros.training.photos import BUNDLED


@dataclass(frozen=True)
class FinishedDepth:
    """An ended run: averaged head, recipe, progress, the log's records and where it came from."""

    head: DepthHead
    recipe: DepthRecipe
    step: int
    samples: int
    minutes: float
    records: list[dict[str, Any]]
    facts: dict[str, Any]


def read_depth_run(out: Path) -> FinishedDepth:
    """Read a run folder; raises ConfigError if it holds no checkpoint."""
    run = read_run(out, "depth")
    head = DepthHead(DepthHeadConfig.from_dict(run.state["config"]))
    head.load_state_dict(run.state["average"])
    recipe, step, samples = depth_recipe_from(run.recipe), run.state["step"], run.state["pairs"]
    return FinishedDepth(head.eval(), recipe, step, samples, run.minutes, run.records, run.facts)


def export_depth(
    out: Path,
    weights: Path,
    *,
    backbone: str = "default",
    flow: str = "flow_head",
    calibration_pairs: int = 24,
    notes: str = "",
) -> str:
    """
    Write a run's averaged head (half precision), scale its sigma, write the card beside it.

    calibration_pairs: rendered pairs per set, other than the held-out ones, on which one factor
    for sigma is fitted (0: none is); notes: Markdown for the card. Returns the file's sha256.
    """
    run = read_depth_run(out)
    factor, errors = 1.0, {}
    if calibration_pairs:
        observer = Observer(backbone, flow)
        other = held_out_depth(run.recipe.data, calibration_pairs, observer, SEED + 100)
        factor = round(sigma_factor(run.head, other, run.recipe.data), 4)
        errors = depth_errors(run.head, other, run.recipe.data)
    metadata = metadata_of(run, factor)
    save_head(weights, run.head.to(torch.float16), metadata)
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    text = depth_card(run, metadata, errors, sha256, weights, notes)
    weights.with_suffix(".md").write_text(text, encoding="utf-8")
    return sha256


def metadata_of(run: FinishedDepth, factor: float) -> dict[str, Any]:
    """Return what the weights file says about itself, beside its architecture."""
    measured = [record["depth"] for record in run.records if "depth" in record]
    return {
        "license": "Apache-2.0",
        "sigma_factor": factor,
        "recipe": run.recipe.to_dict(),
        "training": {
            "steps": run.step,
            "samples": run.samples,
            "minutes": round(run.minutes, 1),
            "held_out": measured[-1] if measured else {},
            "version": __version__,
            **run.facts,
        },
    }


def depth_card(
    run: FinishedDepth,
    metadata: dict[str, Any],
    errors: dict[str, Any],
    sha256: str,
    weights: Path,
    notes: str,
) -> str:
    """Return the model card (Markdown)."""
    training = metadata["training"]
    count = sum(p.numel() for p in run.head.parameters())
    return DEPTH_CARD.format(
        name=weights.stem,
        file=weights.name,
        sha256=sha256,
        size=f"{weights.stat().st_size / 1e6:.2f}",
        millions=f"{count / 1e6:.2f}",
        seed=run.recipe.seed,
        photos="\n".join(f"- `{name}`: {terms}" for name, terms in BUNDLED.items()),
        curve=curve(run),
        fresh=table(errors),
        factor=metadata["sigma_factor"],
        objective=", ".join(
            f"{name} {value:g}" for name, value in metadata["recipe"]["loss"].items() if value
        ),
        notes=notes.strip() or "Not measured.",
        **{
            key: training[key]
            for key in ("steps", "samples", "minutes", "commit", "command", "processes")
        },
        backbone=training["backbone"],
        flow=training["flow"],
    )


def curve(run: FinishedDepth) -> str:
    """Held-out errors of the head over the run as a table."""
    measured = [record for record in run.records if "depth" in record]
    if not measured:
        return "Not measured."
    names = list(measured[-1]["depth"]["head"])
    titles = [f"{name} AbsRel | {name} delta1" for name in names]
    lines = [f"| samples | minutes | {' | '.join(titles)} |", "|---" * (2 + 2 * len(names)) + "|"]
    for record in [*measured[: -1 : 1 + len(measured) // 12], measured[-1]]:
        values = _values(record["depth"]["head"])
        lines.append(f"| {record['pairs']} | {record['minutes']:.0f} | {values} |")
    return "\n".join(lines)


def table(errors: dict[str, Any]) -> str:
    """Errors by method as a table."""
    if not errors:
        return "Not measured."
    names = list(errors["head"])
    titles = [f"{name} AbsRel | {name} delta1" for name in names]
    lines = [f"| | {' | '.join(titles)} |", "|---" * (1 + 2 * len(names)) + "|"]
    lines += [f"| {method} | {_values(rows)} |" for method, rows in errors.items()]
    return "\n".join(lines)


def _values(rows: dict[str, dict[str, float]]) -> str:
    return " | ".join(f"{row['abs_rel']:.3f} | {row['delta1']:.3f}" for row in rows.values())
