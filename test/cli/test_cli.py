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

"""The command itself: help, versions, exit codes, what it imports, how it ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
import signal
import subprocess
import sys
import textwrap

import pytest

from zeroco_ros import __version__, cli
from zeroco_ros.commands import info

ZEROCO = [sys.executable, "-m", "zeroco_ros.cli"]


def _python(code: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", textwrap.dedent(code)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, **options
    )


@pytest.fixture
def verb_info(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[object], int]], None]:
    """Put another function in the place of what `zeroco info` does."""
    return lambda function: monkeypatch.setattr(info, "run", function)


def test_help_names_every_verb_and_needs_nothing_heavy() -> None:
    done = _python(
        """
        import sys
        from zeroco_ros import cli
        try:
            cli.main(["--help"])
        except SystemExit as end:
            assert end.code == 0
        heavy = {"torch", "cv2", "numpy", "rclpy", "PIL", "rosbags", "skimage"} & set(sys.modules)
        print("HEAVY", sorted(heavy))
        """
    )
    assert done.returncode == 0, done.stderr
    assert "HEAVY []" in done.stdout
    for verb in ("flow", "play", "demo", "train", "eval", "info"):
        assert f"\n    {verb} " in done.stdout


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main([verb, "--help"])
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: zeroco {verb}")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["--version"])
    assert end.value.code == 0 and capsys.readouterr().out == f"zeroco {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "VERB"),
        (["fly"], "fly"),
        (["flow"], "TARGET"),
        (["flow", "a.png", "b.png"], "--out"),
        (["flow", "a.png", "b.png", "-o", "c.flo", "--beta", "much"], "--beta"),
        (["eval", "trajectory", "--data", "."], "trajectory"),
        (["info", "--yaml"], "--yaml"),
    ],
)
def test_usage_errors_are_one_line_and_code_2(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and error.startswith("zeroco") and told in error


def test_a_fault_is_one_line_code_1_and_a_traceback_on_request(
    verb_info: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def broken(args: object) -> int:
        raise RuntimeError("two\nlines")

    verb_info(broken)
    assert cli.main(["info"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("zeroco info: fault in zeroco_ros: RuntimeError: two lines (ZEROCO_")
    assert error.count("\n") == 1
    for arguments in (["--debug", "info"], ["info", "--debug"]):
        with pytest.raises(RuntimeError):
            cli.main(arguments)
    monkeypatch.setenv("ZEROCO_DEBUG", "1")
    with pytest.raises(RuntimeError):
        cli.main(["info"])


def test_a_missing_library_is_named(
    verb_info: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    def without(args: object) -> int:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    verb_info(without)
    assert cli.main(["info"]) == 2
    assert "package torch is missing (zeroco info" in capsys.readouterr().err


def test_ctrl_c_ends_with_130_and_one_line() -> None:
    code = """
        import sys, time
        from zeroco_ros import cli
        from zeroco_ros.commands import info
        def wait(args):
            print("waiting", flush=True)
            time.sleep(60)
            return 0
        info.run = wait
        sys.exit(cli.main(["info"]))
        """
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None and child.stdout.readline() == "waiting\n"
    child.send_signal(signal.SIGINT)
    _, error = child.communicate(timeout=60)
    assert child.returncode == 130 and error == "zeroco info: interrupted\n"


def test_a_reader_that_goes_away_is_no_fault() -> None:
    code = """
        import sys
        from zeroco_ros import cli
        from zeroco_ros.commands import info
        def chatter(args):
            for number in range(100000):
                print(number)
            return 0
        info.run = chatter
        sys.exit(cli.main(["info"]))
        """
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None and child.stderr is not None
    assert child.stdout.readline() == "0\n"
    child.stdout.close()
    assert child.stderr.read() == ""
    assert child.wait(timeout=60) == 141
    child.stderr.close()


def test_the_module_runs_as_a_program(tmp_path: Path) -> None:
    done = subprocess.run(
        [*ZEROCO, "--version"], capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert done.returncode == 0 and done.stdout == f"zeroco {__version__}\n"
