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

"""Training of a flow head on a frozen backbone."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import nn, Tensor
from torch.nn import functional
from tqdm import tqdm

from zeroco_ros.croco.checkpoint import load_croco
from zeroco_ros.heads.recurrent import HeadFlow, RecurrentHead
from zeroco_ros.training.flow_heads import (
    CoarseMatcher,
    disturbed,
    make_head,
    run_any,
    run_head,
)
from zeroco_ros.training.flow_losses import flow_loss, FlowLoss
from zeroco_ros.training.flow_pairs import dense_batch, DenseBatch
from zeroco_ros.training.flow_recipe import flow_recipe_from, FlowRecipe, View
from zeroco_ros.training.flow_shards import DenseSource
from zeroco_ros.training.head_trainer import HeadRunOptions, HeadTrainer, note
from zeroco_ros.training.holdout import held_out_sets, HeldOut
from zeroco_ros.training.memory import keep_freed_memory


class FlowTrainer(HeadTrainer):
    """One run of a flow head."""

    def __init__(self, recipe: FlowRecipe, options: HeadRunOptions) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.options = recipe, options
        loaded = load_croco(options.backbone)
        self.matcher = CoarseMatcher(loaded)
        tokens, beta = loaded.config.dec_embed_dim, self.matcher.beta
        super().__init__(
            (make_head(recipe.head, tokens, beta), make_head(recipe.head, tokens, beta)),
            recipe.optimizer,
            recipe.to_dict(),
            options.out / "checkpoint.pt",
            (recipe.steps, options.minutes),
            loaded.sha256,
        )

    def is_recipe(self, values: Any) -> bool:
        """Whether plain values are this run's recipe; what they leave out has its default."""
        return flow_recipe_from(values) == self.recipe

    def update(self, batch: DenseBatch, view: View) -> FlowLoss:
        """One optimizer step on both directions of a batch."""
        result = self.run(batch.images, view)
        loss = flow_loss(
            result, batch.flow.flatten(0, 1), batch.visible.flatten(0, 1), self.recipe.loss
        )
        self.descend(loss.total, batch.images.shape[1])
        return loss

    def run(self, images: Tensor, view: View) -> HeadFlow:
        """Return head on both directions of a batch, its coarse match disturbed in some steps."""
        if not isinstance(self.head, RecurrentHead):
            return run_any(self.head, self.matcher, images)
        coarse = self.matcher(images, view.coarse)
        generator = torch.Generator().manual_seed(
            (self.recipe.seed * 1_000_003 + self.step) * 64 + self.team.rank
        )
        if torch.rand((), generator=generator) < self.recipe.loss.disturb:
            coarse = disturbed(coarse, generator)
        return run_head(self.head, images, coarse)


@torch.no_grad()
def head_errors(
    head: nn.Module, matcher: CoarseMatcher, sets: dict[str, HeldOut]
) -> dict[str, dict[str, float]]:
    """Mean end-point error of visible pixels per held-out set, of the head and the coarse one."""
    found: dict[str, dict[str, float]] = {"head": {}, "coarse": {}}
    for name, held in sets.items():
        errors: dict[str, list[float]] = {"head": [], "coarse": []}
        for images, flow, visible in zip(held.images, held.flow, held.visible, strict=True):
            pair = images[:, None]
            coarse = matcher(pair)
            dense = run_any(head, matcher, pair).flow[:1].permute(0, 3, 1, 2)
            for kind, wide in (("head", dense), ("coarse", coarse.flow[:1])):
                guess = functional.interpolate(wide, visible.shape, mode="bilinear")
                error = (guess[0].permute(1, 2, 0) - flow).norm(dim=2)
                errors[kind].append(float(error[visible].mean()))
        for kind, values in errors.items():
            found[kind][name] = round(sum(values) / len(values), 3)
    return found


def train_flow(recipe: FlowRecipe, options: HeadRunOptions) -> FlowTrainer:
    """Run or resume a recipe to its end; the run folder then holds checkpoint and log."""
    keep_freed_memory()
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    trainer = FlowTrainer(recipe, options)
    leads = trainer.team.leads
    trainer.begin(options.resume, options.command, options.textures is not None)
    sets = held_out_sets(options.held_out) if options.held_out and leads else {}
    run_flow_steps(trainer, sets)
    if leads:
        trainer.save()
    return trainer


def run_flow_steps(trainer: FlowTrainer, sets: dict[str, HeldOut]) -> None:
    """All remaining steps, with pairs from a background process."""
    recipe, options = trainer.recipe, trainer.options
    log = options.out / "log.jsonl"
    total = recipe.steps if options.minutes is None else None
    bar = tqdm(total=total, disable=not (options.progress and trainer.team.leads), mininterval=2)
    mean = {"error": 0.0, "certainty": 0.0, "total": 0.0}
    pairs = options.out / "pairs"
    with DenseSource(recipe, pairs, options.textures, trainer.step, trainer.team) as source:
        while trainer.progress() < 1:
            started = time.monotonic()
            rng, view, samples = source.draw(trainer.step)
            loss = trainer.update(dense_batch(rng, samples, view), view)
            trainer.unshared += time.monotonic() - started
            if not trainer.team.leads:
                continue
            share = max(0.01, 1 / trainer.step)
            for name in mean:
                mean[name] += share * (float(getattr(loss, name).detach()) - mean[name])
            bar.update(trainer.step - bar.n)
            bar.set_postfix({k: f"{v:.3f}" for k, v in mean.items()}, refresh=False)
            record = trainer.whereabouts()
            if trainer.step % recipe.log_every == 0:
                means = {name: round(value, 4) for name, value in mean.items()}
                note(log, {**record, **means, "waited": round(source.waited, 1)})
            if trainer.step % recipe.save_every == 0:
                trainer.save()
            if sets and trainer.step % recipe.evaluate_every == 0:
                errors = head_errors(trainer.average, trainer.matcher, sets)
                bar.write(f"step {trainer.step}: {errors}")
                note(log, {**record, "aepe": errors})
