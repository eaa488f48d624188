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

"""The depth head's training: pairs, losses, a run and its files."""

from __future__ import annotations

from dataclasses import replace
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
import yaml

from zeroco_ros.cli import main
from zeroco_ros.errors import ConfigError
from zeroco_ros.heads.checkpoint import load_head, save_head
from zeroco_ros.heads.depth import DepthMap
from zeroco_ros.heads.recurrent import RecurrentConfig, RecurrentHead
from zeroco_ros.training.depth_holdout import depth_errors, sigma_factor
from zeroco_ros.training.depth_losses import depth_loss, dissimilarity, reprojection
from zeroco_ros.training.depth_pairs import (
    depth_batch,
    DepthBatch,
    DepthShard,
    make_depth_shard,
    relative,
    turned,
)
from zeroco_ros.training.depth_recipe import (
    DEFAULT_DEPTH_RECIPE,
    depth_recipe_from,
    DepthDataPlan,
    DepthLossPlan,
    DepthRecipe,
    load_depth_recipe,
)
from zeroco_ros.training.depth_shards import load_depth_shard, save_depth_shard
from zeroco_ros.training.depth_train import DepthRunOptions, DepthTrainer, train_depth
from zeroco_ros.training.depth_views import Observer


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def backbone(backbone: Path) -> str:
    return str(backbone)


def small(recipe: DepthRecipe, **data: object) -> DepthRecipe:
    """Return the tiny recipe on still smaller pictures."""
    return replace(recipe, data=replace(recipe.data, sizes=((64, 80),), shard=4, **data))


@pytest.fixture(scope="module")
def shard(backbone: str) -> DepthShard:
    plan = small(load_depth_recipe("depth_tiny")).data
    return make_depth_shard(0, 0, plan, [], Observer(backbone, "none"))


def batch_of(shard: DepthShard, plan: DepthDataPlan | None = None, count: int = 4) -> DepthBatch:
    plan = plan or DepthDataPlan(given=1.0, blind=0.0)
    samples = [(shard, k, k % 2) for k in range(count)]
    return depth_batch(np.random.default_rng(0), samples, plan)


def found_of(log_inverse: Tensor, log_sigma: float = 0.0) -> DepthMap:
    return DepthMap(log_inverse, torch.full_like(log_inverse, log_sigma))


def test_a_batch_is_what_was_rendered(shard: DepthShard) -> None:
    batch = batch_of(shard)
    assert batch.images.shape == (2, 4, 3, 64, 80)
    assert batch.geometry.shape == (4, 12, 16, 20)
    assert batch.direction.volume.shape == (4, 20, 20)
    truth = shard.depth[1, 1].astype(np.float32)  # sample 1 has view 1 as its target
    np.testing.assert_allclose((-batch.log_inverse[1]).exp(), truth, rtol=1e-5)
    volume = shard.volume[1].astype(np.float32)
    np.testing.assert_array_equal(batch.direction.volume[1], volume.T)
    there = relative(shard.c2w[1][[1, 0]])
    np.testing.assert_allclose(batch.source_from_target[1], there, atol=1e-6)


def test_motion_is_given_estimated_or_hidden(shard: DepthShard) -> None:
    known = lambda **shares: batch_of(  # noqa: E731
        shard, DepthDataPlan(**shares)
    ).geometry[:, 11, 0, 0]
    assert (known(given=1.0, blind=0.0) == 1).all()
    assert (known(given=0.0, blind=1.0) == 0).all()


def test_the_way_back_of_a_motion() -> None:
    angle = 0.3
    R = np.array(
        [[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]]
    )
    ahead = np.concatenate([R, [[0.6], [0.0], [0.8]]], 1)
    back = turned(ahead.astype(np.float32), 1)
    four = [np.vstack([matrix, [0, 0, 0, 1]]) for matrix in (ahead, back)]
    np.testing.assert_allclose(four[0] @ four[1], np.eye(4), atol=1e-6)


