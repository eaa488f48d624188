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
Render the pairs of the parity gate.

python3 docs/parity_pairs.py
"""

from __future__ import annotations

from pathlib import Path

from zeroco_ros.estimate.parity import PAIRS
from zeroco_ros.media.images import write_image
from zeroco_ros.training.pairs import make_pair, WorldPlan
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
