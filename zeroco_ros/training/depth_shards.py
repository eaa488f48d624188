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

"""Depth pairs rendered by a process of their own and reused a few times by the trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from zeroco_ros.errors import ConfigError
from zeroco_ros.training.depth_pairs import DepthShard, FIELDS, make_depth_shard
from zeroco_ros.training.depth_recipe import depth_recipe_from, DepthRecipe
from zeroco_ros.training.depth_views import Observer
from zeroco_ros.training.parallel import Team
from zeroco_ros.training.rendering import (
    keep_rendered,
    load_arrays,
    on_one_thread,
    RenderedShards,
    save_arrays,
)
from zeroco_ros.training.shards import texture_photos

AHEAD = 3
Draw = tuple[np.random.Generator, list[tuple[DepthShard, int, int]]]


def save_depth_shard(folder: Path, number: int, shard: DepthShard) -> None:
    """Write a shard so that it is either complete or absent."""
    save_arrays(folder, number, {name: getattr(shard, name) for name in FIELDS})


def load_depth_shard(folder: Path, number: int) -> DepthShard:
    """Map a shard into memory."""
    return DepthShard(*load_arrays(folder, number, FIELDS))


def newest_shard(step: int, recipe: DepthRecipe) -> int:
    """Return the number of the newest shard that a step may draw from; a pair is two samples."""
    samples = 2 * recipe.data.shard * recipe.data.reuse
    return len(recipe.data.sizes) + int(step * recipe.optimizer.batch / samples)


def oldest_shard(step: int, recipe: DepthRecipe) -> int:
    """Return the number of the oldest shard that a step may draw from."""
    return max(0, newest_shard(step, recipe) - recipe.data.window + 1)


def produce(
    values: dict[str, Any],
    networks: tuple[str, str],
    folder: str,
    textures: str | None,
    step: Any,
) -> None:
    """Body of the renderer's process: keep `AHEAD` shards ahead of the shared step counter."""
    on_one_thread()
    recipe, root, observer = depth_recipe_from(values), Path(folder), Observer(*networks)
    photos = texture_photos(textures)

    def render(number: int) -> None:
        shard = make_depth_shard(recipe.seed, number, recipe.data, photos, observer)
        save_depth_shard(root, number, shard)

    def wanted() -> range:
        now = step.value
        return range(oldest_shard(now, recipe), newest_shard(now, recipe) + AHEAD + 1)

    keep_rendered(root, wanted, render)


class DepthSource(RenderedShards[DepthShard]):
    """
    Samples for every step, from shards that a background process renders.

    networks: backbone and flow head of that process's `Observer`. Use as a context manager; the
    process ends with it. Raises ConfigError for a batch that the team cannot share.
    """

    def __init__(
        self,
        recipe: DepthRecipe,
        networks: tuple[str, str],
        folder: Path,
        textures: str | None,
        step: int,
        team: Team,
    ) -> None:
        if recipe.optimizer.batch % team.size:
            raise ConfigError(
                f"optimizer.batch {recipe.optimizer.batch} for {team.size} processes: "
                "a multiple of their number is needed"
            )
        self.recipe = recipe
        arguments = (recipe.to_dict(), networks, str(folder), textures)
        super().__init__(produce, arguments, load_depth_shard, folder, step, team)

    def draw(self, step: int) -> Draw:
        """Return this process's samples of a step, all of one size, and their random generator."""
        recipe = self.recipe
        oldest, newest = oldest_shard(step, recipe), newest_shard(step, recipe)
        self.advance(step, oldest)
        common = np.random.default_rng([recipe.seed, 9, step])
        kinds = len(recipe.data.sizes)
        kind = int(common.integers(kinds))
        numbers = [n for n in range(oldest, newest + 1) if n % kinds == kind]
        rng = np.random.default_rng([recipe.seed, 8, step, self.team.rank])
        samples = []
        for _ in range(recipe.optimizer.batch // self.team.size):
            shard = self.shard(int(rng.choice(numbers)))
            pair, side = int(rng.integers(recipe.data.shard)), int(rng.integers(2))
            samples.append((shard, pair, side))
        return rng, samples
