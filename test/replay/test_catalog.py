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

"""Every metric is in docs/REPLAY.md with its meaning."""

from __future__ import annotations

from pathlib import Path

from zeroco_ros.replay import catalog

PAGE = Path(__file__).resolve().parents[2] / "docs" / "REPLAY.md"


def test_the_page_has_every_metric() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    for name, metric in catalog.ALL.items():
        row = next((line for line in lines if line.startswith(f"| `{name}` |")), None)
        assert row is not None, name
        assert row.endswith(f"| {metric.meaning} |"), name
        assert (" | yes | " in row) == metric.needs_reference, name


def test_names_are_for_threshold_files() -> None:
    assert all(name.isidentifier() and name == name.lower() for name in catalog.ALL)
    assert {metric.better for metric in catalog.ALL.values()} == {"lower", "higher", None}
