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

"""Which file a weights name or path leads to."""

from __future__ import annotations

from pathlib import Path

import pytest

from zeroco_ros import weights
from zeroco_ros.errors import WeightsError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an installation with two shipped files."""
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    for name in ("default.safetensors", "big.safetensors", "default.md"):
        (shipped / name).write_bytes(b"x")
    monkeypatch.setattr(weights, "_FOLDER", shipped)
    monkeypatch.chdir(tmp_path)
    return shipped


def test_shipped_names(folder: Path) -> None:
    assert weights.shipped() == {
        "big": folder / "big.safetensors",
        "default": folder / "default.safetensors",
    }


def test_name_path_and_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = folder.parent / "mine.pth"
    mine.write_bytes(b"x")
    assert weights.resolve("default") == folder / "default.safetensors"
    assert weights.resolve("mine.pth") == Path("mine.pth")
    assert weights.resolve(mine) == mine
    monkeypatch.setenv("HOME", str(folder.parent))
    assert weights.resolve("~/mine.pth") == mine


def test_a_name_wins_over_a_file_of_the_same_name(folder: Path) -> None:
    (folder.parent / "default").write_bytes(b"x")
    assert weights.resolve("default") == folder / "default.safetensors"
    assert weights.resolve("./default") == Path("default")


@pytest.mark.parametrize(
    ("given", "reason"), [("fancy", "does not exist"), (".", "is a folder"), ("", "no name given")]
)
def test_neither_name_nor_file(folder: Path, given: str, reason: str) -> None:
    with pytest.raises(WeightsError, match=reason) as caught:
        weights.resolve(given)
    assert "big, default" in str(caught.value)
    assert "\n" not in str(caught.value)
