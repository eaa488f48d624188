"""The training loop: supervised matching on the cost volume of a CroCo-shaped network."""

from __future__ import annotations

import json
import math
import subprocess
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from zeroco_ros.croco.descriptors import Encoding, PairDescriptors
from zeroco_ros.croco.initialization import init_tied_cross_attention
from zeroco_ros.croco.model import CroCo
from zeroco_ros.errors import ConfigError
from zeroco_ros.training.augment import Batch, make_batch
from zeroco_ros.training.checkpoints import load_state, save_state
from zeroco_ros.training.holdout import (
    HeldOut,
    endpoint_errors,
    held_out_sets,
    no_motion_errors,
    summary,
)
from zeroco_ros.training.losses import MatchLoss, match_loss
from zeroco_ros.training.memory import keep_freed_memory
from zeroco_ros.training.parallel import Team
from zeroco_ros.training.recipe import Recipe
from zeroco_ros.training.shards import ShardSource


@dataclass(frozen=True)
class RunOptions:
    """Where and how a run is executed; nothing here changes what a step computes.

    out: run folder (checkpoint, log, pairs); minutes: end after this much training time, not after
    the recipe's steps (the learning rate then follows the clock); textures: folder of further
    pictures; resume: go on from the checkpoint; held_out: pairs per held-out set (0: none);
    command: the command line, for the model card.
    """

    out: Path
    minutes: float | None = None
    textures: str | None = None
    threads: int | None = None
    resume: bool = False
    held_out: int = 24
    progress: bool = True
    command: str = ""


class Trainer:
    """One run: network, moving average, optimizer and how far it has come."""

    def __init__(self, recipe: Recipe, options: RunOptions) -> None:
        self.team = Team()
        self.recipe, self.options = recipe, options
        torch.manual_seed(recipe.seed)
        self.model = CroCo(recipe.model)
        init_tied_cross_attention(self.model)
        if self.model.match_log_scale is None:
            raise ConfigError("model.stem must be conv: only that network learns a temperature")
        self.average = CroCo(recipe.model)
        self.average.load_state_dict(self.model.state_dict())
        self.optimizer = make_optimizer(self.model, recipe)
        self.step, self.seconds = 0, 0.0
        self.path = options.out / "checkpoint.pt"

    def resume(self) -> None:
        """Continue from the run folder's checkpoint; ConfigError if there is none that fits."""
        state = load_state(self.path)
        if state is None:
            raise ConfigError(f"no checkpoint in {self.path.parent}: start without --resume")
        if state["recipe"] != json.dumps(self.recipe.to_dict()):
            raise ConfigError(f"{self.path} was made with another recipe: use that one or --out")
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]

    def save(self) -> None:
        """Write the checkpoint."""
        state = {
            "recipe": json.dumps(self.recipe.to_dict()),
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
        }
        save_state(self.path, state)

    def progress(self) -> float:
        """How much of the run is done, 0 to 1."""
        if self.options.minutes is not None:
            return min(1.0, self.seconds / (60 * self.options.minutes))
        return self.step / self.recipe.steps

    def rate(self) -> float:
        """Learning rate of the next step: linear warm-up, then half a cosine."""
        plan = self.recipe.optimizer
        warm = min(1.0, (self.step + 1) / plan.warmup)
        cosine = 0.5 * (1 + math.cos(math.pi * self.progress()))
        return plan.lr * warm * (plan.final + (1 - plan.final) * cosine)

    def update(self, batch: Batch) -> MatchLoss:
        """One optimizer step."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        assert self.model.match_log_scale is not None
        pair = describe(self.model, batch)
        loss = match_loss(
            pair,
            batch.flow,
            batch.visible,
            self.model.match_log_scale,
            occluded_weight=self.recipe.occluded,
            stride=self.recipe.model.patch_size,
        )
        self.optimizer.zero_grad(set_to_none=True)
        loss.total.backward()  # type: ignore[no-untyped-call]
        self.seconds = self.team.average_gradients(self.model.parameters(), self.seconds)
        nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.optimizer.clip)
        self.optimizer.step()
        self.step += 1
        self.blend()
        return loss

    @torch.no_grad()
    def blend(self) -> None:
        """Moving average of the weights, short at the start."""
        decay = min(self.recipe.optimizer.ema, (1 + self.step) / (10 + self.step))
        averages: list[Tensor] = list(self.average.parameters())
        torch._foreach_lerp_(averages, list[Tensor](self.model.parameters()), 1 - decay)


def describe(model: CroCo, batch: Batch) -> PairDescriptors:
    """Both directions' descriptors of a batch, in bf16 where the processor has it."""
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=has_bf16()):
        both = model.encode(batch.images.flatten(0, 1))
        target, source = (Encoding(tokens, both.grid) for tokens in both.tokens.chunk(2))
        return model.decode_pair(target, source)


