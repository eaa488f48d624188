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

"""Tables of text cells for a terminal and for a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Row = Sequence[str]


def markdown_table(head: Row, rows: Sequence[Row], labels: int = 1) -> list[str]:
    """Lines of a Markdown table; all columns but the first `labels` are numbers."""
    rule = ["---"] * labels + ["---:"] * (len(head) - labels)
    return [f"| {' | '.join(row)} |" for row in (head, rule, *rows)]


def text_table(head: Row, rows: Sequence[Row], labels: int = 1) -> list[str]:
    """Lines in columns of equal width."""
    whole = (head, *rows)
    widths = [max(len(row[column]) for row in whole) for column in range(len(head))]
    lines = []
    for row in whole:
        cells = [
            cell.ljust(width) if column < labels else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def page(title: str, facts: Mapping[str, str], *parts: Sequence[str]) -> str:
    """
    Return a Markdown page.

    title, facts (command line, date, machine, ...), parts with blank lines.
    """
    lines = [f"# {title}", "", *(f"- {name}: {value}" for name, value in facts.items())]
    for part in parts:
        if part:
            lines += ["", *part]
    return "\n".join(lines) + "\n"
