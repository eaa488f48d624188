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

"""Many depth maps fused into one cloud of colored points, thinned to one point per voxel."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from ..errors import ConfigError

Floats = npt.NDArray[np.floating]
Matrix = npt.NDArray[np.float64]

# Two neighboring pixels whose depths differ by this ratio lie on different surfaces; between them
# depth maps have points that lie on neither.
EDGE = 1.1
_BITS = 21  # per axis in a voxel's key
_PENDING = 2_000_000  # voxels that wait to be merged, at most


class VoxelCloud:
    """
    A cloud that grows by depth maps; every voxel keeps the weighted mean of what fell into it.

    voxel: edge length in the unit of the poses. Points more than 2^20 voxels from the origin on
    an axis are left out. Memory: about 40 bytes per voxel that something was seen in.
    Raises ConfigError for a voxel that is not above 0.
    """

    def __init__(self, voxel: float) -> None:
        if not 0 < voxel < np.inf:
            raise ConfigError(f"the voxel size is {voxel:g}: give a length above 0")
        self.voxel = float(voxel)
        self._keys = np.zeros(0, np.int64)
        self._sums = np.zeros((0, 8), np.float32)  # w*(x, y, z), w*(r, g, b), w, views
        self._pending: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]] = []

    def add_view(
        self,
        depth: Floats,
        sigma: Floats,
        image: npt.NDArray[np.uint8],
        K: Matrix,
        c2w: Matrix,
        *,
        max_relative_sigma: float,
    ) -> int:
        """
        Add the sure pixels of one view; how many there were.

        depth, sigma: (H, W), one unit with c2w (4, 4), NaN unknown; image: (H, W, 3) uint8 RGB;
        K: (3, 3) pixels. Sure is sigma <= max_relative_sigma * depth away from edges of depth.
        Weights are 1 / sigma^2 (inverse variance), bounded so that no single point rules.
        """
        with np.errstate(invalid="ignore"):
            sure = (depth > 0) & (sigma <= max_relative_sigma * depth) & np.isfinite(depth)
        sure &= ~at_edges(depth)
        rows, columns = np.nonzero(sure)
        z = depth[rows, columns].astype(np.float64)
        x, y = (columns - K[0, 2]) / K[0, 0] * z, (rows - K[1, 2]) / K[1, 1] * z
        points = np.stack([x, y, z], axis=-1) @ c2w[:3, :3].T + c2w[:3, 3]
        weights = 1 / np.maximum(sigma[rows, columns] / z, 1e-3) ** 2
        self.add(points, image[rows, columns], weights)
        return len(points)

    def add(self, points: Floats, colors: npt.NDArray[np.uint8], weights: Floats) -> None:
        """Add points (N, 3) of one view, with colors (N, 3) and weights (N,) above 0."""
        cells = np.floor(points / self.voxel)
        inside = (np.abs(cells) < 1 << (_BITS - 1)).all(axis=-1)
        cells = cells[inside]
        offset = (
            points[inside] / self.voxel - cells
        )  # small numbers: float32 sums are exact enough
        weight = weights[inside, None].astype(np.float64)
        values = np.concatenate(
            [weight * offset, weight * colors[inside], weight, np.ones_like(weight)], axis=-1
        )
        keys, sums = _summed(_key(cells), values)
        sums[:, 7] = 1
        self._pending.append((keys, sums.astype(np.float32)))
        if sum(len(keys) for keys, _ in self._pending) > max(_PENDING, len(self._keys) // 2):
            self._merge()

    def points(
        self, least_views: int = 1
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
        """Points (N, 3) float32 and their colors (N, 3) uint8, of voxels seen in enough views."""
        self._merge()
        kept = self._sums[:, 7] >= least_views
        sums = self._sums[kept].astype(np.float64)
        mean = sums[:, :6] / sums[:, 6:7]
        positions = (_cells(self._keys[kept]) + mean[:, :3]) * self.voxel
        return positions.astype(np.float32), np.round(mean[:, 3:]).astype(np.uint8)

    def __len__(self) -> int:
        self._merge()
        return len(self._keys)

    def _merge(self) -> None:
        if not self._pending:
            return
        keys, sums = zip((self._keys, self._sums), *self._pending, strict=True)
        self._keys, merged = _summed(np.concatenate(keys), np.concatenate(sums))
        self._sums = merged.astype(np.float32)
        self._pending = []


def at_edges(depth: Floats) -> npt.NDArray[np.bool_]:
    """(H, W) bool: where depth jumps by more than EDGE within the 3 x 3 pixels around."""
    known = np.isfinite(depth) & (depth > 0)
    inverse = np.where(known, 1 / np.where(known, depth, 1), 0).astype(np.float32)
    kernel = np.ones((3, 3), np.uint8)
    nearest = cv2.dilate(inverse, kernel)
    farthest = cv2.erode(np.where(known, inverse, np.float32(np.inf)).astype(np.float32), kernel)
    return np.asarray(known & (nearest > EDGE * np.minimum(farthest, 1e30)))


def _key(cells: Floats) -> npt.NDArray[np.int64]:
    shifted = cells.astype(np.int64) + (1 << (_BITS - 1))
    return np.asarray((shifted[:, 0] << 2 * _BITS) | (shifted[:, 1] << _BITS) | shifted[:, 2])


def _cells(keys: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    mask = (1 << _BITS) - 1
    parts = [keys >> 2 * _BITS, (keys >> _BITS) & mask, keys & mask]
    return np.stack(parts, axis=-1).astype(np.float64) - (1 << (_BITS - 1))


def _summed(
    keys: npt.NDArray[np.int64], values: Floats
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Different keys in order, and the sums of their rows."""
    if not len(keys):
        return keys, values.astype(np.float64)
    order = np.argsort(keys, kind="stable")
    keys, values = keys[order], values[order].astype(np.float64)
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    return keys[starts], np.asarray(np.add.reduceat(values, starts, axis=0), dtype=np.float64)
