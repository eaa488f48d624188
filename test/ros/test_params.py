"""The parameter table, without ROS: what it says is what flow.yaml and the estimator know."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
import yaml

from zeroco_ros.estimate import config
from zeroco_ros.ros.flow.parameters import TABLE, reference_of
from zeroco_ros.ros.parameter_spec import ParameterSpec

ROOT = Path(__file__).resolve().parents[2]


def test_defaults_are_allowed() -> None:
    assert TABLE.refusal(TABLE.defaults()) is None


def test_names_are_unique_and_described() -> None:
    for spec in TABLE:
        assert spec.description.endswith(".")
        assert spec.allowed_text


def test_choices_are_the_estimators() -> None:
    assert set(TABLE["preset"].choices) == set(config.PRESETS)
    assert set(TABLE["correlation"].choices) == {"preset", *get_args(config.Correlation)}
    assert set(TABLE["refine"].choices) == {"preset", *get_args(config.Refine)}
    assert set(TABLE["precision"].choices) == set(get_args(config.Precision))


@pytest.mark.parametrize("spec", TABLE, ids=lambda spec: spec.name)
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
    ("changes", "words"),
    [
        ({"min_dt": 2.0, "max_dt": 1.0}, "min_dt <= max_dt"),
        ({"reference": "left"}, "auto, current, previous"),
        ({"reference": "previous", "pairing": "synchronized"}, "auto, left, right"),
        ({"max_side": 31}, "32"),
    ],
)
def test_values_that_do_not_go_together(changes: dict[str, object], words: str) -> None:
    reason = TABLE.refusal({**TABLE.defaults(), **changes})
    assert reason is not None
    assert words in reason


def test_reference_follows_the_pairing() -> None:
    values = TABLE.defaults()
    assert reference_of(values) == "current"
    assert reference_of({**values, "pairing": "synchronized"}) == "left"
    assert reference_of({**values, "reference": "previous"}) == "previous"


def test_flow_yaml_holds_every_parameter_with_its_default() -> None:
    document = yaml.safe_load((ROOT / "config" / "flow.yaml").read_text())
    assert document == {"/**": {"ros__parameters": TABLE.defaults()}}


def test_listing_and_help_need_neither_rclpy_nor_torch() -> None:
    code = (
        "import sys\n"
        "sys.modules['rclpy'] = sys.modules['torch'] = None\n"
        "from zeroco_ros.ros.flow_node import main\n"
        "code = main(sys.argv[1:])\n"
        "sys.exit(code)\n"
    )

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
        )

    listed = call("--list-parameters")
    assert listed.returncode == 0
    assert all(f"{name} (" in listed.stdout for name in TABLE.specs)
    helped = call("--help")
    assert helped.returncode == 0
    assert "~/flow " in helped.stdout
    started = call()
    assert started.returncode == 2
    assert started.stdout == ""
    assert started.stderr.startswith("flow_node: rclpy")
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
