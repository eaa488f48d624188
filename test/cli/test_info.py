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

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path
import sys

import pytest

from zeroco_ros import __version__, cli
from zeroco_ros.commands import info
from zeroco_ros.weights import shipped


def _report(capsys: pytest.CaptureFixture[str]) -> dict:
    assert cli.main(["info", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_report_names_versions_devices_backends_and_weights(
    capsys: pytest.CaptureFixture[str],
) -> None:
    import torch

    report = _report(capsys)
    assert report["package"]["version"] == __version__
    assert report["libraries"]["torch"] == {"version": torch.__version__, "problem": None}
    assert report["devices"]["cpu"]["cores"] >= 1
    assert report["backends"]["torch"] == "ready"
    if importlib.util.find_spec("tensorrt") is None:
        text = report["backends"]["tensorrt"]
        assert text.startswith("not usable: tensorrt cannot be imported") and "install" in text
    if importlib.util.find_spec("onnxruntime") is not None:
        assert report["backends"]["onnx"].startswith("ready for an engine")
        assert "cpu" in report["backends"]["onnx"]
    if importlib.util.find_spec("rclpy"):
        ros = report["ros"]
        assert ros["problem"] is None and ros["rmw"].startswith("rmw_")
        assert ros["cv_bridge"] == "built-in stand-in" or importlib.util.find_spec("cv_bridge")
    expected = {
        name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in shipped().items()
    }
    assert {file["name"]: file["sha256"] for file in report["weights"]} == expected


def test_text_has_every_fact(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["info"]) == 0
    text = capsys.readouterr().out
    for word in (
        __version__,
        "torch",
        "opencv-python",
        "rclpy",
        "cv_bridge",
        "cpu",
        "onnxruntime",
    ):
        assert word in text
    for path in shipped().values():
        assert hashlib.sha256(path.read_bytes()).hexdigest() in text


def test_it_works_with_holes_and_says_how_to_fill_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in ("torch", "rosbags", "safetensors"):
        monkeypatch.setitem(sys.modules, module, None)  # an import of it fails now
    monkeypatch.setattr(info, "_ROS_PROBE", "import no_such_ros_package")
    report = _report(capsys)
    missing = {hole["what"]: hole for hole in report["missing"]}
    assert {"torch", "rosbags", "safetensors", "rclpy"} <= set(missing)
    assert "pip install torch" in missing["torch"]["install"]
    assert "no_such_ros_package" in missing["rclpy"]["problem"]
    assert report["backends"]["torch"].startswith("not usable")
    assert report["devices"]["cuda_problem"] == "torch cannot be imported"
    assert cli.main(["info"]) == 0
    assert "pip install rosbags" in capsys.readouterr().out


def test_a_broken_library_is_told_from_a_missing_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rosbags.py").write_text("raise OSError('libfoo.so: cannot open')\n")
    monkeypatch.syspath_prepend(tmp_path)
    for module in [name for name in sys.modules if name.split(".")[0] == "rosbags"]:
        monkeypatch.delitem(sys.modules, module)
    problem = _report(capsys)["libraries"]["rosbags"]["problem"]
    assert problem == "installed but broken: libfoo.so: cannot open"
