from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from zeroco_ros.errors import ConfigError, ImageError
from zeroco_ros.evaluation.datasets import FlowSet, find_sets
from zeroco_ros.evaluation.evaluate import evaluate
from zeroco_ros.evaluation.methods import Estimate, Method, make_method
from zeroco_ros.evaluation.protocols import FlowPair
from zeroco_ros.evaluation.report import as_json, as_markdown, as_text


def _smooth(seed: int, height: int, width: int) -> np.ndarray:
    """A smooth random picture, that gradients can follow."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = sum(
        np.sin(fx * x + fy * y + phase)
        for fx, fy, phase in random.uniform((-0.6, -0.6, 0), (0.6, 0.6, 6), (30, 3))
    )
    gray = np.clip(128 + 22 * waves, 0, 255).astype(np.uint8)
    return np.repeat(gray[..., None], 3, axis=2)


@pytest.fixture(scope="module")
def shifted() -> FlowSet:
    """Two pairs moved by (3, -2) and (-2, 1) pixels."""

    def load(index: int, dx: int, dy: int) -> FlowPair:
        image = _smooth(index, 96, 128)
        source = np.roll(image, (dy, dx), axis=(0, 1))
        flow = np.tile(np.float32([dx, dy]), (96, 128, 1))
        valid = np.zeros((96, 128), dtype=bool)
        valid[8:-8, 8:-8] = True
        return FlowPair(f"pair{index}", image, source, flow, valid)

    return FlowSet("shifted", "rolled pictures", (lambda: load(0, 3, -2), lambda: load(1, -2, 1)))


def _constant(name: str, dx: float, dy: float, uncertain: bool = False) -> Method:
    def estimate(target: np.ndarray, source: np.ndarray) -> Estimate:
        shape = target.shape[:2]
        flow = np.tile(np.float32([dx, dy]), (*shape, 1))
        flow[: shape[0] // 2] += 8
        doubt = np.repeat([1.0, 0.0], shape[0] // 2)[:, None] * np.ones(shape)
        return Estimate(flow, {"confidence": doubt} if uncertain else {})

    return Method(name, f"always {dx}, {dy}", estimate)


def test_classical_methods_find_a_shift_and_zero_does_not(shifted: FlowSet) -> None:
    methods = [make_method(name) for name in ("dis", "farneback", "zero")]
    (result,) = evaluate([shifted], methods)
    dis, farneback, zero = (row.score.aepe for row in result.methods)
    assert dis < 0.3 and farneback < 0.3
    assert zero == pytest.approx((np.hypot(3, 2) + np.hypot(2, 1)) / 2)


def test_results_keep_pairs_sizes_and_uncertainty(shifted: FlowSet) -> None:
    seen: list[str] = []
    methods = [_constant("good", 3, -2, uncertain=True), _constant("plain", 0, 0)]
    (result,) = evaluate([shifted], methods, seen.append)
    good, plain = result.methods
    assert result.size == (96, 128) and len(seen) == 4
    assert seen[0] == "shifted pair0 good"
    assert [pair.pair for pair in good.pairs] == ["pair0", "pair1"]
    assert good.pairs[0].score.epe == pytest.approx(np.hypot(8, 8) / 2)
    # half of the pixels are wrong and known to be: nothing is left after removing them
    assert good.pairs[0].sparsification["confidence"] < 0.4
    assert plain.sparsification == {}


def test_reports_tell_the_same_numbers(shifted: FlowSet) -> None:
    methods = [_constant("good", 3, -2, uncertain=True), _constant("plain", 0, 0)]
    results = evaluate([shifted], methods)
    good, plain = (f"{row.score.aepe:.2f}" for row in results[0].methods)
    assert float(plain) < float(good)
    text, page = as_text(results), as_markdown(results, methods, {"machine": "test"})
    report = as_json(results, methods, {"machine": "test"})
    assert good in text and f"| {good} | **{plain}** |" in page
    assert "- machine: test" in page and "always 3, -2" in page
    table = [line for line in page.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1
    again = json.loads(json.dumps(report))
    assert again["sets"][0]["methods"]["good"]["aepe"] == results[0].methods[0].score.aepe
    assert len(again["sets"][0]["methods"]["plain"]["per_pair"]) == 2


def test_a_pair_without_truth_and_an_unknown_method_are_told() -> None:
    def load() -> FlowPair:
        image = np.zeros((32, 32, 3), dtype=np.uint8)
        flow = np.full((32, 32, 2), np.nan, dtype=np.float32)
        return FlowPair("blank", image, image, flow, np.ones((32, 32), dtype=bool))

    with pytest.raises(ImageError, match="blank has no pixel to score on"):
        evaluate([FlowSet("void", "", (load,))], [make_method("zero")])
    with pytest.raises(ConfigError, match=r"'raft'.*default.*farneback"):
        make_method("raft")


def test_zero_flow_has_the_error_that_is_the_motion(shared_data: Path) -> None:
    (hololens,) = find_sets(shared_data, ["hololens"])
    single = FlowSet(hololens.name, hololens.about, hololens.loaders[:1])
    (result,) = evaluate([single], [make_method("zero"), make_method("dis")])
    zero, dis = (row.score for row in result.methods)
    assert 25 < zero.motion < 105 and zero.aepe == pytest.approx(zero.motion, rel=0.5)
    assert dis.aepe < zero.aepe
