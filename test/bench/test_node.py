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

"""A real flow_node is measured against the estimator; no time is judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from zeroco_ros.bench.record import BenchRecord
from zeroco_ros.cli import main


def test_node_bench(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    words = ["bench", "node", "-o", str(tmp_path), "--quick", "--no-picture", "--frames", "12"]
    main([*words, "--preset", "fast", "--image", "128x96"])
    printed = capsys.readouterr().out
    record = BenchRecord.load(tmp_path / "bench.json")
    assert not record.skipped, printed
    node = record.section("node")
    assert node is not None
    assert [row["name"] for row in node.rows] == [
        "bare estimator (flow)",
        "flow_node to flow",
        "bare estimator (flow and confidence)",
        "flow_node to flow and confidence",
    ]
    assert all(float(row["ms"]) > 0 for row in node.rows)
    assert "Memory of the node over 12 frames" in printed
