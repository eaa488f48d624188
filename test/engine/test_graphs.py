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

"""What an engine's graphs compute is what PyTorch computes, before anything is exported."""

from __future__ import annotations

from collections.abc import Callable
import dataclasses
from pathlib import Path
from typing import Any

from module_backend import in_modules
import numpy as np
import pytest
import torch

from zeroco_ros.engine.backend import NonFiniteOutput
from zeroco_ros.engine.bundle import Readout
from zeroco_ros.engine.readout import read_pair
from zeroco_ros.errors import BackendError, ConfigError, WeightsError
from zeroco_ros.estimate.config import FlowConfig
from zeroco_ros.estimate.engines import engine_of
from zeroco_ros.estimate.exported import plan_engine
from zeroco_ros.estimate.flow import FlowEstimator
from zeroco_ros.estimate.learned_depth import LearnedDepth
from zeroco_ros.estimate.parity import check_backend
from zeroco_ros.matching.argmax import match_volume
from zeroco_ros.matching.flow import token_flow

CONFIG = FlowConfig(max_side=64, refine="none", precision="fp32")
IMAGE = (48, 64)
K = np.array([[60.0, 0, 32], [0, 60, 24], [0, 0, 1]])


def pictures(height: int = 48, width: int = 64) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    first = rng.integers(0, 255, (height, width, 3), dtype=np.uint8)
    return first, np.roll(first, 5, axis=1)


def both(weights: Path, config: FlowConfig, **options: Any) -> tuple[FlowEstimator, FlowEstimator]:
    """Return an estimator on an engine's modules, and PyTorch's."""
    engine = engine_of(in_modules(plan_engine(config, IMAGE, weights=weights, **options)), config)
    return engine.estimator(), FlowEstimator(engine.config, weights=weights, device="cpu")


def volumes(seed: int, tokens: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    ahead, back = torch.randn(2, 3, tokens, tokens, generator=generator)
    return ahead, back


@pytest.mark.parametrize("kind", ["hard", "soft", "window"])
@pytest.mark.parametrize("reciprocity", [True, False])
def test_the_read_out_of_a_graph_is_the_read_out(kind: str, reciprocity: bool):
    """With padding on both sides, of different extent, and two temperatures."""
    grid, valid = (4, 5), ((3, 5), (4, 2))
    ahead, back = volumes(1, 20)
    inside = torch.zeros(2, 3, *grid)
    for part, (rows, columns) in zip(inside, valid, strict=True):
        part[:, :rows, :columns] = 1
    masks = inside[0].flatten(1), inside[1].flatten(1)
    kept = [mask[0].nonzero()[:, 0] for mask in masks]
    forward = ahead[:, kept[0]][:, :, kept[1]]
    backward = back[:, kept[1]][:, :, kept[0]]
    if reciprocity:
        forward = (forward + backward.mT) / 2
        backward = forward.mT
    for beta in (0.3, 1e-4):
        found = read_pair((ahead, back), masks, grid, Readout(kind, 3, beta, reciprocity))
        sides = (forward, *valid, found[:2], kept[0]), (backward, *valid[::-1], found[2:], kept[1])
        for volume, own, other, (flow, mass), tokens in sides:
            match = match_volume(volume, other, kind, beta, 3)
            expected = token_flow(match.position, own).flatten(1, 2)
            torch.testing.assert_close(flow[:, tokens], expected, atol=2e-5, rtol=1e-5)
            torch.testing.assert_close(mass[:, tokens], match.mass, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"register_fix": True},
        {"readout": "soft", "beta": 0.05, "reciprocity": False},
        {"readout": "hard", "window": 5},
        {"correlation": "encoder"},
        {"correlation": "decoder"},
        {"correlation": "decoder", "feature_norm": "tokens"},
        {"zoom": (2,), "register_fix": True},
    ],
    ids=str,
)
def test_every_way_to_match_is_that_of_torch(tiny_weights: Path, changes: dict[str, Any]):
    """On images that fill the input, and on such that are padded in it."""
    engine, plain = both(tiny_weights, dataclasses.replace(CONFIG, **changes))
    for size in ((48, 64), (80, 40)):
        found, expected = (one.estimate(*pictures(*size)) for one in (engine, plain))
        np.testing.assert_allclose(found.coarse, expected.coarse, atol=2e-4)
        np.testing.assert_allclose(found.flow, expected.flow, atol=5e-3)
        np.testing.assert_allclose(found.confidence, expected.confidence, atol=1e-3)
        assert np.abs(expected.coarse).max() > 0.5


