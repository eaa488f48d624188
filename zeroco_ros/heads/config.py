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

"""What the configurations of heads share: plain values in and out, and the checks of sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, get_type_hints, TypeVar

from zeroco_ros.errors import ConfigError

Config = TypeVar("Config", bound="HeadConfig")
MOST = 4096


@dataclass(frozen=True)
class HeadConfig:
    """Base of a head's sizes as data: enough to build it, and saved with its weights."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain

    @classmethod
    def from_dict(cls: type[Config], values: Mapping[str, Any]) -> Config:
        """Return inverse of `to_dict`; raises ConfigError for unknown names and wrong values."""
        hints = get_type_hints(cls)
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        if unknown:
            raise ConfigError(
                f"unknown field of {cls.__name__}: {', '.join(unknown)}; "
                f"known: {', '.join(field.name for field in fields(cls))}"
            )
        ready: dict[str, Any] = {}
        for key, value in values.items():
            hint = hints[key]
            if isinstance(hint, type) and issubclass(hint, HeadConfig):
                if not isinstance(value, Mapping):
                    raise ConfigError(f"{key}={value!r}: a mapping of fields is needed")
                value = hint.from_dict(value)
            ready[key] = tuple(value) if isinstance(value, list) else value
        return cls(**ready)

    def check_counts(self, *names: str) -> None:
        """Raise ConfigError unless these fields are whole numbers from 1 to 4096."""
        for name in names:
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= MOST:
                raise ConfigError(f"{name}={value!r}: a whole number from 1 to {MOST} is needed")

    def check_sides(self, name: str) -> None:
        """Raise ConfigError unless the field is one or more whole numbers from 2 to 64."""
        value = getattr(self, name)
        if (
            not isinstance(value, tuple)
            or not value
            or any(type(side) is not int or not 2 <= side <= 64 for side in value)
        ):
            raise ConfigError(f"{name}={value!r}: whole numbers from 2 to 64 are needed")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value
