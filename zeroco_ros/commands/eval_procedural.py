"""The training world's held-out pairs as evaluation sets, with dense exact flow."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

SIZE = (480, 640)
PAIRS = 3


def procedural_sets(count: int = PAIRS, size: tuple[int, int] = SIZE) -> list[Any]:
    """FlowSets `homography-mild`, `-medium`, `-hard` and `scenes` of `count` pairs each.

    The seeds are those of training's held-out set, which no training draws. Pairs are rendered
    when they are read: about a second each at 640x480.
    """
    from zeroco_ros.evaluation.datasets import FlowSet
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
