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

"""A short soak of each node as a real process, and what a soak says where something is wrong."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
import re
import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip("rclpy", reason="rclpy is not importable: no ROS 2 here")
import ros_harness

from zeroco_ros.errors import BackendError
from zeroco_ros.ros.environment import child_environment
from zeroco_ros.soak.run import run_soak, SoakOptions
from zeroco_ros.soak.subject import SUBJECTS
from zeroco_ros.soak.watch import Limits

QUICK = {"diagnostics_period": 0.1, "threads": 1, "precision": "fp32"}
SMALL = {"flow_node": {"max_side": 128}, "depth_node": {"preset": "fast"}}
ANY_PACE = Limits(period=float("inf"))  # on a busy machine


def options(node: str, out: Path, weights: Path, **more: object) -> SoakOptions:
    chosen = {"frames": 400, "seed": 5, "patience": ros_harness.PATIENCE, "limits": ANY_PACE}
    parameters = {**QUICK, **SMALL[node], "weights": str(weights)}
    return SoakOptions(node=node, out=out, parameters=parameters, **{**chosen, **more})


@pytest.mark.fault(30, "hostile traffic: the node lives, stamps rise, counters add up")
@pytest.mark.parametrize("node", SUBJECTS)
def test_a_short_soak_holds(node: str, tiny_weights: Path, tmp_path: Path) -> None:
    report = run_soak(options(node, tmp_path, tiny_weights))
    assert report.violations == (), report.verdict()
    assert (report.sent, report.exit_code) == (400, 0)
    assert 0 < report.taken <= 400
    assert report.counters["in"] == report.taken
    assert report.counters["out"] > 0 and report.counters["refused"] > 0
    assert set(report.results) == set(SUBJECTS[node].outputs)
    saved = json.loads((tmp_path / "soak.json").read_text())
    assert saved["verdict"] == report.verdict()
    assert saved["traffic_sha256"] == report.traffic_sha256


def test_a_node_that_counts_otherwise_is_caught(tiny_weights: Path, tmp_path: Path) -> None:
    """It refuses good images here: a parameter that the traffic knows nothing of."""
    wrong = options("flow_node", tmp_path, tiny_weights, frames=60)
    wrong.parameters["max_pixels"] = 5_000  # type: ignore[index]
    report = run_soak(wrong)
    assert not report.held
    assert re.search(r"\d+ images refused, \d+ broken ones sent", report.violations[0].what)
    assert f"--seed 5 --frames {report.sent}" in report.verdict()


def test_a_node_that_does_not_start_is_told_in_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"flow_node: not configured: .*gone\.safetensors"):
        run_soak(options("flow_node", tmp_path, tmp_path / "gone.safetensors"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_no_node_behind(
    number: signal.Signals, tiny_weights: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "zeroco_ros.cli", "soak", "--weights", str(tiny_weights)]
    command += ["--set", "max_side=128", "threads=1", "-o", str(tmp_path)]
    process = subprocess.Popen(
        command, env=child_environment(), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    log = tmp_path / "node.log"
    end = time.monotonic() + 2 * ros_harness.PATIENCE
    while not (log.exists() and log.stat().st_size):  # the node has begun
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.05)
    nodes = children(process.pid)
    process.send_signal(number)
    out, err = process.communicate(timeout=ros_harness.PATIENCE)
    assert (process.returncode, out, err) == (130, "", "zeroco soak: interrupted\n")
    assert len(nodes) == 1 and not Path(f"/proc/{nodes[0]}").exists()
    assert not (tmp_path / "soak.json").exists()


def children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found
