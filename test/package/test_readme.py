"""The README's tables say what the code says, and its commands and links exist."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("zeroco_ros/**/*.md")]
)


def _tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("zeroco_tables", ROOT / "docs" / "tables.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TABLES = _tables()


PLACES = [(page, name) for page, makers in TABLES.TABLES.items() for name in makers]


@pytest.mark.parametrize(("page", "name"), PLACES, ids=lambda x: getattr(x, "name", x))
def test_table_is_what_the_code_says(page: Path, name: str) -> None:
    found = TABLES.pattern(name).findall(page.read_text(encoding="utf-8"))
    assert found == [TABLES.TABLES[page][name]()], "run: python docs/tables.py --write"


@pytest.mark.parametrize(
    ("page", "topic"), [(TABLES.README, "~/flow"), (TABLES.DEPTH_PAGE, "~/depth")]
)
def test_a_changed_table_is_noticed(page: Path, topic: str) -> None:
    text = page.read_text(encoding="utf-8")
    changed = text.replace(f"| `{topic}` |", "| `~/flux` |")
    assert TABLES.pattern("topics").findall(changed) != [TABLES.TABLES[page]["topics"]()]
    assert TABLES.filled(page, changed) == text


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_to_files(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if not target.startswith(("http:", "https:", "mailto:")):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_commands_of_the_readme_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    verbs = set(re.findall(r"^(?:\.venv/bin/)?zeroco ([a-z]+)", text, re.MULTILINE))
    assert verbs
    for verb in verbs:
        assert (ROOT / "zeroco_ros" / "commands" / f"{verb}.py").is_file(), verb
    targets = set(re.findall(r"^make ([a-z]+)", text, re.MULTILINE))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert {"demo", "test"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
