"""The README's tables, made from the code they describe.

python docs/tables.py           prints the tables
python docs/tables.py --write   puts them into README.md, between their markers

`test/package/test_readme.py` compares what is in README.md with what this makes.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from zeroco_ros.estimate.config import PRESETS
from zeroco_ros.ros.flow.parameters import TABLE
from zeroco_ros.ros.parameter_table import when_text
from zeroco_ros.ros.topics import FLOW_TOPICS

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
LAUNCH_FILES = {"flow": ROOT / "launch" / "flow.launch.py"}


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(_cell(text) for text in row) + " |" for row in rows]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _code(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"`{text}`" if text else ""


def topics() -> str:
    """Inputs and outputs of flow_node."""
    rows = [
        (_code(t.name), t.direction, t.message, t.encoding, t.description) for t in FLOW_TOPICS
    ]
    return _table(("topic", "", "type", "encoding", "meaning"), rows)


def parameters() -> str:
    """Every parameter of flow_node."""
    rows = [
        (_code(p.name), _code(p.default), p.allowed_text, when_text(p), p.description)
        for p in TABLE
    ]
    return _table(("parameter", "default", "allowed", "may change", "what it does"), rows)


def launch_arguments() -> str:
    """Arguments of the launch file, read without importing it (that needs the launch system)."""
    tree = ast.parse(LAUNCH_FILES["flow"].read_text(encoding="utf-8"))
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "ARGUMENTS":
            rows = ast.literal_eval(statement.value)
            cells = [(_code(name), _code(default), text) for name, default, text in rows]
            return _table(("argument", "default", "what it does"), cells)
    raise LookupError("flow.launch.py defines no ARGUMENTS")


def presets() -> str:
    """What the named presets set."""
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


TABLES: dict[str, Callable[[], str]] = {
    "topics": topics,
    "parameters": parameters,
    "launch": launch_arguments,
    "presets": presets,
}


def pattern(name: str) -> re.Pattern[str]:
    """Matches a table's place in the README; group 1 is its content."""
    return re.compile(rf"<!-- table: {name} -->\n(.*?)\n?<!-- end -->", re.DOTALL)


def filled(text: str) -> str:
    """The README's text with every table as the code has it."""
    for name, make in TABLES.items():
        block = f"<!-- table: {name} -->\n{make()}\n<!-- end -->"
        text, count = pattern(name).subn(lambda _match, block=block: block, text)
        if count != 1:
            raise LookupError(f"README.md has {count} places for the table {name}")
    return text


def main() -> int:
    """Print or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="update README.md")
    if parser.parse_args().write:
        README.write_text(filled(README.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        for name, make in TABLES.items():
            print(f"{name}\n\n{make()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
