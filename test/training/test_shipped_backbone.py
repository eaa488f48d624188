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

"""The shipped backbone: its recipe, its card, and that it matches."""

from __future__ import annotations

import hashlib
import json
import re

import pytest
import torch

from zeroco_ros.croco.checkpoint import load_croco
from zeroco_ros.training.holdout import endpoint_errors, held_out_sets, no_motion_errors, summary
from zeroco_ros.training.recipe import DEFAULT_RECIPE, load_recipe, recipe_from
from zeroco_ros.weights import shipped


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_the_recipe_of_the_shipped_weights_is_complete() -> None:
    recipe = load_recipe(DEFAULT_RECIPE)
    assert recipe_from(recipe.to_dict()) == recipe
    assert recipe_from(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_the_shipped_weights_are_what_their_card_says() -> None:
    path = shipped()["default"]
    card = path.with_suffix(".md").read_text()
    content = path.read_bytes()
    assert len(content) <= 20e6
    assert hashlib.sha256(content).hexdigest() in card
    loaded = load_croco(path)
    training, matching = loaded.metadata["training"], loaded.metadata["matching"]
    assert loaded.metadata["license"] == "Apache-2.0" and loaded.license_note is None
    assert f"{training['steps']} steps" in card and str(matching["beta"]) in card
    assert training["command"] in card and training["commit"] in card
    assert loaded.config == load_recipe(DEFAULT_RECIPE).model
    assert not training["textures"]
    assert not re.search(r"(?<!\w)/(work|tmp|root|home)/", card)


def test_the_shipped_weights_match_held_out_pairs() -> None:
    """Some of the card's pairs. Medians: a few pairs show next to no texture at all."""
    sets = {name: held for name, held in held_out_sets(8).items() if name in ("medium", "hard")}
    ours = summary(endpoint_errors(load_croco("default").model, sets))["median"]
    still = summary(no_motion_errors(sets))["median"]
    assert all(ours[name] < 0.5 * still[name] for name in sets), (ours, still)
