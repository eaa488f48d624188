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

"""What a match says about depth: channels against a scene whose geometry is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from zeroco_ros.heads.depth import TRIANGULATED
from zeroco_ros.heads.depth_geometry import (
    cell_centers,
    CHANNELS,
    estimate_motion,
    geometry_channels,
    rays,
    RelativeMotion,
)

GRID = (20, 24)
K = torch.tensor([[[90.0, 0, 47.5], [0, 92.0, 39.5], [0, 0, 1]]])


def turn(degrees: float) -> np.ndarray:
    """Return a rotation about the y axis."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def scene(rotation: np.ndarray, translation: np.ndarray) -> tuple[Tensor, Tensor]:
    """Inverse depth (1, 1, h, w) of a bumpy surface and the exact flow (1, 2, h, w)."""
    centers = cell_centers(GRID)
    inverse = 0.3 + 0.1 * torch.sin(centers[0] / 9) * torch.cos(centers[1] / 7)
    own = rays(centers, K)[0]
    R, t = torch.from_numpy(rotation).float(), torch.from_numpy(translation).float()
    there = torch.einsum("ij,jhw->ihw", R, own) + inverse * t.view(3, 1, 1)
    pixels = torch.einsum("ij,jhw->ihw", K[0], there / there[2:])[:2]
    return inverse[None, None], (pixels - centers)[None]


def motion(rotation: np.ndarray, translation: np.ndarray, known: float = 1.0) -> RelativeMotion:
    direction = translation / np.linalg.norm(translation)
    return RelativeMotion(
        torch.from_numpy(rotation)[None].float(),
        torch.from_numpy(direction)[None].float(),
        torch.tensor([known]),
    )


@pytest.mark.parametrize("shift", [(1.0, 0, 0), (0.2, -0.8, 0.3), (0.05, 0.05, 1.5)])
def test_true_flow_and_motion_give_inverse_depth(shift: tuple[float, float, float]) -> None:
    R, t = turn(4.0), np.array(shift)
    inverse, flow = scene(R, t)
    sure = torch.full((1, 1, *GRID), 4.0)
    found = geometry_channels(flow, sure, K, K, motion(R, t))
    assert found.shape == (1, CHANNELS, *GRID)
    parallax = (found[:, 9] * 3).expm1()
    seen = parallax > 2  # next to the epipole nothing can be said
    assert seen.float().mean() > 0.8
    error = found[:, TRIANGULATED] - inverse[:, 0].log()
    error = error - error[seen].median()
    assert error[seen].abs().max() < 0.01
    assert (found[:, 7][seen] == 1).all()
    assert found[:, 8].abs().max() < 1e-3  # on the epipolar lines


def test_without_a_motion_its_channels_are_zero() -> None:
    R, t = turn(4.0), np.array([1.0, 0, 0])
    _, flow = scene(R, t)
    found = geometry_channels(flow, torch.zeros(1, 1, *GRID), K, K, motion(R, t, known=0.0))
    assert (found[:, [4, 5, 6, 7, 8, 9, 11]] == 0).all()
    assert found[:, [0, 1, 2, 3]].abs().min(0).values.max() > 0
    assert (found[:, 10] == 0.5).all()


def test_a_wild_flow_stays_finite() -> None:
    flow = torch.full((1, 2, *GRID), 1e4)
    flow[..., ::2] = 0
    found = geometry_channels(
        flow, torch.zeros(1, 1, *GRID), K, K, motion(np.eye(3), np.array([0, 0, 1.0]))
    )
    assert torch.isfinite(found).all() and found.abs().max() < 20


def test_motion_is_estimated_from_the_flow() -> None:
    R, t = turn(5.0), np.array([0.9, 0.1, 0.4])
    _, flow = scene(R, t)
    rng = np.random.default_rng(0)
    field = flow[0].permute(1, 2, 0).numpy() + rng.normal(0, 0.1, (*GRID, 2)).astype(np.float32)
    wrong = rng.random(GRID) < 0.2
    field[wrong] += rng.normal(0, 20, (int(wrong.sum()), 2)).astype(np.float32)
    camera = K[0].double().numpy()
    found = estimate_motion(field, np.ones(GRID, np.float32), camera, camera)
    assert found is not None
    angle = np.degrees(np.arccos((np.trace(found[0].T @ R) - 1) / 2))
    assert angle < 1.5
    assert found[1] @ (t / np.linalg.norm(t)) > np.cos(np.radians(8))


def test_nothing_sure_gives_no_motion() -> None:
    camera = K[0].double().numpy()
    field = np.zeros((*GRID, 2), np.float32)
    assert estimate_motion(field, np.full(GRID, -1, np.float32), camera, camera) is None
    bad = np.full((*GRID, 2), np.nan, np.float32)
    assert estimate_motion(bad, np.ones(GRID, np.float32), camera, camera) is None
