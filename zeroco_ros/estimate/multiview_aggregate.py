"""From a cost volume to inverse depth with sigma: semi-global aggregation.

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

# Cost of one level from a pixel to its neighbor, and of any further jump: between two pixels that
# look alike, and (less) across an edge of EDGE gray levels or more.
STEP = 0.06
JUMP, JUMP_AT_EDGE, EDGE = 1.65, 0.15, 15.0
# Scale of the costs: a belief falls by e where the aggregated cost rises by this.
TEMPERATURE = 0.25
# Levels on either side of the peak over which it is averaged.
PEAK = 2


def jump_costs(image: npt.NDArray[np.float32]) -> tuple[FloatArray, FloatArray]:
    """Cost of a jump between a pixel and the one to its left, and the one above: (h, w) each.

    image: (h, w) or (h, w, 3), gray levels 0..255.
    """
    planes = image.reshape(*image.shape[:2], -1)
    across = np.abs(np.diff(planes, axis=1, prepend=planes[:, :1])).max(-1)
    down = np.abs(np.diff(planes, axis=0, prepend=planes[:1])).max(-1)
    span = np.float32(JUMP - JUMP_AT_EDGE)
    costs = [span * np.exp(-edge / EDGE) + np.float32(JUMP_AT_EDGE) for edge in (across, down)]
    return costs[0].astype(np.float32), costs[1].astype(np.float32)


def beliefs(cost: FloatArray, image: FloatArray) -> FloatArray:
    """Aggregated cost (h, D, w) of a volume (D, h, w), smooth but for edges of `image`."""
    across, down = jump_costs(image)
    rows = np.ascontiguousarray(cost.transpose(1, 0, 2))
    total = -3 * rows
    _scan(rows, down[1:], total)
    _scan(rows[::-1], down[:0:-1], total[::-1])
    columns = np.ascontiguousarray(cost.transpose(2, 0, 1))
    aside = np.zeros_like(columns)
    edges = np.ascontiguousarray(across.T)
    _scan(columns, edges[1:], aside)
    _scan(columns[::-1], edges[:0:-1], aside[::-1])
    total += aside.transpose(2, 1, 0)
    return total


def _scan(cost: FloatArray, jumps: FloatArray, total: FloatArray) -> None:
    """Add one direction's costs to `total`: cost (n, D, m), jumps (n - 1, m) between the steps."""
    path = cost[0].copy()
    total[0] += path
    reached = np.empty_like(path)
    for number in range(1, len(cost)):
        least = path.min(0)
        np.minimum(path, least + jumps[number - 1], out=reached)
        path += np.float32(STEP)
        np.minimum(reached[1:], path[:-1], out=reached[1:])
        np.minimum(reached[:-1], path[1:], out=reached[:-1])
        reached -= least
        np.add(reached, cost[number], out=path)
        total[number] += path


def peak(belief: FloatArray, levels: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Inverse depth and its standard deviation, (h, w) each, from aggregated costs (h, D, w).

    levels: (D,) evenly spaced. The mean over the peak's surroundings; the deviation from it over
    all levels.
    """
    best = belief.argmin(1)[:, None]
    least = np.take_along_axis(belief, best, axis=1)
    share = np.exp((least - belief) / np.float32(TEMPERATURE))
    whole = share.sum(1)
    first = np.einsum("hdw,d->hw", share, levels) / whole
    second = np.einsum("hdw,d->hw", share, levels**2) / whole
    weight = value = np.zeros(first.shape, dtype=np.float32)
    for offset in range(-PEAK, PEAK + 1):
        place = np.clip(best + offset, 0, len(levels) - 1)
        part = np.take_along_axis(share, place, axis=1)[:, 0]
        weight = weight + part
        value = value + part * levels[place[:, 0]]
    value = value / weight
    variance = second - 2 * value * first + value * value
    floor = (levels[1] - levels[0]) ** 2 / 12
    return value.astype(np.float32), np.sqrt(np.maximum(variance, floor)).astype(np.float32)


def upsampled(
    value: FloatArray, sigma: FloatArray, small: FloatArray, image: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """value and sigma (h, w) at the size of `image` (H, W), edges kept.

    Joint bilateral upsampling (Kopf et al., SIGGRAPH 2007) from the four nearest cells: those that
    look like the pixel count. small: the image at (h, w), gray levels.
    """
    height, width = image.shape[:2]
    rows, columns = value.shape
    if (rows, columns) == (height, width):
        return value, sigma
    y = (np.arange(height, dtype=np.float32) + 0.5) * (rows / height) - 0.5
    x = (np.arange(width, dtype=np.float32) + 0.5) * (columns / width) - 0.5
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    total = np.zeros((height, width), dtype=np.float32)
    mean, square, spread = np.zeros((3, height, width), dtype=np.float32)
    for dy in (0, 1):
        for dx in (0, 1):
            cell = np.ix_(np.clip(top + dy, 0, rows - 1), np.clip(left + dx, 0, columns - 1))
            near = np.outer(1 - np.abs(y - top - dy), 1 - np.abs(x - left - dx))
            alike = np.exp(-np.abs(small[cell] - image) / 10) + 1e-3
            weight = (near * alike + 1e-6).astype(np.float32)
            total += weight
            mean += weight * value[cell]
            square += weight * value[cell] ** 2
            spread += weight * sigma[cell] ** 2
    mean /= total
    torn = np.maximum(square / total - mean * mean, 0)
    return mean, np.sqrt(spread / total + torn).astype(np.float32)


def reduced(image: FloatArray, size: tuple[int, int]) -> FloatArray:
    """An image (H, W[, C]) at size (h, w) by area means."""
    if image.shape[:2] == size:
        return image
    return np.asarray(
        cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA), dtype=np.float32
    )