def test_shards_survive_the_disk(shard: DepthShard, tmp_path: Path) -> None:
    save_depth_shard(tmp_path, 3, shard)
    loaded = load_depth_shard(tmp_path, 3)
    np.testing.assert_array_equal(loaded.depth, shard.depth)
    np.testing.assert_array_equal(loaded.motion, shard.motion)


def test_the_truth_at_any_scale_has_no_loss(shard: DepthShard) -> None:
    batch = batch_of(shard)
    plan = DepthLossPlan(log=1.0, sigma=0.0, gradient=1.0)
    perfect = depth_loss(found_of(batch.log_inverse + 0.7), batch, plan)
    assert float(perfect.error) < 1e-6
    assert float(perfect.total) == pytest.approx(0.01, abs=1e-3)  # sqrt of the term's floor
    flat = depth_loss(found_of(torch.zeros_like(batch.log_inverse)), batch, plan)
    assert float(flat.total) > 0.1


def test_sigma_is_best_where_it_says_the_error(shard: DepthShard) -> None:
    batch = batch_of(shard)
    plan = DepthLossPlan(log=1.0, sigma=1.0, gradient=0.0)
    noise = torch.distributions.Laplace(0.0, 0.2 / math.sqrt(2))
    torch.manual_seed(0)
    noisy = batch.log_inverse + noise.sample(batch.log_inverse.shape)
    losses = {
        sigma: float(depth_loss(found_of(noisy, math.log(sigma)), batch, plan).total)
        for sigma in (0.05, 0.2, 0.8)
    }
    assert losses[0.2] < losses[0.05] and losses[0.2] < losses[0.8]


def test_true_depth_explains_the_picture(shard: DepthShard) -> None:
    """The self-supervised loss alone tells true depth from others, with the true motion."""
    batch = batch_of(shard)
    true = float(reprojection(batch.log_inverse, batch))
    for wrong in (batch.log_inverse + 0.7, batch.log_inverse - 0.7):
        assert true < 0.8 * float(reprojection(wrong, batch))
    plan = DepthLossPlan(log=0.0, sigma=0.0, gradient=0.0, reprojection=1.0, smoothness=0.01)
    guess = batch.log_inverse.clone().requires_grad_()
    depth_loss(found_of(guess), batch, plan).total.backward()
    assert guess.grad is not None and torch.isfinite(guess.grad).all()
    assert float(guess.grad.abs().max()) > 0


def test_dissimilarity_is_zero_of_itself_only() -> None:
    torch.manual_seed(0)
    one = torch.rand(1, 3, 12, 14)
    assert float(dissimilarity(one, one).abs().max()) < 1e-5
    assert float(dissimilarity(one, 1 - one).mean()) > 0.3


@pytest.mark.parametrize("supervised", [True, False])
def test_learning_lowers_loss_and_error(
    supervised: bool, backbone: str, shard: DepthShard, tmp_path: Path
) -> None:
    recipe = small(load_depth_recipe("depth_tiny"))
    if not supervised:
        loss = DepthLossPlan(log=0.0, sigma=0.0, gradient=0.0, reprojection=1.0, smoothness=1e-3)
        recipe = replace(recipe, loss=loss)
    options = DepthRunOptions(tmp_path, backbone=backbone, flow="none", minutes=60.0)
    trainer = DepthTrainer(recipe, options)
    batch = batch_of(shard)
    losses = [trainer.update(batch) for _ in range(40)]
    first, last = losses[0], losses[-1]
    assert float(last.total.detach()) < 0.9 * float(first.total.detach())
    assert float(last.error) < (0.6 if supervised else 0.98) * float(first.error)


