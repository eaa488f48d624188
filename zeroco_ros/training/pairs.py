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

"""Image pairs with exact flow both ways: ray-cast scenes and homographies, by seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zeroco_ros.training import homography as planar
from zeroco_ros.training.degrade import degrade, SensorPlan
from zeroco_ros.training.homography import HomographyPlan
from zeroco_ros.training.patterns import Rng
from zeroco_ros.training.raycast import (
    Camera,
    correspond,
    exact_flow_at,
    grid_points,
    render,
    Scene,
)
from zeroco_ros.training.scenes import random_scene, ScenePlan, second_camera
from zeroco_ros.training.textures import TexturePool


@dataclass(frozen=True)
class WorldPlan:
    """
    The mixture of pairs.

    Share of homographies among the pairs, least visible share to accept, whether the pictures are
    degraded, and the ranges of each part.
    """

    homographies: float = 0.35
    least_visible: float = 0.2
    degrade: bool = True
    scene: ScenePlan = field(default_factory=ScenePlan)
    homography: HomographyPlan = field(default_factory=HomographyPlan)
    sensor: SensorPlan = field(default_factory=SensorPlan)


@dataclass(frozen=True)
class Geometry:
    """
    What is known of a scene beside the flow, for both views.

    depth: (2, h, w) float32 meters along the optical axis at the flow's grid; K: (2, 3, 3) float64
    intrinsics in pixels of the whole picture; c2w: (2, 4, 4) float64 poses, camera to world, in
    meters, OpenCV axes; moving: (2, h, w) bool, objects whose own motion the poses do not explain.
    """

    depth: npt.NDArray[np.float32]
    K: npt.NDArray[np.float64]
    c2w: npt.NDArray[np.float64]
    moving: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ImagePair:
    """
    Two views and their exact correspondence.

    images: (2, H, W, 3) uint8 RGB; flow: (2, h, w, 2) float32 pixels, view 0 to 1 and 1 to 0, at
    the centers of stride x stride cells ((i + 0.5) * stride - 0.5); visible: (2, h, w) bool;
    geometry: of a scene, None for a homography.
    """

    images: npt.NDArray[np.uint8]
    flow: npt.NDArray[np.float32]
    visible: npt.NDArray[np.bool_]
    geometry: Geometry | None = None


def make_pair(
    seed: Sequence[int], plan: WorldPlan, pool: TexturePool, size: tuple[int, int], stride: int
) -> ImagePair:
    """
    Return image pair of a seed, rendered on the pool's device; deterministic in seed, plan, pool.

    stride: of the grid on which flow, visibility and geometry are given; 1 is every pixel.
    """
    rng = np.random.default_rng(list(seed))
    geometry = None
    if rng.random() < plan.homographies:
        pictures, flow, visible = homography_pair(rng, plan.homography, pool, size, stride)
    else:
        scene, views = moving_views(rng, plan, pool, size)
        pictures = [render(scene, view, time)[0] for time, view in enumerate(views)]
        flow, visible, geometry = both_ways(scene, views, size, stride)
    arrays = [picture.cpu().numpy() for picture in pictures]
    if plan.degrade:
        images = [degrade(rng, array, plan.sensor) for array in arrays]
    else:
        images = [np.clip(array + 0.5, 0, 255).astype(np.uint8) for array in arrays]
    return ImagePair(np.stack(images), flow, visible, geometry)


def moving_views(
    rng: Rng, plan: WorldPlan, pool: TexturePool, size: tuple[int, int]
) -> tuple[Scene, tuple[Camera, Camera]]:
    """Return a scene and two cameras that share at least `plan.least_visible` of what they see."""
    scene, first, depth = random_scene(rng, plan.scene, pool, size)
    points = grid_points(size, 32, pool.device)
    on_device, start = scene.to(pool.device), first.to(pool.device)
    second = first
    for attempt in range(6):
        second = second_camera(rng, plan.scene, first, depth, 0.7**attempt)
        keep_inside(scene, second)
        _, visible = exact_flow_at(on_device, (start, second.to(pool.device)), (0, 1), points)
        if float(visible.float().mean()) >= plan.least_visible:
            break
    return on_device, (start, second.to(pool.device))


def keep_inside(scene: Scene, view: Camera) -> None:
    """Move a camera, in place, to within the walls and above the ground."""
    limit = 0.93 * scene.half[0]
    view.c2w[:3, 3] = torch.maximum(torch.minimum(view.c2w[:3, 3], limit), -limit)
    if scene.terrain is not None:
        ground = scene.terrain.height(view.c2w[:2, 3].unsqueeze(0))[0]
        view.c2w[2, 3] = torch.maximum(view.c2w[2, 3], ground + 0.15)


def both_flows(
    scene: Scene, views: tuple[Camera, Camera], size: tuple[int, int], stride: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Flow (2, h, w, 2) and visibility (2, h, w) of both directions on the stride's grid."""
    flow, visible, _ = both_ways(scene, views, size, stride)
    return flow, visible


def both_ways(
    scene: Scene, views: tuple[Camera, Camera], size: tuple[int, int], stride: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_], Geometry]:
    """Flow, visibility and geometry of both directions on the stride's grid."""
    points = grid_points(size, stride, scene.device)
    there = correspond(scene, views, (0, 1), points)
    back = correspond(scene, (views[1], views[0]), (1, 0), points)
    both = (there, back)
    flow, visible = as_grids([(side.flow, side.visible) for side in both], size, stride)
    geometry = Geometry(
        torch.stack([side.depth for side in both]).view(visible.shape).cpu().numpy(),
        np.stack([view.K.cpu().double().numpy() for view in views]),
        np.stack([view.c2w.cpu().double().numpy() for view in views]),
        torch.stack([side.moving for side in both]).view(visible.shape).cpu().numpy(),
    )
    return flow, visible, geometry


def as_grids(
    directions: Sequence[tuple[Tensor, Tensor]], size: tuple[int, int], stride: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Return lists of flows (N, 2) and visibilities (N,) as (2, h, w, 2) and (2, h, w) arrays."""
    shape = (len(directions), size[0] // stride, size[1] // stride)
    flow = torch.stack([direction[0] for direction in directions]).view(*shape, 2)
    visible = torch.stack([direction[1] for direction in directions]).view(*shape)
    # Points behind a camera project anywhere; no consumer needs more than "far outside".
    return flow.clamp(-1e4, 1e4).nan_to_num(1e4).cpu().numpy(), visible.cpu().numpy()


def homography_pair(
    rng: Rng, plan: HomographyPlan, pool: TexturePool, size: tuple[int, int], stride: int
) -> tuple[list[Tensor], npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Pictures, flow and visibility of a plane seen twice."""
    index = int(rng.integers(pool.count))
    frame = planar.texture_frame(rng, size)
    matrix = planar.random_homography(rng, plan, size)
    inverse = np.asarray(np.linalg.inv(matrix), dtype=np.float64)
    pixels = grid_points(size, 1, pool.device)
    pictures = [
        planar.paint(pool, index, to_texture, pixels).view(*size, 3)
        for to_texture in (frame, frame @ inverse)
    ]
    points = grid_points(size, stride, pool.device)
    both = [planar.flow_at(m, points, size) for m in (matrix, inverse)]
    flow, visible = as_grids(both, size, stride)
    return pictures, flow, visible
