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

"""docs/FAULTS.md is made from the tests, and no row is without one."""

from __future__ import annotations

import importlib.util
from pathlib import Path
import subprocess
import sys
from types import ModuleType

import pytest

pytest.importorskip("rclpy", reason="rclpy is not importable: no ROS 2 here, no tests to collect")

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "docs" / "faults.py"


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("zeroco_faults", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FAULTS = _generator()


def test_every_row_has_its_tests_and_the_document_names_them() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (found,) = FAULTS.pattern("faults").findall(FAULTS.PAGE.read_text(encoding="utf-8"))
    assert found == done.stdout.strip(), "run: python docs/faults.py --write"


def test_all_rows_are_there_and_what_does_not_apply_says_why() -> None:
    assert list(FAULTS.FAULTS) == list(range(1, 33))
    assert all(reason for reason in FAULTS.NOT_APPLICABLE.values())


def test_a_row_without_a_test_is_missed() -> None:
    def found(*nodes: str) -> dict[str, list[tuple[str, str]]]:
        return {node: [("room/test_a.py::test_b", "it lives")] for node in nodes}

    tests = {row: found("shared") for row in FAULTS.FAULTS}
    assert FAULTS.missing(tests) == []
    tests[15] = found("flow_node")
    tests[16] = {}
    told = FAULTS.missing(tests)
    assert [line.partition(" (")[0] for line in told] == ["row 15", "row 16", "row 16"]
    assert told[0].endswith("no test for depth_node")
    table = FAULTS.fault_table(tests)
    assert "| `room/a: b` | **no test** |" in table.splitlines()[2 + 14]
    assert "does not apply: it does not read camera_info" in table


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("33, 'x', nodes='shared'", "row 33 is none of 1 to 32"),
        ("3, 'It lives.', nodes='shared'", "no phrase without a full stop"),
        ("3, 'it lives', nodes='both'", "nodes is 'both'"),
        ("3, 'it lives'", "give flow_node, depth_node or shared"),
        ("3", "missing 1 required positional argument"),
    ],
    ids=["row", "full stop", "node", "no node", "no behavior"],
)
def test_a_marker_that_the_table_cannot_show_is_an_error(
    arguments: str, told: str, request: pytest.FixtureRequest
) -> None:
    """By the rules of test/conftest.py, on a test made for it."""
    scope: dict[str, object] = {"pytest": pytest}
    exec(f"mark = pytest.mark.fault({arguments})", scope)
    request.node.add_marker(scope["mark"])
    conftest = request.config.pluginmanager.get_plugin(str(ROOT / "test" / "conftest.py"))
    with pytest.raises(pytest.UsageError, match=told):
        conftest.faults_of(request.node)
