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

"""What goes wrong with a demo is one line, and nothing half-done stays."""

from __future__ import annotations

import contextlib
from pathlib import Path
import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip("rclpy", reason="rclpy is not importable: no ROS 2 here")

from demo_runs import compressed_copy, nodes_alive, zeroco

# each run starts a node that loads PyTorch: half a minute on a busy machine, before it plays
pytestmark = pytest.mark.timeout(400)


def test_a_node_that_cannot_start_is_one_line(tmp_path: Path) -> None:
    """The model is checked before anything is rendered; the node's own refusal is passed on."""
    from zeroco_ros.demo.run import DemoOptions, run_demo
    from zeroco_ros.errors import BackendError

    (tmp_path / "model.safetensors").write_text("no model")
    options = DemoOptions(
        bag=compressed_copy(tmp_path),
        out=tmp_path / "out",
        parameters={"weights": str(tmp_path / "model.safetensors")},
        progress=False,
        say=lambda text: None,
    )
    with pytest.raises(BackendError, match=r"flow_node cannot configure: .*model\.safetensors"):
        run_demo(options)
    assert not (tmp_path / "out" / "output_bag").exists()
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--bag", "NOWHERE"], "does not exist"),
        (["--rate", "0"], "--rate is 0"),
        (["--rate", "inf"], "--rate is inf"),
        (["--frames", "1"], "--frames is 1"),
        (["--size", "huge"], "--size is 'huge'"),
        (["--size", "10x10"], "--size is 10x10"),
        (["--preset", "best"], "unknown preset 'best'"),
        (["--weights", "NOWHERE"], "does not exist"),
        (["--out", "FILE"], "is a file"),
        (["--bag", "FILE"], "not a bag"),
    ],
)
def test_wrong_inputs_are_one_line(
    arguments: list[str], words: str, tmp_path: Path, tiny_weights: Path
) -> None:
    (tmp_path / "file.txt").write_text("a text")
    places = {"NOWHERE": str(tmp_path / "nowhere"), "FILE": str(tmp_path / "file.txt")}
    given = [places.get(word, word) for word in arguments]
    if "--weights" not in given:
        given += ["--weights", str(tiny_weights)]
    if "--out" not in given:
        given += ["--out", str(tmp_path / "out")]
    code, _, err = zeroco("demo", *given)
    assert code == 2
    assert words in err
    assert err.startswith("zeroco demo: ")
    assert err.count("\n") == 1
    assert not (tmp_path / "out" / "summary.json").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_nothing_half_done(
    number: signal.Signals, tiny_weights: Path, tmp_path: Path
) -> None:
    from zeroco_ros.ros.environment import child_environment

    out = tmp_path / "out"
    command = [sys.executable, "-m", "zeroco_ros.cli", "demo", "--bag", compressed_copy(tmp_path)]
    process = subprocess.Popen(
        [*map(str, command), "--out", str(out), "--weights", str(tiny_weights), "--rate", "0.01"],
        env=child_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + 100
    log = out / "flow_node.log"
    while not (nodes_alive() and log.exists() and log.stat().st_size):
        assert process.poll() is None, process.stderr
        assert time.monotonic() < end
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "zeroco demo: interrupted\n")
    assert nodes_alive() == []
    assert [path.name for path in out.iterdir()] == ["flow_node.log"]
