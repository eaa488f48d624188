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

"""The parameters of the nodes, as a replay takes them: the same YAML, the same rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import difflib
from pathlib import Path
from typing import Any

import yaml

from zeroco_ros.errors import ConfigError
from zeroco_ros.ros.depth.parameters import TABLE as DEPTH_TABLE
from zeroco_ros.ros.flow.parameters import TABLE as FLOW_TABLE
from zeroco_ros.ros.parameter_spec import Value
from zeroco_ros.ros.parameter_table import ParameterTable

TABLES: Mapping[str, ParameterTable] = {"flow": FLOW_TABLE, "depth": DEPTH_TABLE}
# Of the node as a process: nothing of it changes a result.
PROCESS = ("autostart", "diagnostics_period", "input_timeout", "image_transport")
_FOREIGN = ("use_sim_time", "qos_overrides", "start_type_description_service")
_SHAPE = (
    "a ROS parameter file (NODE: ros__parameters: NAME: VALUE, with /**, flow_node or depth_node "
    "as NODE)"
)


def read_values(
    task: str,
    files: Sequence[Path],
    changes: Mapping[str, Value],
    warn: list[str] | None = None,
) -> dict[str, Value]:
    """
    Return every parameter of a task's node: its defaults, then the files', then the changes.

    task: "flow" or "depth". files: ROS parameter YAML, a later one counts more; in a file, the
    sections that match the node count in their order. changes: what is no parameter of this node
    is left out. warn: gets a line per unknown name, as the node logs them. Raises ConfigError for
    a file that is none and for values that the node would refuse, in its words.
    """
    table = TABLES[task]
    given: dict[str, Any] = {}
    for file in files:
        given |= _of_file(file, f"{task}_node")
    unknown = [name for name in given if name not in table and not name.startswith(_FOREIGN)]
    others = {name for other in TABLES.values() for name in other.specs}
    for name in unknown:
        if name not in others and warn is not None:
            warn.append(_unknown(name, table))
    known = {name: value for name, value in {**given, **changes}.items() if name in table}
    values = {**table.defaults(), **known}
    reason = table.refusal(values)
    if reason is not None:
        raise ConfigError(reason)
    return values


def changed(task: str, values: Mapping[str, Value]) -> dict[str, Value]:
    """Return the parameters that are not at their default."""
    defaults = TABLES[task].defaults()
    return {name: value for name, value in values.items() if value != defaults[name]}


def parse_parameter(text: str) -> tuple[str, Value]:
    """Return name and value of NAME:=VALUE, as on the command line of a node."""
    name, sign, value = text.partition(":=")
    if not sign or not name.strip():
        raise ConfigError(f"parameter '{text}': give NAME:=VALUE, for example preset:=fast")
    try:
        loaded = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"parameter '{text}': the value is not understood") from error
    known = next((table[name] for table in TABLES.values() if name in table), None)
    if known is None:
        raise ConfigError(_unknown(name, FLOW_TABLE).replace(" and ignored", ""))
    return name, value if isinstance(known.default, str) else loaded


def _of_file(file: Path, node: str) -> dict[str, Any]:
    """Return the parameters of the sections that are for the node, whatever its namespace is."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {(error.strerror or '').lower()}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not YAML; give {_SHAPE}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{file} holds no parameters; give {_SHAPE}")
    found: dict[str, Any] = {}
    for section, body in content.items():
        parameters = body.get("ros__parameters") if isinstance(body, dict) else None
        if not isinstance(parameters, dict):
            raise ConfigError(f"{file}: '{section}' has no ros__parameters; give {_SHAPE}")
        if str(section).rpartition("/")[2] in ("**", "*", node):
            found |= {str(name): value for name, value in parameters.items()}
    return found


def _unknown(name: str, table: ParameterTable) -> str:
    every = [*table.specs, *(name for other in TABLES.values() for name in other.specs)]
    close = difflib.get_close_matches(name, every, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"parameter {name} is unknown and ignored{hint}"
