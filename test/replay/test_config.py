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

"""Parameters as the nodes take them: the same files, the same refusals."""

from __future__ import annotations

from pathlib import Path

import pytest

from zeroco_ros.errors import ConfigError
from zeroco_ros.replay.config import changed, parse_parameter, read_values
from zeroco_ros.ros.depth.parameters import TABLE as DEPTH
from zeroco_ros.ros.flow.parameters import TABLE as FLOW

ROOT = Path(__file__).resolve().parents[2]


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_files_are_the_defaults() -> None:
    assert read_values("flow", [ROOT / "config" / "flow.yaml"], {}) == FLOW.defaults()
    assert read_values("depth", [ROOT / "config" / "depth.yaml"], {}) == DEPTH.defaults()


def test_sections_are_for_the_node_that_they_name(tmp_path: Path) -> None:
    file = written(
        tmp_path / "both.yaml",
        "/**:\n  ros__parameters: {max_dt: 2.0, stride: 3, use_sim_time: true}\n"
        "flow_node:\n  ros__parameters: {max_dt: 3.0}\n"
        "/front/depth_node:\n  ros__parameters: {window: 4}\n"
        "other_node:\n  ros__parameters: {max_dt: 9.0, anything: 1}\n",
    )
    warnings: list[str] = []
    flow = read_values("flow", [file], {"preset": "fast"}, warnings)
    depth = read_values("depth", [file], {}, warnings)
    assert changed("flow", flow) == {"max_dt": 3.0, "stride": 3, "preset": "fast"}
    assert changed("depth", depth) == {"max_dt": 2.0, "window": 4}
    assert warnings == []  # stride is the other node's


def test_a_later_file_and_the_command_line_count_more(tmp_path: Path) -> None:
    first = written(tmp_path / "a.yaml", "/**: {ros__parameters: {stride: 2, min_dt: 0.5}}")
    second = written(tmp_path / "b.yaml", "/**: {ros__parameters: {stride: 3}}")
    values = read_values("flow", [first, second], {"min_dt": 0.25})
    assert (values["stride"], values["min_dt"]) == (3, 0.25)


def test_unknown_names_are_told_with_a_hint(tmp_path: Path) -> None:
    file = written(tmp_path / "a.yaml", "/**: {ros__parameters: {strid: 2}}")
    warnings: list[str] = []
    read_values("flow", [file], {}, warnings)
    assert warnings == ["parameter strid is unknown and ignored; did you mean stride?"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/**: {ros__parameters: {stride: two}}", "parameter stride"),
        ("/**: {ros__parameters: {max_dt: 1}}", "write 1.0"),
        ("/**: {ros__parameters: {min_dt: 3.0, max_dt: 2.0}}", "min_dt <= max_dt"),
        ("stride: 2", "'stride' has no ros__parameters"),
        ("- 1", "holds no parameters"),
        ("{", "is not YAML"),
    ],
)
def test_what_a_node_would_refuse_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words.replace("(", r"\(")):
        read_values("flow", [written(tmp_path / "a.yaml", text)], {})


def test_parameters_of_the_command_line_have_their_types() -> None:
    assert parse_parameter("stride:=2") == ("stride", 2)
    assert parse_parameter("zoom:=2 3") == ("zoom", "2 3")
    assert parse_parameter("image_rectified:=true") == ("image_rectified", True)
    assert parse_parameter("weights:=7") == ("weights", "7")
