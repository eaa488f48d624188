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

"""The page on confidence, and its picture."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
import json

import numpy as np
import pytest

from zeroco_ros.errors import ConfigError
from zeroco_ros.evaluation.confidence import ALL, as_json, as_markdown, as_text, pooled
from zeroco_ros.evaluation.evaluate import evaluate, SetResult
from zeroco_ros.evaluation.flow_set import FlowSet
from zeroco_ros.evaluation.methods import Estimate, make_method, Method
from zeroco_ros.evaluation.plots import reliability_picture
from zeroco_ros.evaluation.protocols import FlowPair

SIZE = (40, 100)


def _method(name: str, confidence: float) -> Method:
    """Right in the left three quarters, 9 px wrong in the rest, one confidence for all."""

    def estimate(target: np.ndarray, source: np.ndarray) -> Estimate:
        flow = np.zeros((*SIZE, 2), np.float32)
        flow[:, 75:] = 9
        error = np.where(flow[..., 0] > 0, np.inf, 0).astype(np.float32)
        return Estimate(flow, np.full(SIZE, confidence, np.float32), error)

    return Method(name, "a stand-in", estimate)


@pytest.fixture
def methods() -> list[Method]:
    return [_method("calibrated", 0.75), _method("sure", 1.0), make_method("zero")]


@pytest.fixture
def results(methods: list[Method]) -> list[SetResult]:
    def load() -> FlowPair:
        image = np.zeros((*SIZE, 3), np.uint8)
        truth = np.zeros((*SIZE, 2), np.float32)
        return FlowPair("still", image, image, truth, np.ones(SIZE, dtype=bool))

    return evaluate([FlowSet(name, "still", (load,)) for name in "ab"], methods)


def _row(lines: Sequence[str], start: str) -> list[str]:
    (line,) = [line for line in lines if line.startswith(start)]
    return line.strip("| ").split(" | ")


def test_the_page_tells_calibrated_from_sure(
    results: list[SetResult], methods: list[Method]
) -> None:
    lines = as_markdown(results, methods, {"machine": "test"}, "x.png").splitlines()
    calibrated, sure = (_row(lines, f"| a | {name} ") for name in ("calibrated", "sure"))
    assert calibrated[2:] == ["75.0", "75.0", "0.0", "0.0", "0.188 (0.188)", "0.860", "0.000"]
    assert sure[2:7] == ["75.0", "100.0", "25.0", "25.0", "0.250 (0.188)"]
    assert _row(lines, f"| {ALL} | sure ")[2:7] == sure[2:7]
    assert "![Reliability diagrams over all sets](x.png)" in lines
    assert not any(line.startswith("| a | zero") for line in lines)
    assert "calibrated" in as_text(results)


def test_json_holds_the_diagrams(results: list[SetResult], methods: list[Method]) -> None:
    report = json.loads(json.dumps(as_json(results, methods, {})))
    assert set(report["sets"]["b"]) == {"calibrated", "sure"}
    assert report[ALL]["sure"]["equal_width"]["ece"] == pytest.approx(0.25)
    assert report["sets"]["a"]["sure"]["ause"]["fb_error"] == pytest.approx(0, abs=1e-9)


def test_the_diagrams_become_a_picture(results: list[SetResult]) -> None:
    pytest.importorskip("matplotlib")
    picture = reliability_picture(pooled(results))
    assert picture.startswith(b"\x89PNG") and len(picture) > 5000


def test_without_matplotlib_one_sentence_says_what_to_do(
    results: list[SetResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: object, **options: object) -> object:
        if name.startswith("matplotlib"):
            raise ModuleNotFoundError(name)
        return real(name, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ConfigError, match=r"need matplotlib.*zeroco_ros\[eval\]"):
        reliability_picture(pooled(results))


def test_methods_without_confidence_are_told() -> None:
    def load() -> FlowPair:
        image = np.zeros((20, 20, 3), np.uint8)
        flow = np.zeros((20, 20, 2), np.float32)
        return FlowPair("still", image, image, flow, np.ones((20, 20), dtype=bool))

    results = evaluate([FlowSet("a", "", (load,))], [make_method("zero")])
    with pytest.raises(ConfigError, match="has a confidence"):
        pooled(results)
