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

"""What one parameter is: type, default, allowed values, when it may change. No rclpy in here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
import math
import re
from typing import Literal

Value = bool | int | float | str
Changeable = Literal["live", "configure", "start"]

CHANGEABLE_TEXT: dict[Changeable, str] = {
    "live": "at any time",
    "configure": "while the node is unconfigured",
    "start": "only when the node starts",
}
_TYPE_TEXT = {bool: "a bool", int: "an integer", float: "a double", str: "a string"}
_TYPE_NAME = {bool: "bool", int: "int", float: "double", str: "string"}


@dataclass(frozen=True)
class ParameterSpec:
    """
    One parameter: its default (which fixes the type), its allowed values, when it may change.

    `minimum` and `maximum` are inclusive and set for numbers only; `choices` or `pattern` restrict
    strings. `allowed_text` says the same in words.
    """

    name: str
    default: Value
    description: str
    changeable: Changeable
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    pattern: str = ""
    pattern_text: str = ""

    @property
    def type_name(self) -> str:
        """bool, int, double or string, as ROS calls it."""
        return _TYPE_NAME[type(self.default)]

    @property
    def allowed_text(self) -> str:
        """Return what is allowed, in words."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.pattern:
            return self.pattern_text
        if self.minimum is not None and self.maximum is not None:
            kind = _TYPE_TEXT[type(self.default)]
            return f"{kind} from {self.minimum} to {self.maximum}"
        return (
            "true or false" if isinstance(self.default, bool) else _TYPE_TEXT[type(self.default)]
        )

    def refusal(self, value: object) -> str | None:
        """Why `value` is not allowed, or None when it is."""
        if type(value) is not type(self.default):
            given = _TYPE_TEXT.get(type(value), "no value" if value is None else "a list")
            hint = (
                f" (write {value}.0)"
                if given == "an integer" and self.type_name == "double"
                else ""
            )
            return self._sentence(f"{value!r} is {given}{hint}")
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            low, high = self.minimum, self.maximum
            if not math.isfinite(value):
                return self._sentence(f"{value} is not finite")
            if (low is not None and value < low) or (high is not None and value > high):
                return self._sentence(f"{value} is out of range")
        if isinstance(value, str):
            if self.choices and value not in self.choices:
                return self._sentence(f"'{value}' is unknown")
            if self.pattern and not re.fullmatch(self.pattern, value):
                return self._sentence(f"'{value}' is not understood")
        return None

    def _sentence(self, problem: str) -> str:
        return f"parameter {self.name}: {problem}; allowed is {self.allowed_text}"


def choice(name: str, choices: Iterable[str], text: str, when: Changeable) -> ParameterSpec:
    """Return a string parameter whose first choice is its default."""
    allowed = tuple(choices)
    return ParameterSpec(name, allowed[0], text, when, choices=allowed)


def number(
    name: str, default: float, low: float, high: float, text: str, when: Changeable
) -> ParameterSpec:
    """Return a number; an int default makes it an integer parameter."""
    kind = type(default)
    return ParameterSpec(name, default, text, when, minimum=kind(low), maximum=kind(high))
