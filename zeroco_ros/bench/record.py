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

"""What a bench found: sections of rows, as JSON, as text, and as Markdown."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
import json
from pathlib import Path
from typing import Any

from zeroco_ros.bench.measure import Spread
from zeroco_ros.evaluation.tables import markdown_table, text_table
from zeroco_ros.media.atomic import atomic_write

SCHEMA = "zeroco_bench_1"
Cell = float | str | None


@dataclass(frozen=True)
class Column:
    """A column: its key in the rows, its title with the unit, digits after the point."""

    key: str
    title: str
    digits: int = 1


@dataclass(frozen=True)
class Section:
    """
    A table. labels: columns of words at the left; rows: cells by key, None where unknown.

    notes: sentences below it. failed: what it was asked to show and did not, in words.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[dict[str, Cell], ...]
    notes: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()

    def lines(self, markdown: bool = False) -> list[str]:
        """Return the table, with its notes."""
        head = [column.title for column in self.columns]
        body = [[_text(row.get(c.key), c.digits) for c in self.columns] for row in self.rows]
        labels = sum(
            1 for c in self.columns if any(isinstance(r.get(c.key), str) for r in self.rows)
        )
        make = markdown_table if markdown else text_table
        table = make(head, body, labels=max(1, labels)) if body else []
        notes = [f"{'' if markdown else '  '}{note}" for note in (*self.notes, *self._failures())]
        gap = [""] if markdown and notes else []
        return [*table, *gap, *notes]

    def row(self, **values: Cell) -> dict[str, Cell]:
        """
        Return the one row in which these columns have these values.

        Raises KeyError without one.
        """
        for row in self.rows:
            if all(row.get(key) == value for key, value in values.items()):
                return row
        raise KeyError(f"{self.name} has no row {values}")

    def _failures(self) -> list[str]:
        return [f"NOT SHOWN: {what}" for what in self.failed]


@dataclass(frozen=True)
class BenchRecord:
    """A whole run. machine: facts in words or numbers; plan: what was asked for."""

    command: str
    started: str
    machine: dict[str, Any]
    plan: dict[str, Any]
    sections: tuple[Section, ...]
    schema: str = SCHEMA
    skipped: dict[str, str] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write it as JSON, whole or not at all."""
        with atomic_write(path) as file:
            file.write(json.dumps(asdict(self), indent=1).encode())

    @classmethod
    def load(cls, path: Path) -> BenchRecord:
        """Read what `save` wrote. Raises ValueError for something else."""
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict) or values.get("schema") != SCHEMA:
            raise ValueError(f"{path} is no {SCHEMA} file")
        sections = tuple(
            Section(
                **{
                    **part,
                    "columns": tuple(Column(**column) for column in part["columns"]),
                    "rows": tuple(part["rows"]),
                    "notes": tuple(part["notes"]),
                    "failed": tuple(part["failed"]),
                }
            )
            for part in values.pop("sections")
        )
        return cls(**values, sections=sections)

    def section(self, name: str) -> Section | None:
        """Return a section by name, None where it was not run."""
        return next((part for part in self.sections if part.name == name), None)

    @property
    def failed(self) -> list[str]:
        """Everything that was asked to be shown and was not."""
        return [what for part in self.sections for what in part.failed]

    def text(self, markdown: bool = False) -> str:
        """All tables, for a terminal or a page."""
        lines = [f"{name}: {value}" for name, value in self.machine.items()]
        if markdown:
            lines = [f"- {line}" for line in lines]
        for part in self.sections:
            title = f"## {part.title}" if markdown else part.title
            lines += ["", title, *([""] if markdown else []), *part.lines(markdown)]
        for name, why in self.skipped.items():
            lines += ["", f"{name}: not run ({why})"]
        return "\n".join(lines) + "\n"


def spread_cells(key: str, spread: Spread, factor: float = 1.0) -> dict[str, Cell]:
    """Cells KEY, KEY_low and KEY_high of a median with its quartiles."""
    parts = ("", spread.median), ("_low", spread.low), ("_high", spread.high)
    return {f"{key}{suffix}": value * factor for suffix, value in parts}


def spread_columns(key: str, title: str, digits: int = 1) -> tuple[Column, ...]:
    """Return the columns of `spread_cells`."""
    return (
        Column(key, title, digits),
        Column(f"{key}_low", "25 %", digits),
        Column(f"{key}_high", "75 %", digits),
    )


def _text(value: Cell, digits: int) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else f"{value:.{digits}f}"
