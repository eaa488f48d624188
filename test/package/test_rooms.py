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

"""The rooms of docs/ARCHITECTURE.md: who may import whom, read from the source itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "zeroco_ros"

# Room -> rooms it may import (itself is implied). `cli` and `__init__` are the files at the top.
_GROUND = {"errors", "media", "weights", "__init__"}
_CORE = _GROUND | {"croco", "geometry", "matching", "heads", "engine", "refine", "stream"}
_STUDIO = _CORE | {"estimate"}
ALLOWED: dict[str, set[str]] = {
    "__init__": set(),
    "errors": set(),
    "media": {"errors"},
    "weights": {"errors"},
    "croco": {"errors", "weights", "__init__"},
    "geometry": {"errors"},
    "matching": {"errors", "croco", "geometry"},
    "heads": {"errors", "croco", "geometry", "matching"},
    "refine": {"errors", "geometry", "matching"},
    "engine": _GROUND | {"croco", "matching", "heads"},
    "estimate": _CORE,
    "stream": {"errors"},
    "bag": {"errors", "media"},
    "sequence": {"errors", "media", "geometry", "bag"},
    "evaluation": _STUDIO | {"bag", "sequence"},
    "training": _STUDIO,
    "online": _STUDIO,
    "ros": _STUDIO | {"stream", "bag", "online"},
    "report": {"errors", "media", "replay"},
    "replay": _STUDIO | {"bag", "sequence", "evaluation", "online", "ros"},
    "soak": _GROUND | {"ros"},
    "bench": _STUDIO | {"bag", "evaluation", "ros", "soak"},
    "demo": _STUDIO | {"stream", "bag", "online", "ros", "evaluation", "training", "sequence"},
    "commands": _STUDIO
    | {"stream", "bag", "ros", "evaluation", "training", "demo"}
    | {"sequence", "replay", "report", "soak", "bench"},
    "cli": {"errors", "commands", "__init__"},
}
# Third-party modules that only these rooms may touch: a robot without them imports the rest.
ONLY_IN = {
    "rclpy": {"ros", "demo", "soak", "bench"},
    "cv_bridge": {"ros"},
    "message_filters": {"ros"},
}
# Optional: never imported at the top of a module.
LAZY = {"tensorrt", "onnxruntime", "cv_bridge", "ray"}
WITHOUT_TORCH = {
    "stream",
    "online",
    "report",
    "soak",
    "bag",
    "media",
    "ros",
    "demo",
    "commands",
    "cli",
    "weights",
    "errors",
}


def _room(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def _resolve(node: ast.ImportFrom, path: Path) -> str:
    if node.level == 0:
        return node.module or ""
    package = ["zeroco_ros", *path.relative_to(PACKAGE).parent.parts]
    base = package[: len(package) - (node.level - 1)]
    return ".".join([*base, *([node.module] if node.module else [])])


def _imports(code: str, path: Path) -> Iterator[tuple[str, int, bool]]:
    """(dotted name, line, at module level) of every import, those for type checking left out."""
    tree = ast.parse(code)
    typing_only = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for child in ast.walk(node)
    }
    inside = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        top = id(node) not in inside
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno, top
        elif isinstance(node, ast.ImportFrom):
            module = _resolve(node, path)
            for alias in node.names:
                yield f"{module}.{alias.name}", node.lineno, top


SOURCES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_downward(path: Path) -> None:
    room = _room(path)
    assert room in ALLOWED, f"{room} is not a room of docs/ARCHITECTURE.md"
    for name, line, top in _imports(path.read_text(encoding="utf-8"), path):
        where = f"{path.relative_to(PACKAGE)}:{line}"
        head = name.split(".")[0]
        if head == "zeroco_ros":
            parts = name.split(".")
            other = parts[1] if len(parts) > 1 else "__init__"
            if not (PACKAGE / other).is_dir() and not (PACKAGE / f"{other}.py").is_file():
                other = "__init__"
            assert other == room or other in ALLOWED[room], f"{where}: {room} imports {other}"
        if head in ONLY_IN:
            assert room in ONLY_IN[head], f"{where}: {head} belongs to {ONLY_IN[head]}"
        if head in LAZY and path.name != "compat.py":
            assert not top, f"{where}: {head} is imported inside the function that needs it"
        if head == "torch" and room in WITHOUT_TORCH:
            assert not top, f"{where}: {room} must start without torch"


def test_the_import_reader_sees_violations() -> None:
    pretend = PACKAGE / "stream" / "sample.py"
    code = "from ..ros import qos\nimport rclpy.node\ndef f():\n    import torch\n"
    seen = {(name, top) for name, _, top in _imports(code, pretend)}
    assert seen == {("zeroco_ros.ros.qos", True), ("rclpy.node", True), ("torch", False)}
