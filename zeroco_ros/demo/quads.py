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
A world of textured rectangles: pictures, depth and exact flow, in milliseconds a frame.

Training has a ray caster of its own for boxes and ellipsoids, at a second a picture; a sequence of
VGA frames that somebody waits for needs something faster, and rectangles are enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]
SUPERSAMPLING = 2  # samples per pixel and axis: edges and textures without stairs
NEAR = 0.05  # meters
_BLOCK = 8  # samples
_BORDER = 0.02  # relative difference of depth that still is the same surface


@dataclass(frozen=True)
class Quad:
    """
    A textured rectangle in the frame of its body.

    texture: (h, w, 3) uint8 RGB. corner (3,): its top left; right, down (3,): its edges, at a
    right angle, in meters. body: index of the rigid body it belongs to, 0 is the world.
    """

    texture: npt.NDArray[np.uint8]
    corner: Array
    right: Array
    down: Array
    body: int = 0

    @cached_property
    def pyramid(self) -> list[npt.NDArray[np.uint8]]:
        """Return the texture, and halves of it down to a few texels."""
        levels = [self.texture]
        while min(levels[-1].shape[:2]) > 8:
            levels.append(np.asarray(cv2.pyrDown(levels[-1]), dtype=np.uint8))
        return levels


@dataclass(frozen=True)
class View:
    """
    A camera at one time.

    K (3, 3); c2w (4, 4): camera to world, OpenCV axes, meters; bodies (N, 4, 4): body to world,
    the first one is the identity; size: height and width in pixels.
    """

    K: Array
    c2w: Array
    bodies: Array
    size: tuple[int, int]


@dataclass(frozen=True)
class Hits:
    """What a grid of (h, w) rays meets: quad index (-1: nothing) and 1 / depth (0: nothing)."""

    quad: npt.NDArray[np.int16]
    inverse: npt.NDArray[np.float32]


@dataclass(frozen=True)
class _Seen:
    """
    A quad before the camera.

    Over the rays (x, y, 1) of depth 1, 1 / depth and both texture coordinates times 1 / depth are
    linear; these (3,) vectors hold the coefficients.
    """

    inverse: Array
    u: Array
    v: Array
    rows: slice
    columns: slice


class Rays:
    """
    The rays of a view's pixels, or of scale x scale samples per pixel.

    As x of the columns and y of the rows at depth 1.
    """

    def __init__(self, view: View, scale: int = 1) -> None:
        height, width = view.size
        column = (np.arange(width * scale) + 0.5) / scale - 0.5
        row = (np.arange(height * scale) + 0.5) / scale - 0.5
        self.x = ((column - view.K[0, 2]) / view.K[0, 0]).astype(np.float32)
        self.y = ((row - view.K[1, 2]) / view.K[1, 1]).astype(np.float32)

    def plane(self, coefficients: Array, rows: slice, columns: slice) -> Array:
        """Return a x + b y + c over a part of the grid."""
        a, b, c = coefficients.astype(np.float32)
        return np.asarray((b * self.y[rows] + c)[:, None] + a * self.x[columns][None, :])


def cast(quads: Sequence[Quad], view: View, rays: Rays) -> Hits:
    """Return the nearest quad along each ray."""
    shape = (len(rays.y), len(rays.x))
    hits = Hits(np.full(shape, -1, np.int16), np.zeros(shape, np.float32))
    for index, quad in enumerate(quads):
        seen = _see(quad, view, rays)
        if seen is None:
            continue
        window = seen.rows, seen.columns
        inverse = rays.plane(seen.inverse, *window)
        u, v = rays.plane(seen.u, *window), rays.plane(seen.v, *window)
        inside = (u >= 0) & (v >= 0) & (inverse > hits.inverse[window])
        inside &= (u <= inverse) & (v <= inverse) & (inverse < 1 / NEAR)
        np.copyto(hits.inverse[window], inverse, where=inside)
        np.copyto(hits.quad[window], index, where=inside, casting="same_kind")
    return hits


def _see(quad: Quad, view: View, rays: Rays) -> _Seen | None:
    """Where and how a quad is seen; None where it is not."""
    pose = np.linalg.inv(view.c2w) @ view.bodies[quad.body]
    corner = pose[:3, :3] @ quad.corner + pose[:3, 3]
    right, down = pose[:3, :3] @ quad.right, pose[:3, :3] @ quad.down
    normal = np.cross(right, down)
    distance = float(normal @ corner)
    points = np.stack([corner, corner + right, corner + right + down, corner + down])
    if abs(distance) < 1e-9 or (points[:, 2] < NEAR).all():  # seen edge-on, or behind
        return None
    rows, columns = slice(0, len(rays.y)), slice(0, len(rays.x))
    if (points[:, 2] >= NEAR).all():
        x, y = points[:, 0] / points[:, 2], points[:, 1] / points[:, 2]
        columns = slice(*np.searchsorted(rays.x, [x.min(), x.max()]))
        rows = slice(*np.searchsorted(rays.y, [y.min(), y.max()]))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return None
    inverse = normal / distance
    along = [edge / (edge @ edge) for edge in (right, down)]
    u, v = (edge - (edge @ corner) * inverse for edge in along)
    return _Seen(inverse, u, v, rows, columns)


def render(quads: Sequence[Quad], view: View) -> npt.NDArray[np.uint8]:
    """Return the picture: (H, W, 3) uint8 RGB."""
    rays = Rays(view, SUPERSAMPLING)
    hits = cast(quads, view, rays)
    image = np.zeros((*hits.quad.shape, 3), np.uint8)
    for index in np.flatnonzero(np.bincount(hits.quad.ravel() + 1)[1:]).tolist():
        _paint(image, hits, index, quads[index], view, rays)
    return np.asarray(
        cv2.resize(image, view.size[::-1], interpolation=cv2.INTER_AREA), dtype=np.uint8
    )


