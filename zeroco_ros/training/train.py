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

"""A training run from its start, or its checkpoint, to its end."""

from __future__ import annotations

import json
from pathlib import Path
import subprocess

import torch

from zeroco_ros.errors import ConfigError
from zeroco_ros.training.augment import make_batch
from zeroco_ros.training.holdout import held_out_sets, HeldOut, no_motion_errors, summary
from zeroco_ros.training.memory import keep_freed_memory
from zeroco_ros.training.photos import pictures_in
from zeroco_ros.training.precision import has_bf16
from zeroco_ros.training.recipe import Recipe
from zeroco_ros.training.runlog import RunLog
from zeroco_ros.training.shards import ShardSource
from zeroco_ros.training.trainer import RunOptions, Trainer

__all__ = ["RunOptions", "Trainer", "git_commit", "has_bf16", "train"]


def train(recipe: Recipe, options: RunOptions) -> Trainer:
    """
    Run or resume a recipe to its end; the run folder then holds checkpoint and log.

    Raises ConfigError for a recipe or run folder that does not fit.
    """
    keep_freed_memory()
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    if options.textures is not None:
        pictures_in(options.textures)  # a clear error here, not in the renderer's process
    options.out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(recipe, options)
    leads = trainer.team.leads
    if options.resume:
        trainer.resume()
    elif leads:
        begin(trainer)
    sets = held_out_sets(options.held_out, recipe.held_out) if options.held_out and leads else {}
    log = RunLog(options, recipe.steps, options.progress and leads)
    if sets and not options.resume:
        log.write({"step": 0, "minutes": 0, **summary(no_motion_errors(sets))})
    if trainer.progress() < 1:
        run_steps(trainer, log, sets)
    if leads:
        trainer.save()
        log.errors(trainer, sets)
    return trainer


def begin(trainer: Trainer) -> None:
    """Note where a new run comes from; ConfigError if the run folder is in use."""
    if trainer.path.exists():
        raise ConfigError(f"{trainer.path} exists: continue it with --resume or use another --out")
    options = trainer.options
    (options.out / "log.jsonl").unlink(missing_ok=True)
    facts = {
        "command": options.command,
        "commit": git_commit(),
        "textures": options.textures is not None,
        "processes": trainer.team.size,
        "device": trainer.team.device.type,
    }
    (options.out / "run.json").write_text(json.dumps(facts), encoding="utf-8")


def git_commit() -> str:
    """Return the commit of the code that runs, or "unknown" outside a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return result.stdout.strip()


def run_steps(trainer: Trainer, log: RunLog, sets: dict[str, HeldOut]) -> None:
    """All remaining steps, with pairs from a background process."""
    recipe, options, team = trainer.recipe, trainer.options, trainer.team
    pairs = options.pairs or options.out / "pairs"
    with ShardSource(recipe, pairs, options.textures, trainer.step, team) as source:
        while trainer.progress() < 1:
            started = options.clock()
            rngs, samples = source.draw(trainer.step)
            rate = trainer.rate()
            loss = trainer.update(make_batch(rngs, samples, source.crop(trainer.step)))
            trainer.unshared += options.clock() - started
            if team.leads:
                log.step(trainer, loss, rate, source.waited)
                if trainer.step % recipe.save_every == 0:
                    trainer.save()
                if trainer.step % recipe.evaluate_every == 0:
                    log.errors(trainer, sets)
