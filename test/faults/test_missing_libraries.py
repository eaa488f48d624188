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

"""FAULTS row 24: libraries that are not there."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import node_process
import node_scenes as scenes
import pytest
import ros_harness

pytest.importorskip("rclpy", reason="rclpy is not importable: no ROS 2 here")
from diagnostic_msgs.msg import DiagnosticArray
from refusals import refusal

from zeroco_ros.ros.environment import child_environment


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return an environment in which the named modules cannot be imported."""

    def build(*modules: str) -> dict[str, str]:
        folder = tmp_path_factory.mktemp("blocked")
        for module in modules:
            text = f"No module named '{module}'"
            (folder / f"{module}.py").write_text(
                f"raise ModuleNotFoundError({text!r}, name={module!r})"
            )
        return {"PYTHONPATH": f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}

    return build


NODES = pytest.mark.parametrize("subject", scenes.SUBJECTS.values(), ids=scenes.SUBJECTS)


@pytest.mark.fault(24, "--help and --list-parameters need no library")
@NODES
@pytest.mark.parametrize("option", ["--help", "--list-parameters"])
def test_row_24_help_and_listing_need_no_library(
    without: Any, option: str, subject: scenes.Subject
) -> None:
    blocked = without("rclpy", "torch", "cv2", "tensorrt", "onnxruntime", "message_filters")
    done = subprocess.run(
        [sys.executable, "-m", subject.module, option],
        env=child_environment(**blocked),
        capture_output=True,
        text=True,
        timeout=ros_harness.PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    main_topic = subject.output.replace(subject.path, "~")
    assert ("max_dt" if option == "--list-parameters" else main_topic) in done.stdout


@pytest.mark.fault(24, "without rclpy: one sentence, exit code 2")
@NODES
def test_row_24_without_rclpy_the_node_says_so(without: Any, subject: scenes.Subject) -> None:
    done = subprocess.run(
        [sys.executable, "-m", subject.module],
        env=child_environment(**without("rclpy")),
        capture_output=True,
        text=True,
        timeout=ros_harness.PATIENCE,
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "rclpy, the ROS 2 client library, cannot be imported" in done.stderr
    assert "pip install" in done.stderr


@pytest.mark.fault(24, "without torch: FAILURE in one sentence, the node lives")
@NODES
def test_row_24_without_torch_the_node_lives_and_says_so(
    without: Any, weights: str, probe: ros_harness.Probe, subject: scenes.Subject
) -> None:
    blocked = without("torch", "tensorrt", "onnxruntime")
    values = scenes.parameters(weights, subject, autostart=False)
    with node_process.running(subject.module, values, environment=blocked) as node:
        diagnostics = probe.collect(DiagnosticArray, "/diagnostics")
        scenes.wait_status(probe, diagnostics, state="unconfigured")
        idle = SimpleNamespace(subject=subject, node=node, probe=probe, diagnostics=diagnostics)
        reason = refusal(idle)
        assert "PyTorch cannot be imported" in reason
        assert "pip install torch" in reason
        assert node.stop() == 0
        assert "Traceback" not in node.log
