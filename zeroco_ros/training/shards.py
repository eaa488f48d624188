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

"""
Pairs on disk: rendered once in a process of its own, reused a few times by the trainer.

Shard k depends on the recipe's seed and on k alone, and a batch on the seed and its step alone: a
run that is killed and resumed sees the same data in the same order, even if shards were deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from zeroco_ros.errors import ConfigError
from zeroco_ros.training.pairs import make_pair
from zeroco_ros.training.parallel import Team
from zeroco_ros.training.photos import Photographs
from zeroco_ros.training.recipe import DataPlan, Recipe, recipe_from
from zeroco_ros.training.rendering import (
    keep_rendered,
    load_arrays,
    on_one_thread,
    RenderedShards,
    save_arrays,
    shard_path,
)
from zeroco_ros.training.textures import texture_pool

STRIDE = 16
AHEAD = 6
FIELDS = ("images", "flow", "visible")


@dataclass(frozen=True)
class Shard:
    """images (n, 2, H, W, 3) uint8; flow (n, 2, h, w, 2) float32; visible (n, 2, h, w) bool."""

    images: npt.NDArray[np.uint8]
    flow: npt.NDArray[np.float32]
    visible: npt.NDArray[np.bool_]


def make_shard(
    seed: int, number: int, plan: DataPlan, photos: Sequence[npt.NDArray[np.uint8]]
) -> Shard:
    """Render shard `number`: its own pool of textures, `plan.shard` pairs."""
    pool = texture_pool([seed, number, 0], plan.textures, photos, plan.photo_share)
    pairs = [
        make_pair([seed, number, 1 + k], plan.world, pool, plan.size, STRIDE)
        for k in range(plan.shard)
    ]
    return Shard(
        np.stack([pair.images for pair in pairs]),
        np.stack([pair.flow for pair in pairs]),
        np.stack([pair.visible for pair in pairs]),
    )


def save_shard(folder: Path, number: int, shard: Shard) -> None:
    """Write a shard so that it is either complete or absent."""
    save_arrays(folder, number, {name: getattr(shard, name) for name in FIELDS})


def load_shard(folder: Path, number: int) -> Shard:
    """Map a shard into memory."""
    return Shard(*load_arrays(folder, number, FIELDS))


def texture_photos(textures: str | None) -> Photographs:
    """Return the bundled photographs and those of a user's folder."""
    return Photographs(textures)


def newest_shard(step: int, recipe: Recipe) -> int:
    """
    Return the number of the newest shard that a step may draw from.

    One more per shard * reuse pairs.
    """
    if recipe.data.fixed:
        return recipe.data.fixed - 1
    return 1 + int(step * recipe.optimizer.batch / (recipe.data.shard * recipe.data.reuse))


def oldest_shard(step: int, recipe: Recipe) -> int:
    """Return the number of the oldest shard that a step may draw from."""
    if recipe.data.fixed:
        return 0
    return max(0, newest_shard(step, recipe) - recipe.data.window + 1)


def wanted_shards(step: int, recipe: Recipe) -> range:
    """Numbers of the shards that a step may draw from, or soon will."""
    ahead = 0 if recipe.data.fixed else AHEAD
    return range(oldest_shard(step, recipe), newest_shard(step, recipe) + ahead + 1)


def missing_shards(root: Path, step: int, recipe: Recipe) -> list[int]:
    """Those of `wanted_shards` that are not there."""
    return [k for k in wanted_shards(step, recipe) if not shard_path(root, k).is_dir()]


def produce(values: dict[str, Any], folder: str, textures: str | None, step: Any) -> None:
    """Body of the renderer's process: keep `AHEAD` shards ahead of the shared step counter."""
    on_one_thread()
    recipe, root = recipe_from(values), Path(folder)
    photos = texture_photos(textures)

    def render(number: int) -> None:
        save_shard(root, number, make_shard(recipe.seed, number, recipe.data, photos))

    keep_rendered(root, lambda: wanted_shards(step.value, recipe), render)


class ShardSource(RenderedShards[Shard]):
    """
    Raw samples for every step, from shards that a background process renders.

    Use as a context manager; the process ends with it.
    """

    def __init__(
        self,
        recipe: Recipe,
        folder: Path,
        textures: str | None,
        step: int,
        team: Team | None = None,
    ) -> None:
        self.recipe = recipe
        arguments = (recipe.to_dict(), str(folder), textures)
        super().__init__(produce, arguments, load_shard, folder, step, team or Team())
        if self.team.leads:
            self._check_stamp(textures)

    def _check_stamp(self, textures: str | None) -> None:
        """Shards of another seed or data plan must not be mixed in."""
        stamp = repr((self.recipe.seed, self.recipe.data, textures))
        path = self.folder / "made-from.txt"
        if path.is_file() and path.read_text(encoding="utf-8") != stamp:
            raise ConfigError(
                f"{self.folder} holds pairs of another recipe: remove it or use another --out"
            )
        path.write_text(stamp, encoding="utf-8")

    def needed(self) -> bool:
        """Whether anything is left to render."""
        missing = missing_shards(self.folder, self._step.value, self.recipe)
        return bool(missing) or not self.recipe.data.fixed

    def complete(self) -> None:
        """Wait until every shard that the first step may draw from is rendered."""
        while missing := missing_shards(self.folder, self._step.value, self.recipe):
            self.shard(missing[0])

    def draw(self, step: int) -> tuple[list[np.random.Generator], list[tuple[Shard, int]]]:
        """Give this process's samples of a step, (shard, index) each, and a generator for each."""
        oldest, newest = oldest_shard(step, self.recipe), newest_shard(step, self.recipe)
        self.advance(step, oldest)
        rng = np.random.default_rng([self.recipe.seed, 7, step])
        count = self.recipe.optimizer.batch
        numbers = rng.integers(oldest, newest + 1, count)
        places = rng.integers(0, self.recipe.data.shard, count)
        mine = self.team.share(list(enumerate(zip(numbers, places, strict=True))))
        samples = [(self.shard(int(number)), int(place)) for _, (number, place) in mine]
        seeds = ([self.recipe.seed, 8, step, index] for index, _ in mine)
        return [np.random.default_rng(seed) for seed in seeds], samples

    def crop(self, step: int) -> tuple[int, int]:
        """Return the size that all processes cut their samples of a step to."""
        rng = np.random.default_rng([self.recipe.seed, 9, step])
        return self.recipe.data.crops[int(rng.integers(len(self.recipe.data.crops)))]
