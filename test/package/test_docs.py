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

"""Every link of the documents leads somewhere; every command that they name exists."""

from __future__ import annotations

from pathlib import Path
import re
import sys

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from documents import anchors, commands, DOCUMENTS, faults, links, reasons, ROOT

from zeroco_ros.cli import _parser
from zeroco_ros.ros.launch_tables import DEPTH, FLOW, REPLAY, STEREO, TWO_CAMERAS

PAGES = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
LAUNCH_FILES = {
    "flow.launch.py": FLOW.arguments,
    "stereo.launch.py": STEREO.arguments,
    "depth.launch.py": DEPTH.arguments,
    "replay.launch.py": REPLAY,
    "two_cameras.launch.py": TWO_CAMERAS,
}
EXECUTABLES = ("flow_node", "depth_node", "zeroco")


@PAGES
def test_links_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target in links(text):
        if target.startswith(("http:", "https:", "mailto:")):
            continue
        name, _, anchor = target.partition("#")
        page = (path.parent / name).resolve() if name else path
        assert page.exists(), f"{path.name} links to {target}"
        assert ROOT in (page, *page.parents), f"{path.name} links out of the package: {target}"
        if anchor and page.suffix == ".md":
            there = anchors(page.read_text(encoding="utf-8"))
            assert anchor in there, f"{path.name} links to {target}; there are {sorted(there)}"


@PAGES
def test_commands_of_zeroco_exist(path: Path) -> None:
    parser = _parser()
    for command in commands(path.read_text(encoding="utf-8"), "zeroco"):
        wrong = faults(parser, command.words[1:])
        assert not wrong, f"{path.name}:{command.line}: {'; '.join(wrong)}"


@PAGES
def test_launch_files_and_their_arguments_exist(path: Path) -> None:
    for command in commands(path.read_text(encoding="utf-8"), "ros2 launch zeroco_ros"):
        where = f"{path.name}:{command.line}"
        file = command.words[3]
        if file.isupper():
            continue
        assert file in LAUNCH_FILES, f"{where}: {file}"
        known = {name for name, _default, _text in LAUNCH_FILES[file]}
        for word in command.words[4:]:
            if ":=" in word:
                assert word.partition(":=")[0] in known, f"{where}: {file} has no {word}"


@PAGES
def test_executables_make_targets_and_scripts_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for command in commands(text, "ros2 run zeroco_ros"):
        assert command.words[3] in EXECUTABLES, f"{path.name}:{command.line}"
    for command in commands(text, "make"):
        target = command.words[1]
        if "=" not in target and not target.isupper():
            where = f"{path.name}:{command.line}: make {target}"
            assert re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE), where
    for command in commands(text, "python"):
        script = command.words[1]
        if script.endswith(".py"):
            assert (ROOT / script).is_file(), f"{path.name}:{command.line}: {script}"


def test_every_reason_of_diagnostics_has_a_cure() -> None:
    page = (ROOT / "docs" / "TROUBLESHOOTING.md").read_text(encoding="utf-8")
    for name in ("diagnostics.py", "depth/pipeline.py"):
        said = reasons((ROOT / "zeroco_ros" / "ros" / name).read_text(encoding="utf-8"))
        assert len(said) > 2
        missing = [words for words in said if words not in page]
        assert not missing, f"docs/TROUBLESHOOTING.md has no row for {missing} of ros/{name}"


@pytest.mark.parametrize(
    "pain",
    [
        "incompatible QoS",
        "image and camera_info never pair",
        "looping bag",
        "rclpy is slow with big images",
        "an engine was built elsewhere",
        "building an engine looks dead",
        "fp16 overflows silently",
        "compiled for RoPE",
        "needs pickle",
        "is it metres?",
        "depth flickers from frame to frame",
        "memory grows",
        "ignores the venv",
        "no weights, no training code",
    ],
)
def test_the_usual_pains_of_such_nodes_have_a_row(pain: str) -> None:
    page = (ROOT / "docs" / "TROUBLESHOOTING.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert any(pain in row.replace('"', "").replace("*", "") for row in rows)


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    known = {(index.parent / t.partition("#")[0]).resolve() for t in links(index.read_text())}
    results = ROOT / "docs" / "results"
    pages = {page for page in ROOT.glob("docs/**/*.md") if results not in page.parents} - {index}
    missing = sorted(str(page.relative_to(ROOT)) for page in pages if page.resolve() not in known)
    assert not missing, f"docs/README.md does not name {', '.join(missing)}"


def test_the_checker_sees_what_is_wrong() -> None:
    parser = _parser()
    text = "```\nzeroco flow a.png --nonsense  # words\n```\n`zeroco fly` and `zeroco VERB --x`\n"
    found = [faults(parser, command.words[1:]) for command in commands(text, "zeroco")]
    assert found == [["zeroco flow has no --nonsense"], ["there is no zeroco fly"], []]
    assert links("[a](b.md#c) `[x](y)` ![p](q.png)") == ["b.md#c", "q.png"]
    assert anchors("# A b: `c`\n## A b c\n") == {"a-b-c", "a-b-c-1"}
