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

import json

import numpy as np
import pytest

from zeroco_ros.evaluation.methods import Estimate, make_method, Method
from zeroco_ros.evaluation.perturb import PERTURBATIONS
from zeroco_ros.evaluation.plots import curves_picture
from zeroco_ros.evaluation.protocols import FlowPair
from zeroco_ros.evaluation.robustness import (
    as_json,
    as_markdown,
    as_text,
    Curve,
    degradation,
    estimates,
)

SIZE = (60, 80)


def _pair(name: str, dx: float, scored: int) -> FlowPair:
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    valid = np.zeros(SIZE, dtype=bool)
    valid[:, :scored] = True
    flow = np.tile(np.float32([dx, 0]), (*SIZE, 1))
    return FlowPair(name, image, image, flow, valid)


@pytest.fixture
def methods() -> list[Method]:
    def one(target: np.ndarray, source: np.ndarray) -> Estimate:
        return Estimate(np.tile(np.float32([1, 0]), (*target.shape[:2], 1)))

    return [make_method("zero"), Method("one", "always one pixel to the right", one)]


@pytest.fixture
def curves(methods: list[Method]) -> list[Curve]:
    sets = {"near": [_pair("a", 1, 40), _pair("b", 3, 40)], "far": [_pair("c", 20, 40)]}
    kinds = [PERTURBATIONS["scale"], PERTURBATIONS["exposure"]]
    seen: list[str] = []
    found = degradation(sets, methods, kinds, seen.append)
    assert len(seen) == estimates(kinds, 3, 2) == (1 + 6 + 6) * 3 * 2
    return found


def test_errors_are_those_of_the_changed_truth(curves: list[Curve]) -> None:
    assert [(c.flow_set, c.perturbation.name) for c in curves] == [
        ("near", "scale"),
        ("near", "exposure"),
        ("far", "scale"),
        ("far", "exposure"),
    ]
    exposure = curves[1]
    for level in exposure.levels:  # the picture changes, the truth does not
        assert level.scores["zero"].aepe == pytest.approx(2) and level.scored == 1
        assert level.scores["one"].aepe == pytest.approx(1)
        assert level.scores["one"].pck == pytest.approx((0.5, 1, 1))
    half = curves[0].levels[0]
    x, y = np.meshgrid(np.arange(40) + 1.0, np.arange(60))
    expected = [
        np.hypot((x + dx - 40.5) / 2 + 39.5 - (x - 1), (y - 29.5) / 2 + 29.5 - y).mean()
        for dx in (1, 3)
    ]
    assert half.level == 0.5
    assert half.scores["zero"].aepe == pytest.approx(np.mean(expected), rel=1e-4)


def test_pairs_that_lose_too_much_are_left_out(curves: list[Curve]) -> None:
    """At twice the size only the middle half is in view."""
    twice = curves[2].levels[-1]
    assert twice.level == 2 and 0.2 < twice.scored < 0.6
    outside = degradation(
        {"edge": [_pair("d", 0, 15)]}, [make_method("zero")], [PERTURBATIONS["scale"]]
    )
    same, *_, out = outside[0].levels[3:]
    assert same.scores["zero"].aepe == 0 and (out.scores, out.scored) == ({}, 0)
    assert as_text(outside).splitlines()[-1].split()[-3:] == ["0", "%", "-"]


def test_reports_tell_the_same_numbers(curves: list[Curve], methods: list[Method]) -> None:
    page = as_markdown(curves, methods, {"machine": "test"}, "../images/curves.png")
    report = json.loads(json.dumps(as_json(curves, methods, {"machine": "test"})))
    assert "![Error under each change](../images/curves.png)" in page and "- machine: test" in page
    assert "## Exposure" in page and "| near | -3 | 100 % | 2.00 / 100 | 1.00 / 100 |" in page
    assert "near  exposure  -3" in as_text(curves)
    assert report["curves"][1]["levels"][0]["scores"]["zero"]["aepe"] == pytest.approx(2)
    assert "![" not in as_markdown(curves, methods, {}, None)


def test_curves_become_a_picture(curves: list[Curve]) -> None:
    pytest.importorskip("matplotlib")
    import cv2

    picture = cv2.imdecode(np.frombuffer(curves_picture(curves), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None and picture.shape[0] > 300 and np.ptp(picture) == 255
