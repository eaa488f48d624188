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

"""`zeroco play` as users call it: a process, its output, its exit code."""

from __future__ import annotations

from collections.abc import Callable
import os
from pathlib import Path
import signal
import subprocess
import sys

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "ros"))
import ros_harness

ros_harness.isolate()
pytest.importorskip("rclpy", reason="rclpy is not importable: no ROS 2 here")


def start(*arguments: object) -> subprocess.Popen[str]:
    from zeroco_ros.ros.environment import child_environment

    return subprocess.Popen(
        [sys.executable, "-m", "zeroco_ros.cli", "play", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=child_environment(),
    )


def zeroco_play(*arguments: object) -> tuple[int, str, str]:
    process = start(*arguments)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_it_plays_and_says_what(make_bag: Callable[..., Path]) -> None:
    code, out, err = zeroco_play(make_bag(), "--rate", 10, "--wait", 0)
    assert (code, err) == (0, "")
    assert out.startswith("played 20 messages in ")
    assert "/image 10, /text 10" in out


@pytest.mark.fault(32, "`zeroco play`: the readable rest, a warning, exit code 1", nodes="shared")
def test_a_truncated_bag_is_played_with_a_warning(make_bag: Callable[..., Path]) -> None:
    bag = make_bag(frames=40, shape=(64, 128))
    file = next(bag.glob("*.mcap"))
    os.truncate(file, file.stat().st_size // 2)
    code, out, err = zeroco_play(bag, "--rate", 100, "--wait", 0)
    assert code == 1
    assert out.startswith("played ")
    lines = err.splitlines()
    assert 1 <= len(lines) <= 2
    assert all(line.startswith("zeroco play: warning: ") for line in lines)
    assert "cut off or damaged" in lines[0]


def test_ctrl_c_ends_a_loop_cleanly(make_bag: Callable[..., Path]) -> None:
    """The node below hears the loop go round before it is interrupted."""
    from std_msgs.msg import String

    probe = ros_harness.Probe()
    try:
        notes = probe.collect(String, "/text")
        process = start(make_bag(), "--loop", "--rate", 20, "--topics", "/text", "--wait", 10)
        notes.wait_for(15)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        probe.close()
    assert (process.returncode, err) == (0, "")
    assert out.startswith("interrupted after ")


@pytest.mark.fault(32, "`zeroco play`: one line, exit code 2", nodes="shared")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["BAG", "--rate", "0"], "rate is 0"),
        (["BAG", "--rate", "nan"], "rate is nan"),
        (["BAG", "--start", "-1"], "start is -1"),
        (["BAG", "--start", "99"], "no message from 99 s on"),
        (["BAG", "--duration", "0"], "duration is 0"),
        (["BAG", "--wait", "-1"], "--wait is -1"),
        (["BAG", "--topics", "/nose"], "no topic /nose; it has: /image, /text"),
        (["BAG", "--remap", "/image"], "give FROM:=TO"),
        (["BAG", "--remap", "/nose:=/x"], "cannot remap /nose"),
        (["NOWHERE"], "does not exist"),
        (["TEXT"], "neither MCAP nor SQLite"),
        (["EMPTY"], "holds no topics"),
    ],
)
def test_wrong_inputs_are_one_line(
    make_bag: Callable[..., Path], tmp_path: Path, arguments: list[str], words: str
) -> None:
    from zeroco_ros.bag.writer import BagWriter
    from zeroco_ros.cli import main

    (tmp_path / "text.mcap").write_text("not a bag")
    with BagWriter(tmp_path / "empty"):
        pass
    places = {
        "BAG": make_bag(),
        "NOWHERE": tmp_path / "nowhere",
        "TEXT": tmp_path / "text.mcap",
        "EMPTY": tmp_path / "empty",
    }
    given = [str(places.get(word, word)) for word in arguments]
    code, out, err = run_in_process(main, ["play", *given])
    assert (code, out) == (2, "")
    assert words in err
    assert err.startswith("zeroco play: ")
    assert err.count("\n") == 1


def run_in_process(main: Callable[[list[str]], int], arguments: list[str]) -> tuple[int, str, str]:
    """Return the command inside this process: a dozen processes would take half a minute."""
    import contextlib
    import io

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(arguments)
        except SystemExit as leaving:
            code = int(leaving.code or 0)
    return code, out.getvalue(), err.getvalue()
