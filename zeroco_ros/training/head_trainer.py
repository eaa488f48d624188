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

"""What the training of every head shares: optimizer, clock, moving average, checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import nn, Tensor

from zeroco_ros.errors import ConfigError
from zeroco_ros.training.checkpoints import load_state, save_state
from zeroco_ros.training.parallel import Team
from zeroco_ros.training.recipe import OptimizerPlan
from zeroco_ros.training.train import git_commit


@dataclass(frozen=True)
class HeadRunOptions:
    """
    Where and how a run is executed.

    out: run folder; backbone: weights whose coarse match the head builds on; minutes: end after
    this much training time instead of after the recipe's steps; textures: folder of further
    pictures; held_out: pairs per held-out set (0: none).
    """

    out: Path
    backbone: str = "default"
    minutes: float | None = None
    textures: str | None = None
    threads: int | None = None
    resume: bool = False
    held_out: int = 24
    progress: bool = True
    command: str = ""


class HeadTrainer:
    """
    A head, its moving average, an optimizer, and how far the run has come.

    recipe: the run's recipe as plain values; minutes: end after this much training time instead
    of after `steps`.
    """

    def __init__(
        self,
        heads: tuple[nn.Module, nn.Module],
        plan: OptimizerPlan,
        recipe: dict[str, Any],
        path: Path,
        length: tuple[int, float | None],
        backbone: str,
    ) -> None:
        self.team = Team()
        self.head, self.average = heads
        self.average.load_state_dict(self.head.state_dict())
        self.plan, self.values, self.path, self.backbone_sha256 = plan, recipe, path, backbone
        self.steps, self.minutes = length
        groups = [
            {
                "params": [p for p in self.head.parameters() if p.ndim > 1],
                "weight_decay": plan.weight_decay,
            },
            {"params": [p for p in self.head.parameters() if p.ndim <= 1], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=plan.lr, betas=plan.betas)
        self.step, self.seconds, self.pairs = 0, 0.0, 0
        self.unshared = 0.0  # seconds that the other processes do not know of yet

    def resume(self) -> None:
        """Continue from the run folder's checkpoint; ConfigError if there is none that fits."""
        state = load_state(self.path)
        if state is None:
            raise ConfigError(f"no checkpoint in {self.path.parent}: start without --resume")
        if not self.is_recipe(json.loads(state["recipe"])):
            raise ConfigError(f"{self.path} was made with another recipe: use that one or --out")
        self.head.load_state_dict(state["head"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds, self.pairs = state["step"], state["seconds"], state["pairs"]

    def begin(self, resume: bool, command: str, textures: bool, **facts: Any) -> None:
        """
        Continue from the checkpoint, or note in `run.json` where a new run comes from.

        Raises ConfigError where there is nothing to continue, or where a run is there already.
        """
        if resume:
            self.resume()
        elif self.path.exists():
            raise ConfigError(
                f"{self.path} exists: continue it with --resume or use another --out"
            )
        elif self.team.leads:
            notes = {
                "command": command,
                "commit": git_commit(),
                "textures": textures,
                "processes": self.team.size,
                "backbone": self.backbone_sha256,
                **facts,
            }
            self.path.with_name("run.json").write_text(json.dumps(notes), encoding="utf-8")

    def is_recipe(self, values: Any) -> bool:
        """Whether plain values are this run's recipe."""
        return bool(values == json.loads(json.dumps(self.values)))

    def save(self) -> None:
        """Write the checkpoint."""
        state = {
            "recipe": json.dumps(self.values),
            "config": self.head.config.to_dict(),  # type: ignore[operator, union-attr]
            "head": self.head.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "pairs": self.pairs,
            "backbone": self.backbone_sha256,
        }
        save_state(self.path, state)

    def progress(self) -> float:
        """How much of the run is done, 0 to 1."""
        if self.minutes is not None:
            return min(1.0, self.seconds / (60 * self.minutes))
        return self.step / self.steps

    def whereabouts(self) -> dict[str, Any]:
        """How far the run is, for the log."""
        minutes = round(self.seconds / 60, 2)
        return {"step": self.step, "pairs": self.pairs, "minutes": minutes}

    def rate(self) -> float:
        """Learning rate of the next step: linear warm-up, then half a cosine."""
        warm = min(1.0, (self.step + 1) / self.plan.warmup)
        cosine = 0.5 * (1 + math.cos(math.pi * self.progress()))
        return self.plan.lr * warm * (self.plan.final + (1 - self.plan.final) * cosine)

    def descend(self, loss: Tensor, count: int) -> None:
        """One optimizer step down a loss that this process averaged over `count` samples."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        clock = self.seconds + self.unshared
        self.seconds = self.team.average_gradients(self.head.parameters(), clock)
        self.unshared = 0.0
        nn.utils.clip_grad_norm_(self.head.parameters(), self.plan.clip)
        self.optimizer.step()
        self.step += 1
        self.pairs += count * self.team.size
        self.blend()

    @torch.no_grad()
    def blend(self) -> None:
        """Move the average of the weights, short at the start."""
        decay = min(self.plan.ema, (1 + self.step) / (10 + self.step))
        averages: list[Tensor] = list(self.average.parameters())
        torch._foreach_lerp_(averages, list[Tensor](self.head.parameters()), 1 - decay)


def note(path: Path, record: dict[str, Any]) -> None:
    """Append one JSON line."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
