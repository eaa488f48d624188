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

"""All parameters of one node, with the rules between them. No rclpy in here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from zeroco_ros.ros.parameter_spec import CHANGEABLE_TEXT, ParameterSpec, Value

Rule = Callable[[Mapping[str, Any]], str | None]


class ParameterTable:
    """
    Parameters in the order in which they are shown, by name.

    rules: each looks at a complete set of values, every one allowed for itself, and returns why
    they do not go together, or None.
    """

    def __init__(self, specs: Sequence[ParameterSpec], *rules: Rule) -> None:
        self.specs: Mapping[str, ParameterSpec] = {spec.name: spec for spec in specs}
        self._rules = rules
        if len(self.specs) != len(specs):
            raise ValueError("two parameters have the same name")

    def __iter__(self) -> Iterator[ParameterSpec]:
        return iter(self.specs.values())

    def __len__(self) -> int:
        return len(self.specs)

    def __contains__(self, name: object) -> bool:
        return name in self.specs

    def __getitem__(self, name: str) -> ParameterSpec:
        return self.specs[name]

    def defaults(self) -> dict[str, Value]:
        """Name -> default value of every parameter."""
        return {spec.name: spec.default for spec in self}

    def refusal(self, values: Mapping[str, object]) -> str | None:
        """Why this complete set of values is not allowed, or None. Names must be known."""
        for name, value in values.items():
            reason = self.specs[name].refusal(value)
            if reason is not None:
                return reason
        return next(filter(None, (rule(values) for rule in self._rules)), None)

    def listing(self) -> str:
        """Return the table as text, for a terminal."""
        lines = []
        for spec in self:
            shown = str(spec.default).lower() if isinstance(spec.default, bool) else spec.default
            lines.append(f"{spec.name} ({spec.type_name}, default {shown})")
            lines.append(f"    {spec.description}")
            lines.append(f"    Allowed: {spec.allowed_text}. May change {when_text(spec)}.")
        return "\n".join(lines)


def when_text(spec: ParameterSpec) -> str:
    """When the parameter may change, in words."""
    return CHANGEABLE_TEXT[spec.changeable]
