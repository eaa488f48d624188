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

"""The depth head: shapes, what an untrained one says, its file, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
import hashlib
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from zeroco_ros.errors import ConfigError
from zeroco_ros.heads.aggregation import Direction
from zeroco_ros.heads.checkpoint import load_head, save_head
from zeroco_ros.heads.depth import DepthHead, DepthHeadConfig, TRIANGULATED
from zeroco_ros.heads.depth_geometry import CHANNELS
from zeroco_ros.weights import shipped

TINY = DepthHeadConfig(
    tokens=24, beta=0.2, dim=8, guide=4, stem=4, widths=(8, 12, 16), blocks=1, heads=2
)
Noise = Callable[..., Tensor]


def inputs(noise: Noise, rows: int = 4, columns: int = 5) -> tuple[Direction, Tensor, Tensor]:
    """Return a direction, images and channels of a batch of two."""
    cells = rows * columns
    direction = Direction(
        noise(2, cells, cells), noise(2, cells, 24), (rows, columns), (rows, columns)
    )
    images = noise(2, 3, 16 * rows, 16 * columns)
    return direction, images, noise(2, CHANNELS, 4 * rows, 4 * columns)


@pytest.mark.parametrize("grid", [(4, 5), (9, 6)])
def test_shapes_and_gradients(noise: Noise, grid: tuple[int, int]) -> None:
    torch.manual_seed(0)
    head = DepthHead(TINY)
    torch.nn.init.normal_(head.leave.weight, std=0.1)
    direction, images, geometry = inputs(noise, *grid)
    found = head(direction, head.encode(images), geometry)
    assert found.log_inverse.shape == found.log_sigma.shape == images[:, 0].shape
    assert torch.isfinite(found.log_inverse).all()
    (found.log_inverse.square().mean() + found.log_sigma.mean()).backward()
    unused = [name for name, p in head.named_parameters() if p.grad is None]
    assert not unused


def test_source_of_another_grid(noise: Noise) -> None:
    head = DepthHead(TINY)
    direction, images, geometry = inputs(noise)
    other = replace(direction, volume=noise(2, 20, 12), grid_source=(3, 4))
    assert head(other, head.encode(images), geometry).log_inverse.shape == (2, 64, 80)


def test_untrained_it_is_half_of_what_was_triangulated(noise: Noise) -> None:
    head = DepthHead(TINY)
    direction, images, geometry = inputs(noise)
    geometry[:, TRIANGULATED] = torch.linspace(-1, 1, 20).expand(16, -1)
    found = head(direction, head.encode(images), geometry)
    expected = torch.nn.functional.interpolate(
        0.5 * geometry[:, TRIANGULATED : TRIANGULATED + 1], scale_factor=4, mode="bilinear"
    )
    torch.testing.assert_close(found.log_inverse, expected[:, 0], atol=2e-3, rtol=0)
    torch.testing.assert_close(found.log_sigma, torch.full_like(found.log_sigma, math.log(0.4)))


def test_parts_can_be_left_out(noise: Noise) -> None:
    direction, images, geometry = inputs(noise)
    torch.manual_seed(0)
    head = DepthHead(replace(TINY, volume=False, geometry=False))
    torch.nn.init.normal_(head.leave.weight, std=0.1)
    plain = head(direction, head.encode(images), geometry)
    blind = head(
        replace(direction, volume=noise(2, 20, 20) + 1), head.encode(images), 0 * geometry
    )
    assert torch.equal(plain.log_inverse, blind.log_inverse)
    assert DepthHead(replace(TINY, volume=True)).cost is not None


def test_file_round_trip(noise: Noise, tmp_path: Path) -> None:
    torch.manual_seed(0)
    head = DepthHead(TINY).eval()
    save_head(tmp_path / "depth.safetensors", head, {"sigma_factor": 1.5})
    loaded = load_head(tmp_path / "depth.safetensors")
    assert loaded.kind == "depth" and loaded.metadata["sigma_factor"] == 1.5
    assert isinstance(loaded.head, DepthHead) and loaded.head.config == TINY
    direction, images, geometry = inputs(noise)
    with torch.no_grad():
        mine = head(direction, head.encode(images), geometry)
        theirs = loaded.head(direction, loaded.head.encode(images), geometry)
    assert torch.equal(mine.log_inverse, theirs.log_inverse)


def test_features_of_another_backbone_are_refused(noise: Noise) -> None:
    head = DepthHead(TINY)
    direction, images, geometry = inputs(noise)
    other = replace(direction, features=noise(2, 20, 32))
    with pytest.raises(ConfigError, match="have 24 channels, these 32"):
        head(other, head.encode(images), geometry)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"widths": (8, 12)}, "three whole numbers"),
        ({"widths": (8, 12, 20)}, "a multiple of 4 channels per head"),
        ({"blocks": 0}, "from 1 to 4096"),
        ({"geometry": 1}, "true or false"),
        ({"beta": -1.0}, "above 0"),
    ],
)
def test_sizes_that_cannot_be(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        DepthHeadConfig.from_dict({**TINY.to_dict(), **changes})


def test_the_shipped_head_is_small_and_belongs_to_the_backbone() -> None:
    path = shipped()["depth_head"]
    loaded = load_head(path)
    backbone = hashlib.sha256(shipped()["default"].read_bytes()).hexdigest()
    assert loaded.metadata["training"]["backbone"] == backbone
    assert loaded.metadata["sigma_factor"] != 1.0
    assert loaded.kind == "depth" and loaded.metadata["license"] == "Apache-2.0"
    assert path.stat().st_size < 3_000_000
    assert sum(p.numel() for p in loaded.head.parameters()) < 1_000_000
