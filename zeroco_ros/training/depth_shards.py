"""Depth pairs rendered by a process of their own and reused a few times by the trainer."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from zeroco_ros.errors import ConfigError
from zeroco_ros.training.depth_pairs import FIELDS, DepthShard, make_depth_shard
from zeroco_ros.training.depth_recipe import DepthRecipe, depth_recipe_from
from zeroco_ros.training.depth_views import Observer
from zeroco_ros.training.parallel import Team
from zeroco_ros.training.shards import shard_path, texture_photos

AHEAD = 3
Draw = tuple[np.random.Generator, list[tuple[DepthShard, int, int]]]


def save_depth_shard(folder: Path, number: int, shard: DepthShard) -> None:
    """Write a shard so that it is either complete or absent."""
    draft = folder / f".draft-{os.getpid()}-{number}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    for name in FIELDS:
        np.save(draft / f"{name}.npy", getattr(shard, name))
    final = shard_path(folder, number)
    shutil.rmtree(final, ignore_errors=True)
    draft.rename(final)


def load_depth_shard(folder: Path, number: int) -> DepthShard:
    """Map a shard into memory."""
    path = shard_path(folder, number)
    return DepthShard(*(np.load(path / f"{name}.npy", mmap_mode="r") for name in FIELDS))


def newest_shard(step: int, recipe: DepthRecipe) -> int:
    """Number of the newest shard that a step may draw from; a pair is two samples."""
    samples = 2 * recipe.data.shard * recipe.data.reuse
    return len(recipe.data.sizes) + int(step * recipe.optimizer.batch / samples)


def oldest_shard(step: int, recipe: DepthRecipe) -> int:
    """Number of the oldest shard that a step may draw from."""
    return max(0, newest_shard(step, recipe) - recipe.data.window + 1)


def produce(
    values: dict[str, Any],
    networks: tuple[str, str],
    folder: str,
    textures: str | None,
    step: Any,
) -> None:
    """Body of the renderer's process: keep `AHEAD` shards ahead of the shared step counter."""
    import cv2
    import torch

    from zeroco_ros.training.memory import keep_freed_memory

    keep_freed_memory()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    recipe, root, observer = depth_recipe_from(values), Path(folder), Observer(*networks)
    photos = texture_photos(textures)
    parent = multiprocessing.parent_process()
    while parent is None or parent.is_alive():  # a killed trainer must not leave a renderer behind
        oldest, newest = (f(step.value, recipe) for f in (oldest_shard, newest_shard))
        for path in root.glob("shard-*"):
            if int(path.name[6:]) < oldest:
                shutil.rmtree(path, ignore_errors=True)
        wanted = range(oldest, newest + AHEAD + 1)
        missing = [k for k in wanted if not shard_path(root, k).is_dir()]
        if missing:
            shard = make_depth_shard(recipe.seed, missing[0], recipe.data, photos, observer)
            save_depth_shard(root, missing[0], shard)
        else:
            time.sleep(0.2)


class DepthSource:
    """Samples for every step, from shards that a background process renders.

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
        self.team, self.recipe, self.folder = team, recipe, folder
        folder.mkdir(parents=True, exist_ok=True)
        context = multiprocessing.get_context("spawn")
        self._step = context.Value("q", step)
        arguments = (recipe.to_dict(), networks, str(folder), textures, self._step)
        self._process = context.Process(target=produce, args=arguments, daemon=True)
        self._open: OrderedDict[int, DepthShard] = OrderedDict()
        self.waited = 0.0

    def __enter__(self) -> DepthSource:
        if self.team.leads:
            self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.is_alive():
            self._process.terminate()
            self._process.join()

    def shard(self, number: int) -> DepthShard:
        """A shard, waiting for it where it is not rendered yet."""
        if number not in self._open:
            started = time.monotonic()
            while not shard_path(self.folder, number).is_dir():
                if self.team.leads and not self._process.is_alive():
                    raise ConfigError(f"the renderer ended with code {self._process.exitcode}")
                time.sleep(0.05)
            self.waited += time.monotonic() - started
            self._open[number] = load_depth_shard(self.folder, number)
        return self._open[number]

    def draw(self, step: int) -> Draw:
        """This process's samples of a step, all of one size, and their random generator."""
        self._step.value = step
        recipe = self.recipe
        oldest, newest = oldest_shard(step, recipe), newest_shard(step, recipe)
        for number in [n for n in self._open if n < oldest]:
            del self._open[number]
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
