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

"""The tables of the documents say what the code says."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


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
    ("page", "topic"), [(TABLES.FLOW_PAGE, "~/flow"), (TABLES.DEPTH_PAGE, "~/depth")]
)
def test_a_changed_table_is_noticed(page: Path, topic: str) -> None:
    text = page.read_text(encoding="utf-8")
    changed = text.replace(f"| `{topic}` |", "| `~/flux` |")
    assert TABLES.pattern("topics").findall(changed) != [TABLES.TABLES[page]["topics"]()]
    assert TABLES.filled(page, changed) == text
