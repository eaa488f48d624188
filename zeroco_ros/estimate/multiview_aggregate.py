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
From a cost volume to inverse depth with sigma: semi-global aggregation.

Hirschmueller, "Stereo Processing by Semiglobal Matching and Mutual Information" (TPAMI 2008). The
sum of the four directions' costs, with the pixel's own cost counted once, is read as a negative
log belief (Drory et al., "Semi-Global Matching: a principled derivation in terms of message
passing", GCPR 2014), which gives the spread as well as the peak.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
ShortArray = npt.NDArray[np.int16]

# Sixteen bits are half the memory. Aggregated costs stay below 4 (HIGHEST + JUMP) - 3 HIGHEST.
SCALE, HIGHEST = 2000.0, 4.0

# Cost of one level from a pixel to its neighbor, and of any further jump: between two pixels that
# look alike, and (less) across an edge of EDGE gray levels or more.
STEP = 0.06
JUMP, JUMP_AT_EDGE, EDGE = 1.65, 0.15, 15.0
# Scale of the costs: a belief falls by e where the aggregated cost rises by this.
TEMPERATURE = 0.25
# Gray levels by which a pixel and a cell of the smaller picture differ before it counts little,
# and the relative difference of inverse depths beyond which two cells are not of one surface.
ALIKE, SURFACE = 10.0, 0.1
# Levels on either side of the peak over which it is averaged.
PEAK = 2
# Deviation, over the last level, of what may lie beyond it.
BEYOND = np.float32(10)
# Rows at a time, so that a part of the volume stays in the cache.
BLOCK = 16


def jump_costs(image: npt.NDArray[np.float32]) -> tuple[FloatArray, FloatArray]:
    """
    Cost of a jump between a pixel and the one to its left, and the one above: (h, w) each.

    image: (h, w) or (h, w, 3), gray levels 0..255.
    """
    planes = image.reshape(*image.shape[:2], -1)
    across = np.abs(np.diff(planes, axis=1, prepend=planes[:, :1])).max(-1)
    down = np.abs(np.diff(planes, axis=0, prepend=planes[:1])).max(-1)
    span = np.float32(JUMP - JUMP_AT_EDGE)
    costs = [span * np.exp(-edge / EDGE) + np.float32(JUMP_AT_EDGE) for edge in (across, down)]
    return costs[0].astype(np.float32), costs[1].astype(np.float32)


def store(plane: FloatArray, into: ShortArray) -> None:
    """Put costs (h, w) into a part of a volume."""
    np.minimum(plane, np.float32(HIGHEST), out=plane)
    plane *= np.float32(SCALE)
    into[...] = plane.astype(np.int16)


def beliefs(rows: ShortArray, image: FloatArray) -> ShortArray:
    """
    Return aggregated cost (h, D, w) of a volume (h, D, w), smooth but for edges of `image` (h, w).

    Costs are whole numbers, one is 1 / `SCALE`; the volume's lie in [0, `HIGHEST`].
    """
    across, down = ((jump * SCALE).astype(np.int16) for jump in jump_costs(image))
    total = rows * np.int16(-3)
    _scan(rows, down[1:], total)
    _scan(rows[::-1], down[:0:-1], total[::-1])
    columns = np.ascontiguousarray(rows.transpose(2, 1, 0))
    aside = np.zeros_like(columns)
    edges = np.ascontiguousarray(across.T)
    _scan(columns, edges[1:], aside)
    _scan(columns[::-1], edges[:0:-1], aside[::-1])
    total += aside.transpose(2, 1, 0)
    return total


def _scan(cost: ShortArray, jumps: ShortArray, total: ShortArray) -> None:
    """Add one direction's costs to `total`: cost (n, D, m), jumps (n - 1, m) between the steps."""
    path = cost[0].copy()
    total[0] += path
    reached = np.empty_like(path)
    for number in range(1, len(cost)):
        least = path.min(0)
        np.minimum(path, least + jumps[number - 1], out=reached)
        path += np.int16(STEP * SCALE)
        np.minimum(reached[1:], path[:-1], out=reached[1:])
        np.minimum(reached[:-1], path[1:], out=reached[:-1])
        reached -= least
        np.add(reached, cost[number], out=path)
        total[number] += path


def peak(belief: ShortArray, levels: FloatArray) -> tuple[FloatArray, FloatArray]:
    """
    Inverse depth and its standard deviation, (h, w) each, from aggregated costs (h, D, w).

    levels: (D,) evenly spaced. The mean over the peak's surroundings; the deviation from it over
    all levels, or `BEYOND` times the last level where that is the peak.
    """
    value, sigma = np.empty((2, belief.shape[0], belief.shape[2]), dtype=np.float32)
    for row in range(0, len(belief), BLOCK):
        part = slice(row, row + BLOCK)
        value[part], sigma[part] = _peak(belief[part], levels)
    return value, sigma


def _peak(belief: ShortArray, levels: FloatArray) -> tuple[FloatArray, FloatArray]:
    best = belief.argmin(1)[:, None]
    share = (np.take_along_axis(belief, best, axis=1) - belief).astype(np.float32)
    share *= np.float32(1 / (TEMPERATURE * SCALE))
    np.exp(share, out=share)
    moments = np.stack([np.ones_like(levels), levels, levels**2])
    whole, first, second = np.moveaxis(moments @ share, 1, 0)
    weight, value = np.zeros((2, *whole.shape), dtype=np.float32)
    for offset in range(-PEAK, PEAK + 1):
        place = np.clip(best + offset, 0, len(levels) - 1)
        part = np.take_along_axis(share, place, axis=1)[:, 0]
        weight += part
        value += part * levels[place[:, 0]]
    value /= weight
    variance = (second - 2 * value * first) / whole + value * value
    floor = (levels[1] - levels[0]) ** 2 / 12
    sigma = np.sqrt(np.maximum(variance, floor))
    # At the last level what is sought may as well lie beyond.
    return value, np.where(best[:, 0] == len(levels) - 1, BEYOND * levels[-1], sigma)


def upsampled(
    value: FloatArray, sigma: FloatArray, small: FloatArray, image: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """
    Return the value and sigma (h, w) at the size of `image` (H, W), edges kept.

    Joint bilateral upsampling (Kopf et al., SIGGRAPH 2007) from the four nearest cells: the cell
    that is nearest and looks most like the pixel, and those that lie on the same surface with it.
    small: the image at (h, w), gray levels.
    """
    height, width = image.shape[:2]
    rows, columns = value.shape
    if (rows, columns) == (height, width):
        return value, sigma
    y = (np.arange(height, dtype=np.float32) + 0.5) * (rows / height) - 0.5
    x = (np.arange(width, dtype=np.float32) + 0.5) * (columns / width) - 0.5
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    weights, values, sigmas = [], [], []
    for dy, dx in ((0, 0), (0, 1), (1, 0), (1, 1)):
        cell = np.ix_(np.clip(top + dy, 0, rows - 1), np.clip(left + dx, 0, columns - 1))
        near = np.outer(1 - np.abs(y - top - dy), 1 - np.abs(x - left - dx))
        alike = np.exp(np.abs(small[cell] - image) * np.float32(-1 / ALIKE)) + np.float32(1e-3)
        weights.append((near * alike).astype(np.float32))
        values.append(value[cell])
        sigmas.append(sigma[cell])
    best, most = values[0], weights[0]
    for weight, candidate in zip(weights[1:], values[1:], strict=True):
        better = weight > most
        best, most = np.where(better, candidate, best), np.where(better, weight, most)
    total, mean, spread = np.zeros((3, height, width), dtype=np.float32)
    for weight, candidate, deviation in zip(weights, values, sigmas, strict=True):
        weight = weight * (np.abs(candidate - best) <= SURFACE * np.abs(best))
        total += weight
        mean += weight * candidate
        spread += weight * deviation
    return mean / total, spread / total


def reduced(image: FloatArray, size: tuple[int, int]) -> FloatArray:
    """Return an image (H, W[, C]) at size (h, w) by area means."""
    if image.shape[:2] == size:
        return image
    return np.asarray(
        cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA), dtype=np.float32
    )
