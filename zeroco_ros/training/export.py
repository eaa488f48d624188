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

"""From a run to a weights file and its model card."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
import json
import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from zeroco_ros import __version__
from zeroco_ros.croco.checkpoint import load_croco, save_croco
from zeroco_ros.croco.model import CroCo
from zeroco_ros.errors import ConfigError
from zeroco_ros.training.card import CARD
from zeroco_ros.training.checkpoints import load_state
from zeroco_ros.training.photos import BUNDLED
from zeroco_ros.training.recipe import Recipe, recipe_from


@dataclass(frozen=True)
class FinishedRun:
    """
    What an export needs of a run.

    Averaged weights, recipe, progress, the log's records and where the run came from
    (`train.begin`).
    """

    model: CroCo
    recipe: Recipe
    step: int
    minutes: float
    records: list[dict[str, Any]]
    facts: dict[str, Any]

    @property
    def errors(self) -> dict[str, float]:
        """Return the last held-out errors of the log, {} if none were measured."""
        found = [record["aepe"] for record in self.records if "aepe" in record]
        return dict(found[-1]) if found else {}


def read_run(out: Path) -> FinishedRun:
    """Read a run folder; raises ConfigError if it holds no checkpoint."""
    state = load_state(out / "checkpoint.pt")
    if state is None:
        raise ConfigError(f"no checkpoint in {out}: train first (zeroco train backbone --out DIR)")
    recipe = recipe_from(json.loads(state["recipe"]))
    model = CroCo(recipe.model)
    model.load_state_dict(state["average"])
    log = out / "log.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    records = [json.loads(line) for line in lines]
    facts = json.loads((out / "run.json").read_text(encoding="utf-8"))
    minutes = state["seconds"] / 60
    return FinishedRun(model.eval(), recipe, state["step"], minutes, records, facts)


def matching_of(model: CroCo, longest: int) -> dict[str, Any]:
    """
    Return what inference reads from a weights file.

    longest: side of the pictures seen in training.
    """
    assert model.match_log_scale is not None
    return {
        "beta": round(math.exp(-float(model.match_log_scale.detach())), 6),
        "register_fix": False,
        "image_size_max": longest,
    }


@contextmanager
def draft_weights(model: CroCo) -> Iterator[Path]:
    """Yield a weights file of a network in training, for an evaluation; removed afterwards."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "draft.safetensors"
        save_croco(path, model, {"matching": matching_of(model, max(model.config.img_size))})
        yield path


def metadata_of(run: FinishedRun) -> dict[str, Any]:
    """Return what the weights file says about itself, beside its architecture."""
    longest = max(max(size) for size in run.recipe.data.crops)
    return {
        "matching": matching_of(run.model, longest),
        "license": "Apache-2.0",
        "recipe": run.recipe.to_dict(),
        "training": {
            "steps": run.step,
            "samples": run.step * run.recipe.optimizer.batch,
            "pairs": pairs_rendered(run),
            "minutes": round(run.minutes, 1),
            "held_out_aepe": run.errors,
            "version": __version__,
            **run.facts,
        },
    }


def pairs_rendered(run: FinishedRun) -> int:
    """Distinct pairs that the run drew from."""
    if run.recipe.data.fixed:
        return run.recipe.data.fixed * run.recipe.data.shard
    samples = run.step * run.recipe.optimizer.batch
    shards = 2 + int(samples / (run.recipe.data.shard * run.recipe.data.reuse))
    return shards * run.recipe.data.shard


def export(out: Path, weights: Path, *, notes: str = "") -> str:
    """
    Write a run's averaged weights (half precision) and, beside them, the model card.

    notes: text (Markdown) that goes into the card as it is, such as numbers on real data. Returns
    the file's sha256.
    """
    run = read_run(out)
    metadata = metadata_of(run)
    half = CroCo(run.recipe.model)
    half.load_state_dict(run.model.state_dict())
    save_croco(weights, half.to(torch.float16), metadata)
    loaded = load_croco(weights)
    text = card(run, metadata, loaded.sha256, weights, notes)
    weights.with_suffix(".md").write_text(text, encoding="utf-8")
    return loaded.sha256


def card(
    run: FinishedRun,
    metadata: dict[str, Any],
    sha256: str,
    weights: Path,
    notes: str,
) -> str:
    """Return the text of the model card, in Markdown."""
    training, model = metadata["training"], run.recipe.model
    parameters = sum(p.numel() for p in run.model.parameters())
    size = weights.stat().st_size / 1e6
    return CARD.format(
        name=weights.stem,
        file=weights.name,
        sha256=sha256,
        size=f"{size:.1f}",
        millions=f"{parameters / 1e6:.2f}",
        encoder=f"{model.enc_depth} blocks of width {model.enc_embed_dim}",
        decoder=f"{model.dec_depth} blocks of width {model.dec_embed_dim}",
        beta=metadata["matching"]["beta"],
        source=OWN if training["textures"] else NOTHING_ELSE,
        seed=run.recipe.seed,
        objective=objective_of(run.recipe),
        device=training.get("device", "cpu"),
        curve=curve(run),
        photos="\n".join(f"- `{name}`: {terms}" for name, terms in BUNDLED.items()),
        notes=notes.strip() or "Not measured.",
        crops=", ".join(f"{h}x{w}" for h, w in dict.fromkeys(run.recipe.data.crops)),
        **{key: training[key] for key in NAMED},
    )


def objective_of(recipe: Recipe) -> str:
    """Return the objective in words."""
    plan = recipe.objective
    words = {
        "cross-entropy of rows and columns": plan.matching,
        "end-point error of the soft-argmax": plan.regression,
        "cross-view completion": plan.completion,
    }
    parts = [f"{text} (weight {weight:g})" for text, weight in words.items() if weight > 0]
    return ", ".join(parts)


def curve(run: FinishedRun) -> str:
    """Give run's course as a table: held-out errors over steps, step 0 being no motion at all."""
    measured = list({r["step"]: r for r in run.records if "aepe" in r}.values())
    if not measured:
        return "Not measured."
    names = list(measured[-1]["aepe"])
    lines = [f"| step | minutes | {' | '.join(names)} |", "|---" * (2 + len(names)) + "|"]
    for record in [*measured[: -1 : 1 + len(measured) // 12], measured[-1]]:
        values = " | ".join(f"{record['aepe'][name]:.2f}" for name in names)
        lines.append(f"| {record['step']} | {record['minutes']:.0f} | {values} |")
    if "median" in measured[-1]:
        values = " | ".join(f"{measured[-1]['median'][name]:.2f}" for name in names)
        lines.append(f"| median over pairs | | {values} |")
    return "\n".join(lines)


NAMED = ("steps", "samples", "pairs", "minutes", "commit", "command", "processes")
NOTHING_ELSE = "nothing else"
OWN = "and of pictures in a folder that was given with `--textures`"
