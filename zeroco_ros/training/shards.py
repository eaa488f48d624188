"""Pairs on disk: rendered once in a process of its own, reused a few times by the trainer.

Shard k depends on the recipe's seed and on k alone, and a batch on the seed and its step alone: a
run that is killed and resumed sees the same data in the same order, even if shards were deleted.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import time
from collections import OrderedDict
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
from zeroco_ros.training.textures import texture_pool

STRIDE = 16
AHEAD = 6


@dataclass(frozen=True)
class Shard:
    """images (n, 2, H, W, 3) uint8; flow (n, 2, h, w, 2) float32; visible (n, 2, h, w) bool."""

    images: npt.NDArray[np.uint8]
    flow: npt.NDArray[np.float32]
    visible: npt.NDArray[np.bool_]


def shard_path(folder: Path, number: int) -> Path:
    """Folder of one shard."""
    return folder / f"shard-{number:06d}"


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
    draft = folder / f".draft-{os.getpid()}-{number}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    for name in ("images", "flow", "visible"):
        np.save(draft / f"{name}.npy", getattr(shard, name))
    final = shard_path(folder, number)
    shutil.rmtree(final, ignore_errors=True)
    draft.rename(final)


def load_shard(folder: Path, number: int) -> Shard:
    """Map a shard into memory."""
    path = shard_path(folder, number)
    arrays = [np.load(path / f"{n}.npy", mmap_mode="r") for n in ("images", "flow", "visible")]
    return Shard(*arrays)


def texture_photos(textures: str | None) -> Photographs:
    """The bundled photographs and those of a user's folder."""
    return Photographs(textures)


def newest_shard(step: int, recipe: Recipe) -> int:
    """Number of the newest shard that a step may draw from: one more per shard * reuse pairs."""
    if recipe.data.fixed:
        return recipe.data.fixed - 1
    return 1 + int(step * recipe.optimizer.batch / (recipe.data.shard * recipe.data.reuse))


def oldest_shard(step: int, recipe: Recipe) -> int:
    """Number of the oldest shard that a step may draw from."""
    if recipe.data.fixed:
        return 0
    return max(0, newest_shard(step, recipe) - recipe.data.window + 1)


def missing_shards(root: Path, step: int, recipe: Recipe) -> list[int]:
    """Numbers of the shards that a step may draw from, or soon will, and that are not there."""
    ahead = 0 if recipe.data.fixed else AHEAD
    wanted = range(oldest_shard(step, recipe), newest_shard(step, recipe) + ahead + 1)
    return [number for number in wanted if not shard_path(root, number).is_dir()]


def produce(values: dict[str, Any], folder: str, textures: str | None, step: Any) -> None:
    """Body of the renderer's process: keep `AHEAD` shards ahead of the shared step counter."""
    import cv2
    import torch

    from zeroco_ros.training.memory import keep_freed_memory

    keep_freed_memory()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    recipe, root = recipe_from(values), Path(folder)
    photos = texture_photos(textures)
    parent = multiprocessing.parent_process()
    while parent is None or parent.is_alive():  # a killed trainer must not leave a renderer behind
        oldest = oldest_shard(step.value, recipe)
        for path in root.glob("shard-*"):
            if int(path.name[6:]) < oldest:
                shutil.rmtree(path, ignore_errors=True)
        if missing := missing_shards(root, step.value, recipe):
            shard = make_shard(recipe.seed, missing[0], recipe.data, photos)
            save_shard(root, missing[0], shard)
        else:
            time.sleep(0.2)


class ShardSource:
    """Raw samples for every step, from shards that a background process renders.

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
        self.team = team or Team()
        self.recipe, self.folder = recipe, folder
        folder.mkdir(parents=True, exist_ok=True)
        if self.team.leads:
            self._check_stamp(textures)
        context = multiprocessing.get_context("spawn")
        self._step = context.Value("q", step)
        arguments = (recipe.to_dict(), str(folder), textures, self._step)
        self._process = context.Process(target=produce, args=arguments, daemon=True)
        self._open: OrderedDict[int, Shard] = OrderedDict()
        self.waited = 0.0

    def _check_stamp(self, textures: str | None) -> None:
        """Shards of another seed or data plan must not be mixed in."""
        stamp = repr((self.recipe.seed, self.recipe.data, textures))
        path = self.folder / "made-from.txt"
        if path.is_file() and path.read_text(encoding="utf-8") != stamp:
            raise ConfigError(
                f"{self.folder} holds pairs of another recipe: remove it or use another --out"
            )
        path.write_text(stamp, encoding="utf-8")

    def __enter__(self) -> ShardSource:
        missing = missing_shards(self.folder, self._step.value, self.recipe)
        if self.team.leads and (missing or not self.recipe.data.fixed):
            self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.pid is not None and self._process.is_alive():
            self._process.terminate()
            self._process.join()

    def shard(self, number: int) -> Shard:
        """A shard, waiting for it where it is not rendered yet."""
        if number not in self._open:
            started = time.monotonic()
            while not shard_path(self.folder, number).is_dir():
                if self.team.leads and not self._process.is_alive():
                    raise ConfigError(f"the renderer ended with code {self._process.exitcode}")
                time.sleep(0.05)
            self.waited += time.monotonic() - started
            self._open[number] = load_shard(self.folder, number)
        return self._open[number]

    def complete(self) -> None:
        """Wait until every shard that the first step may draw from is rendered."""
        while missing := missing_shards(self.folder, self._step.value, self.recipe):
            self.shard(missing[0])

    def draw(self, step: int) -> tuple[list[np.random.Generator], list[tuple[Shard, int]]]:
        """This process's samples of a step, (shard, index) each, and a generator for each."""
        self._step.value = step
        oldest, newest = oldest_shard(step, self.recipe), newest_shard(step, self.recipe)
        for number in [n for n in self._open if n < oldest]:
            del self._open[number]
        rng = np.random.default_rng([self.recipe.seed, 7, step])
        count = self.recipe.optimizer.batch
        numbers = rng.integers(oldest, newest + 1, count)
        places = rng.integers(0, self.recipe.data.shard, count)
        mine = self.team.share(list(enumerate(zip(numbers, places, strict=True))))
        samples = [(self.shard(int(number)), int(place)) for _, (number, place) in mine]
        seeds = ([self.recipe.seed, 8, step, index] for index, _ in mine)
        return [np.random.default_rng(seed) for seed in seeds], samples

    def crop(self, step: int) -> tuple[int, int]:
        """The size that all processes cut their samples of a step to."""
        rng = np.random.default_rng([self.recipe.seed, 9, step])
        return self.recipe.data.crops[int(rng.integers(len(self.recipe.data.crops)))]
