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

"""Objectives: which terms they have, what they ignore, and that gradients arrive."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from zeroco_ros.croco.config import CrocoConfig
from zeroco_ros.croco.model import CroCo
from zeroco_ros.errors import ConfigError
from zeroco_ros.training.augment import Batch
from zeroco_ros.training.objective import Objective
from zeroco_ros.training.recipe import ObjectivePlan, recipe_from

NETWORK = CrocoConfig(
    enc_embed_dim=16,
    enc_depth=1,
    enc_num_heads=2,
    dec_embed_dim=16,
    dec_depth=1,
    dec_num_heads=2,
    pos_embed="rope100",
    stem="conv",
    cross_rope=False,
)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def batch() -> Batch:
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.standard_normal((2, 3, 3, 32, 48)).astype(np.float32))
    flow = torch.from_numpy(rng.normal(0, 10, (2, 3, 2, 3, 2)).astype(np.float32))
    visible = torch.from_numpy(rng.random((2, 3, 2, 3)) < 0.7)
    chance = torch.from_numpy(rng.random((3, 2, 3), dtype=np.float32))
    return Batch(images, flow, visible, chance)


def objective(plan: ObjectivePlan) -> Objective:
    torch.manual_seed(0)
    return Objective(CroCo(NETWORK), plan, 0.1, "float32")


def total(module: Objective, batch: Batch) -> torch.Tensor:
    sums, counts = module(batch)
    return (sums / counts * torch.tensor(module.weights)).sum()


PLANS = {
    "default": ObjectivePlan(),
    "cell": ObjectivePlan(occluded="cell"),
    "ignored": ObjectivePlan(occluded="ignored"),
    "regression": ObjectivePlan(matching=0, regression=1),
    "completion": ObjectivePlan(matching=0, completion=1, hidden=0.5),
    "mixture": ObjectivePlan(regression=0.1, completion=0.5),
}


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("default", "match occluded"),
        ("cell", "match occluded"),
        ("ignored", "match"),
        ("regression", "regression"),
        ("completion", "completion"),
        ("mixture", "match occluded regression completion"),
    ],
)
def test_every_objective_has_its_terms_and_a_gradient(
    batch: Batch, name: str, columns: str
) -> None:
    module = objective(PLANS[name])
    assert list(dict.fromkeys(module.names)) == columns.split()
    sums, counts = module(batch)
    assert sums.shape == counts.shape == (len(module.names),) == (len(module.weights),)
    total(module, batch).backward()
    stem = next(module.model.patch_embed.parameters()).grad
    assert stem is not None and float(stem.abs().sum()) > 0
    if module.no_match is not None:
        assert module.no_match.grad is not None and float(module.no_match.grad.abs()) > 0


def test_counts_are_those_of_visible_and_hidden_cells(batch: Batch) -> None:
    _, counts = objective(PLANS["default"])(batch)
    seen = [float(batch.visible[k].sum()) for k in (0, 1, 1, 0)]
    assert counts.tolist() == [*seen, *(18 - s for s in seen)]
    _, counts = objective(PLANS["completion"])(batch)
    assert counts.tolist() == [3 * 3]  # half of six cells of three pictures


def test_parts_of_a_batch_add_up_to_the_whole(batch: Batch) -> None:
    parts = [
        Batch(batch.images[:, s], batch.flow[:, s], batch.visible[:, s], batch.chance[s])
        for s in (slice(0, 1), slice(1, 3))
    ]
    for plan in PLANS.values():
        module = objective(plan)
        whole = module(batch)
        first, second = (module(part) for part in parts)
        for k in (0, 1):
            torch.testing.assert_close(first[k] + second[k], whole[k], rtol=1e-5, atol=1e-5)


def test_exchanging_the_views_changes_nothing_for_correspondence(batch: Batch) -> None:
    module = objective(ObjectivePlan(regression=0.1))
    flipped = (a.flip(0) for a in (batch.images, batch.flow, batch.visible))
    torch.testing.assert_close(
        total(module, batch), total(module, Batch(*flipped, batch.chance)), rtol=1e-5, atol=1e-5
    )


def test_motion_of_unseen_cells_is_never_looked_at(batch: Batch) -> None:
    other = torch.where(batch.visible.unsqueeze(-1), batch.flow, batch.flow + 1e4)
    for plan in PLANS.values():
        module = objective(plan)
        torch.testing.assert_close(total(module, batch), total(module, replace(batch, flow=other)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"objective": {"matching": 0}}, "at least one above 0"),
        ({"objective": {"regression": -1}}, "none below 0"),
        ({"objective": {"occluded": "guess"}}, "uniform, cell, ignored"),
        ({"objective": {"completion": 1, "hidden": 1.0}}, "between 0 and 1"),
        ({"objective": {"completion": 1}}, "prediction_head"),
        ({"objective": {"contrast": 1}}, "unknown recipe key contrast"),
    ],
)
def test_objectives_with_mistakes_are_refused(change: dict[str, object], message: str) -> None:
    model = {**NETWORK.to_dict(), "prediction_head": False}
    with pytest.raises(ConfigError, match=message):
        recipe_from({"model": model, **change})
