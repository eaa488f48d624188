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

"""A set of image pairs with true flow, whose pairs are read when they are needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from zeroco_ros.errors import ImageError
from zeroco_ros.evaluation.protocols import FlowPair

Loader = Callable[[], FlowPair]


@dataclass(frozen=True)
class FlowSet:
    """
    A named list of pairs. about: what it is, what is scored, in a few words.

    part_of: name of a larger set, whose scores are made of those of its parts.
    """

    name: str
    about: str
    loaders: tuple[Loader, ...]
    part_of: str = ""

    def __len__(self) -> int:
        return len(self.loaders)

    def __iter__(self) -> Iterator[FlowPair]:
        return (load() for load in self.loaders)


def fewer(flow_set: FlowSet, count: int | None) -> FlowSet:
    """Return a set with at most `count` of its pairs (None: all), evenly spread over it."""
    total = len(flow_set)
    if count is None or count >= total:
        return flow_set
    chosen = tuple(flow_set.loaders[index * total // count] for index in range(count))
    about = f"{flow_set.about} ({count} of {total} pairs)"
    return replace(flow_set, about=about, loaders=chosen)


def bind(load: Callable[..., FlowPair], *arguments: object) -> Loader:
    """Return a loader that calls `load` with these arguments."""
    return lambda: load(*arguments)


def of_size(
    flow: npt.NDArray[np.float32], image: npt.NDArray[np.uint8], path: Path
) -> npt.NDArray[np.float32]:
    """Return the flow, if it has its image's size. Raises ImageError otherwise."""
    if flow.shape[:2] != image.shape[:2]:
        raise ImageError(f"{path} is {flow.shape[:2]}, its image is {image.shape[:2]} (H, W)")
    return flow