def _paint(
    image: npt.NDArray[np.uint8], hits: Hits, index: int, quad: Quad, view: View, rays: Rays
) -> None:
    """Color one quad's samples, each from the level of the texture that fits its distance."""
    seen = _see(quad, view, rays)
    assert seen is not None
    covered = hits.quad[seen.rows, seen.columns] == index
    rows, columns = _bounds(covered, seen.rows.start, seen.columns.start)
    mask = hits.quad[rows, columns] == index
    inverse = hits.inverse[rows, columns]
    depth = 1 / np.where(mask, inverse, 1)
    height, width = quad.texture.shape[:2]
    u = rays.plane(width * seen.u, rows, columns) * depth
    v = rays.plane(height * seen.v, rows, columns) * depth
    level = np.where(mask, _level(u, v, len(quad.pyramid)), -1)
    for at in range(int(level.max()) + 1):
        part = level == at
        if part.any():
            window = _bounds(part, 0, 0)
            scale = np.float32(0.5**at)
            color = cv2.remap(
                quad.pyramid[at],
                u[window] * scale - np.float32(0.5),
                v[window] * scale - np.float32(0.5),
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )
            cv2.copyTo(color, part[window].view(np.uint8), image[rows, columns][window])


def _bounds(mask: npt.NDArray[np.bool_], row: int, column: int) -> tuple[slice, slice]:
    """Rows and columns of the smallest window around the true ones, counted from an offset."""
    down, across = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return (
        slice(row + down[0], row + down[-1] + 1),
        slice(column + across[0], column + across[-1] + 1),
    )


def _level(u: Array, v: Array, levels: int) -> npt.NDArray[np.int8]:
    """
    How often the texture is to be halved: log2 of the texels from one sample to the next.

    Decided for blocks of samples; it changes slowly.
    """
    coarse = u[::_BLOCK, ::_BLOCK], v[::_BLOCK, ::_BLOCK]
    step = np.zeros(coarse[0].shape, np.float32)
    for texel in coarse:
        for axis in (0, 1):
            if texel.shape[axis] > 1:
                np.maximum(step, np.abs(np.gradient(texel, axis=axis)), out=step)
    halvings = np.log2(np.maximum(step / _BLOCK, 1)).round().clip(0, levels - 1).astype(np.int8)
    return halvings.repeat(_BLOCK, axis=0).repeat(_BLOCK, axis=1)[: u.shape[0], : u.shape[1]]


@dataclass(frozen=True)
class Look:
    """What a view's pixel centers see."""

    view: View
    hits: Hits

    @property
    def depth(self) -> npt.NDArray[np.float32]:
        """(H, W) float32 meters along the optical axis, NaN where nothing is seen."""
        with np.errstate(divide="ignore"):
            return np.where(self.hits.quad >= 0, 1 / self.hits.inverse, np.float32(np.nan))


def look(quads: Sequence[Quad], view: View) -> Look:
    """Which quad each pixel center of a view sees, and how far away."""
    return Look(view, cast(quads, view, Rays(view)))


def flow_between(quads: Sequence[Quad], now: Look, before: Look) -> npt.NDArray[np.float32]:
    """
    Exact motion in pixels from the previous to the current position, on the current grid.

    Returns (H, W, 2) float32, NaN where the point was hidden or outside of the previous picture.
    """
    K, (height, width) = before.view.K.astype(np.float32), before.view.size
    points = _points_before(quads, now, before)
    depth = points[2]
    with np.errstate(divide="ignore", invalid="ignore"):
        x = points[0] / depth * K[0, 0] + K[0, 2]
        y = points[1] / depth * K[1, 1] + K[1, 2]
    inside = (depth > NEAR) & (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    column = np.where(inside, x, 0).round().astype(np.int32)
    row = np.where(inside, y, 0).round().astype(np.int32)
    at = row * width + column
    # the same quad, or one as far away (a neighbor at an edge): it was visible
    same = before.hits.quad.ravel()[at] == now.hits.quad
    near = np.abs(before.hits.inverse.ravel()[at] * depth - 1) < _BORDER
    visible = inside & (now.hits.quad >= 0) & (same | near)
    flow = np.empty((height, width, 2), np.float32)
    np.subtract(np.arange(width, dtype=np.float32), x, out=flow[..., 0])
    np.subtract(np.arange(height, dtype=np.float32)[:, None], y, out=flow[..., 1])
    flow[~visible] = np.nan
    return flow


def _points_before(quads: Sequence[Quad], now: Look, before: Look) -> npt.NDArray[np.float32]:
    """Where the points seen now were in the previous camera's frame, (3, H, W) meters."""
    rays = Rays(now.view)
    depth = np.nan_to_num(now.depth, nan=1.0)
    body = np.array([*(quad.body for quad in quads), 0])[now.hits.quad]
    points = np.empty((3, *depth.shape), np.float32)
    for index in range(len(now.view.bodies)):
        mask = body == index
        if not mask.any():
            continue
        window = _bounds(mask, 0, 0)
        back = before.view.bodies[index] @ np.linalg.inv(now.view.bodies[index])
        pose = np.linalg.inv(before.view.c2w) @ back @ now.view.c2w
        for axis in range(3):
            moved = rays.plane(pose[axis, :3], *window) * depth[window] + np.float32(pose[axis, 3])
            np.copyto(points[axis][window], moved, where=mask[window])
    return points
