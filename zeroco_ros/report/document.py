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
A whole HTML page in one file: style, script and pictures are inside, nothing is fetched.

The Content-Security-Policy allows this page's own style and script by their hashes and pictures
from the page itself, nothing else: a name from a bag that slipped through as markup could neither
run nor load anything.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import lru_cache
import hashlib
from pathlib import Path

from zeroco_ros.report.markup import element, join, Markup

HERE = Path(__file__).parent


@lru_cache(maxsize=2)
def asset(name: str) -> str:
    """Return the text of style.css or script.js."""
    return (HERE / name).read_text(encoding="utf-8")


def policy() -> str:
    """Return the page's Content-Security-Policy."""
    return (
        f"default-src 'none'; style-src '{_hash('style.css')}'; script-src '{_hash('script.js')}';"
        " img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash(name: str) -> str:
    digest = hashlib.sha256(asset(name).encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def section(anchor: str, title: str, *children: Markup | None, note: str = "") -> Markup:
    """Return a section of the page, with a sentence on what it shows."""
    text = element("p", note, class_="quiet") if note else None
    inner = element("div", element("h2", title), text, join(children), class_="wrap")
    return element("section", inner, id=anchor)


def document(
    title: str, head: Markup, contents: Sequence[tuple[str, str]], body: Markup, foot: str
) -> str:
    """Return the page: title and head, a line of links to (anchor, name), body, foot."""
    links = [element("li", element("a", name, href=f"#{anchor}")) for anchor, name in contents]
    page = element(
        "html",
        element(
            "head",
            element("meta", charset="utf-8"),
            element("meta", http_equiv="Content-Security-Policy", content=policy()),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", name="color-scheme", content="light dark"),
            element("meta", name="referrer", content="no-referrer"),
            element("title", title),
            Markup(f"<style>{asset('style.css')}</style>"),
        ),
        element(
            "body",
            element("a", "To the results", href="#main", class_="skip"),
            head,
            element(
                "nav",
                element("div", element("ul", links), class_="wrap"),
                class_="contents",
                aria_label="Contents",
            ),
            element("main", body, id="main"),
            element("footer", element("div", foot, class_="wrap")),
            _dialog(),
            Markup(f"<script>{asset('script.js')}</script>"),
        ),
        lang="en",
    )
    return f"<!DOCTYPE html>\n{page}\n"


def header(kind: str, title: str, facts: Sequence[tuple[str, str]], verdict: Markup) -> Markup:
    """Return the head of the page. facts: (value, what it counts), such as ("60", "frames")."""
    button = element("button", "Dark colors", id="theme", type="button", class_="noscript-off")
    items = [element("li", element("b", value), f" {name}") for value, name in facts]
    inner = element(
        "div",
        element("div", element("span", kind), button, class_="eyebrow"),
        element("h1", title),
        element("ul", items, class_="facts"),
        verdict,
        class_="wrap",
    )
    return element("header", inner, class_="top")


def _dialog() -> Markup:
    # a picture without source is no valid HTML: an empty GIF stands in
    empty = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
    return element(
        "dialog",
        element("img", src=empty, alt=""),
        element("button", "Close", type="button"),
        aria_label="Picture at full size",
    )
