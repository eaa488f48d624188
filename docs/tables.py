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

"""
The tables of the pages of nodes and launch files, made from the code they describe.

python docs/tables.py           prints the tables
python docs/tables.py --write   puts them into their documents, between their markers

`test/package/test_tables.py` compares what is in the documents with what this makes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
import re
import sys

from zeroco_ros.estimate.config import PRESETS
from zeroco_ros.estimate.depth_config import DEPTH_PRESETS
from zeroco_ros.ros import diagnostics_table
from zeroco_ros.ros.depth import counters as depth_counters
from zeroco_ros.ros.depth import parameters as depth
from zeroco_ros.ros.flow import counters as flow_counters
from zeroco_ros.ros.flow import parameters as flow
from zeroco_ros.ros.launch_tables import Argument, DEPTH, FLOW, REPLAY, STEREO, TWO_CAMERAS
from zeroco_ros.ros.parameter_table import ParameterTable, when_text
from zeroco_ros.ros.topics import DEPTH_TOPICS, FLOW_TOPICS, TopicSpec

ROOT = Path(__file__).resolve().parents[1]
FLOW_PAGE, DEPTH_PAGE = ROOT / "docs" / "flow_node.md", ROOT / "docs" / "depth_node.md"
LAUNCH_PAGE = ROOT / "docs" / "LAUNCH.md"
DIAGNOSTICS_PAGE = ROOT / "docs" / "DIAGNOSTICS.md"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(_cell(text) for text in row) + " |" for row in rows]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _code(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"`{text}`" if text else ""


def topics(table: Iterable[TopicSpec]) -> str:
    """Return the inputs and outputs of a node."""
    rows = [(_code(t.name), t.direction, t.message, t.encoding, t.description) for t in table]
    return _table(("topic", "", "type", "encoding", "meaning"), rows)


def parameters(table: ParameterTable) -> str:
    """Every parameter of a node."""
    rows = [
        (_code(p.name), _code(p.default), p.allowed_text, when_text(p), p.description)
        for p in table
    ]
    return _table(("parameter", "default", "allowed", "may change", "what it does"), rows)


def launch_arguments(arguments: Iterable[Argument]) -> str:
    """Arguments of a launch file."""
    rows = [
        (_code(name), "required" if default is None else _code(default), text)
        for name, default, text in arguments
    ]
    return _table(("argument", "default", "what it does"), rows)


def meanings(keys: Mapping[str, str]) -> str:
    """Keys on /diagnostics."""
    return _table(("key", "meaning"), [(_code(key), text) for key, text in keys.items()])


def presets() -> str:
    """Return what the named presets set."""
    fields = ("resize", "readout", "reciprocity", "zoom", "alignment", "head", "refine")
    rows = [
        (
            _code(name),
            "x".join(map(str, c.size)) if c.size else f"longest side {c.max_side}",
            *(str(getattr(c, field)).lower() for field in fields),
        )
        for name, c in PRESETS.items()
    ]
    return _table(("preset", "network input", *fields), rows)


def depth_presets() -> str:
    """Return what the named presets of depth set."""
    fields = ("mode", "flow", "views", "window", "adjust", "grid")
    rows = [
        (_code(name), *(str(getattr(c, field)).lower() for field in fields))
        for name, c in DEPTH_PRESETS.items()
    ]
    return _table(("preset", *fields), rows)


Makers = Mapping[str, Callable[[], str]]
TABLES: Mapping[Path, Makers] = {
    FLOW_PAGE: {
        "topics": partial(topics, FLOW_TOPICS),
        "parameters": partial(parameters, flow.TABLE),
        "launch": partial(launch_arguments, FLOW.arguments),
        "presets": presets,
    },
    DEPTH_PAGE: {
        "topics": partial(topics, DEPTH_TOPICS),
        "parameters": partial(parameters, depth.TABLE),
        "launch": partial(launch_arguments, DEPTH.arguments),
        "presets": depth_presets,
    },
    LAUNCH_PAGE: {
        "stereo": partial(launch_arguments, STEREO.arguments),
        "two cameras": partial(launch_arguments, TWO_CAMERAS),
        "replay": partial(launch_arguments, REPLAY),
    },
    DIAGNOSTICS_PAGE: {
        "first": partial(meanings, diagnostics_table.FIRST),
        "counters": partial(meanings, {**flow_counters.COUNTERS, **depth_counters.COUNTERS}),
        "model": partial(meanings, diagnostics_table.MODEL),
        "depth": partial(meanings, diagnostics_table.DEPTH),
        "last": partial(meanings, diagnostics_table.LAST),
    },
}


def pattern(name: str) -> re.Pattern[str]:
    """Match a table's place in its document; group 1 is its content."""
    return re.compile(rf"<!-- table: {name} -->\n(.*?)\n?<!-- end -->", re.DOTALL)


def filled(document: Path, text: str) -> str:
    """Return the document's text with every table as the code has it."""
    for name, make in TABLES[document].items():
        block = f"<!-- table: {name} -->\n{make()}\n<!-- end -->"
        text, count = pattern(name).subn(lambda _match, block=block: block, text)
        if count != 1:
            raise LookupError(f"{document.name} has {count} places for the table {name}")
    return text


def main() -> int:
    """Print or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--write", action="store_true", help="update the documents")
    write = parser.parse_args().write
    for document, makers in TABLES.items():
        if write:
            text = filled(document, document.read_text(encoding="utf-8"))
            document.write_text(text, encoding="utf-8")
            continue
        for name, make in makers.items():
            print(f"{document.name}, {name}\n\n{make()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