@cache
def has_bf16() -> bool:
    """Whether the CPU multiplies bf16 in hardware; emulated it is ten times slower than fp32."""
    return "avx512_bf16" in cpu_flags() or "amx_bf16" in cpu_flags()


def cpu_flags() -> frozenset[str]:
    """The processor's feature flags, where the system lists them."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return frozenset()
    lines = [line for line in text.splitlines() if line.startswith("flags")]
    return frozenset(lines[0].split()) if lines else frozenset()


def make_optimizer(model: CroCo, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW; vectors and scalars (biases, norms, the temperature) do not decay."""
    plan = recipe.optimizer
    used = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in used if p.ndim > 1], "weight_decay": plan.weight_decay},
        {"params": [p for p in used if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=plan.lr, betas=plan.betas)


def train(recipe: Recipe, options: RunOptions) -> Trainer:
    """Run or resume a recipe to its end; the run folder then holds checkpoint and log.

    Raises ConfigError for a recipe or run folder that does not fit.
    """
    keep_freed_memory()
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(recipe, options)
    leads = trainer.team.leads
    if options.resume:
        trainer.resume()
    elif leads:
        begin(trainer)
    sets = held_out_sets(options.held_out) if options.held_out and leads else {}
    log = RunLog(options.out / "log.jsonl", options.progress and leads, recipe, options.minutes)
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
    }
    (options.out / "run.json").write_text(json.dumps(facts), encoding="utf-8")


def git_commit() -> str:
    """The commit of the code that runs, or "unknown" outside a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return result.stdout.strip()


def run_steps(trainer: Trainer, log: RunLog, sets: dict[str, HeldOut]) -> None:
    """All remaining steps, with pairs from a background process."""
    recipe, options, team = trainer.recipe, trainer.options, trainer.team
    pairs = options.out / "pairs"
    with ShardSource(recipe, pairs, options.textures, trainer.step, team) as source:
        while trainer.progress() < 1:
            started = time.monotonic()
            rng, samples = source.draw(trainer.step)
            rate = trainer.rate()
            loss = trainer.update(make_batch(rng, samples, source.crop(trainer.step)))
            trainer.seconds += time.monotonic() - started
            if team.leads:
                log.step(trainer, loss, rate, source.waited)
                if trainer.step % recipe.save_every == 0:
                    trainer.save()
                if trainer.step % recipe.evaluate_every == 0:
                    log.errors(trainer, sets)


class RunLog:
    """Loss and errors of a run: a progress bar for the eye, JSON lines for the record."""

    def __init__(self, path: Path, show: bool, recipe: Recipe, minutes: float | None) -> None:
        self.path = path
        total = recipe.steps if minutes is None else None
        self.bar = tqdm(total=total, disable=not show, unit="step", mininterval=2)
        self.mean: float | None = None

    def step(self, trainer: Trainer, loss: MatchLoss, rate: float, waited: float) -> None:
        """Note one step."""
        value = float(loss.match)
        self.mean = value if self.mean is None else 0.98 * self.mean + 0.02 * value
        self.bar.update(trainer.step - self.bar.n)
        self.bar.set_postfix(loss=f"{self.mean:.3f}", lr=f"{rate:.1e}", refresh=False)
        if trainer.step % trainer.recipe.log_every == 0 or trainer.step == 1:
            assert trainer.model.match_log_scale is not None
            record = {
                "step": trainer.step,
                "pairs": trainer.step * trainer.recipe.optimizer.batch,
                "minutes": round(trainer.seconds / 60, 2),
                "loss": round(value, 5),
                "loss_mean": round(self.mean, 4),
                "occluded": round(float(loss.occluded), 4),
                "log_scale": round(float(trainer.model.match_log_scale.detach()), 4),
                "lr": rate,
                "waited": round(waited, 1),
            }
            self.write(record)

    def errors(self, trainer: Trainer, sets: dict[str, HeldOut]) -> None:
        """Evaluate the averaged weights on the held-out sets and note the errors in pixels."""
        if not sets:
            return
        errors = summary(endpoint_errors(trainer.average, sets))
        self.bar.write(f"step {trainer.step}: AEPE {errors['aepe']}")
        minutes = round(trainer.seconds / 60, 2)
        self.write({"step": trainer.step, "minutes": minutes, **errors})

    def write(self, record: dict[str, Any]) -> None:
        """Append one JSON line."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
