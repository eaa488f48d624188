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

"""`zeroco soak`: options that make no sense are one line and exit code 2, before it starts."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from zeroco_ros.cli import main
from zeroco_ros.commands.soak import parse_parameters
from zeroco_ros.errors import ConfigError


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--frames", "0"], "--frames is 0"),
        (["--seed", "-1"], "--seed is -1"),
        (["--size", "97x128"], "--size is 97x128: give even numbers"),
        (["--size", "large"], "--size is 'large'"),
        (["--patience", "nan"], "--patience is nan"),
        (["--set", "preset"], "--set is 'preset': give NAME=VALUE"),
        (["--backend", "onnx"], "--backend onnx runs an engine"),
        (["--node", "stereo"], "invalid choice: 'stereo'"),
    ],
)
def test_nonsense_is_one_line(
    options: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = main(["soak", *options])
    except SystemExit as end:  # argparse's own
        code = end.code
    assert code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert told in line


def test_parameters_of_the_node() -> None:
    given = ["preset=fast", "beta=0.5", "weights=a=b"]
    assert parse_parameters(given) == {"preset": "fast", "beta": "0.5", "weights": "a=b"}
    with pytest.raises(ConfigError):
        parse_parameters(["=1"])


@pytest.mark.parametrize(("held", "code"), [(True, 0), (False, 1)])
def test_the_verdict_is_the_exit_code(
    held: bool, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = pytest.importorskip("zeroco_ros.soak.run", reason="rclpy is not importable")
    asked = []
    found = SimpleNamespace(held=held, verdict=lambda: "one line")
    monkeypatch.setattr(run, "run_soak", lambda options: asked.append(options) or found)
    assert main(["soak", "--node", "depth_node", "--seed", "3", "--set", "preset=fast"]) == code
    assert capsys.readouterr().out == "one line\n"
    (options,) = asked
    assert (options.node, options.seed, options.frames) == ("depth_node", 3, 10_000)
    assert options.parameters["preset"] == "fast"
