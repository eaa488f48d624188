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

"""The state of a run and one step of it: network, moving average, optimizer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
import json
import math
from pathlib import Path
import time

import torch
from torch import nn, Tensor

from zeroco_ros.croco.checkpoint import load_croco
from zeroco_ros.croco.initialization import init_tied_cross_attention
from zeroco_ros.croco.model import CroCo
from zeroco_ros.errors import ConfigError
from zeroco_ros.training.augment import Batch
from zeroco_ros.training.checkpoints import load_state, save_state
from zeroco_ros.training.objective import Objective
from zeroco_ros.training.parallel import Team
from zeroco_ros.training.recipe import Recipe, recipe_from

Judge = Callable[[CroCo], dict[str, float]]


@dataclass(frozen=True)
class RunOptions:
    """
    Where and how a run is executed; nothing here changes what a step is meant to compute.

    out: run folder (checkpoint, log, pairs); minutes: end after this much training time, not after
    the recipe's steps (the learning rate then follows the clock); textures: folder of further
    pictures; resume: go on from the checkpoint; held_out: pairs per held-out set (0: none);
    command: the command line, for the model card; device: "cpu", "cuda" or "auto"; precision: see
    `precision.autocast`; start: weights to begin with instead of random ones; pairs: where the
    rendered pairs are, default in `out`; judge: errors in pixels of the averaged weights on
    further data, by set, for the log; clock: seconds that `minutes` counts.
    """

    out: Path
    minutes: float | None = None
    textures: str | None = None
    threads: int | None = None
    resume: bool = False
    held_out: int = 24
    progress: bool = True
    command: str = ""
    device: str = "cpu"
    precision: str = "auto"
    start: Path | None = None
    pairs: Path | None = None
    judge: Judge | None = None
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True)
class StepLoss:
    """The loss of a step over all processes, and its terms by name: per visible or hidden cell."""

    total: float
    terms: dict[str, float]


class Trainer:
    """One run: network, moving average, optimizer and how far it has come."""

    def __init__(self, recipe: Recipe, options: RunOptions) -> None:
        self.team = Team(options.device)
        if recipe.optimizer.batch < self.team.size:
            raise ConfigError(
                f"a batch of {recipe.optimizer.batch} for {self.team.size} processes: give each "
                "at least one pair (optimizer.batch)"
            )
        self.recipe, self.options = recipe, options
        torch.manual_seed(recipe.seed)
        self.model = CroCo(recipe.model)
        init_tied_cross_attention(self.model)
        if options.start is not None:
            start_from(self.model, options.start)
        self.objective = Objective(
            self.model, recipe.objective, recipe.occluded, options.precision
        ).to(self.team.device)
        self.average = CroCo(recipe.model).to(self.team.device)
        self.average.load_state_dict(self.model.state_dict())
        self.optimizer = make_optimizer(self.objective, recipe)
        self.parallel = self.team.wrap(self.objective)
        self.step, self.seconds = 0, 0.0
        self.unshared = 0.0  # seconds since then that the other processes do not know of yet
        self.path = options.out / "checkpoint.pt"

    def resume(self) -> None:
        """Continue from the run folder's checkpoint; ConfigError if there is none that fits."""
        state = load_state(self.path)
        if state is None:
            raise ConfigError(f"no checkpoint in {self.path.parent}: start without --resume")
        if recipe_from(json.loads(state["recipe"])) != self.recipe:
            raise ConfigError(f"{self.path} was made with another recipe: use that one or --out")
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.objective.no_match is not None:
            self.objective.no_match.data.copy_(state["no_match"])
        self.step, self.seconds = state["step"], state["seconds"]

    def save(self) -> None:
        """Write the checkpoint."""
        state = {
            "recipe": json.dumps(self.recipe.to_dict()),
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.elapsed,
        }
        if self.objective.no_match is not None:
            state["no_match"] = self.objective.no_match.detach()
        save_state(self.path, state)

    @property
    def elapsed(self) -> float:
        """Seconds of training so far, by this process's clock."""
        return self.seconds + self.unshared

    def progress(self) -> float:
        """How much of the run is done, 0 to 1, the same in all processes."""
        if self.options.minutes is not None:
            return min(1.0, self.seconds / (60 * self.options.minutes))
        return self.step / self.recipe.steps

    def rate(self) -> float:
        """Learning rate of the next step: linear warm-up, then half a cosine."""
        plan = self.recipe.optimizer
        warm = min(1.0, (self.step + 1) / plan.warmup)
        cosine = 0.5 * (1 + math.cos(math.pi * self.progress()))
        return plan.lr * warm * (plan.final + (1 - plan.final) * cosine)

    def update(self, batch: Batch) -> StepLoss:
        """One optimizer step, on this process's part of the batch."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        sums, counts = self.parallel(batch.to(self.team.device))
        clock = counts.new_tensor([self.elapsed], dtype=torch.float64)
        shared = torch.cat([sums.detach().double(), counts.double(), clock * self.team.leads])
        totals = self.team.total(shared).tolist()
        names = self.objective.names
        found, cells = totals[: len(names)], [max(c, 1.0) for c in totals[len(names) : -1]]
        self.seconds, self.unshared = totals[-1], 0.0
        weights = [w / c for w, c in zip(self.objective.weights, cells, strict=True)]
        self.optimizer.zero_grad(set_to_none=True)
        # DDP takes the mean of the processes' gradients; the sum over them is what is wanted.
        loss = self.team.size * (sums * sums.new_tensor(weights)).sum()
        loss.backward()
        nn.utils.clip_grad_norm_(self.objective.parameters(), self.recipe.optimizer.clip)
        self.optimizer.step()
        self.step += 1
        self.blend()
        terms = dict.fromkeys(names, 0.0)
        for name, value, count in zip(names, found, cells, strict=True):
            terms[name] += value / count / names.count(name)
        return StepLoss(sum(w * v for w, v in zip(weights, found, strict=True)), terms)

    @torch.no_grad()
    def blend(self) -> None:
        """Move the average of the weights, short at the start."""
        decay = min(self.recipe.optimizer.ema, (1 + self.step) / (10 + self.step))
        averages: list[Tensor] = list(self.average.parameters())
        torch._foreach_lerp_(averages, list[Tensor](self.model.parameters()), 1 - decay)


def start_from(model: CroCo, weights: Path) -> None:
    """
    Copy a weights file of the same architecture; the pixel head may be absent on either side.

    Raises ConfigError if the architectures differ.
    """
    given = load_croco(weights).model.state_dict()
    own = model.state_dict()
    head = ("mask_token", "prediction_head.weight", "prediction_head.bias")
    same = {name: own[name].shape for name in own if name not in head}
    if same != {name: given[name].shape for name in given if name not in head}:
        raise ConfigError(f"{weights} has another architecture than the recipe: use its `model`")
    model.load_state_dict({**own, **{k: v.float() for k, v in given.items() if k in own}})


def make_optimizer(module: nn.Module, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW; vectors and scalars (biases, norms, the temperature) do not decay."""
    plan = recipe.optimizer
    used = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in used if p.ndim > 1], "weight_decay": plan.weight_decay},
        {"params": [p for p in used if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=plan.lr, betas=plan.betas)
