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

"""Every kind of flow head trains by the same loop: a tiny backbone, tiny pairs, a few steps."""

from __future__ import annotations

from dataclasses import replace
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from zeroco_ros.croco.checkpoint import load_croco
from zeroco_ros.errors import ConfigError
from zeroco_ros.heads.checkpoint import load_head
from zeroco_ros.training.checkpoints import load_state
from zeroco_ros.training.flow_export import export_flow
from zeroco_ros.training.flow_heads import (
    CoarseMatcher,
    FLOW_KINDS,
    head_config,
    make_head,
    run_any,
)
from zeroco_ros.training.flow_pairs import dense_batch, DenseShard, make_dense_shard
from zeroco_ros.training.flow_recipe import (
    DEFAULT_FLOW_RECIPE,
    flow_recipe_from,
    FlowRecipe,
    load_flow_recipe,
    View,
)
from zeroco_ros.training.flow_train import FlowTrainer, train_flow
from zeroco_ros.training.head_trainer import HeadRunOptions
from zeroco_ros.training.homography import HomographyPlan

TINY_HEADS: dict[str, dict[str, Any]] = {
    "recurrent": {
        "widths": [8, 8, 8],
        "match": 8,
        "context": 8,
        "hidden": 8,
        "iterations": [1, 1],
        "radius": [2, 2],
    },
    "aggregation": {"dim": 16, "heads": 2, "guide": 8, "fine": 8},
    "super_resolution": {
        "image": 8,
        "radius": 2,
        "refinement": {"dim": 16, "heads": 2, "windows": [4, 2], "hidden": 8, "reduction": 4},
    },
}


class RenderedHere:
    """Stands in for `DenseSource` where starting its process would be all that takes time."""

    waited = 0.0

    def __init__(self, recipe: FlowRecipe, *_: Any) -> None:
        self.view = recipe.data.views[0]
        self.shard = make_dense_shard(0, 0, recipe.data, [])

    def __enter__(self) -> RenderedHere:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def draw(self, step: int) -> tuple[np.random.Generator, View, list[tuple[DenseShard, int]]]:
        return np.random.default_rng(step), self.view, [(self.shard, 0), (self.shard, 1)]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def _recipe(kind: str, **changes: Any) -> FlowRecipe:
    values = {
        "kind": kind,
        "head": TINY_HEADS[kind],
        "data": {
            "size": [64, 80],
            "views": [{"size": [48, 64], "batch": 2, "share": 1.0}],
            "shard": 4,
            "window": 2,
            "reuse": 8.0,
            "textures": 2,
            "world": {"homographies": 1.0},
        },
        "optimizer": {"batch": 2, "lr": 0.005, "warmup": 1, "ema": 0.5},
        "loss": {"disturb": 0.0, "certainty": 0.0},
        "steps": 3,
        "log_every": 1,
    }
    return flow_recipe_from({**values, **changes})


@pytest.mark.parametrize("kind", FLOW_KINDS)
def test_learning_a_batch_lowers_its_error(kind: str, backbone: Path, tmp_path: Path) -> None:
    recipe = _recipe(kind)
    plan = replace(
        recipe.data, world=replace(recipe.data.world, homography=HomographyPlan(), degrade=False)
    )
    shard = make_dense_shard(0, 0, plan, [])
    view = recipe.data.views[0]
    batch = dense_batch(np.random.default_rng(0), [(shard, 0), (shard, 1)], view)
    trainer = FlowTrainer(recipe, HeadRunOptions(tmp_path, backbone=str(backbone), minutes=60.0))
    errors = [float(trainer.update(batch, view).error) for _ in range(20)]
    assert errors[-1] < 0.9 * errors[0]
    assert trainer.step == 20


@pytest.mark.parametrize(("kind", "renders"), [("aggregation", True), ("super_resolution", False)])
def test_a_run_resumes_and_its_head_is_saved(
    kind: str, renders: bool, backbone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not renders:
        monkeypatch.setattr("zeroco_ros.training.flow_train.DenseSource", RenderedHere)
    recipe = _recipe(kind)
    options = HeadRunOptions(tmp_path, backbone=str(backbone), held_out=0, progress=False)
    assert train_flow(recipe, options).step == 3
    state = load_state(tmp_path / "checkpoint.pt")
    assert state is not None and json.loads(state["recipe"])["kind"] == kind
    with pytest.raises(ConfigError, match="another recipe"):
        FlowTrainer(replace(recipe, steps=4), options).resume()
    resumed = FlowTrainer(recipe, options)
    resumed.resume()
    assert resumed.step == 3
    export_flow(tmp_path, tmp_path / "head.safetensors", backbone=str(backbone))
    loaded = load_head(tmp_path / "head.safetensors")
    assert loaded.metadata["training"]["steps"] == 3
    assert kind in (tmp_path / "head.md").read_text(encoding="utf-8")
    assert loaded.kind == kind
    assert loaded.head.config.tokens == 24  # the backbone's, not the recipe's
    for key, value in loaded.head.state_dict().items():
        assert torch.equal(value, state["average"][key].half().float())


@pytest.mark.parametrize("kind", FLOW_KINDS)
def test_any_kind_runs_on_a_pair(kind: str, backbone: Path) -> None:
    loaded = load_croco(backbone)
    torch.manual_seed(0)
    head = make_head(head_config(kind, TINY_HEADS[kind]), 24, 0.2)
    images = torch.randn(2, 3, 3, 48, 64)
    with torch.inference_mode():
        result = run_any(head, CoarseMatcher(loaded), images)
    assert result.flow.shape == (6, 48, 64, 2)
    assert result.certainty.shape == (6, 48, 64)


def test_recipes_of_all_kinds() -> None:
    folder = DEFAULT_FLOW_RECIPE.parent
    names = {
        "recurrent": "flow",
        "aggregation": "flow_aggregation",
        "super_resolution": "flow_actr",
    }
    for kind, name in names.items():
        recipe = load_flow_recipe(folder / f"{name}.yaml")
        assert recipe.kind == kind
        assert flow_recipe_from(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_recipes_that_cannot_be() -> None:
    with pytest.raises(ConfigError, match="one of recurrent, aggregation, super_resolution"):
        flow_recipe_from({"kind": "none"})
    with pytest.raises(ConfigError, match="unknown field of AggregationConfig: hidden"):
        flow_recipe_from({"kind": "aggregation", "head": {"hidden": 3}})
    view = {"size": [64, 64], "batch": 2, "share": 1.0, "coarse": 2}
    with pytest.raises(ConfigError, match="sees images as the backbone does"):
        _recipe("aggregation", data={"size": [64, 64], "views": [view]})
