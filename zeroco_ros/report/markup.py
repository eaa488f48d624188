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

"""HTML and SVG text in which everything that is not markup is escaped."""

from __future__ import annotations

from collections.abc import Iterable
import html
import re
from typing import Union

Child = Union["Markup", str, int, None, Iterable["Child"]]
Attribute = str | int | float | bool | None

VOID = frozenset({"br", "hr", "img", "input", "link", "meta"})
# Characters that no name needs and that could hide text, turn its direction or break a parser.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffe\uffff]"
    "|[\ud800-\udfff]"
)


class Markup(str):
    """Text that is HTML already: `element` takes it as it is, any other text it escapes."""

    __slots__ = ()


def escape(text: object) -> Markup:
    """Return text as HTML: & < > and quotes as entities, unseen characters spelled out."""
    if isinstance(text, Markup):
        return text
    return Markup(html.escape(visible(str(text)), quote=True))


def visible(text: str) -> str:
    r"""Return text with characters that are not seen spelled out, as \u202e."""
    return _UNSEEN.sub(lambda found: ascii(found[0])[1:-1], text)


def element(name: str, /, *children: Child, **attributes: Attribute) -> Markup:
    """
    Return an element.

    `class_` is the attribute class, `stroke_width` stroke-width; True is a bare attribute; None
    and False are left out. Children that are None are left out, lists are taken one by one.
    """
    opening = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in VOID:
        return Markup(f"<{name}{opening}>")
    return Markup(f"<{name}{opening}>{join(children)}</{name}>")


def join(children: Child, between: str = "") -> Markup:
    """Return children one after the other."""
    return Markup(between.join(_flat(children)))


def _flat(child: Child) -> Iterable[str]:
    if child is None:
        return
    if isinstance(child, str | int):
        yield escape(child)
        return
    for one in child:
        yield from _flat(one)


def _attribute(key: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return f' {name}="{escape(text)}"'
