"""Image pairs with exact flow both ways: ray-cast scenes and homographies, by seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zeroco_ros.training import homography as planar
from zeroco_ros.training.degrade import degrade
from zeroco_ros.training.homography import HomographyPlan
from zeroco_ros.training.patterns import Rng
from zeroco_ros.training.raycast import Camera, Scene, exact_flow_at, grid_points, render
from zeroco_ros.training.scenes import ScenePlan, random_scene, second_camera
from zeroco_ros.training.textures import TexturePool


@dataclass(frozen=True)
class WorldPlan:
    """The mixture: share of homographies among the pairs, least visible share to accept."""

    homographies: float = 0.35
    least_visible: float = 0.2
    degrade: bool = True
    scene: ScenePlan = field(default_factory=ScenePlan)
    homography: HomographyPlan = field(default_factory=HomographyPlan)


@dataclass(frozen=True)
class ImagePair:
    """Two views and their exact correspondence.

    images: (2, H, W, 3) uint8 RGB; flow: (2, h, w, 2) float32 pixels, view 0 to 1 and 1 to 0, at
    the centers of stride x stride cells ((i + 0.5) * stride - 0.5); visible: (2, h, w) bool.
    """

    images: npt.NDArray[np.uint8]
    flow: npt.NDArray[np.float32]
    visible: npt.NDArray[np.bool_]


def make_pair(
    seed: Sequence[int], plan: WorldPlan, pool: TexturePool, size: tuple[int, int], stride: int
) -> ImagePair:
    """The image pair of a seed; deterministic in seed, plan and pool."""
    rng = np.random.default_rng(list(seed))
    if rng.random() < plan.homographies:
        pictures, flow, visible = homography_pair(rng, plan.homography, pool, size, stride)
    else:
        scene, views = moving_views(rng, plan, pool, size)
        pictures = [render(scene, view, time)[0] for time, view in enumerate(views)]
        flow, visible = both_flows(scene, views, size, stride)
    arrays = [picture.numpy() for picture in pictures]
    if plan.degrade:
        images = [degrade(rng, array) for array in arrays]
    else:
        images = [np.clip(array + 0.5, 0, 255).astype(np.uint8) for array in arrays]
    return ImagePair(np.stack(images), flow, visible)


def moving_views(
    rng: Rng, plan: WorldPlan, pool: TexturePool, size: tuple[int, int]
) -> tuple[Scene, tuple[Camera, Camera]]:
    """A scene and two cameras that share at least `plan.least_visible` of what they see."""
    scene, first, depth = random_scene(rng, plan.scene, pool, size)
    points = grid_points(size, 32)
    second = first
    for attempt in range(6):
        second = second_camera(rng, plan.scene, first, depth, 0.7**attempt)
        limit = 0.93 * scene.half[0]
        second.c2w[:3, 3] = torch.maximum(torch.minimum(second.c2w[:3, 3], limit), -limit)
        _, visible = exact_flow_at(scene, (first, second), (0, 1), points)
        if float(visible.float().mean()) >= plan.least_visible:
            break
    return scene, (first, second)


def both_flows(
    scene: Scene, views: tuple[Camera, Camera], size: tuple[int, int], stride: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Flow (2, h, w, 2) and visibility (2, h, w) of both directions on the stride's grid."""
    points = grid_points(size, stride)
    there = exact_flow_at(scene, views, (0, 1), points)
    back = exact_flow_at(scene, (views[1], views[0]), (1, 0), points)
    return as_grids([there, back], size, stride)


def as_grids(
    directions: Sequence[tuple[Tensor, Tensor]], size: tuple[int, int], stride: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Lists of flows (N, 2) and visibilities (N,) as (2, h, w, 2) and (2, h, w) arrays."""
    shape = (len(directions), size[0] // stride, size[1] // stride)
    flow = torch.stack([direction[0] for direction in directions]).view(*shape, 2)
    visible = torch.stack([direction[1] for direction in directions]).view(*shape)
    # Points behind a camera project anywhere; no consumer needs more than "far outside".
    return flow.clamp(-1e4, 1e4).nan_to_num(1e4).numpy(), visible.numpy()


def homography_pair(
    rng: Rng, plan: HomographyPlan, pool: TexturePool, size: tuple[int, int], stride: int
) -> tuple[list[Tensor], npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Pictures, flow and visibility of a plane seen twice."""
    index = int(rng.integers(pool.count))
    frame = planar.texture_frame(rng, size)
    matrix = planar.random_homography(rng, plan, size)
    inverse = np.asarray(np.linalg.inv(matrix), dtype=np.float64)
    pixels = grid_points(size, 1)
    pictures = [
        planar.paint(pool, index, to_texture, pixels).view(*size, 3)
        for to_texture in (frame, frame @ inverse)
    ]
    points = grid_points(size, stride)
    both = [planar.flow_at(m, points, size) for m in (matrix, inverse)]
    flow, visible = as_grids(both, size, stride)
    return pictures, flow, visible
