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

"""Shards on disk that a process of its own renders ahead of a trainer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
import multiprocessing
import os
from pathlib import Path
import shutil
import time
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from zeroco_ros.errors import ConfigError
from zeroco_ros.training.parallel import Team

ShardType = TypeVar("ShardType")
Arrays = Mapping[str, npt.NDArray[Any]]


def shard_path(folder: Path, number: int) -> Path:
    """Folder of one shard."""
    return folder / f"shard-{number:06d}"


def save_arrays(folder: Path, number: int, arrays: Arrays) -> None:
    """Write a shard's arrays so that it is either complete or absent."""
    draft = folder / f".draft-{os.getpid()}-{number}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    for name, array in arrays.items():
        np.save(draft / f"{name}.npy", array)
    final = shard_path(folder, number)
    shutil.rmtree(final, ignore_errors=True)
    draft.rename(final)


def load_arrays(folder: Path, number: int, names: Sequence[str]) -> list[npt.NDArray[Any]]:
    """Map a shard's arrays into memory."""
    path = shard_path(folder, number)
    return [np.load(path / f"{name}.npy", mmap_mode="r") for name in names]


def on_one_thread() -> None:
    """Begin a renderer's process."""
    import cv2
    import torch

    from zeroco_ros.training.memory import keep_freed_memory

    keep_freed_memory()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def keep_rendered(
    root: Path, wanted: Callable[[], Sequence[int]], render: Callable[[int], None]
) -> None:
    """
    Render the shards of `wanted` that are missing, drop those before them.

    As long as the parent process lives: a killed trainer must not leave a renderer behind.
    """
    parent = multiprocessing.parent_process()
    while parent is None or parent.is_alive():
        numbers = wanted()
        for path in root.glob("shard-*"):
            if int(path.name[6:]) < numbers[0]:
                shutil.rmtree(path, ignore_errors=True)
        missing = [k for k in numbers if not shard_path(root, k).is_dir()]
        if missing:
            render(missing[0])
        else:
            time.sleep(0.2)


class RenderedShards(Generic[ShardType]):
    """
    Shards of a folder, waiting for those that are not rendered yet.

    target: body of the renderer's process, called with `arguments` and the shared step counter;
    load: a shard by folder and number. Use as a context manager; the process ends with it.
    """

    def __init__(
        self,
        target: Callable[..., None],
        arguments: Sequence[Any],
        load: Callable[[Path, int], ShardType],
        folder: Path,
        step: int,
        team: Team,
    ) -> None:
        self.team, self.folder, self._load = team, folder, load
        folder.mkdir(parents=True, exist_ok=True)
        context = multiprocessing.get_context("spawn")
        self._step = context.Value("q", step)
        self._process = context.Process(target=target, args=(*arguments, self._step), daemon=True)
        self._open: OrderedDict[int, ShardType] = OrderedDict()
        self.waited = 0.0

    def needed(self) -> bool:
        """Whether anything is left to render."""
        return True

    def __enter__(self: Source) -> Source:
        if self.team.leads and self.needed():
            self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.pid is not None and self._process.is_alive():
            self._process.terminate()
            self._process.join()

    def shard(self, number: int) -> ShardType:
        """Return a shard, waiting for it where it is not rendered yet."""
        if number not in self._open:
            started = time.monotonic()
            while not shard_path(self.folder, number).is_dir():
                if self.team.leads and not self._process.is_alive():
                    raise ConfigError(f"the renderer ended with code {self._process.exitcode}")
                time.sleep(0.05)
            self.waited += time.monotonic() - started
            self._open[number] = self._load(self.folder, number)
        return self._open[number]

    def advance(self, step: int, oldest: int) -> None:
        """Tell the renderer the step; forget shards before the oldest that it may draw from."""
        self._step.value = step
        for number in [n for n in self._open if n < oldest]:
            del self._open[number]


Source = TypeVar("Source", bound="RenderedShards[Any]")
