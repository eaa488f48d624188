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
Ray casting of boxes, ellipsoids and rough ground: pictures, depth and exact correspondence.

Everything is a box, an ellipsoid or a height field with a pose: a quad is a flat box, the room a
box seen from inside. Two poses per primitive (time 0 and 1) make objects move between two views.
All of it is torch on the device of the scene's tensors.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from zeroco_ros.training.terrain import FAR, Terrain
from zeroco_ros.training.textures import SIZE, TexturePool

CHUNK = 32768  # rays at a time bounds the memory of large pictures


@dataclass(frozen=True)
class Camera:
    """
    Pinhole camera.

    K: (3, 3); c2w: (4, 4) camera to world, OpenCV axes (x right, y down, z forward), meters; size:
    rows and columns in pixels, integer coordinates at pixel centers.
    """

    K: Tensor
    c2w: Tensor
    size: tuple[int, int]

    def to(self, device: torch.device) -> Camera:
        """Return the camera on a device."""
        return Camera(self.K.to(device), self.c2w.to(device), self.size)

    def directions(self, points: Tensor) -> Tensor:
        """Return rays (N, 3) of depth 1 in the world through pixels (N, 2)."""
        x = (points[:, 0] - self.K[0, 2]) / self.K[0, 0]
        y = (points[:, 1] - self.K[1, 2]) / self.K[1, 1]
        return torch.stack([x, y, torch.ones_like(x)], 1) @ self.c2w[:3, :3].T

    def project(self, world: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels (N, 2) and depths (N,) of world points (N, 3)."""
        local = (world - self.c2w[:3, 3]) @ self.c2w[:3, :3]
        depth = local[:, 2]
        safe = torch.where(depth.abs() < 1e-6, torch.full_like(depth, 1e-6), depth)
        x = self.K[0, 0] * local[:, 0] / safe + self.K[0, 2]
        y = self.K[1, 1] * local[:, 1] / safe + self.K[1, 2]
        return torch.stack([x, y], 1), depth


@dataclass(frozen=True)
class Scene:
    """
    P primitives: number 0 is the room, seen from inside.

    From `boxes` on they are ellipsoids; the last one is the terrain, where there is one.

    rotation (2, P, 3, 3) local to world and center (2, P, 3): poses at time 0 and 1; half (P, 3)
    half extents in meters; texture (P, 3, 2): texture index per axis and sign of the face;
    texel (P,): meters per texel; shift (P, 2): texture offset in texels; contrast (P,), tint
    (P, 3): how a surface shows its texture; light (2, 4): direction and ambient share per time.
    """

    pool: TexturePool
    boxes: int
    rotation: Tensor
    center: Tensor
    half: Tensor
    texture: Tensor
    texel: Tensor
    shift: Tensor
    contrast: Tensor
    tint: Tensor
    light: Tensor
    terrain: Terrain | None = None

    @property
    def device(self) -> torch.device:
        """Where the scene's tensors are."""
        return self.half.device

    def to(self, device: torch.device) -> Scene:
        """Return the scene, its textures included, on a device."""
        moved: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Tensor | TexturePool | Terrain):
                moved[field.name] = value.to(device)
        return replace(self, **moved)

    @property
    def moves(self) -> Tensor:
        """Which primitives have another pose at time 1, (P,) bool."""
        turned = (self.rotation[0] != self.rotation[1]).flatten(1).any(1)
        return turned | (self.center[0] != self.center[1]).any(1)


@dataclass(frozen=True)
class Hits:
    """
    First hits of N rays.

    distance (N,) in units of the direction's length (for `Camera.directions` that is depth),
    primitive (N,) int64, local (N, 3) point in its frame.
    """

    distance: Tensor
    primitive: Tensor
    local: Tensor


