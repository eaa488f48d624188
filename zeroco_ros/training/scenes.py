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

"""Random scenes, cameras and image pairs of the procedural world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from zeroco_ros.training.degrade import happens
from zeroco_ros.training.patterns import Rng
from zeroco_ros.training.raycast import Camera, cast, Scene
from zeroco_ros.training.terrain import height_at, random_terrain, Terrain
from zeroco_ros.training.textures import SIZE, TexturePool

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ScenePlan:
    """
    What is drawn: shares and ranges, so that a test set can differ from the training set.

    boxes, ellipsoids: largest numbers of objects; moving: share of pairs in which objects move;
    motion: range of the camera's translation as a share of the scene's depth; roll: usual in-plane
    rotation in degrees; big_roll: share of pairs with any roll; turn: pan and tilt in degrees.
    terrain: share of scenes on rough ground instead of in a room; thin: share of objects that are
    wires and poles; plain, repeated: shares of surfaces without any texture, or with the same one
    many times; approach: share of pairs in which the camera moves far forward or back.
    """

    boxes: int = 9
    ellipsoids: int = 4
    moving: float = 0.4
    motion: tuple[float, float] = (0.01, 0.5)
    roll: float = 12.0
    big_roll: float = 0.04
    turn: float = 12.0
    terrain: float = 0.0
    thin: float = 0.0
    plain: float = 0.0
    repeated: float = 0.0
    approach: float = 0.0


def rotation(axis: Array, angle: float) -> Array:
    """Rotation matrix (3, 3) by Rodrigues' formula; `axis` need not be normalized."""
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)


def look_at(eye: Array, target: Array, up: Array | None = None) -> Array:
    """Pose c2w (4, 4) of a camera at `eye` looking at `target`; world z is up by default."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, np.array([0.0, 0.0, 1.0]) if up is None else up)
    right = right / max(float(np.linalg.norm(right)), 1e-9)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], 1)
    pose[:3, 3] = eye
    return pose


def intrinsics(size: tuple[int, int], fov: float) -> Array:
    """K (3, 3) for a horizontal field of view in degrees, principal point in the middle."""
    height, width = size
    focal = width / 2 / np.tan(np.radians(fov) / 2)
    return np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1.0]])


def camera(K: Array, c2w: Array, size: tuple[int, int]) -> Camera:
    """Return a `Camera` in float32 tensors."""
    return Camera(torch.tensor(K).float(), torch.tensor(c2w).float(), size)


def assemble(
    parts: dict[str, Any], boxes: int, pool: TexturePool, terrain: Terrain | None = None
) -> Scene:
    """Return a `Scene` from numpy arrays; with a terrain the last of each belongs to that."""
    floats = {k: torch.tensor(np.asarray(v)).float() for k, v in parts.items() if k != "texture"}
    texture = torch.tensor(np.asarray(parts["texture"])).long()
    return Scene(pool=pool, boxes=boxes, texture=texture, terrain=terrain, **floats)


def surface(rng: Rng, plan: ScenePlan, pool: TexturePool, extent: Array) -> dict[str, Array]:
    """How one primitive shows its texture; large plain walls are as common as posters."""
    same = rng.random() < 0.5
    faces = rng.integers(0, pool.count, 6)
    texture = np.full(6, faces[0]) if same else faces
    biggest = 2 * float(np.sort(extent)[-1])
    repeat = rng.uniform(0.6, 1.3) if rng.random() < 0.75 else rng.uniform(0.15, 0.6)
    low = rng.random() < 0.15
    shift = rng.uniform(-SIZE, SIZE, 2)
    contrast = rng.uniform(0.08, 0.4) if low else rng.uniform(0.6, 1.1)
    tint = rng.uniform(0.75, 1.15, 3)
    if happens(rng, plan.repeated):
        repeat = rng.uniform(0.03, 0.12)
    if happens(rng, plan.plain):
        contrast = rng.uniform(0, 0.03)
    return {
        "texture": np.asarray(texture.reshape(3, 2), dtype=np.float64),
        "texel": np.asarray(biggest * repeat / SIZE),
        "shift": shift,
        "contrast": np.asarray(contrast),
        "tint": tint,
    }


def light(rng: Rng) -> Array:
    """Direction toward the light and ambient share, (2, 4): the same or changed at time 1."""
    directions = rng.normal(size=(2, 3)) + np.array([0, 0, 1.0])
    if rng.random() < 0.6:
        directions[1] = directions[0] + 0.1 * directions[1]
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    ambient = rng.uniform(0.35, 0.9, (2, 1))
    return np.concatenate([directions, ambient], 1)


def room(rng: Rng) -> Array:
    """Half extents of a room, a hall or an open place (3,), z up."""
    span = float(np.exp(rng.uniform(np.log(1.5), np.log(12.0))))
    return np.array([span, span * rng.uniform(0.5, 1.0), rng.uniform(1.2, max(1.4, 0.6 * span))])


def first_camera(rng: Rng, half: Array, size: tuple[int, int]) -> Camera:
    """Return a camera somewhere inside the room, roughly level, looking across it."""
    eye = rng.uniform(-0.75, 0.75, 3) * half
    target = rng.uniform(-0.9, 0.9, 3) * half
    target[:2] -= 0.5 * eye[:2]
    pose = look_at(eye, target)
    pose[:3, :3] = pose[:3, :3] @ rotation(np.array([0, 0, 1.0]), rng.normal() * 0.08)
    return camera(intrinsics(size, rng.uniform(42, 85)), pose, size)


def on_ground(rng: Rng, size: tuple[int, int]) -> tuple[Array, Camera, Terrain]:
    """
    Rough ground under a wide sky: the sky's half extents, a camera and the ground.

    The camera is a robot's or a person's, 0.3 to 3 m up, and looks at the ground before it.
    """
    terrain = random_terrain(rng)
    span = float(rng.uniform(15, 60))
    eye = np.append(rng.uniform(-0.3, 0.3, 2) * span, 0.0)
    up = float(np.exp(rng.uniform(np.log(0.3), np.log(3.0))))
    eye[2] = height_at(terrain, eye[:2]) + up
    heading, ahead = rng.uniform(0, 2 * np.pi), up * float(np.exp(rng.uniform(0.3, 2.2)))
    target = eye + np.array([np.cos(heading) * ahead, np.sin(heading) * ahead, 0])
    target[2] = height_at(terrain, target[:2])
    pose = look_at(eye, target)
    pose[:3, :3] = pose[:3, :3] @ rotation(np.array([0, 0, 1.0]), rng.normal() * 0.1)
    view = camera(intrinsics(size, rng.uniform(42, 85)), pose, size)
    return np.array([span, span, 0.5 * span]), view, terrain


def still(parts: dict[str, Array], half: Array) -> dict[str, Array]:
    """Give a primitive's parts with extents and the pose of something that rests at the origin."""
    pose = {"rotation": np.stack([np.eye(3)] * 2), "center": np.zeros((2, 3))}
    return {**parts, "half": half, **pose}