def test_weights_without_a_temperature(tmp_path: Path, tiny_network: Any):
    """The spread of the volume is taken inside the graph, of the valid tokens only."""
    from zeroco_ros.croco.checkpoint import save_croco

    save_croco(tmp_path / "bare.safetensors", tiny_network)
    engine, plain = both(tmp_path / "bare.safetensors", CONFIG)
    assert engine.beta is None and engine.register_fix
    for size in ((48, 64), (80, 40)):
        found, expected = (one.estimate(*pictures(*size)) for one in (engine, plain))
        np.testing.assert_allclose(found.coarse, expected.coarse, atol=2e-4)


def test_the_estimator_takes_the_graphs_read_out(
    tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
):
    """Where it is the configured one; else the volumes are read out, with the same result."""
    engine, _ = both(tiny_weights, CONFIG)
    plan = plan_engine(CONFIG, IMAGE, weights=tiny_weights)
    wider = dataclasses.replace(CONFIG, window=5)
    other = engine_of(in_modules(plan), wider).estimator()
    plain = FlowEstimator(other.config, weights=tiny_weights, device="cpu")
    np.testing.assert_allclose(
        other.estimate(*pictures()).coarse, plain.estimate(*pictures()).coarse, atol=2e-4
    )
    monkeypatch.setattr("zeroco_ros.estimate.coarse.match_volume", None)  # not to be called
    assert np.isfinite(engine.estimate(*pictures()).flow).all()
    with pytest.raises(TypeError):
        other.estimate(*pictures())


def test_a_read_out_that_is_no_number(tiny_weights: Path):
    engine, _ = both(tiny_weights, CONFIG)
    frames = [engine.encode(image) for image in pictures()]
    frames[0].encoding.tokens[0, 3, 2] = float("nan")
    with pytest.raises(NonFiniteOutput, match="NaN or Inf"):
        engine.match(*frames)


@pytest.mark.parametrize("kind", ["aggregation", "super_resolution"])
def test_heads_on_the_volume(tiny_weights: Path, tiny_head: Callable[[str], Path], kind: str):
    config = dataclasses.replace(CONFIG, head=str(tiny_head(kind)), register_fix=True)
    engine, plain = both(tiny_weights, config)
    found, expected = (one.estimate(*pictures()) for one in (engine, plain))
    np.testing.assert_allclose(found.flow, expected.flow, atol=5e-3)
    np.testing.assert_allclose(found.confidence, expected.confidence, atol=1e-3)
    headless = FlowEstimator(dataclasses.replace(CONFIG, register_fix=True), weights=tiny_weights)
    assert np.abs(headless.estimate(*pictures()).flow - expected.flow).max() > 0.1


def test_heads_of_a_fixed_size_refuse_other_proportions(
    tiny_weights: Path, tiny_head: Callable[[str], Path]
):
    config = dataclasses.replace(CONFIG, head=str(tiny_head("aggregation")))
    engine, _ = both(tiny_weights, config)
    with pytest.raises(ConfigError, match=r"fills 1x3 tokens.*images of 64x48 pixels.*--image"):
        engine.estimate(*pictures(80, 40))
    for change in ({"alignment": True}, {"zoom": (2,)}):
        plan = plan_engine(config, IMAGE, weights=tiny_weights)
        with pytest.raises(ConfigError, match=r"turned image|no zoom"):
            engine_of(in_modules(plan), dataclasses.replace(config, **change))


