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

"""The linters of ament find nothing: each where it is installed; every file has its license."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("zeroco_ros", "launch", "test", "docs")
SOURCES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
COPYRIGHT, LICENSE = "# Copyright 2026 zeroco_ros developers", "# limitations under the License."


def ament(tool: str, *arguments: str) -> int:
    """Run a linter of ament_lint in the package's root; its exit code."""
    module = pytest.importorskip(f"{tool}.main", reason=f"{tool} is not installed here")
    return int(module.main([*arguments, *FOLDERS]))


def test_every_source_states_its_license() -> None:
    """As ament_copyright asks: the notice first, then the Apache license's header."""
    assert len(SOURCES) > 500
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        head = text.split("\n\n", 1)[0] if not text.startswith("#!") else text.split("\n\n", 2)[1]
        assert head.startswith(f"{COPYRIGHT}\n#\n# Licensed under the Apache License"), path
        assert head.endswith(LICENSE), path


def test_ament_copyright(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert ament("ament_copyright") == 0


def test_ament_pep257(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert ament("ament_pep257") == 0


def test_ament_flake8(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert ament("ament_flake8", "--config", "setup.cfg") == 0
