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

"""The parity gate passes an engine that is right and catches one that is damaged."""

from __future__ import annotations

from collections.abc import Callable
import dataclasses
import json
from pathlib import Path

from engine_damage import (
    change_one_weight,
    damaged,
    make_one_weight_infinite,
    scale_one_layer,
)
import numpy as np
import pytest

from zeroco_ros.cli import main
from zeroco_ros.errors import ConfigError, WeightsError
from zeroco_ros.estimate.config import FlowConfig
from zeroco_ros.estimate.parity import (
    check_engine,
    check_torch,
    LIMITS,
    limits_of,
    stored_pairs,
)
from zeroco_ros.estimate.parity_pair import PairParity
from zeroco_ros.estimate.parity_verdict import store_verdict, stored_verdicts


def test_stored_pairs_move():
    pairs = list(stored_pairs())
    assert [name for name, *_ in pairs] == ["near", "plane", "scene"]
    for _name, target, source in pairs:
        assert target.shape == source.shape == (240, 320, 3)
        assert np.abs(target.astype(int) - source).mean() > 10


def test_a_right_engine_passes(tiny_engine: Path, tiny_weights: Path, capsys):
    assert main(["check", str(tiny_engine), "--weights", str(tiny_weights), "--threads", "1"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("onnx cpu fp32 against torch cpu fp32\n")
    assert text.rstrip().endswith("passed")


DAMAGES = [change_one_weight, scale_one_layer, make_one_weight_infinite]


@pytest.mark.parametrize("graph", ["encoder.onnx", "matcher.onnx"])
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_damaged_engine_is_caught(
    request: pytest.FixtureRequest,
    tiny_weights: Path,
    tiny_head: Callable[[str], Path],
    tmp_path: Path,
    graph: str,
    damage: Callable,
    precision: str,
):
    half = precision == "fp16"
    engine = request.getfixturevalue("half_engine" if half else "tiny_engine")
    head = tiny_head("super_resolution") if half else None
    copy = damaged(engine, tmp_path, graph, damage)
    parity = check_engine(copy, weights=tiny_weights, head=head, threads=1)
    assert parity.what == f"onnx cpu {precision}"
    assert not parity.passed
    if damage is make_one_weight_infinite:
        assert any("not finite" in fault for fault in parity.faults)
    else:
        assert any("volume" in fault for fault in parity.faults)


def test_the_verdict_is_an_exit_code(
    tiny_engine: Path, tiny_weights: Path, tmp_path: Path, capsys
):
    copy = damaged(tiny_engine, tmp_path, "matcher.onnx", scale_one_layer)
    assert main(["check", str(copy), "--weights", str(tiny_weights), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["passed"] is False and report["faults"]
    assert {"volume", "flow_p99"} <= report["pairs"][0].keys()


def test_another_model_file_is_no_reference(tiny_engine: Path):
    with pytest.raises(WeightsError, match="not the file that the engine was exported from"):
        check_engine(tiny_engine, weights="default")


def test_nan_is_outside_of_every_limit():
    pair = PairParity("x", 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0)
    for limits in map(dataclasses.asdict, LIMITS.values()):
        assert pair.faults(limits) == []
        for field in limits:
            worse = dataclasses.replace(pair, **{field: float("nan")})
            assert worse.faults(limits) == [f"{field} nan above {limits[field]:g}"]
    assert dataclasses.replace(pair, non_finite=2).faults({}) == ["2 values that are not finite"]


def test_coarser_arithmetic_has_wider_limits():
    for field in dataclasses.asdict(LIMITS["fp32"]):
        values = [getattr(LIMITS[name], field) for name in ("fp32", "fp16", "bf16", "int8")]
        assert values == sorted(values) and values[0] < values[2]


def test_a_hard_choice_may_fall_otherwise():
    """Where one token is picked, a tie moves a match by a token; the volume's limits stay."""
    soft = limits_of("fp16", FlowConfig())
    for config in (FlowConfig(readout="hard"), FlowConfig(beta=1e-4)):
        hard = limits_of("fp16", config)
        assert hard.flow_p99 > 20 * soft.flow_p99
        assert (hard.volume, hard.volume_rms) == (soft.volume, soft.volume_rms)
    assert limits_of("fp16", FlowConfig(head="flow_head", beta=1e-4)) == soft


def test_verdicts_are_kept_with_the_engine_that_they_are_about(
    tiny_engine: Path, tiny_weights: Path, tmp_path: Path
):
    copy = damaged(tiny_engine, tmp_path, "encoder.onnx", make_one_weight_infinite)
    parity = check_engine(copy, weights=tiny_weights)
    assert stored_verdicts(copy) == {}
    assert store_verdict(copy, parity)
    assert store_verdict(copy, dataclasses.replace(parity, faults=(), what="onnx cuda fp32"))
    found = stored_verdicts(copy)
    assert {what: entry["passed"] for what, entry in found.items()} == {
        "onnx cpu fp32": False,
        "onnx cuda fp32": True,
    }
    assert found["onnx cpu fp32"]["faults"] == list(parity.faults)
    manifest = (copy / "manifest.json").read_text()
    (copy / "manifest.json").write_text(manifest + " ")  # another engine in the same folder
    assert stored_verdicts(copy) == {}
    (copy / "parity.json").write_text("[]")
    assert stored_verdicts(copy) == {}


def test_zeroco_check_keeps_the_verdict(tiny_engine: Path, tiny_weights: Path):
    assert main(["check", str(tiny_engine), "--weights", str(tiny_weights), "--threads", "1"]) == 0
    assert stored_verdicts(tiny_engine)["onnx cpu fp32"]["passed"] is True


def test_pytorch_itself_is_checked_in_bf16(tiny_weights: Path, capsys):
    options = ["check", "--preset", "fast", "--weights", str(tiny_weights), "--device", "cpu"]
    main([*options, "--precision", "bf16", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert report["what"] == "torch cpu bf16" and report["limits"]["volume"] == 0.2
    assert all(0 < pair["volume_rms"] < 0.1 for pair in report["pairs"])
    config = FlowConfig(max_side=64)
    assert check_torch(config, "fp32", device="cpu", weights=tiny_weights).passed
    with pytest.raises(ConfigError, match="'fp16' on a CPU"):
        check_torch(config, "fp16", device="cpu", weights=tiny_weights)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--backend", "onnx"], "runs an engine: give its FOLDER"),
        (["{engine}", "--backend", "torch"], "leave FOLDER out"),
        (["{engine}", "--precision", "fp16"], "engine of fp32: export it with --precision fp16"),
        (["{engine}", "--backend", "tensorrt"], "tensorrt cannot be imported|no GPU"),
    ],
)
def test_what_cannot_be_checked(tiny_engine: Path, capsys, options: list[str], text: str):
    given = [option.format(engine=tiny_engine) for option in options]
    assert main(["check", *given]) == 2
    import re

    assert re.search(text, capsys.readouterr().err)