def cast(scene: Scene, time: int, origin: Tensor, directions: Tensor) -> Hits:
    """Nearest surface along each ray from `origin` (3,) along `directions` (N, 3)."""
    rotation, center = scene.rotation[time], scene.center[time]
    start = torch.einsum("pij,pi->pj", rotation, origin - center)  # (P, 3), local
    turned = rotation.transpose(1, 2).reshape(-1, 3)  # (3 P, 3)
    local = (turned @ directions.T).view(len(start), 3, -1)
    cut, end = scene.boxes, len(start) - (scene.terrain is not None)
    distances = [_boxes(start[:cut], local[:cut], scene.half[:cut])]
    if cut < end:
        distances.append(_ellipsoids(start[cut:end], local[cut:end], scene.half[cut:end]))
    if scene.terrain is not None:
        nearest = torch.cat(distances).amin(0)
        distances.append(scene.terrain.cast(start[end], local[end].T, nearest).unsqueeze(0))
    distance, primitive = torch.cat(distances).min(dim=0)
    world = origin + distance.unsqueeze(1) * directions
    return Hits(distance, primitive, to_local(scene, time, primitive, world))


def _boxes(start: Tensor, rays: Tensor, half: Tensor) -> Tensor:
    """Slab test: starts (P, 3), rays (P, 3, N), half extents (P, 3) -> distances (P, N)."""
    inverse = rays.reciprocal().clamp(-FAR, FAR)
    middle = -start.unsqueeze(2) * inverse
    reach = half.unsqueeze(2) * inverse.abs()
    enter = (middle - reach).amax(1)
    leave = (middle + reach).amin(1)
    distance = enter.masked_fill((enter > leave) | (enter < 1e-3), FAR)
    distance[0] = leave[0]  # the room is left, not entered
    return distance


def _ellipsoids(start: Tensor, rays: Tensor, half: Tensor) -> Tensor:
    """Unit-sphere test in scaled frames; shapes as in `_boxes`."""
    start, rays = start / half, rays / half.unsqueeze(2)
    a = rays.square().sum(1)
    b = (start.unsqueeze(2) * rays).sum(1)
    c = start.square().sum(1, keepdim=True) - 1
    root = b.square() - a * c
    distance = (-b - root.clamp(min=0).sqrt()) / a
    return distance.masked_fill((root <= 0) | (distance < 1e-3), FAR)


def to_local(scene: Scene, time: int, primitive: Tensor, world: Tensor) -> Tensor:
    """World points (N, 3) in the frames of their primitives at a time."""
    offset = world - scene.center[time].index_select(0, primitive)
    rotation = scene.rotation[time].index_select(0, primitive)
    return (offset.unsqueeze(1) @ rotation).squeeze(1)


def to_world(scene: Scene, time: int, primitive: Tensor, local: Tensor) -> Tensor:
    """Return the inverse of `to_local`, at any time: this is how surfaces move."""
    rotation = scene.rotation[time].index_select(0, primitive)
    turned = (rotation @ local.unsqueeze(2)).squeeze(2)
    return turned + scene.center[time].index_select(0, primitive)


def render(scene: Scene, camera: Camera, time: int) -> tuple[Tensor, Tensor]:
    """Picture (H, W, 3) float32 in [0, 255] and depth (H, W) float32 in meters."""
    height, width = camera.size
    colors, depths = [], []
    for points in torch.chunk(
        grid_points(camera.size, 1, scene.device), 1 + height * width // CHUNK
    ):
        rays = camera.directions(points)
        hits = cast(scene, time, camera.c2w[:3, 3], rays)
        colors.append(shade(scene, camera, time, hits, rays))
        depths.append(hits.distance)
    return torch.cat(colors).view(height, width, 3), torch.cat(depths).view(height, width)


