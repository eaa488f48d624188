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

"""What a soak found, as JSON and in a line. No ROS in here."""

from __future__ import annotations

from dataclasses import asdict, dataclass
import json
from pathlib import Path
from typing import Any

from zeroco_ros import __version__
from zeroco_ros.media.atomic import atomic_write
from zeroco_ros.soak.watch import Violation


@dataclass(frozen=True)
class SoakReport:
    """
    A finished soak.

    frames: images asked for; sent: sent; taken: of those, while the node listened; camera_infos:
    sent beside them. steps: of all kinds; traffic_sha256: hash of them, equal for equal traffic.
    acts: images per act. counters: the node's, at the end. results: received here, per output.
    memory, diagnostics: see `watch.Memory.summary`; seconds between diagnostics.
    """

    node: str
    seed: int
    frames: int
    sent: int
    taken: int
    camera_infos: int
    steps: int
    traffic_sha256: str
    seconds: float
    parameters: dict[str, Any]
    size: tuple[int, int]
    acts: dict[str, int]
    counters: dict[str, int]
    results: dict[str, int]
    memory: dict[str, float]
    diagnostics: dict[str, float]
    node_facts: dict[str, str]
    exit_code: int | None
    violations: tuple[Violation, ...]

    @property
    def held(self) -> bool:
        """Whether everything held."""
        return not self.violations

    @property
    def again(self) -> str:
        """Return the command that comes by the first violation again."""
        return f"zeroco soak --node {self.node} --seed {self.seed} --frames {max(1, self.sent)}"

    def verdict(self) -> str:
        """Return one line."""
        head = f"{self.node}, seed {self.seed}: {self.sent} images in {self.seconds:.0f} s"
        if self.held:
            grown = ""
            if self.memory:
                warm, end = self.memory["warm_mb"], self.memory["end_mb"]
                grown = f", memory {warm:.0f} to {end:.0f} MB"
            return f"{head}: all held; {self.counters['out']} results{grown}"
        first = self.violations[0]
        more = f" (and {len(self.violations) - 1} more)" if len(self.violations) > 1 else ""
        where = f"step {first.step} ({first.act})"
        return f"{head}: VIOLATED at {where}: {first.what}{more}; again: {self.again}"

    def save(self, path: Path) -> None:
        """Write everything as JSON."""
        data = {"zeroco_ros": __version__, "verdict": self.verdict(), **asdict(self)}
        with atomic_write(path) as file:
            file.write(json.dumps(data, indent=1, sort_keys=True).encode() + b"\n")