def test_a_head_of_another_backbone_or_kind(tiny_weights: Path, tiny_head: Callable[[str], Path]):
    foreign = dataclasses.replace(CONFIG, head=str(tiny_head("super_resolution")))
    with pytest.raises(ConfigError, match=r"another backbone.*32 channels.*128"):
        plan_engine(foreign, IMAGE)
    with pytest.raises(ConfigError, match="kind depth: export it with --depth"):
        plan_engine(
            dataclasses.replace(CONFIG, head=str(tiny_head("depth"))), IMAGE, weights=tiny_weights
        )
    with pytest.raises(ConfigError, match="depth is needed"):
        plan_engine(CONFIG, IMAGE, weights=tiny_weights, depth="flow_head")
    with pytest.raises(ConfigError, match="zoom"):
        plan_engine(dataclasses.replace(foreign, zoom=(2,)), IMAGE, weights=tiny_weights)
    with pytest.raises(ConfigError, match=r"'bf16' of an engine.*could not be checked"):
        plan_engine(CONFIG, IMAGE, weights=tiny_weights, precision="bf16")
    with pytest.raises(ConfigError, match="images of 64x10 pixels: they have at least 16x16"):
        plan_engine(CONFIG, (10, 64), weights=tiny_weights)
    with pytest.raises(ConfigError, match="'int8' of an engine: one of fp32, fp16"):
        plan_engine(CONFIG, IMAGE, weights=tiny_weights, precision="int8")


def test_the_depth_head_runs_from_an_engine(tiny_weights: Path, tiny_head: Callable[[str], Path]):
    file = tiny_head("depth")
    engine, plain = both(tiny_weights, CONFIG, depth=file)
    flow = plain.estimate(*pictures())
    found, expected = (
        LearnedDepth(one.backend, file).predict(*map(one.encode, pictures()), flow, K)
        for one in (engine, plain)
    )
    np.testing.assert_allclose(found.inverse, expected.inverse, rtol=1e-4)
    np.testing.assert_allclose(found.sigma, expected.sigma, rtol=1e-4)
    assert expected.inverse.std() > 0.01
    with pytest.raises(ConfigError, match=r"depth head is 'depth\.safetensors'.*not 'depth_head'"):
        LearnedDepth(engine.backend)
    without, _ = both(tiny_weights, CONFIG)
    with pytest.raises(ConfigError, match="without a depth head: export it with --depth"):
        LearnedDepth(without.backend, file)


def test_the_gate_compares_the_depth_head_too(
    tiny_weights: Path, tiny_head: Callable[[str], Path]
):
    file = tiny_head("depth")
    plan = plan_engine(CONFIG, IMAGE, weights=tiny_weights, depth=file)
    right = in_modules(plan)
    parity = check_backend(right, weights=tiny_weights, depth=file)
    assert parity.passed and not parity.unchecked
    found = [pair.depth_p99 for pair in parity.pairs]
    assert all(value is not None and value < 1e-4 for value in found)
    without = check_backend(right, weights=tiny_weights)
    assert without.passed and "'depth.safetensors'" in without.unchecked[0]
    with torch.no_grad():
        plan.graphs["depth_head"].module.head.leave.weight[0] += 0.1
    wrong = check_backend(right, weights=tiny_weights, depth=file)
    assert any("depth_p99" in fault for fault in wrong.faults)
    with pytest.raises(WeightsError, match="not the file that the engine was exported from"):
        check_backend(right, weights=tiny_weights, depth="depth_head")


def test_what_was_not_exported_is_told(tiny_weights: Path):
    plan = plan_engine(CONFIG, IMAGE, weights=tiny_weights)
    decoder = dataclasses.replace(CONFIG, correlation="decoder")
    with pytest.raises(ConfigError, match="--correlation decoder"):
        engine_of(in_modules(plan), decoder)
    with pytest.raises(BackendError, match="without a flow head"):
        engine_of(in_modules(plan), dataclasses.replace(CONFIG, head="flow_head"))