def shade(scene: Scene, camera: Camera, time: int, hits: Hits, rays: Tensor) -> Tensor:
    """Colors (N, 3) of hits: texture of the dominant face, contrast, tint and one light."""
    which = hits.primitive
    half = scene.half.index_select(0, which)
    scaled = hits.local / half
    axis = scaled.abs().argmax(1)
    if scene.terrain is not None:  # its texture is laid on from above
        axis = axis.masked_fill(which == len(scene.half) - 1, 2)
    sign = (hits.local.gather(1, axis.unsqueeze(1)).squeeze(1) > 0).long()
    normal = _local_normals(scene, hits, scaled, half, axis)
    normal = (scene.rotation[time].index_select(0, which) @ normal.unsqueeze(2)).squeeze(2)
    cosine = (normal * rays).sum(1).abs() * rays.square().sum(1).rsqrt()
    texel = scene.texel.index_select(0, which)
    footprint = hits.distance / (camera.K[0, 0] * texel)
    level = (footprint / cosine.clamp(min=0.05).sqrt()).clamp(min=1e-6).log2()
    across = hits.local.gather(1, AXES.to(axis.device)[axis]) / texel.unsqueeze(1)
    across = across + scene.shift.index_select(0, which) + SIZE / 2
    index = scene.texture[which, axis, sign]
    color = scene.pool.sample(index, across[:, 0], across[:, 1], level)
    mean = scene.pool.mean.index_select(0, index)
    color = mean + scene.contrast.index_select(0, which).unsqueeze(1) * (color - mean)
    light = scene.light[time]
    lit = light[3] + (1 - light[3]) * (0.5 + 0.5 * (normal @ light[:3]))
    return (color * scene.tint.index_select(0, which) * lit.unsqueeze(1)).clamp(0, 255)


AXES = torch.tensor([[1, 2], [0, 2], [0, 1]])


def _local_normals(scene: Scene, hits: Hits, scaled: Tensor, half: Tensor, axis: Tensor) -> Tensor:
    flat = torch.zeros_like(scaled).scatter_(1, axis.unsqueeze(1), 1.0) * scaled.sign()
    round_ = scaled / half
    round_ = round_ * round_.square().sum(1, keepdim=True).clamp(min=1e-12).rsqrt()
    normal = torch.where((hits.primitive >= scene.boxes).unsqueeze(1), round_, flat)
    if scene.terrain is not None:
        ground = (hits.primitive == len(scene.half) - 1).unsqueeze(1)
        normal = torch.where(ground, scene.terrain.normal(hits.local[:, :2]), normal)
    return normal


def grid_points(size: tuple[int, int], stride: int, device: torch.device | str = "cpu") -> Tensor:
    """Centers (N, 2) as x, y of the stride x stride cells of an image, in row-major order."""
    ys, xs = (
        (torch.arange(side // stride, dtype=torch.float32, device=device) + 0.5) * stride - 0.5
        for side in size
    )
    y, x = torch.meshgrid(ys, xs, indexing="ij")
    return torch.stack([x.reshape(-1), y.reshape(-1)], 1)


@dataclass(frozen=True)
class Correspondence:
    """
    What is known of N pixels of one view.

    flow (N, 2) in pixels to the other view, visible (N,) bool there, depth (N,) in meters along
    the own optical axis, moving (N,) bool: of an object whose pose differs between the views'
    times.
    """

    flow: Tensor
    visible: Tensor
    depth: Tensor
    moving: Tensor


def correspond(
    scene: Scene, views: tuple[Camera, Camera], times: tuple[int, int], points: Tensor
) -> Correspondence:
    """
    Where the pixels (N, 2) of views[0] are in views[1].

    Visible: inside the other picture, before its camera, and not hidden, which a second ray from
    the other camera decides exactly.
    """
    first, second = views
    hits = cast(scene, times[0], first.c2w[:3, 3], first.directions(points))
    world = to_world(scene, times[1], hits.primitive, hits.local)
    there, depth = second.project(world)
    height, width = second.size
    limit = points.new_tensor([width - 0.5, height - 0.5])
    inside = ((there >= -0.5) & (there <= limit)).all(1) & (depth > 1e-3)
    aim = torch.where(inside.unsqueeze(1), there, torch.zeros_like(there))
    seen = cast(scene, times[1], second.c2w[:3, 3], second.directions(aim))
    visible = inside & (seen.distance > depth * 0.997 - 1e-3)
    moving = scene.moves.index_select(0, hits.primitive)
    return Correspondence(there - points, visible, hits.distance, moving)


def exact_flow_at(
    scene: Scene, views: tuple[Camera, Camera], times: tuple[int, int], points: Tensor
) -> tuple[Tensor, Tensor]:
    """Flow (N, 2) and visibility (N,) of `correspond`."""
    found = correspond(scene, views, times, points)
    return found.flow, found.visible
