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
The tables of docs/FAULTS.md, made from the tests that provoke the faults.

python docs/faults.py           prints the tables
python docs/faults.py --write   puts them into docs/FAULTS.md, between their markers

A test says with `@pytest.mark.fault(row, behavior, nodes)` which row it provokes; the tests are
collected, not run. `test/faults/test_fault_table.py` compares what is in the document with what
this makes and fails for a row without a test.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable, Mapping
import contextlib
import io
import os
from pathlib import Path
import re
import sys
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "FAULTS.md"
NODES = ("flow_node", "depth_node")
SHARED = "shared"

FAULTS: Mapping[int, str] = {
    1: "frame dropped, gap larger than `max_dt`",
    2: "stamp out of order",
    3: "duplicate stamp",
    4: "time jumps back (bag loop, simulator reset)",
    5: "time jumps forward",
    6: "stamp zero, frame_id empty",
    7: "resolution changes in mid-stream",
    8: "encoding changes or is not supported",
    9: "step or length does not fit, big-endian, 0x0, truncated data",
    10: "huge image",
    11: "NaN, Inf, constant, black or saturated image",
    12: "camera_info missing",
    13: "camera_info with zero K, another K, another size, binning or region of interest",
    14: "network output is not finite",
    15: "slow consumer, slow device",
    16: "nobody subscribes",
    17: "model file missing, truncated, with wrong keys or of another architecture",
    18: "malicious pickle",
    19: "engine missing, truncated, for another TensorRT, GPU or model",
    20: "cache folder read-only, disk full, two builders at once",
    21: "parity gate fails",
    22: "device out of memory, at start or at work",
    23: "sticky CUDA error",
    24: "no GPU; tensorrt, torch, onnxruntime or rclpy not importable",
    25: "SIGINT or SIGTERM during inference or an engine build",
    26: "nonsense parameter at run time",
    27: "the lifecycle over and over",
    28: "incompatible QoS on either side",
    29: "tf or clock not available, use_sim_time without /clock",
    30: "long run",
    31: "pure rotation, static camera, planar scene, no overlap between frames",
    32: "bag truncated, without metadata, of unknown type, zstd-compressed, without messages",
}
# (row, node) -> why there is nothing to provoke.
NOT_APPLICABLE: Mapping[tuple[int, str], str] = {
    (13, "flow_node"): "it does not read camera_info",
}

Tests = Mapping[int, Mapping[str, list[tuple[str, str]]]]  # row -> node -> (test, behavior)


class _Collector:
    """A pytest plugin that keeps what the `fault` markers say."""

    def __init__(self) -> None:
        self.found: dict[int, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))

    def pytest_collection_finish(self, session: Any) -> None:
        """Test names without parameters, in the order of the files."""
        for item in session.items:
            where = item.path.relative_to(ROOT / "test").as_posix()
            name = f"{where}::{item.originalname}"
            for key, fault in item.user_properties:
                if key == "fault":
                    row, behavior, nodes = fault
                    for node in nodes:
                        self.found[row][node].setdefault(name, behavior)


def collect() -> Tests:
    """All tests with a `fault` marker. Raises RuntimeError when a file cannot be collected."""
    import pytest

    files = [
        str(path)
        for path in sorted((ROOT / "test").rglob("test_*.py"))
        if "mark.fault(" in path.read_text(encoding="utf-8")
    ]
    collector, said = _Collector(), io.StringIO()
    options = ["--collect-only", "-q", "-p", "no:cacheprovider", "--rootdir", str(ROOT)]
    with contextlib.redirect_stdout(said):
        code = pytest.main([*options, *files], plugins=[collector])
    if code != 0:
        raise RuntimeError(f"the tests cannot be collected:\n{said.getvalue()}")
    return {
        row: {node: list(tests.items()) for node, tests in by_node.items()}
        for row, by_node in collector.found.items()
    }


def missing(tests: Tests) -> list[str]:
    """Return a line for each row and node that no test provokes."""
    return [
        f"row {row} ({fault}): no test for {node}"
        for row, fault in FAULTS.items()
        for node in NODES
        if (row, node) not in NOT_APPLICABLE and not ({node, SHARED} & tests.get(row, {}).keys())
    ]


def fault_table(tests: Tests) -> str:
    """Row, fault, behavior and the tests of each node."""
    lines = ["| # | fault | what happens | flow_node | depth_node |", "|---|---|---|---|---|"]
    for row, fault in FAULTS.items():
        by_node = tests.get(row, {})
        told = dict.fromkeys(text for found in by_node.values() for _test, text in found)
        flow, depth = (_cell(row, by_node, node) for node in NODES)
        cells = [str(row), fault, "<br>".join(told), flow, "the same" if depth == flow else depth]
        lines.append("| " + " | ".join(text.replace("|", "\\|") for text in cells) + " |")
    return "\n".join(lines)


def _cell(row: int, by_node: Mapping[str, list[tuple[str, str]]], node: str) -> str:
    if (row, node) in NOT_APPLICABLE:
        return f"does not apply: {NOT_APPLICABLE[row, node]}"
    names = [test for kind in (node, SHARED) for test, _text in by_node.get(kind, [])]
    return "<br>".join(f"`{_short(name)}`" for name in dict.fromkeys(names)) or "**no test**"


def _short(name: str) -> str:
    """`faults/test_a.py::test_row_01_b` without what every name has."""
    path, _, test = name.partition("::")
    return f"{path.removesuffix('.py').replace('test_', '', 1)}: {test.removeprefix('test_')}"


def pattern(name: str) -> re.Pattern[str]:
    """Match a table's place in its document; group 1 is its content."""
    return re.compile(rf"<!-- table: {name} -->\n(.*?)\n?<!-- end -->", re.DOTALL)


def filled(text: str, tables: Mapping[str, str]) -> str:
    """Return the document's text with these tables in their places."""
    for name, table in tables.items():
        block = f"<!-- table: {name} -->\n{table}\n<!-- end -->"
        text, count = pattern(name).subn(lambda _match, block=block: block, text)
        if count != 1:
            raise LookupError(f"{PAGE.name} has {count} places for the table {name}")
    return text


def main(arguments: Iterable[str] | None = None) -> int:
    """Print or write the table; 1 where a row has no test."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--write", action="store_true", help="update docs/FAULTS.md")
    write = parser.parse_args(arguments).write
    os.chdir(ROOT)
    tests = collect()
    table = fault_table(tests)
    if write:
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(filled(text, {"faults": table}), encoding="utf-8")
    else:
        print(table)
    lacking = missing(tests)
    for line in lacking:
        print(line, file=sys.stderr)
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())
