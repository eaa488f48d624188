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

"""What a bench is asked to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from zeroco_ros.errors import ConfigError

SECTIONS = ("step", "agreement", "backends", "stages", "memory", "scaling", "node")


@dataclass(frozen=True)
class Plan:
    """
    Options of a run. Raises ConfigError for what makes no sense.

    sections: some of SECTIONS. network: whose step is measured, of `subjects.NETWORKS`; preset: of
    everything that is measured on a camera's images. rounds: repetitions of every case. threads:
    CPU threads. image: (height, width) of the camera. engines: folders of `zeroco export`. frames:
    sent to the node for its memory. compile: also torch.compile (minutes). quick: few rounds and
    small cases, to see that all is well. say: called with a line of progress.
    """

    sections: tuple[str, ...] = SECTIONS
    network: str = "vit_b"
    preset: str = "default"
    rounds: int = 7
    threads: int = 1
    image: tuple[int, int] = (480, 640)
    engines: tuple[Path, ...] = ()
    frames: int = 300
    compile: bool = False
    quick: bool = False
    say: Callable[[str], None] = lambda line: None

    def __post_init__(self) -> None:
        unknown = [name for name in self.sections if name not in SECTIONS]
        if unknown or not self.sections:
            given = ", ".join(unknown) or "nothing"
            raise ConfigError(f"cannot measure {given}: use some of {', '.join(SECTIONS)}")
        for name in ("rounds", "threads", "frames"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}: give a whole number from 1")

    @property
    def input(self) -> tuple[int, int]:
        """Of the network whose step is measured, (height, width)."""
        return (96, 96) if self.quick and self.network == "tiny" else (224, 224)
