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

"""Posed frames of a camera in small, fixed rooms of the procedural world, with exact depth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch

from zeroco_ros.errors import ConfigError
from zeroco_ros.training.holdout import SEED
from zeroco_ros.training.photos import bundled_photos
from zeroco_ros.training.raycast import Camera, cast, grid_points, render, Scene
from zeroco_ros.training.scenes import (
    assemble,
    camera,
    intrinsics,
    look_at,
    rotation,
    stacked,
    still,
)
from zeroco_ros.training.textures import SIZE, texture_pool, TexturePool

Array = npt.NDArray[np.float64]

FOV = 65.0  # degrees, horizontal
NOISE = 2.0  # gray levels, standard deviation
ROOM = np.array([3.0, 2.5, 1.4])  # half extents in meters, z up
EYE, AIM = np.array([-2.2, -0.3, 0.1]), np.array([1.5, 0.0, -0.3])
# Half extents, center, yaw in degrees: shelves, crates, a pole and, last, two balls.
BODIES = (
    ((0.30, 0.90, 0.75), (2.4, 1.2, -0.65), 0.0),
    ((0.35, 0.35, 0.35), (0.6, -1.0, -1.05), 25.0),
    ((0.25, 0.30, 0.50), (1.2, 0.4, -0.90), -35.0),
    ((0.02, 0.40, 0.30), (-0.2, 0.75, -0.10), 50.0),
    ((0.04, 0.04, 1.40), (0.3, -0.15, 0.00), 10.0),
    ((0.30, 0.30, 0.30), (-0.3, -0.7, -1.10), 0.0),
    ((0.22, 0.22, 0.22), (1.0, -0.3, 0.15), 0.0),
)
BOXES = 5
MOVER = 1  # index in BODIES of what moves in "moving"


@dataclass(frozen=True)
class WorldFrame:
    """
    One picture and all that is known of it.

    image: (H, W, 3) uint8 RGB. depth: (H, W) float32 meters along the optical axis, exact. K:
    (3, 3) pixels; c2w: (4, 4) camera to world, OpenCV axes, meters. moving: (H, W) bool, pixels of
    an object that is elsewhere in the other frames.
    """

    image: npt.NDArray[np.uint8]
    depth: npt.NDArray[np.float32]
    K: Array
    c2w: Array
    moving: npt.NDArray[np.bool_]


def _walk(share: float) -> Array:
    """Sideways, a little ahead and up, always looking at the room's middle."""
    swing = np.array([0.5 * share, 1.1 * share - 0.3, 0.12 * np.sin(4 * share)])
    return look_at(EYE + swing, AIM + np.array([0.0, 0.4 * share, 0.0]))


def _turn(share: float) -> Array:
    """On the spot, 20 degrees to the left."""
    pose = look_at(EYE, AIM)
    pose[:3, :3] = rotation(np.array([0.0, 0.0, 1.0]), np.radians(20 * share)) @ pose[:3, :3]
    return pose


def _before_the_wall(share: float) -> Array:
    """Along a wall that fills the picture, seen at an angle of 20 degrees."""
    eye = np.array([1.5, 0.2 - 0.8 * share, 0.1])
    return look_at(eye, eye + np.array([1.0, 0.36, -0.05]))


@dataclass(frozen=True)
class _Kind:
    about: str
    path: Callable[[float], Array]
    furnished: bool = True
    travel: float = 0.0  # meters that the mover goes in the whole sequence


KINDS: dict[str, _Kind] = {
    "walk": _Kind("a walk through a furnished room", _walk),
    "static": _Kind("a camera that does not move", lambda share: _walk(0.0)),
    "rotation": _Kind("a camera that turns on the spot", _turn),
    "plane": _Kind("a walk along a bare textured wall", _before_the_wall, furnished=False),
    "moving": _Kind("the walk, with a crate sliding across", _walk, travel=1.2),
}


def world_sequence(
    kind: str, frames: int = 12, size: tuple[int, int] = (240, 320), *, noise: float = NOISE
) -> Iterator[WorldFrame]:
    """
    Yield the frames of one of `KINDS` in order, the same for the same arguments.

    frames: how many the whole path is cut into; size: rows and columns in pixels; noise: standard
    deviation of the sensor's noise in gray levels. Raises ConfigError for another kind or none.
    """
    if kind not in KINDS:
        raise ConfigError(f"unknown sequence {kind!r}: use one of {', '.join(KINDS)}")
    if frames < 1:
        raise ConfigError(f"frames is {frames}: give a whole number from 1")
    plan, random = KINDS[kind], np.random.default_rng([SEED, frames])
    K = intrinsics(size, FOV)
    base = _scene(_pool(), plan.furnished)
    for index in range(frames):
        share = index / max(frames - 1, 1)
        pose, scene = plan.path(share), _moved(base, plan.travel * share)
        view = camera(K, pose, size)
        picture, depth = render(scene, view, 0)
        noisy = picture.numpy() + noise * random.standard_normal((*size, 1), dtype=np.float32)
        yield WorldFrame(
            np.clip(noisy + 0.5, 0, 255).astype(np.uint8),
            depth.numpy(),
            K,
            pose,
            _of_mover(scene, view) if plan.travel else np.zeros(size, dtype=np.bool_),
        )


@lru_cache(maxsize=1)
def _pool() -> TexturePool:
    return texture_pool([SEED, 1], 16, bundled_photos(), photo_share=0.8)


def _scene(pool: TexturePool, furnished: bool) -> Scene:
    """Return the room, number 0, and what stands in it."""
    bodies = [_body(ROOM, np.zeros(3), 0.0, 0)]
    if furnished:
        for number, (half, center, yaw) in enumerate(BODIES):
            bodies.append(_body(np.array(half), np.array(center), yaw, number + 1))
    lights = np.tile(np.array([0.3, -0.5, 0.81, 0.7]), (2, 1))
    return assemble(stacked(bodies, lights), 1 + BOXES if furnished else 1, pool)


def _body(half: Array, center: Array, yaw: float, number: int) -> dict[str, Array]:
    """Return a primitive whose texture spans its largest side, or half of it for the room."""
    extent = 2 * float(half.max()) * (0.5 if number == 0 else 1.0)
    faces = (np.arange(6) + 3 * number) % 16 if number == 0 else np.full(6, (5 * number + 2) % 16)
    look = {
        "texture": faces.reshape(3, 2).astype(np.float64),
        "texel": np.asarray(extent / SIZE),
        "shift": np.zeros(2),
        "contrast": np.asarray(1.0),
        "tint": np.ones(3),
    }
    body = still(look, half)
    turned = rotation(np.array([0.0, 0.0, 1.0]), np.radians(yaw))
    return {**body, "rotation": np.stack([turned] * 2), "center": np.stack([center] * 2)}


def _moved(scene: Scene, way: float) -> Scene:
    """Return the scene with its mover `way` meters to the left; the room stays as it is."""
    if not way:
        return scene
    center = scene.center.clone()
    center[:, 1 + MOVER] += torch.tensor([0.0, way, 0.0])
    return replace(scene, center=center)


def _of_mover(scene: Scene, view: Camera) -> npt.NDArray[np.bool_]:
    points = grid_points(view.size, 1, scene.device)
    hits = cast(scene, 0, view.c2w[:3, 3], view.directions(points))
    return np.asarray((hits.primitive == 1 + MOVER).view(view.size).numpy())
