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

from __future__ import annotations

from dataclasses import replace
import json
from pathlib import Path

import numpy as np
import pytest

from zeroco_ros.errors import ConfigError, ImageError
from zeroco_ros.evaluation.confidence import pooled
from zeroco_ros.evaluation.cost import Cost
from zeroco_ros.evaluation.datasets import find_sets
from zeroco_ros.evaluation.evaluate import evaluate
from zeroco_ros.evaluation.flow_set import FlowSet
from zeroco_ros.evaluation.methods import Estimate, make_method, Method
from zeroco_ros.evaluation.protocols import FlowPair
from zeroco_ros.evaluation.report import as_json, as_markdown, as_text


def _smooth(seed: int, height: int, width: int) -> np.ndarray:
    """Return a smooth random picture, that gradients can follow."""
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
        confidence = np.float32(np.repeat([0, 1], shape[0] // 2)[:, None] * np.ones(shape))
        return Estimate(flow, confidence) if uncertain else Estimate(flow, failed=True)

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
    # half of the pixels are wrong and known to be: the ranking is the oracle's
    assert good.pairs[0].curves["confidence"].ause == pytest.approx(0, abs=1e-9)
    assert good.ause["confidence"] < 0.3 and plain.ause == {}
    # on the second pair the "right" half is wrong by (5, -3) too
    assert good.confidence is not None and good.confidence.accuracy == pytest.approx(0.25)
    assert good.confidence.mean_confidence == pytest.approx(0.5)
    assert good.confidence.brier == pytest.approx(0.25)
    assert plain.confidence is None and (good.failures, plain.failures) == (0, 2)


def test_parts_of_a_set_are_followed_by_the_whole(shifted: FlowSet) -> None:
    first, second = (
        replace(shifted, name=name, loaders=(loader,), part_of="both")
        for name, loader in zip("ab", shifted.loaders, strict=True)
    )
    other = replace(shifted, name="other")
    methods = [make_method("zero"), _constant("good", 3, -2, uncertain=True)]
    results = evaluate([first, second, other], methods)
    assert [result.name for result in results] == ["a", "b", "both", "other"]
    whole, once = results[2].methods, results[3].methods
    assert [row.score for row in whole] == [row.score for row in once]
    assert whole[1].ause == once[1].ause and "a, b" in results[2].about
    assert [one.name for one in evaluate([first, other], methods[:1])] == ["a", "other"]
    # the whole's pixels are those of its parts: they count once
    assert pooled(results)["good"].count.sum() == 2 * whole[0].score.valid


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
    assert again["sets"][0]["methods"]["good"]["calibration"]["brier"] == pytest.approx(0.25)
    assert again["sets"][0]["methods"]["plain"]["calibration"] is None
    assert "failures" in text and "AEPE / DIS" not in text


def test_ratio_to_dis_stands_where_dis_does(shifted: FlowSet) -> None:
    dis = Method("dis", "a stand-in", _constant("", 3, -1).estimate)
    (result,) = evaluate([shifted], [make_method("zero"), dis])
    zero, other = (row.score.aepe for row in result.methods)
    (line,) = [line for line in as_text([result]).splitlines() if "AEPE / DIS" in line]
    assert line.split()[-2:] == [f"{zero / other:.2f}", "1.00"]


def test_published_numbers_stand_beside_and_are_marked(shifted: FlowSet) -> None:
    methods = [make_method("zero")]
    results = evaluate([replace(shifted, name="hpatches-240-I")], methods)
    page, report = as_markdown(results, methods, {}), as_json(results, methods, {})
    assert "Published numbers, not measured here" in page
    assert "| hpatches-240-I | ZeroCo zero-shot with zoom-in | 5.07 | ZeroCo, CVPR 2025 |" in page
    assert [entry["aepe"] for entry in report["published"]] == [5.07]
    assert "Published" not in as_markdown(evaluate([shifted], methods), methods, {})


def test_costs_are_a_table_of_their_own(shifted: FlowSet) -> None:
    methods = [make_method("zero")]
    results = evaluate([shifted], methods)
    costs = [
        Cost("zero", (96, 128), {1: 0.5, 2: 0.25}, 300.4, 200.0),
        Cost("bare", (96, 128), {1: 0.1, 2: 0.1}, None, None),
    ]
    page, report = as_markdown(results, methods, {}, costs), as_json(results, methods, {}, costs)
    for row in ("| ms, 1 thread | 500 | 100 |", "| memory MB | 300 (200) | - |"):
        assert row in page
    assert json.loads(json.dumps(report))["costs"][0]["seconds"] == {"1": 0.5, "2": 0.25}


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
