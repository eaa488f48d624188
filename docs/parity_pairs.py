"""Render the pairs of the parity gate: python3 docs/parity_pairs.py"""

from __future__ import annotations

from pathlib import Path

from zeroco_ros.estimate.parity import PAIRS
from zeroco_ros.media.images import write_image
from zeroco_ros.training.pairs import WorldPlan, make_pair
from zeroco_ros.training.textures import texture_pool

SIZE = (240, 320)
SCENE, PLANE = WorldPlan(homographies=0.0), WorldPlan(homographies=1.0)
# Name: world and sample. A small motion, of which PyTorch is sure nearly everywhere; two larger
# ones, of which it is sure of half the picture.
KINDS = {"near": (SCENE, 12), "scene": (SCENE, 11), "plane": (PLANE, 3)}


def main() -> None:
    """Two pairs of scenes and one of a plane, as PNG."""
    pool = texture_pool([7, 0], 8, [], 0.0)
    for name, (plan, sample) in KINDS.items():
        pair = make_pair([7, sample], plan, pool, SIZE, 1)
        for role, image in zip(("target", "source"), pair.images, strict=True):
            write_image(Path(PAIRS) / f"{name}_{role}.png", image)


if __name__ == "__main__":
    main()
