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

"""From a flow head's run to its weights file, calibrated, and its model card."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
import hashlib
from pathlib import Path
from typing import Any

import torch

from zeroco_ros import __version__
from zeroco_ros.estimate.config import FlowConfig, preset
from zeroco_ros.estimate.flow import FlowEstimator
from zeroco_ros.heads.checkpoint import build_head, save_head
from zeroco_ros.training.card import HEAD_CARD
from zeroco_ros.training.flow_calibration import calibrate, Fit
from zeroco_ros.training.flow_recipe import flow_recipe_from, FlowRecipe
from zeroco_ros.training.head_run import read_run
from zeroco_ros.training.photos import BUNDLED


@dataclass(frozen=True)
class FinishedHead:
    """An ended run: averaged head, recipe, progress, the log's records and where it came from."""

    head: torch.nn.Module
    recipe: FlowRecipe
    step: int
    pairs: int
    minutes: float
    records: list[dict[str, Any]]
    facts: dict[str, Any]


def read_head_run(out: Path) -> FinishedHead:
    """Read a run folder; raises ConfigError if it holds no checkpoint."""
    run = read_run(out, "flow")
    recipe = flow_recipe_from(run.recipe)
    head = build_head(recipe.kind, run.state.get("config") or recipe.head.to_dict())
    head.load_state_dict(run.state["average"])
    step, pairs = run.state["step"], run.state["pairs"]
    return FinishedHead(head.eval(), recipe, step, pairs, run.minutes, run.records, run.facts)


def export_flow(
    out: Path,
    weights: Path,
    *,
    backbone: str = "default",
    calibration_pairs: int = 48,
    notes: str = "",
) -> str:
    """
    Write a run's averaged head (half precision), calibrate it, write the model card beside it.

    backbone: the weights it is calibrated with; calibration_pairs: 0 leaves the head's own
    certainty, as heads of another kind than recurrent always keep it; notes: Markdown for the
    card. Returns the file's sha256.
    """
    run = read_head_run(out)
    metadata = metadata_of(run)
    half = run.head.to(torch.float16)
    save_head(weights, half, metadata)
    fit = None
    if calibration_pairs and run.recipe.kind == "recurrent":
        config = replace(head_preset("default"), head=str(weights))
        estimator = FlowEstimator(config, weights=backbone, device="cpu")
        fit = calibrate(estimator, run.recipe, calibration_pairs)
        metadata["calibration"] = fit.calibration.to_dict()
        save_head(weights, half, metadata)
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    text = head_card(run, metadata, fit, sha256, weights, notes)
    weights.with_suffix(".md").write_text(text, encoding="utf-8")
    return sha256


def head_preset(name: str) -> FlowConfig:
    """Return a preset as it is with a head: its refinement follows the head's flow."""
    return replace(preset(name), refine_backward=False)


def metadata_of(run: FinishedHead) -> dict[str, Any]:
    """Return what the weights file says about itself, beside its architecture."""
    return {
        "license": "Apache-2.0",
        "recipe": run.recipe.to_dict(),
        "training": {
            "steps": run.step,
            "pairs": run.pairs,
            "minutes": round(run.minutes, 1),
            "held_out_aepe": last_errors(run),
            "version": __version__,
            **run.facts,
        },
    }


def last_errors(run: FinishedHead) -> dict[str, Any]:
    """Return the last held-out errors of the log, {} if none were measured."""
    found = [record["aepe"] for record in run.records if "aepe" in record]
    return dict(found[-1]) if found else {}


def head_card(
    run: FinishedHead,
    metadata: dict[str, Any],
    fit: Fit | None,
    sha256: str,
    weights: Path,
    notes: str,
) -> str:
    """Return the model card (Markdown)."""
    training = metadata["training"]
    count = sum(p.numel() for p in run.head.parameters())
    return HEAD_CARD.format(
        name=weights.stem,
        file=weights.name,
        sha256=sha256,
        size=f"{weights.stat().st_size / 1e6:.2f}",
        millions=f"{count / 1e6:.2f}",
        kind=run.recipe.kind,
        backbone=training["backbone"],
        seed=run.recipe.seed,
        photos="\n".join(f"- `{name}`: {terms}" for name, terms in BUNDLED.items()),
        curve=curve(run),
        calibration=calibration_text(fit),
        notes=notes.strip() or "Not measured.",
        **{key: training[key] for key in ("steps", "pairs", "minutes", "commit", "command")},
        processes=training["processes"],
        device=training.get("device", "cpu"),
    )


def calibration_text(fit: Fit | None) -> str:
    """How the confidence was fitted, in words."""
    if fit is None:
        return "Not calibrated: the confidence is the head's own certainty."
    values = ", ".join(f"{name} {value:g}" for name, value in asdict(fit.calibration).items())
    return (
        f"Fitted on {fit.pixels} visible pixels of {fit.pairs} rendered pairs of 640x480 that no "
        f"weight was trained on ({fit.share:.0%} right): {values}. Cross-entropy "
        f"{fit.after:.3f} nats, the head's own certainty {fit.before:.3f}."
    )


def curve(run: FinishedHead) -> str:
    """Held-out errors over the run as a table, the coarse match's last."""
    measured = [record for record in run.records if "aepe" in record]
    if not measured:
        return "Not measured."
    names = list(measured[-1]["aepe"]["head"])
    lines = [f"| pairs | minutes | {' | '.join(names)} |", "|---" * (2 + len(names)) + "|"]
    for record in [*measured[: -1 : 1 + len(measured) // 12], measured[-1]]:
        values = " | ".join(f"{record['aepe']['head'][name]:.2f}" for name in names)
        lines.append(f"| {record['pairs']} | {record['minutes']:.0f} | {values} |")
    coarse = " | ".join(f"{measured[-1]['aepe']['coarse'][name]:.2f}" for name in names)
    lines.append(f"| coarse match alone | | {coarse} |")
    return "\n".join(lines)
