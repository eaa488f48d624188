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

"""Training of the depth head on a frozen backbone and flow head."""

from __future__ import annotations

from dataclasses import dataclass, replace
import time
from typing import Any

import torch
from tqdm import tqdm

from zeroco_ros.heads.depth import DepthHead
from zeroco_ros.training.depth_holdout import depth_errors, held_out_depth
from zeroco_ros.training.depth_losses import depth_loss, DepthLoss
from zeroco_ros.training.depth_pairs import depth_batch, DepthBatch, DepthShard
from zeroco_ros.training.depth_recipe import depth_recipe_from, DepthRecipe
from zeroco_ros.training.depth_shards import DepthSource
from zeroco_ros.training.depth_views import Observer
from zeroco_ros.training.head_trainer import HeadRunOptions, HeadTrainer, note
from zeroco_ros.training.memory import keep_freed_memory
from zeroco_ros.training.precision import autocast


@dataclass(frozen=True)
class DepthRunOptions(HeadRunOptions):
    """A run of the depth head. flow: the frozen flow head, may be "none"."""

    flow: str = "flow_head"


class DepthTrainer(HeadTrainer):
    """One run of a depth head."""

    def __init__(self, recipe: DepthRecipe, options: DepthRunOptions) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.options = recipe, options
        self.observer = Observer(options.backbone, options.flow)
        config = replace(recipe.head, tokens=self.observer.tokens, beta=self.observer.beta)
        super().__init__(
            (DepthHead(config), DepthHead(config)),
            recipe.optimizer,
            recipe.to_dict(),
            options.out / "checkpoint.pt",
            (recipe.steps, options.minutes),
            self.observer.backbone_sha256,
        )

    def is_recipe(self, values: Any) -> bool:
        """Whether plain values are this run's recipe; what they leave out has its default."""
        return depth_recipe_from(values) == self.recipe

    def update(self, batch: DepthBatch) -> DepthLoss:
        """One optimizer step on a batch."""
        with autocast("auto", torch.device("cpu")):
            head = self.head
            assert isinstance(head, DepthHead)
            found = head(batch.direction, head.encode(batch.images[0]), batch.geometry)
        loss = depth_loss(found, batch, self.recipe.loss)
        self.descend(loss.total, len(batch.log_inverse))
        return loss


def train_depth(recipe: DepthRecipe, options: DepthRunOptions) -> DepthTrainer:
    """Run or resume a recipe to its end; the run folder then holds checkpoint and log."""
    keep_freed_memory()
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    trainer = DepthTrainer(recipe, options)
    leads = trainer.team.leads
    trainer.begin(
        options.resume,
        options.command,
        options.textures is not None,
        flow=trainer.observer.flow_sha256,
    )
    sets: dict[str, DepthShard] = {}
    if options.held_out and leads:
        sets = held_out_depth(recipe.data, options.held_out, trainer.observer)
    run_depth_steps(trainer, sets)
    if leads:
        trainer.save()
        if sets:
            evaluate(trainer, sets)
    return trainer


def run_depth_steps(trainer: DepthTrainer, sets: dict[str, DepthShard]) -> None:
    """All remaining steps, with pairs from a background process."""
    recipe, options = trainer.recipe, trainer.options
    total = recipe.steps if options.minutes is None else None
    bar = tqdm(total=total, disable=not (options.progress and trainer.team.leads), mininterval=2)
    mean: dict[str, float] = {}
    networks = (options.backbone, options.flow)
    pairs = options.out / "pairs"
    with DepthSource(
        recipe, networks, pairs, options.textures, trainer.step, trainer.team
    ) as source:
        while trainer.progress() < 1:
            started = time.monotonic()
            rng, samples = source.draw(trainer.step)
            loss = trainer.update(depth_batch(rng, samples, recipe.data))
            trainer.unshared += time.monotonic() - started
            if not trainer.team.leads:
                continue
            for name in ("error", "total"):
                value = float(getattr(loss, name).detach())
                mean[name] = value + 0.99 * (mean.get(name, value) - value)
            bar.update(trainer.step - bar.n)
            bar.set_postfix({k: f"{v:.3f}" for k, v in mean.items()}, refresh=False)
            if trainer.step % recipe.log_every == 0:
                means = {name: round(value, 4) for name, value in mean.items()}
                waited = {"waited": round(source.waited, 1)}
                note(options.out / "log.jsonl", {**trainer.whereabouts(), **means, **waited})
            if trainer.step % recipe.save_every == 0:
                trainer.save()
            if sets and trainer.step % recipe.evaluate_every == 0:
                evaluate(trainer, sets)


def evaluate(trainer: DepthTrainer, sets: dict[str, DepthShard]) -> None:
    """Write the averaged head's held-out errors to the log."""
    assert isinstance(trainer.average, DepthHead)
    errors = depth_errors(trainer.average, sets, trainer.recipe.data)
    note(trainer.options.out / "log.jsonl", {**trainer.whereabouts(), "depth": errors})
