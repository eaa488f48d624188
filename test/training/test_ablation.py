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

"""`zeroco train ablate` in a tiny form, starting from given weights, and judging on real data."""

from __future__ import annotations

from dataclasses import replace
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml

from zeroco_ros.cli import main
from zeroco_ros.errors import ConfigError
from zeroco_ros.media.flow_files import write_flo
from zeroco_ros.training.ablation import ablate, VARIANTS
from zeroco_ros.training.export import draft_weights
from zeroco_ros.training.recipe import Recipe, recipe_from
from zeroco_ros.training.trainer import RunOptions, Trainer

TINY = {
    "model": {
        "enc_embed_dim": 16,
        "enc_depth": 1,
        "enc_num_heads": 2,
        "dec_embed_dim": 16,
        "dec_depth": 1,
        "dec_num_heads": 2,
        "pos_embed": "rope100",
        "stem": "conv",
        "cross_rope": False,
        "prediction_head": False,
        "img_size": [64, 80],
    },
    "data": {"size": [64, 80], "crops": [[64, 64]], "shard": 6, "textures": 3},
    "optimizer": {"batch": 2, "warmup": 5},
    "held_out": [64, 64],
    "seed": 3,
}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def tiny() -> Recipe:
    return recipe_from(TINY)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """One pair with ground truth in the layout of the evaluation."""
    folder = tmp_path / "data" / "flow" / "hololens"
    folder.mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 256, (8, 10, 3)).astype(np.uint8)
    picture = cv2.resize(noise, (80, 64), interpolation=cv2.INTER_CUBIC)
    for name in ("img1", "img2"):
        assert cv2.imwrite(str(folder / f"a_{name}.png"), picture)
    write_flo(folder / "a_flow.flo", np.zeros((64, 80, 2), np.float32))
    return tmp_path / "data"


@pytest.mark.timeout(400)
def test_an_ablation_gives_each_objective_its_row(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, out = tmp_path / "tiny.yaml", tmp_path / "out"
    recipe.write_text(yaml.safe_dump(TINY))
    objectives = "matching,completion,regression"
    options = ["--minutes", "0.002", "--pairs", "6", "--held-out", "1", "--data", str(data)]
    options += ["--objectives", objectives, "--threads", "1"]
    assert main(["train", "ablate", "--config", str(recipe), "--out", str(out), *options]) == 0
    table = json.loads((out / "ablation.json").read_text())
    names = [row["name"] for row in table["rows"]]
    assert names == ["(no motion)", "(untrained)", *objectives.split(",")]
    for row in table["rows"][1:]:
        assert set(row["errors"]) == {"mild", "medium", "hard", "scenes", "hololens"}
        assert all(np.isfinite(list(row["errors"].values())))
    assert all(row["steps"] >= 1 for row in table["rows"][2:])
    page = (out / "ablation.md").read_text()
    assert page in capsys.readouterr().out and str(tmp_path) not in page
    assert "| objective | steps | mild | medium | hard | scenes | hololens |" in page
    assert "--objectives matching,completion,regression" in page


def test_objectives_without_a_name_or_time_are_refused(
    tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = RunOptions(out=tmp_path, minutes=1.0)
    with pytest.raises(ConfigError, match="known: matching, completion"):
        ablate(tiny, options, ["matching", "guessing"])
    with pytest.raises(ConfigError, match="none given"):
        ablate(tiny, options, [])
    with pytest.raises(ConfigError, match="--minutes"):
        ablate(tiny, replace(options, minutes=None), ["matching"])
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="one process"):
        ablate(tiny, options, ["matching"])


def test_every_objective_of_the_table_is_valid() -> None:
    for variant in VARIANTS.values():
        variant.objective.check()
        assert variant.about


def test_a_run_can_begin_with_given_weights(tiny: Recipe, tmp_path: Path) -> None:
    """As after pre-training: the pixel head may be there or not, the rest must fit."""
    with_head = replace(tiny, model=replace(tiny.model, prediction_head=True), seed=9)
    given = Trainer(with_head, RunOptions(out=tmp_path)).model
    with draft_weights(given) as weights:
        begun = Trainer(tiny, RunOptions(out=tmp_path, start=weights)).model
        wider = replace(tiny, model=replace(tiny.model, dec_embed_dim=32))
        with pytest.raises(ConfigError, match="another architecture"):
            Trainer(wider, RunOptions(out=tmp_path, start=weights))
    for name, value in begun.state_dict().items():
        torch.testing.assert_close(value, given.state_dict()[name], atol=1e-3, rtol=1e-3)
    assert not weights.exists()
    fresh = Trainer(tiny, RunOptions(out=tmp_path)).model.state_dict()
    assert any(not torch.equal(v, fresh[k]) for k, v in begun.state_dict().items())