def random_scene(
    rng: Rng, plan: ScenePlan, pool: TexturePool, size: tuple[int, int]
) -> tuple[Scene, Camera, float]:
    """
    Return a room, or rough ground, with objects in front of a first camera.

    Also the depth that the camera looks at. On the CPU, but for the textures.
    """
    terrain: Terrain | None = None
    if happens(rng, plan.terrain):
        half, view, terrain = on_ground(rng, size)
    else:
        half = room(rng)
        view = first_camera(rng, half, size)
    bodies = [still(surface(rng, plan, pool, half), half)]
    ground = []
    if terrain is not None:
        depth = float(terrain.waves[:, 3].abs().sum())
        texture = surface(rng, plan, pool, np.full(3, rng.uniform(1.0, 6.0)))
        ground = [still(texture, np.array([half[0], half[1], depth]))]
    empty = assemble(stacked(bodies + ground, light(rng)), 1, pool, terrain)
    points = torch.tensor(rng.uniform(0.08, 0.92, (64, 2)) * (size[1], size[0])).float()
    rays = view.directions(points)
    reach = cast(empty, 0, view.c2w[:3, 3], rays).distance.numpy().astype(np.float64)
    moving = rng.random() < plan.moving
    count = (int(rng.integers(1, plan.boxes + 1)), int(rng.integers(0, plan.ellipsoids + 1)))
    for k in range(sum(count)):
        depth = reach[k] * rng.uniform(0.25, 0.95)
        place = view.c2w[:3, 3].numpy() + depth * rays[k].numpy()
        extent = object_extent(rng, k < count[0], min(depth, float(reach.mean())), plan.thin)
        pose, moved = object_motion(rng, place, depth, moving and rng.random() < 0.4)
        look = surface(rng, plan, pool, extent)
        bodies.append({**look, "half": extent, "rotation": pose, "center": moved})
    scene = assemble(stacked(bodies + ground, light(rng)), 1 + count[0], pool, terrain)
    return scene, view, float(np.median(reach))


