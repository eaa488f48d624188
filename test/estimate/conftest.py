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

"""Networks and scenes for the estimator's tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
import sys

import cv2
import numpy as np
import pytest
import torch

from zeroco_ros.croco.checkpoint import load_croco
from zeroco_ros.croco.model import CroCo, Encoding, MatchDescriptors, PairDescriptors
from zeroco_ros.engine.torch_backend import pair_volumes
from zeroco_ros.matching.cost_volume import l2_normalize

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def network(reference: Path) -> Callable[[str], CroCo]:
    """Return what loads the networks behind the reference arrays, by stem as "croco_v2_tiny"."""
    loaded: dict[str, CroCo] = {}

    def load(stem: str) -> CroCo:
        if stem not in loaded:
            loaded[stem] = load_croco(reference / f"{stem}.pth").model
        return loaded[stem]

    return load


class PatchBackend:
    """
    A network that compares patches by their pixels: exact wherever patches repeat exactly.

    It makes what surrounds a network testable without one: a shift by whole tokens has to come out
    to the pixel. `encoded` counts the images it has seen, `matched` the pairs.
    """

    name, device, precision = "patches", "cpu", "fp32"

    def __init__(self) -> None:
        self.encoded = self.matched = 0

    def encode(self, images: torch.Tensor) -> Encoding:
        self.encoded += len(images)
        grid = images.shape[2] // 16, images.shape[3] // 16
        patches = torch.nn.functional.unfold(images, 16, stride=16).mT
        patches = patches - patches.mean(dim=2, keepdim=True)
        return Encoding(l2_normalize(patches), grid)

    def match(
        self, target: Encoding, source: Encoding, *, features: bool = False, valid: object = None
    ) -> PairDescriptors:
        self.matched += len(target.tokens)

        def one(t: Encoding, s: Encoding) -> MatchDescriptors:
            blocks = (t.tokens,) if features else None
            return MatchDescriptors(t.tokens[None], s.tokens[None], blocks, t.grid, s.grid)

        return PairDescriptors(one(target, source), one(source, target))

    def volumes(
        self,
        target: Encoding,
        source: Encoding,
        valid: tuple[tuple[int, int], tuple[int, int]],
        *,
        register_fix: bool,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return pair_volumes(self.match(target, source), valid, register_fix)

    def read(self, *_: object) -> None:
        """Return None: volumes are read out by the estimator."""


@pytest.fixture
def patches() -> PatchBackend:
    return PatchBackend()


@pytest.fixture(scope="session")
def scene() -> np.ndarray:
    """(480, 640, 3) uint8: texture of several scales and colors, no two places alike."""
    rng = np.random.default_rng(7)
    image = np.zeros((480, 640, 3), np.float32)
    for cells, weight in ((8, 0.5), (24, 0.3), (80, 0.2)):
        grid = rng.uniform(0, 255, (cells * 3 // 4, cells, 3)).astype(np.float32)
        image += weight * cv2.resize(grid, (640, 480), interpolation=cv2.INTER_CUBIC)
    return np.clip(image, 0, 255).astype(np.uint8)
