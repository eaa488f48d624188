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

"""Networks small enough for every test, and the reference pair as the networks see it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from zeroco_ros.croco.checkpoint import load_croco
from zeroco_ros.croco.model import CroCo, CrocoConfig

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)

Pair = tuple[Tensor, Tensor]


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def build() -> Callable[..., CroCo]:
    """Return what makes a small random network in evaluation mode, always the same."""

    def make(**changes: object) -> CroCo:
        sizes = {
            "enc_embed_dim": 32,
            "enc_depth": 2,
            "enc_num_heads": 2,
            "dec_embed_dim": 24,
            "dec_depth": 3,
            "dec_num_heads": 3,
            "pos_embed": "rope100",
        }
        torch.manual_seed(7)
        return CroCo(CrocoConfig.from_dict(sizes | changes)).eval()

    return make


@pytest.fixture(scope="session")
def official(reference: Path) -> Callable[[str], CroCo]:
    """Return what loads the network of a reference checkpoint by its stem, as "croco_v2_tiny"."""
    return lru_cache(lambda stem: load_croco(reference / f"{stem}.pth").model)


@pytest.fixture(scope="session")
def reference_pair(golden: Callable[[str], dict[str, np.ndarray]]) -> Callable[..., Pair]:
    """
    Return what makes (target, source) of a size, each (1, 3, size, size), as the paper does.

    With crop=True the top-left square of that size instead of the whole image made square.
    """
    images = golden("images")

    def prepare(name: str, size: int, crop: bool) -> Tensor:
        image = torch.from_numpy(images[name]).permute(2, 0, 1).unsqueeze(0) / 255
        image = (image - MEAN) / STD
        if crop:
            return image[..., :size, :size]
        return functional.interpolate(image, (size, size), mode="bilinear", align_corners=False)

    def pair(size: int, crop: bool = False) -> Pair:
        return prepare("img2_u8", size, crop), prepare("img1_u8", size, crop)

    return pair