def test_a_run_resumes_and_is_exported(backbone: str, tmp_path: Path) -> None:
    """By the command itself: a run of three steps, its checkpoint, weights file and card."""
    recipe = replace(small(load_depth_recipe("depth_tiny")), steps=3, log_every=1)
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump(json.loads(json.dumps(recipe.to_dict()))), encoding="utf-8")
    words = ["train", "depth", "--out", str(tmp_path), "--config", str(file), "--held-out", "1"]
    assert main([*words, "--backbone", backbone, "--flow", "none"]) == 0
    options = DepthRunOptions(tmp_path, backbone=backbone, flow="none", progress=False)
    with pytest.raises(ConfigError, match="continue it with --resume"):
        train_depth(recipe, options)
    with pytest.raises(ConfigError, match="another recipe"):
        DepthTrainer(replace(recipe, steps=4), options).resume()
    resumed = DepthTrainer(recipe, options)
    resumed.resume()
    assert resumed.step == 3 and resumed.pairs == 12
    weights = tmp_path / "depth.safetensors"
    loaded = load_head(weights)
    assert loaded.kind == "depth" and loaded.metadata["sigma_factor"] > 0
    assert loaded.metadata["training"]["steps"] == 3
    assert set(loaded.metadata["training"]["held_out"]) == {"head", "triangulated", "plane"}
    assert loaded.head.config.tokens == 24  # the backbone's, not the recipe's
    for key, value in loaded.head.state_dict().items():
        assert torch.equal(value, resumed.average.state_dict()[key].half().float())
    card = weights.with_suffix(".md").read_text(encoding="utf-8")
    assert "| plane |" in card and "sigma is multiplied by" in card


def test_errors_of_the_plane_and_the_factor(
    backbone: str, shard: DepthShard, tmp_path: Path
) -> None:
    recipe = small(load_depth_recipe("depth_tiny"))
    trainer = DepthTrainer(recipe, DepthRunOptions(tmp_path, backbone=backbone, flow="none"))
    errors = depth_errors(trainer.head, {"x": shard}, recipe.data)  # type: ignore[arg-type]
    depth = shard.depth.astype(np.float64).reshape(8, -1)
    plane = np.abs(np.median(depth, 1, keepdims=True) / depth - 1).mean()
    assert errors["plane"]["x"]["abs_rel"] == pytest.approx(plane, abs=2e-3)
    factor = sigma_factor(trainer.head, {"x": shard}, recipe.data)  # type: ignore[arg-type]
    with torch.no_grad():
        trainer.head.leave.bias[2] += math.log(factor)  # type: ignore[union-attr]
    again = sigma_factor(trainer.head, {"x": shard}, recipe.data)  # type: ignore[arg-type]
    assert again == pytest.approx(1.0, abs=0.03)


def test_a_flow_head_sees_for_it(backbone: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    tiny = RecurrentConfig((8, 8, 8), 8, 8, 8, (1, 1), (2, 2))
    save_head(tmp_path / "flow.safetensors", RecurrentHead(tiny))
    observer = Observer(backbone, str(tmp_path / "flow.safetensors"))
    seen = observer(torch.randn(2, 3, 3, 64, 80))
    assert seen.flow.shape == (2, 3, 2, 16, 20) and seen.certainty.shape == (2, 3, 16, 20)
    assert seen.volume.shape == (3, 20, 20) and seen.features.shape == (2, 3, 20, 24)


def test_recipes() -> None:
    for name in ("depth", "depth_tiny", "depth_reprojection"):
        recipe = load_depth_recipe(name)
        assert depth_recipe_from(json.loads(json.dumps(recipe.to_dict()))) == recipe
    assert load_depth_recipe(DEFAULT_DEPTH_RECIPE) == load_depth_recipe("depth")
    for values, said in (
        ({"data": {"sizes": [[100, 128]]}}, "multiples of 16"),
        ({"data": {"world": {"homographies": 0.5}}}, "shows? no depth"),
        ({"data": {"given": 0.8, "blind": 0.3}}, "sum to 1"),
        ({"loss": {"log": 0.0}}, "log or reprojection above 0"),
        ({"loss": {"depth": 1.0}}, "unknown recipe key depth"),
        ({"head": {"size": 3}}, "unknown field of DepthHeadConfig"),
    ):
        with pytest.raises(ConfigError, match=said):
            depth_recipe_from(values)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_depth_recipe("nowhere")
