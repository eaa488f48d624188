"""Ray casting of boxes and ellipsoids: pictures, depth and exact correspondence.

Everything is a box or an ellipsoid with a pose: a quad is a flat box, the room a box seen from
inside. Two poses per primitive (time 0 and 1) make objects move between two views.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from zeroco_ros.training.textures import SIZE, TexturePool

CHUNK = 32768  # rays at a time bounds the memory of large pictures
FAR = 1e9


@dataclass(frozen=True)
class Camera:
    """Pinhole camera. K: (3, 3); c2w: (4, 4) camera to world, OpenCV axes (x right, y down,
    z forward), meters; size: rows and columns in pixels, integer coordinates at pixel centers.
    """

    K: Tensor
    c2w: Tensor
    size: tuple[int, int]

    def directions(self, points: Tensor) -> Tensor:
        """World directions (N, 3) of pixels (N, 2), of depth 1 along the optical axis."""
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
    """P primitives; number 0 is the room, seen from inside, numbers from `boxes` on ellipsoids.

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


@dataclass(frozen=True)
class Hits:
    """First hits of N rays: distance (N,) in units of the direction's length (for
    `Camera.directions` that is depth), primitive (N,) int64, local (N, 3) point in its frame.
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
    cut = scene.boxes
    distances = [_boxes(start[:cut], local[:cut], scene.half[:cut])]
    if cut < len(start):
        distances.append(_ellipsoids(start[cut:], local[cut:], scene.half[cut:]))
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
    """The inverse of `to_local`, at any time: this is how surfaces move."""
    rotation = scene.rotation[time].index_select(0, primitive)
    turned = (rotation @ local.unsqueeze(2)).squeeze(2)
    return turned + scene.center[time].index_select(0, primitive)


def render(scene: Scene, camera: Camera, time: int) -> tuple[Tensor, Tensor]:
    """Picture (H, W, 3) float32 in [0, 255] and depth (H, W) float32 in meters."""
    height, width = camera.size
    colors, depths = [], []
    for points in torch.chunk(grid_points(camera.size, 1), 1 + height * width // CHUNK):
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
    sign = (hits.local.gather(1, axis.unsqueeze(1)).squeeze(1) > 0).long()
    normal = _local_normals(scene, which, scaled, half, axis)
    normal = (scene.rotation[time].index_select(0, which) @ normal.unsqueeze(2)).squeeze(2)
    cosine = (normal * rays).sum(1).abs() * rays.square().sum(1).rsqrt()
    texel = scene.texel.index_select(0, which)
    footprint = hits.distance / (camera.K[0, 0] * texel)
    level = (footprint / cosine.clamp(min=0.05).sqrt()).clamp(min=1e-6).log2()
    across = hits.local.gather(1, AXES[axis]) / texel.unsqueeze(1)
    across = across + scene.shift.index_select(0, which) + SIZE / 2
    index = scene.texture[which, axis, sign]
    color = scene.pool.sample(index, across[:, 0], across[:, 1], level)
    mean = scene.pool.mean.index_select(0, index)
    color = mean + scene.contrast.index_select(0, which).unsqueeze(1) * (color - mean)
    light = scene.light[time]
    lit = light[3] + (1 - light[3]) * (0.5 + 0.5 * (normal @ light[:3]))
    return (color * scene.tint.index_select(0, which) * lit.unsqueeze(1)).clamp(0, 255)


AXES = torch.tensor([[1, 2], [0, 2], [0, 1]])


def _local_normals(
    scene: Scene, which: Tensor, scaled: Tensor, half: Tensor, axis: Tensor
) -> Tensor:
    flat = torch.zeros_like(scaled).scatter_(1, axis.unsqueeze(1), 1.0) * scaled.sign()
    round_ = scaled / half
    round_ = round_ * round_.square().sum(1, keepdim=True).clamp(min=1e-12).rsqrt()
    return torch.where((which >= scene.boxes).unsqueeze(1), round_, flat)


def grid_points(size: tuple[int, int], stride: int) -> Tensor:
    """Centers (N, 2) as x, y of the stride x stride cells of an image, in row-major order."""
    ys, xs = (
        (torch.arange(side // stride, dtype=torch.float32) + 0.5) * stride - 0.5 for side in size
    )
    y, x = torch.meshgrid(ys, xs, indexing="ij")
    return torch.stack([x.reshape(-1), y.reshape(-1)], 1)


def exact_flow_at(
    scene: Scene, views: tuple[Camera, Camera], times: tuple[int, int], points: Tensor
) -> tuple[Tensor, Tensor]:
    """Flow (N, 2) of pixels (N, 2) of views[0] to views[1], and whether it is visible there.

    Visible: inside the other picture, before its camera, and not hidden, which a second ray from
    the other camera decides exactly.
    """
    first, second = views
    hits = cast(scene, times[0], first.c2w[:3, 3], first.directions(points))
    world = to_world(scene, times[1], hits.primitive, hits.local)
    there, depth = second.project(world)
    height, width = second.size
    limit = torch.tensor([width - 0.5, height - 0.5])
    inside = ((there >= -0.5) & (there <= limit)).all(1) & (depth > 1e-3)
    aim = torch.where(inside.unsqueeze(1), there, torch.zeros_like(there))
    seen = cast(scene, times[1], second.c2w[:3, 3], second.directions(aim))
    return there - points, inside & (seen.distance > depth * 0.997 - 1e-3)
