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

"""HTML read strictly: every element is closed where it has to be, and only known ones occur."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"br", "hr", "img", "input", "link", "meta"}
SVG_LEAVES = {"path", "rect", "line", "circle"}


@dataclass
class Element:
    """One element with its text, that of its children included."""

    name: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def all(self, name: str = "", class_: str = "") -> list[Element]:
        """Return the elements below this one, in order."""
        found = []
        for child in self.children:
            named = not name or child.name == name
            if named and (not class_ or class_ in child.attributes.get("class", "").split()):
                found.append(child)
            found += child.all(name, class_)
        return found


class Reader(HTMLParser):
    """Build a tree; an element that is closed in the wrong place is an error."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {})
        self.open = [self.root]
        self.doctype = ""

    def handle_decl(self, decl: str) -> None:
        """Note the document type."""
        self.doctype = decl

    def handle_comment(self, data: str) -> None:
        """Refuse comments: the page has none, so that one has slipped through."""
        raise AssertionError(f"a comment: {data}")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice: {names}"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        """Close an element, which has to be the last one that was opened."""
        element = self.open.pop()
        assert element.name == tag, f"</{tag}> closes <{element.name}>"

    def handle_data(self, data: str) -> None:
        """Add text to all elements it is in."""
        for element in self.open:
            element.text += data


def read_page(text: str) -> Element:
    """Return the html element of a page. Fails for what is not well formed."""
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.doctype == "DOCTYPE html"
    assert reader.open == [reader.root], f"not closed: {[one.name for one in reader.open]}"
    (html,) = reader.root.children
    assert html.name == "html"
    return html
