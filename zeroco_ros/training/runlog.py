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

"""Progress of a run: a bar for the eye, JSON lines for the record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tqdm import tqdm

from zeroco_ros.training.holdout import endpoint_errors, HeldOut, summary
from zeroco_ros.training.trainer import RunOptions, StepLoss, Trainer


class RunLog:
    """Loss and errors of a run: a progress bar, and `log.jsonl` in the run folder."""

    def __init__(self, options: RunOptions, steps: int, show: bool) -> None:
        self.path = options.out / "log.jsonl"
        total = steps if options.minutes is None else None
        self.bar = tqdm(total=total, disable=not show, unit="step", mininterval=2)
        self.mean: float | None = None

    def step(self, trainer: Trainer, loss: StepLoss, rate: float, waited: float) -> None:
        """Note one step."""
        value = loss.total
        self.mean = value if self.mean is None else 0.98 * self.mean + 0.02 * value
        self.bar.update(trainer.step - self.bar.n)
        self.bar.set_postfix(loss=f"{self.mean:.3f}", lr=f"{rate:.1e}", refresh=False)
        if trainer.step % trainer.recipe.log_every == 0 or trainer.step == 1:
            assert trainer.model.match_log_scale is not None
            record = {
                "step": trainer.step,
                "pairs": trainer.step * trainer.recipe.optimizer.batch,
                "minutes": round(trainer.elapsed / 60, 2),
                "loss": round(value, 6),
                "loss_mean": round(self.mean, 4),
                "terms": {name: round(term, 4) for name, term in loss.terms.items()},
                "log_scale": round(float(trainer.model.match_log_scale.detach()), 4),
                "lr": rate,
                "waited": round(waited, 1),
            }
            self.write(record)

    def errors(self, trainer: Trainer, sets: dict[str, HeldOut]) -> None:
        """Note the averaged weights' errors in pixels, held-out sets and `options.judge`."""
        record: dict[str, Any] = {}
        if sets:
            record |= summary(endpoint_errors(trainer.average, sets))
        if trainer.options.judge is not None:
            record["real"] = trainer.options.judge(trainer.average)
        if not record:
            return
        shown = {**record.get("aepe", {}), **record.get("real", {})}
        self.bar.write(f"step {trainer.step}: AEPE {shown}")
        self.write({"step": trainer.step, "minutes": round(trainer.elapsed / 60, 2), **record})

    def write(self, record: dict[str, Any]) -> None:
        """Append one JSON line."""
        with Path(self.path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
