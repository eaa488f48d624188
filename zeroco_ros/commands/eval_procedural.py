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

"""The training world as evaluation sets: held-out pairs with exact flow, posed sequences."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, partial
from typing import Any

SIZE = (480, 640)
PAIRS = 3
SEQUENCE_SIZE = (240, 320)
SEQUENCE_FRAMES = 16
PERIOD_NS = 100_000_000


def procedural_sets(count: int = PAIRS, size: tuple[int, int] = SIZE) -> list[Any]:
    """
    Return FlowSets `homography-mild`, `-medium`, `-hard` and `scenes` of `count` pairs each.

    The seeds are those of training's held-out set, which no training draws. Pairs are rendered
    when they are read: about a second each at 640x480.
    """
    from zeroco_ros.evaluation.flow_set import FlowSet
    from zeroco_ros.training import homography as planar
    from zeroco_ros.training.pairs import WorldPlan

    plans = {
        "homography-mild": WorldPlan(homographies=1, homography=planar.MILD),
        "homography-medium": WorldPlan(homographies=1, homography=planar.MEDIUM),
        "homography-hard": WorldPlan(homographies=1, homography=planar.HARD),
        "scenes": WorldPlan(homographies=0),
    }
    sets = []
    for number, (name, plan) in enumerate(plans.items()):
        loaders = tuple(_loader(name, (number, k), plan, size) for k in range(count))
        about = "held-out procedural pairs of the training world, visible pixels"
        sets.append(FlowSet(name, about, loaders, "procedural"))
    return sets


def _loader(name: str, seed: tuple[int, int], plan: Any, size: tuple[int, int]) -> Any:
    def load() -> Any:
        from zeroco_ros.evaluation.protocols import FlowPair
        from zeroco_ros.training.holdout import SEED
        from zeroco_ros.training.pairs import make_pair

        pair = make_pair([SEED, *seed], plan, _pool(), size, 1)
        target, source = pair.images
        return FlowPair(f"{name}-{seed[1]}", target, source, pair.flow[0], pair.visible[0])

    return load


@lru_cache(maxsize=1)
def _pool() -> Any:
    from zeroco_ros.training.holdout import SEED
    from zeroco_ros.training.photos import bundled_photos
    from zeroco_ros.training.textures import texture_pool

    return texture_pool([SEED, 0], 48, bundled_photos())


def procedural_sequences(
    frames: int = SEQUENCE_FRAMES, size: tuple[int, int] | None = None
) -> list[Any]:
    """
    Return PosedSequences `world-walk`, `-static`, `-rotation`, `-plane`, `-moving`, depth exact.

    Rendered when they are read: about a tenth of a second for a frame of 320x240.
    """
    from zeroco_ros.evaluation.sequences import PosedSequence
    from zeroco_ros.geometry.camera import Camera
    from zeroco_ros.training.scenes import intrinsics
    from zeroco_ros.training.sequences import FOV, KINDS

    size = size or SEQUENCE_SIZE
    camera = Camera(size[1], size[0], intrinsics(size, FOV))
    return [
        PosedSequence(
            f"world-{name}",
            f"{kind.about}, rendered, exact depth and poses",
            frames,
            camera,
            partial(_posed_frames, name, frames, size),
        )
        for name, kind in KINDS.items()
    ]


def _posed_frames(name: str, count: int, size: tuple[int, int]) -> Iterator[Any]:
    from zeroco_ros.evaluation.sequences import PosedFrame
    from zeroco_ros.training.sequences import world_sequence

    for index, frame in enumerate(world_sequence(name, count, size)):
        yield PosedFrame(f"{index:03d}", frame.image, index * PERIOD_NS, frame.c2w, frame.depth)
