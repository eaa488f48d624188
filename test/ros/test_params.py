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

"""The parameter tables, without ROS: what they say is what YAML files and estimators know."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
import subprocess
import sys
from typing import get_args

import pytest
import yaml

from zeroco_ros.estimate import config, depth_config
from zeroco_ros.ros.depth import parameters as depth
from zeroco_ros.ros.flow.parameters import reference_of, TABLE
from zeroco_ros.ros.parameter_spec import ParameterSpec
from zeroco_ros.ros.parameter_table import ParameterTable

ROOT = Path(__file__).resolve().parents[2]
TABLES = {"flow": TABLE, "depth": depth.TABLE}
EVERY = {f"{name}-{spec.name}": spec for name, table in TABLES.items() for spec in table}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_defaults_are_allowed(table: ParameterTable) -> None:
    assert table.refusal(table.defaults()) is None


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_names_are_described(table: ParameterTable) -> None:
    for spec in table:
        assert spec.description.endswith(".")
        assert spec.allowed_text


def test_choices_are_the_estimators() -> None:
    assert set(TABLE["preset"].choices) == set(config.PRESETS)
    assert set(TABLE["correlation"].choices) == {"preset", *get_args(config.Correlation)}
    assert set(TABLE["refine"].choices) == {"preset", *get_args(config.Refine)}
    assert set(TABLE["precision"].choices) == set(get_args(config.Precision))


def test_choices_are_the_depth_estimators() -> None:
    assert set(depth.TABLE["preset"].choices) == set(depth_config.DEPTH_PRESETS)
    assert set(depth.TABLE["mode"].choices) == {"preset", *get_args(depth_config.DepthMode)}


@pytest.mark.parametrize("spec", EVERY.values(), ids=EVERY)
def test_refusals_name_the_parameter_and_what_is_allowed(spec: ParameterSpec) -> None:
    wrong: list[object] = [None, [1.0], object()]
    if isinstance(spec.default, str):
        wrong += ["", 3]
    elif isinstance(spec.default, bool):
        wrong += [0, "true"]
    elif isinstance(spec.default, float):
        wrong += [math.nan, math.inf, -math.inf, -1.0, 2, "1.0", spec.maximum * 1.01]
    else:
        wrong += [-1, 1.0, True, spec.maximum + 1]
    for value in wrong:
        reason = spec.refusal(value)
        assert reason is not None, value
        assert reason.startswith(f"parameter {spec.name}: ")
        assert spec.allowed_text in reason


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("flow", {"min_dt": 2.0, "max_dt": 1.0}, "min_dt <= max_dt"),
        ("flow", {"reference": "left"}, "auto, current, previous"),
        ("flow", {"reference": "previous", "pairing": "synchronized"}, "auto, left, right"),
        ("flow", {"max_side": 31}, "32"),
        ("depth", {"min_dt": 2.0, "max_dt": 1.0}, "min_dt <= max_dt"),
        ("depth", {"window": 1}, "0 (the preset's) or 2 to 32"),
        ("depth", {"window": 3, "views": 4}, "views <= window"),
        ("depth", {"camera_in_body": "0 0 0 0 0 0 0"}, "its quaternion is zero"),
        ("depth", {"camera_in_body": "0 0 0 1"}, "seven numbers"),
    ],
)
def test_values_that_do_not_go_together(name: str, changes: dict[str, object], words: str) -> None:
    table = TABLES[name]
    reason = table.refusal({**table.defaults(), **changes})
    assert reason is not None
    assert words in reason


def test_reference_follows_the_pairing() -> None:
    values = TABLE.defaults()
    assert reference_of(values) == "current"
    assert reference_of({**values, "pairing": "synchronized"}) == "left"
    assert reference_of({**values, "reference": "previous"}) == "previous"


@pytest.mark.parametrize("name", TABLES)
def test_yaml_files_hold_every_parameter_with_its_default(name: str) -> None:
    document = yaml.safe_load((ROOT / "config" / f"{name}.yaml").read_text())
    assert document == {"/**": {"ros__parameters": TABLES[name].defaults()}}


@pytest.mark.parametrize("name", TABLES)
def test_listing_and_help_need_neither_rclpy_nor_torch(name: str) -> None:
    code = (
        "import sys\n"
        "sys.modules['rclpy'] = sys.modules['torch'] = None\n"
        f"from zeroco_ros.ros.{name}_node import main\n"
        "code = main(sys.argv[1:])\n"
        "sys.exit(code)\n"
    )

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
        )

    listed = call("--list-parameters")
    assert listed.returncode == 0
    assert all(f"{spec.name} (" in listed.stdout for spec in TABLES[name])
    helped = call("--help")
    assert helped.returncode == 0
    assert f"~/{name} " in helped.stdout
    started = call()
    assert started.returncode == 2
    assert started.stdout == ""
    assert started.stderr.startswith(f"{name}_node: rclpy")
    assert len(started.stderr.strip().splitlines()) == 1


def test_parameters_become_the_estimators_configuration() -> None:
    from zeroco_ros.ros.flow.model import flow_config

    values = TABLE.defaults()
    unchanged = dataclasses.replace(config.PRESETS["default"], max_pixels=1_000_000_000)
    assert flow_config(values) == unchanged
    changed = flow_config(
        {
            **values,
            "preset": "paper",
            "max_side": 320,
            "beta": 0.5,
            "zoom": "2, 3",
            "reciprocity": "disabled",
            "register_fix": "enabled",
            "refine": "dis",
            "head": "none",
            "alignment": "enabled",
            "correlation": "encoder",
        }
    )
    assert (changed.size, changed.max_side, changed.beta) == (None, 320, 0.5)
    assert changed.zoom == (2, 3)
    assert (changed.reciprocity, changed.register_fix) == (False, True)
    assert (changed.refine, changed.correlation) == ("dis", "encoder")
    assert changed.head == "none" and changed.alignment is True
    assert flow_config({**values, "zoom": "none"}).zoom == ()


def test_parameters_become_the_depth_estimators_configuration() -> None:
    from zeroco_ros.ros.depth.model import depth_config as configured

    values = depth.TABLE.defaults()
    preset = depth_config.DEPTH_PRESETS["default"]
    flow = dataclasses.replace(preset.flow_config, max_pixels=1_000_000_000)
    expected = dataclasses.replace(preset, flow=flow, poses="estimated")
    assert configured(values) == expected
    changes = {"preset": "accurate", "window": 3, "camera_height": 1.5, "pose_source": "pose"}
    changed = configured({**values, **changes, "missing_poses": "skip"})
    assert (changed.window, changed.views, changed.poses) == (3, 3, "given")
    assert changed.camera_height == 1.5
    assert configured({**values, "views": 12}).window == 12
    learned = configured({**values, "mode": "learned", "head": "mine.safetensors"})
    assert (learned.mode, learned.head) == ("learned", "mine.safetensors")
    assert configured({**values, "pose_source": "tf"}).poses == "auto"


def test_without_torch_one_sentence_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zeroco_ros.errors import BackendError
    from zeroco_ros.ros.flow.model import load_model

    file = tmp_path / "net.safetensors"
    file.write_bytes(b"")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(BackendError, match=r"PyTorch cannot be imported.*pip install torch"):
        load_model({**TABLE.defaults(), "weights": str(file)})
