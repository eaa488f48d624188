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

"""JSON to dataclasses and back, checked against their annotations; floats are kept exactly."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, MISSING
import json
import math
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints, TypeVar, Union

from zeroco_ros.errors import ConfigError
from zeroco_ros.media.atomic import atomic_write

T = TypeVar("T")

_PLAIN = {str: "string", bool: "boolean", int: "integer", float: "number", NoneType: "null"}


def read_json(path: Path, kind: type[T]) -> T:
    """
    Read JSON as `kind`, a dataclass made of dataclasses, lists, dicts and plain values.

    Raises ConfigError, naming file and place, for what is missing, no JSON or of another shape.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {(error.strerror or '').lower()}") from error
    except ValueError as error:
        raise ConfigError(f"{path} is damaged: it is not JSON ({error})") from error
    try:
        found: T = from_plain(kind, content)
    except ConfigError as error:
        raise ConfigError(f"{path} is not a record of this version: {error}") from error
    return found


def write_json(path: Path, value: Any) -> None:
    """Write a dataclass as JSON, atomically: sorted keys, floats with all their digits, no NaN."""
    text = json.dumps(to_plain(value), sort_keys=True, indent=1, allow_nan=False)
    with atomic_write(path) as handle:
        handle.write((text + "\n").encode())


def to_plain(value: Any) -> Any:
    """Return what `json` takes; a float that is not finite becomes None, "not known"."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def from_plain(kind: Any, value: Any, where: str = "") -> Any:
    """`value` of JSON as an object of the annotation `kind`. Raises ConfigError with the place."""
    if kind is Any:
        return value
    if get_origin(kind) in (Union, UnionType):
        return _optional(get_args(kind), value, where)
    if is_dataclass(kind):
        return _dataclass(kind, value, where)
    if get_origin(kind) is list and isinstance(value, list):
        (item,) = get_args(kind)
        return [from_plain(item, one, f"{where}[{i}]") for i, one in enumerate(value)]
    if get_origin(kind) is dict and isinstance(value, dict):
        _, item = get_args(kind)
        return {key: from_plain(item, one, f"{where}.{key}") for key, one in value.items()}
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind in _PLAIN and type(value) is kind:
        return value
    raise ConfigError(f"{where or 'the file'} is {_shown(value)}")


def _optional(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and NoneType in kinds:
        return None
    (rest,) = (kind for kind in kinds if kind is not NoneType)
    return from_plain(rest, value, where)


def _dataclass(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise ConfigError(f"{where or 'the file'} is {_shown(value)}, not an object")
    hints = get_type_hints(kind)
    given = {}
    for field in fields(kind):
        place = f"{where}.{field.name}" if where else field.name
        if field.name in value:
            given[field.name] = from_plain(hints[field.name], value[field.name], place)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise ConfigError(f"{place} is missing")
    return kind(**given)


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:40]}..."


def json_schema(kind: Any) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a dataclass as `write_json` writes it."""
    definitions: dict[str, Any] = {}
    top = _schema(kind, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **top,
        "$defs": dict(sorted(definitions.items())),
    }


def _schema(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if kind is Any:
        return {}
    if get_origin(kind) in (Union, UnionType):
        return {"anyOf": [_schema(one, definitions) for one in get_args(kind)]}
    if get_origin(kind) is list:
        return {"type": "array", "items": _schema(get_args(kind)[0], definitions)}
    if get_origin(kind) is dict:
        return {"type": "object", "additionalProperties": _schema(get_args(kind)[1], definitions)}
    if not is_dataclass(kind):
        return {"type": _PLAIN[kind]}
    name = kind.__name__  # type: ignore[union-attr]
    if name not in definitions:
        definitions[name] = {}
        hints = get_type_hints(kind)
        definitions[name] = {
            "type": "object",
            "properties": {f.name: _schema(hints[f.name], definitions) for f in fields(kind)},
            "required": [
                f.name
                for f in fields(kind)
                if f.default is MISSING and f.default_factory is MISSING
            ],
        }
    return {"$ref": f"#/$defs/{name}"}
