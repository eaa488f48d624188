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

"""Planar pairs: two views of one texture related by a known homography."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zeroco_ros.training.patterns import Rng
from zeroco_ros.training.textures import SIZE, TexturePool

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class HomographyPlan:
    """
    Ranges of random homographies.

    Rotation in degrees, scale factor (and its inverse), translation and corner displacement as a
    share of the image; big: share of pairs with any rotation and up to twice the scale; squeeze:
    largest foreshortening of one direction against the other, as when a wall is seen from the
    side.
    """

    rotation: float = 40.0
    scale: float = 1.46
    shift: float = 0.2
    perspective: float = 0.15
    big: float = 0.06
    squeeze: float = 1.0


MILD = HomographyPlan(rotation=5, scale=1.06, shift=0.04, perspective=0.02, big=0)
MEDIUM = HomographyPlan(rotation=18, scale=1.2, shift=0.1, perspective=0.08, big=0)
HARD = HomographyPlan(rotation=40, scale=1.46, shift=0.2, perspective=0.15, big=0)


def random_homography(rng: Rng, plan: HomographyPlan, size: tuple[int, int]) -> Array:
    """
    Return a homography (3, 3) from pixels of view 0 to pixels of view 1.

    About the image's center.
    """
    height, width = size
    strength = float(rng.uniform(0.1, 1.0))
    angle = np.radians(rng.uniform(-1, 1) * plan.rotation * strength)
    scale = float(np.exp(rng.uniform(-1, 1) * np.log(plan.scale) * strength))
    if rng.random() < plan.big:
        angle = rng.uniform(-np.pi, np.pi)
        scale *= float(np.exp(rng.uniform(-1, 1) * np.log(1.4)))
    half = np.array([width, height]) / 2
    center = np.array([[1, 0, -(width - 1) / 2], [0, 1, -(height - 1) / 2], [0, 0, 1]])
    turn = np.eye(3)
    cosine, sine = np.cos(angle), np.sin(angle)
    turn[:2, :2] = scale * np.array([[cosine, -sine], [sine, cosine]])
    tilt = np.eye(3)
    tilt[2, :2] = rng.uniform(-1, 1, 2) * plan.perspective * strength / half
    tilt[:2, :2] += rng.uniform(-1, 1, (2, 2)) * plan.perspective * strength * 0.5
    if plan.squeeze > 1:
        tilt[:2, :2] = foreshortening(rng, plan.squeeze, strength) @ tilt[:2, :2]
    move = np.eye(3)
    move[:2, 2] = rng.uniform(-1, 1, 2) * plan.shift * strength * 2 * half
    return np.asarray(np.linalg.inv(center) @ move @ turn @ tilt @ center)


def foreshortening(rng: Rng, largest: float, strength: float) -> Array:
    """Stretch along one direction and shrink across it by the same factor, (2, 2)."""
    factor = float(np.exp(rng.uniform(-1, 1) * 0.5 * np.log(largest) * strength))
    angle = rng.uniform(0, np.pi)
    axis = np.array([np.cos(angle), np.sin(angle)])
    along = np.outer(axis, axis)
    return np.asarray(factor * along + (np.eye(2) - along) / factor)


def apply(homography: Array, points: Tensor) -> tuple[Tensor, Tensor]:
    """Points (N, 2) through a homography: (N, 2), and the homogeneous coordinate (N,)."""
    matrix = torch.from_numpy(homography).to(points)
    mapped = points @ matrix[:, :2].T + matrix[:, 2]
    return mapped[:, :2] / mapped[:, 2:], mapped[:, 2]


def texture_frame(rng: Rng, size: tuple[int, int]) -> Array:
    """Return a similarity (3, 3) that lays an image of `size` on a texture, in texels."""
    height, width = size
    zoom = SIZE / max(height, width) * float(rng.uniform(0.45, 1.0))
    angle = float(rng.normal() * 0.1)
    frame = np.eye(3)
    frame[:2, :2] = zoom * np.array(
        [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    )
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    frame[:2, 2] = SIZE / 2 + rng.normal(size=2) * SIZE * 0.1 - frame[:2, :2] @ middle
    return frame


def paint(pool: TexturePool, index: int, to_texture: Array, points: Tensor) -> Tensor:
    """Colors (N, 3) of the points (N, 2) of a view whose homography to texels is `to_texture`."""
    texels, weight = apply(to_texture, points)
    determinant = abs(float(np.linalg.det(to_texture)))
    area = determinant / weight.abs().clamp(min=1e-3) ** 3
    which = torch.full((len(points),), index, dtype=torch.long, device=points.device)
    return pool.sample(which, texels[:, 0], texels[:, 1], 0.5 * area.clamp(min=1e-6).log2())


def flow_at(homography: Array, points: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Flow (N, 2) at pixels (N, 2) and whether the match lies inside the other picture (N,)."""
    there, weight = apply(homography, points)
    limit = points.new_tensor([size[1] - 0.5, size[0] - 0.5])
    inside = ((there >= -0.5) & (there <= limit)).all(1) & (weight > 0.05)
    return there - points, inside