def stacked(bodies: list[dict[str, Array]], lights: Array) -> dict[str, Array]:
    """Per-primitive arrays as one array per field; poses become time-major."""
    arrays = {key: np.stack([body[key] for body in bodies]) for key in bodies[0]}
    for key in ("rotation", "center"):
        arrays[key] = np.swapaxes(arrays[key], 0, 1)
    return arrays | {"light": lights}


def object_extent(rng: Rng, box: bool, depth: float, wires: float = 0.0) -> Array:
    """Half extents: cuboids, flat quads, thin poles, or ellipsoids, in proportion to depth."""
    extent = depth * rng.uniform(0.06, 0.3) * rng.uniform(0.4, 1.2, 3)
    kind = rng.random()
    if box and kind < 0.4:
        extent[rng.integers(3)] = 2e-3 * depth
    elif box and kind < 0.55:
        thin = rng.permutation(3)[:2]
        extent[thin] = depth * rng.uniform(0.006, 0.03, 2)
        extent *= np.where(np.isin(np.arange(3), thin), 1.0, 3.0)
    if box and happens(rng, wires):  # about a pixel to a few wide, across the picture
        extent = depth * rng.uniform(0.002, 0.008, 3)
        extent[rng.integers(3)] = depth * rng.uniform(0.3, 1.5)
    return np.asarray(extent)


def object_motion(rng: Rng, place: Array, depth: float, moves: bool) -> tuple[Array, Array]:
    """Poses at time 0 and 1: rotations (2, 3, 3) and centers (2, 3)."""
    upright = rotation(np.array([0, 0, 1.0]), rng.uniform(0, 2 * np.pi))
    tilted = rotation(rng.normal(size=3), rng.uniform(0, np.pi))
    before = upright if rng.random() < 0.5 else tilted
    if not moves:
        return np.stack([before, before]), np.stack([place, place])
    shift = rng.normal(size=3) * depth * rng.uniform(0.01, 0.12)
    after = rotation(rng.normal(size=3), np.radians(rng.normal() * 15)) @ before
    return np.stack([before, after]), np.stack([place, place + shift])


def second_camera(rng: Rng, plan: ScenePlan, first: Camera, depth: float, ease: float) -> Camera:
    """Return camera after a motion; `ease` in (0, 1] scales the motion down after a failed try."""
    pose = first.c2w.numpy().astype(np.float64).copy()
    low, high = np.log(plan.motion[0]), np.log(plan.motion[1])
    length = depth * ease * float(np.exp(rng.uniform(low, high)))
    step = rng.normal(size=3) * (1.0, 0.6, 0.8)
    step *= length / max(float(np.linalg.norm(step)), 1e-9)
    if happens(rng, plan.approach):
        factor = float(np.exp(rng.uniform(0.25, 0.85) * ease))  # of the picture's scale
        step[2] = depth * (1 - 1 / factor if rng.random() < 0.5 else 1 - factor)
    keep = rng.uniform(0.2, 1.1)  # how much of the parallax a turn toward the scene makes up for
    yaw = -keep * step[0] / depth + np.radians(rng.normal() * plan.turn * 0.7) * ease
    pitch = keep * step[1] / depth + np.radians(rng.normal() * plan.turn * 0.5) * ease
    roll = np.radians(rng.normal() * plan.roll) * ease
    if rng.random() < plan.big_roll:
        roll = rng.uniform(-np.pi, np.pi)
    turn = rotation(np.array([0, 1.0, 0]), yaw) @ rotation(np.array([1.0, 0, 0]), pitch)
    pose[:3, 3] += pose[:3, :3] @ step
    pose[:3, :3] = pose[:3, :3] @ turn @ rotation(np.array([0, 0, 1.0]), roll)
    K = first.K.numpy().astype(np.float64).copy()
    if rng.random() < 0.15:
        K[0, 0] *= (zoom := rng.uniform(0.75, 1.33))
        K[1, 1] *= zoom
    return camera(K, pose, first.size)
