"""Render the pairs of the parity gate: python3 docs/parity_pairs.py"""

from __future__ import annotations

from pathlib import Path

from zeroco_ros.estimate.parity import PAIRS
from zeroco_ros.media.images import write_image
from zeroco_ros.training.pairs import WorldPlan, make_pair
from zeroco_ros.training.textures import texture_pool

SIZE = (240, 320)
KINDS = {"scene": WorldPlan(homographies=0.0), "plane": WorldPlan(homographies=1.0)}


def main() -> None:
    """One pair of a scene and one of a plane, as PNG."""
    pool = texture_pool([7, 0], 8, [], 0.0)
    for name, plan in KINDS.items():
        pair = make_pair([7, 3], plan, pool, SIZE, 1)
        for role, image in zip(("target", "source"), pair.images, strict=True):
            write_image(Path(PAIRS) / f"{name}_{role}.png", image)


if __name__ == "__main__":
    main()
