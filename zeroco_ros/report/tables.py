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

"""Tables of a page: a caption, a head, cells that scroll or stack on a phone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zeroco_ros.report.markup import Child, element, Markup


@dataclass(frozen=True)
class Column:
    """
    A column.

    kind: "" text, "num" right-aligned, "long" quiet sentences, "anywhere" may break within words
    (paths, hashes), "num span" a number that takes a whole line where rows are stacked.
    """

    name: str
    kind: str = ""


@dataclass(frozen=True)
class Group:
    """A row that heads those that follow."""

    name: str


Row = Sequence[Child]


def table(
    caption: str,
    columns: Sequence[Column],
    rows: Sequence[Row | Group],
    *,
    stack: bool = False,
    narrow: bool = False,
    dense: bool = False,
) -> Markup:
    """
    Return a table; the first cell of each row is its header.

    stack: on a phone each row becomes a block of named values, instead of a table to be scrolled.
    narrow: a few short columns, which would be lost on the whole width. dense: many columns.
    The roles are spelled out, because browsers forget them where a row is shown as a block.
    """
    heads = [
        element("th", one.name, scope="col", role="columnheader", class_=one.kind or None)
        for one in columns
    ]
    inner = element(
        "table",
        element("caption", caption),
        element("thead", element("tr", heads, role="row"), role="rowgroup"),
        element("tbody", [_row(columns, row) for row in rows], role="rowgroup"),
        role="table",
        class_=" ".join(one for one, on in (("stack", stack), ("dense", dense)) if on) or None,
    )
    scroll = element(
        "div", inner, class_="scroll", tabindex="0", role="region", aria_label=caption
    )
    return element("div", scroll, class_="card narrow" if narrow else "card")


def _row(columns: Sequence[Column], row: Row | Group) -> Markup:
    if isinstance(row, Group):
        cell = element("th", row.name, scope="colgroup", colspan=len(columns), role="rowheader")
        return element("tr", cell, class_="group", role="row")
    cells = [element("th", row[0], scope="row", role="rowheader", class_=columns[0].kind or None)]
    for column, child in zip(columns[1:], row[1:], strict=True):
        cells.append(
            element("td", child, role="cell", class_=column.kind or None, data_name=column.name)
        )
    return element("tr", cells, role="row")
