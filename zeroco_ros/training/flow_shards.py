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

"""Dense pairs rendered by a process of their own and reused a few times by a head's trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from zeroco_ros.training.flow_pairs import DenseShard, make_dense_shard
from zeroco_ros.training.flow_recipe import flow_recipe_from, FlowRecipe, View
from zeroco_ros.training.parallel import Team
from zeroco_ros.training.rendering import (
    keep_rendered,
    load_arrays,
    on_one_thread,
    RenderedShards,
    save_arrays,
)
from zeroco_ros.training.shards import texture_photos

AHEAD = 4
FIELDS = ("images", "flow", "visible")


def save_dense(folder: Path, number: int, shard: DenseShard) -> None:
    """Write a shard so that it is either complete or absent."""
    save_arrays(folder, number, {name: getattr(shard, name) for name in FIELDS})


def load_dense(folder: Path, number: int) -> DenseShard:
    """Map a shard into memory."""
    return DenseShard(*load_arrays(folder, number, FIELDS))


def newest_dense(step: int, recipe: FlowRecipe) -> int:
    """
    Return the number of the newest shard that a step may draw from.

    One more per shard * reuse pairs.
    """
    return 1 + int(step * recipe.optimizer.batch / (recipe.data.shard * recipe.data.reuse))


def oldest_dense(step: int, recipe: FlowRecipe) -> int:
    """Return the number of the oldest shard that a step may draw from."""
    return max(0, newest_dense(step, recipe) - recipe.data.window + 1)


def produce_dense(values: dict[str, Any], folder: str, textures: str | None, step: Any) -> None:
    """Body of the renderer's process: keep `AHEAD` shards ahead of the shared step counter."""
    on_one_thread()
    recipe, root = flow_recipe_from(values), Path(folder)
    photos = texture_photos(textures)

    def render(number: int) -> None:
        save_dense(root, number, make_dense_shard(recipe.seed, number, recipe.data, photos))

    def wanted() -> range:
        now = step.value
        return range(oldest_dense(now, recipe), newest_dense(now, recipe) + AHEAD + 1)

    keep_rendered(root, wanted, render)


class DenseSource(RenderedShards[DenseShard]):
    """
    Samples for every step, from shards that a background process renders.

    Use as a context manager; the process ends with it.
    """

    def __init__(
        self, recipe: FlowRecipe, folder: Path, textures: str | None, step: int, team: Team
    ) -> None:
        self.recipe = recipe
        arguments = (recipe.to_dict(), str(folder), textures)
        super().__init__(produce_dense, arguments, load_dense, folder, step, team)

    def draw(self, step: int) -> tuple[np.random.Generator, View, list[tuple[DenseShard, int]]]:
        """Return this process's samples of a step, how to cut them, and their random generator."""
        recipe = self.recipe
        oldest, newest = oldest_dense(step, recipe), newest_dense(step, recipe)
        self.advance(step, oldest)
        common = np.random.default_rng([recipe.seed, 9, step])
        shares = np.array([view.share for view in recipe.data.views])
        view = recipe.data.views[int(common.choice(len(shares), p=shares / shares.sum()))]
        rng = np.random.default_rng([recipe.seed, 8, step, self.team.rank])
        numbers = rng.integers(oldest, newest + 1, view.batch)
        places = rng.integers(0, recipe.data.shard, view.batch)
        samples = [(self.shard(int(n)), int(p)) for n, p in zip(numbers, places, strict=True)]
        return rng, view, samples
