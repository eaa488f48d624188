"""The parity gate passes an engine that is right and catches one that is damaged."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from zeroco_ros.cli import main
from zeroco_ros.engine.bundle import MANIFEST
from zeroco_ros.errors import WeightsError
from zeroco_ros.estimate.parity import check_engine, stored_pairs


def test_stored_pairs_move():
    pairs = list(stored_pairs())
    assert len(pairs) == 2
    for _name, target, source in pairs:
        assert target.shape == source.shape == (240, 320, 3)
        assert np.abs(target.astype(int) - source).mean() > 10


def test_a_right_engine_passes(tiny_engine: Path, tiny_weights: Path, capsys):
    assert main(["check", str(tiny_engine), "--weights", str(tiny_weights), "--threads", "1"]) == 0
    assert capsys.readouterr().out.rstrip().endswith("passed")


def damaged(engine: Path, folder: Path, graph: str, damage: Callable) -> Path:
    """A copy whose graph was changed and whose manifest says that this is right."""
    onnx = pytest.importorskip("onnx")
    copy = Path(shutil.copytree(engine, folder / "damaged"))
    model = onnx.load(copy / graph)
    damage(model.graph)
    onnx.save(model, copy / graph)
    values = json.loads((copy / MANIFEST).read_text())
    values["files"][graph] = hashlib.sha256((copy / graph).read_bytes()).hexdigest()
    (copy / MANIFEST).write_text(json.dumps(values))
    return copy


def largest(graph):
    """The weight matrix with the most elements, as an array and a function that stores it."""
    from onnx import numpy_helper

    tensor = max(graph.initializer, key=lambda t: int(np.prod(t.dims)) if len(t.dims) == 2 else 0)

    def store(values):
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))

    return numpy_helper.to_array(tensor).copy(), store


def change_one_weight(graph) -> None:
    values, store = largest(graph)
    values[3, 5] += 0.5
    store(values)


def scale_one_layer(graph) -> None:
    values, store = largest(graph)
    store((values * 1.02).astype(np.float32))


def make_one_weight_infinite(graph) -> None:
    values, store = largest(graph)
    values[0, 0] = np.inf
    store(values)


@pytest.mark.parametrize("graph", ["encoder.onnx", "matcher.onnx"])
@pytest.mark.parametrize("damage", [change_one_weight, scale_one_layer, make_one_weight_infinite])
def test_a_damaged_engine_is_caught(
    tiny_engine: Path, tiny_weights: Path, tmp_path: Path, graph: str, damage: Callable
):
    copy = damaged(tiny_engine, tmp_path, graph, damage)
    parity = check_engine(copy, weights=tiny_weights, threads=1)
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
    from zeroco_ros.estimate.parity import LIMITS, PairParity

    pair = PairParity("x", 0.0, 0.0, 0.0, 0.0, 0)
    assert pair.faults(LIMITS["fp32"]) == []
    for field in ("volume", "flow_median", "flow_p99", "confidence_p99"):
        worse = dataclasses.replace(pair, **{field: float("nan")})
        assert len(worse.faults(LIMITS["fp32"])) == 1
