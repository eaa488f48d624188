"""Dense pairs rendered by a process of their own and reused a few times by a head's trainer."""

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
from zeroco_ros.training.flow_pairs import DenseShard, make_dense_shard
from zeroco_ros.training.flow_recipe import FlowRecipe, View, flow_recipe_from
from zeroco_ros.training.parallel import Team
from zeroco_ros.training.shards import shard_path, texture_photos

AHEAD = 4
FIELDS = ("images", "flow", "visible")


def save_dense(folder: Path, number: int, shard: DenseShard) -> None:
    """Write a shard so that it is either complete or absent."""
    draft = folder / f".draft-{os.getpid()}-{number}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    for name in FIELDS:
        np.save(draft / f"{name}.npy", getattr(shard, name))
    final = shard_path(folder, number)
    shutil.rmtree(final, ignore_errors=True)
    draft.rename(final)


def load_dense(folder: Path, number: int) -> DenseShard:
    """Map a shard into memory."""
    path = shard_path(folder, number)
    return DenseShard(*(np.load(path / f"{name}.npy", mmap_mode="r") for name in FIELDS))


def newest_dense(step: int, recipe: FlowRecipe) -> int:
    """Number of the newest shard that a step may draw from: one more per shard * reuse pairs."""
    return 1 + int(step * recipe.optimizer.batch / (recipe.data.shard * recipe.data.reuse))


def oldest_dense(step: int, recipe: FlowRecipe) -> int:
    """Number of the oldest shard that a step may draw from."""
    return max(0, newest_dense(step, recipe) - recipe.data.window + 1)


def produce_dense(values: dict[str, Any], folder: str, textures: str | None, step: Any) -> None:
    """Body of the renderer's process: keep `AHEAD` shards ahead of the shared step counter."""
    import cv2
    import torch

    from zeroco_ros.training.memory import keep_freed_memory

    keep_freed_memory()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    recipe, root = flow_recipe_from(values), Path(folder)
    photos = texture_photos(textures)
    parent = multiprocessing.parent_process()
    while parent is None or parent.is_alive():  # a killed trainer must not leave a renderer behind
        oldest, newest = (f(step.value, recipe) for f in (oldest_dense, newest_dense))
        for path in root.glob("shard-*"):
            if int(path.name[6:]) < oldest:
                shutil.rmtree(path, ignore_errors=True)
        wanted = range(oldest, newest + AHEAD + 1)
        missing = [k for k in wanted if not shard_path(root, k).is_dir()]
        if missing:
            shard = make_dense_shard(recipe.seed, missing[0], recipe.data, photos)
            save_dense(root, missing[0], shard)
        else:
            time.sleep(0.2)


class DenseSource:
    """Samples for every step, from shards that a background process renders.

    Use as a context manager; the process ends with it.
    """

    def __init__(
        self, recipe: FlowRecipe, folder: Path, textures: str | None, step: int, team: Team
    ) -> None:
        self.team, self.recipe, self.folder = team, recipe, folder
        folder.mkdir(parents=True, exist_ok=True)
        context = multiprocessing.get_context("spawn")
        self._step = context.Value("q", step)
        arguments = (recipe.to_dict(), str(folder), textures, self._step)
        self._process = context.Process(target=produce_dense, args=arguments, daemon=True)
        self._open: OrderedDict[int, DenseShard] = OrderedDict()
        self.waited = 0.0

    def __enter__(self) -> DenseSource:
        if self.team.leads:
            self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.is_alive():
            self._process.terminate()
            self._process.join()

    def shard(self, number: int) -> DenseShard:
        """A shard, waiting for it where it is not rendered yet."""
        if number not in self._open:
            started = time.monotonic()
            while not shard_path(self.folder, number).is_dir():
                if self.team.leads and not self._process.is_alive():
                    raise ConfigError(f"the renderer ended with code {self._process.exitcode}")
                time.sleep(0.05)
            self.waited += time.monotonic() - started
            self._open[number] = load_dense(self.folder, number)
        return self._open[number]

    def draw(self, step: int) -> tuple[np.random.Generator, View, list[tuple[DenseShard, int]]]:
        """This process's samples of a step, how to cut them, and their random generator."""
        self._step.value = step
        recipe = self.recipe
        oldest, newest = oldest_dense(step, recipe), newest_dense(step, recipe)
        for number in [n for n in self._open if n < oldest]:
            del self._open[number]
        common = np.random.default_rng([recipe.seed, 9, step])
        shares = np.array([view.share for view in recipe.data.views])
        view = recipe.data.views[int(common.choice(len(shares), p=shares / shares.sum()))]
        rng = np.random.default_rng([recipe.seed, 8, step, self.team.rank])
        numbers = rng.integers(oldest, newest + 1, view.batch)
        places = rng.integers(0, recipe.data.shard, view.batch)
        samples = [(self.shard(int(n)), int(p)) for n, p in zip(numbers, places, strict=True)]
        return rng, view, samples
