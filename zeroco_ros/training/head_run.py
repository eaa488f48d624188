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

"""What an ended run of a head left in its folder."""

from __future__ import annotations

from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any

from zeroco_ros.errors import ConfigError
from zeroco_ros.training.checkpoints import load_state


@dataclass(frozen=True)
class HeadRun:
    """state: the checkpoint's; records: of `log.jsonl`; facts: of `run.json`, and the backbone."""

    state: dict[str, Any]
    records: list[dict[str, Any]]
    facts: dict[str, Any]

    @property
    def recipe(self) -> Any:
        """Return the recipe as plain values."""
        return json.loads(self.state["recipe"])

    @property
    def minutes(self) -> float:
        """How long it trained."""
        return float(self.state["seconds"]) / 60


def read_run(out: Path, kind: str) -> HeadRun:
    """Read a run folder of `zeroco train KIND`; raises ConfigError if it holds no checkpoint."""
    state = load_state(out / "checkpoint.pt")
    if state is None:
        raise ConfigError(f"no checkpoint in {out}: train first (zeroco train {kind} --out DIR)")
    log = out / "log.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    facts = json.loads((out / "run.json").read_text(encoding="utf-8"))
    facts["backbone"] = state["backbone"]
    return HeadRun(state, [json.loads(line) for line in lines], facts)
