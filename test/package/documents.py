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

"""What the documents say that can be checked: their links, headings and command lines."""

from __future__ import annotations

import argparse
import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
import re

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("zeroco_ros/**/*.md")]
)
_LINK = re.compile(r"!?\[(?:[^\]\[]|\[[^\]]*\])*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`]+)`")
_END = re.compile(r"\s(?:#|&&|\|\||;|>|2>)\s?.*")


@dataclass(frozen=True)
class Command:
    """A command line of a document, split at spaces; line: where it stands, from 1 on."""

    words: tuple[str, ...]
    line: int


def links(text: str) -> list[str]:
    """Return the targets of all links and pictures, code left out."""
    return _LINK.findall(_INLINE.sub("", _FENCE.sub("", text)))


def anchors(text: str) -> set[str]:
    """Return the anchors of all headings, as GitHub makes them."""
    found: dict[str, int] = {}
    names = set()
    for heading in re.findall(r"^#+ (.+)$", _FENCE.sub("", text), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        name = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        count = found.get(name, 0)
        found[name] = count + 1
        names.add(f"{name}-{count}" if count else name)
    return names


def commands(text: str, *programs: str) -> Iterator[Command]:
    """Yield every command line that begins with one of the programs, in blocks and in line."""
    for block in _FENCE.finditer(text):
        first = text.count("\n", 0, block.start(1)) + 1
        lines = block[1].replace("\\\n", "  ").split("\n")
        for number, line in enumerate(lines):
            yield from _command(line.strip(), programs, first + number)
    blank = _FENCE.sub(lambda m: "\n" * m[0].count("\n"), text)
    for code in _INLINE.finditer(blank):
        yield from _command(" ".join(code[1].split()), programs, text.count("\n", 0, code.start()))


def _command(line: str, programs: tuple[str, ...], number: int) -> Iterator[Command]:
    line = re.sub(r"^(?:\$ |\.venv/bin/|nice |\w+=\S+ )+", "", line)
    for program in programs:
        if line.startswith(program + " "):
            words = _END.sub("", line).split()
            yield Command(tuple(word.strip("[],;") for word in words), number)


def subparser(parser: argparse.ArgumentParser, name: str) -> argparse.ArgumentParser | None:
    """Return the parser of a sub-command, None where there is none of that name."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return action.choices.get(name)
    return None


def has_subcommands(parser: argparse.ArgumentParser) -> bool:
    """Tell whether a parser wants a sub-command."""
    return any(isinstance(action, argparse._SubParsersAction) for action in parser._actions)


def faults(parser: argparse.ArgumentParser, words: tuple[str, ...]) -> list[str]:
    """
    Return what is wrong with the words after `zeroco`: unknown verbs and options.

    Alternatives are written a|b, placeholders in capitals; what is in capitals is not checked.
    """
    while words and has_subcommands(parser) and not words[0].startswith("-"):
        if words[0].isupper():
            return []
        wrong = [name for name in words[0].split("|") if subparser(parser, name) is None]
        if wrong:
            return [f"there is no {' '.join((parser.prog, *wrong))}"]
        parser = subparser(parser, words[0].split("|")[0]) or parser
        words = words[1:]
    known = _options(parser)
    options = {word.partition("=")[0] for word in words if word.startswith("-")}
    unknown = [o for o in sorted(options) if o not in known and not _number(o) and o != "-"]
    return [f"{parser.prog} has no {option}" for option in unknown]


def reasons(code: str) -> list[str]:
    """Return the fixed words of every (LEVEL, text) in a module: the longest part of each text."""
    said = []
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.Tuple) or len(node.elts) != 2:
            continue
        level, text = node.elts
        if isinstance(level, ast.Name) and level.id in ("OK", "WARN", "ERROR"):
            parts = text.values if isinstance(text, ast.JoinedStr) else [text]
            fixed = [p.value.strip() for p in parts if isinstance(p, ast.Constant)]
            said += [max(fixed, key=len)] if fixed else []
    return said


def _options(parser: argparse.ArgumentParser) -> set[str]:
    """Return the options of a parser and of its sub-commands, where one of them is left open."""
    known = set(parser._option_string_actions)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            known.update(*(_options(child) for child in action.choices.values()))
    return known


def _number(word: str) -> bool:
    return re.fullmatch(r"-\d.*", word) is not None
