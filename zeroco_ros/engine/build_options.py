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

"""How a TensorRT plan is built."""

from __future__ import annotations

from dataclasses import dataclass

from zeroco_ros.errors import ConfigError

VERBOSITIES = ("none", "layer_names", "detailed")


@dataclass(frozen=True)
class BuildOptions:
    """
    How a plan is built; each is part of its key in the cache.

    workspace_mb: most GPU memory, in MiB, that one layer's scratch space may take, 16 to 65536.
    optimization_level: of the builder, 0 (builds fast) to 5 (searches longest), TensorRT's own
    default is 3. verbosity: what the plan tells a profiler, one of `VERBOSITIES`. tf32: allow
    19-bit products where the graph says float32; outside of what the parity gate allows.
    Raises ConfigError for other values.
    """

    workspace_mb: int = 1024
    optimization_level: int = 3
    verbosity: str = "layer_names"
    tf32: bool = False

    def __post_init__(self) -> None:
        for name, least, most in (("workspace_mb", 16, 65536), ("optimization_level", 0, 5)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                raise ConfigError(
                    f"{name} is {value!r}: give a whole number from {least} to {most}"
                )
        if self.verbosity not in VERBOSITIES:
            raise ConfigError(f"verbosity is {self.verbosity!r}: one of {', '.join(VERBOSITIES)}")

    def arguments(self) -> list[str]:
        """Return options of `zeroco build` that stand for these, those of the default left out."""
        names = {"workspace_mb": "--workspace", "optimization_level": "--optimization-level"}
        names["verbosity"] = "--verbosity"
        words = []
        for name, option in names.items():
            value = getattr(self, name)
            if value != getattr(BuildOptions(), name):
                words += [option, str(value)]
        return [*words, "--tf32"] if self.tf32 else words
