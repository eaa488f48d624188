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

"""Procedural patterns: square RGB textures drawn from a seeded generator."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

Pattern = npt.NDArray[np.float32]
Rng = np.random.Generator


def octave_noise(rng: Rng, size: int, *, first: int = 2, decay: float = 0.6) -> Pattern:
    """Value noise of several octaves, (size, size), stretched to [0, 1]."""
    total = np.zeros((size, size), np.float32)
    cells, weight = first, 1.0
    while cells <= size:
        grid = rng.random((cells, cells), dtype=np.float32)
        total += weight * cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC)
        cells, weight = cells * 2, weight * decay
    low, high = float(total.min()), float(total.max())
    return (total - low) / (high - low + 1e-6)


def palette(rng: Rng, count: int) -> Pattern:
    """`count` colors (count, 3) in [0, 1] around a common base color."""
    base, spread = rng.random(3), rng.uniform(0.15, 0.7)
    return np.clip(base + spread * (rng.random((count, 3)) - 0.5) * 2, 0, 1).astype(np.float32)


def through_palette(rng: Rng, field: Pattern) -> Pattern:
    """Color a scalar field in [0, 1] by a random gradient of 3-5 colors."""
    colors = palette(rng, int(rng.integers(3, 6)))
    ramp = cv2.resize(colors[None], (256, 1), interpolation=cv2.INTER_LINEAR)[0]
    index = np.clip(field * 255, 0, 255).astype(np.uint8)
    return np.asarray(ramp[index], dtype=np.float32)


def noise(rng: Rng, size: int) -> Pattern:
    """Clouds to sand, by the octaves' decay."""
    first = int(2 ** rng.integers(1, 6))
    field = octave_noise(rng, size, first=first, decay=float(rng.uniform(0.4, 1.0)))
    if rng.random() < 0.3:  # ridges: marble-like veins
        field = np.abs(2 * field - 1)
    return through_palette(rng, field)


def voronoi(rng: Rng, size: int) -> Pattern:
    """Cells around random seeds, by a labelled distance transform."""
    count = int(2 ** rng.uniform(3, 9))
    seeds = np.full((size, size), 255, np.uint8)
    seeds[rng.integers(0, size, count), rng.integers(0, size, count)] = 0
    distance, labels = cv2.distanceTransformWithLabels(
        seeds, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    image = palette(rng, int(labels.max()) + 1)[labels]
    if rng.random() < 0.5:
        shade = distance / (distance.max() + 1e-6)
        image = image * (1 - rng.uniform(0.2, 1.0) * shade[..., None])
    return np.asarray(image, dtype=np.float32)


def plane_coordinates(rng: Rng, size: int) -> tuple[Pattern, Pattern]:
    """Rotated, slightly warped coordinates in [-1, 1]-like units."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size * 2 - 1
    angle = rng.uniform(0, np.pi) if rng.random() < 0.5 else 0.0
    u, v = np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y
    if rng.random() < 0.4:
        bend = rng.uniform(0.02, 0.3)
        u = u + bend * (octave_noise(rng, size, decay=0.4) - 0.5)
        v = v + bend * (octave_noise(rng, size, decay=0.4) - 0.5)
    return u.astype(np.float32), v.astype(np.float32)


def stripes(rng: Rng, size: int) -> Pattern:
    """Parallel stripes of uneven width."""
    u, _ = plane_coordinates(rng, size)
    count = int(rng.integers(3, 40))
    index = np.clip(((u + 1.6) / 3.2 * count), 0, count - 1).astype(np.int32)
    return np.asarray(palette(rng, count)[index], dtype=np.float32)


def tiles(rng: Rng, size: int) -> Pattern:
    """Checkerboards, tiles and bricks with joints; each tile has its own color."""
    u, v = plane_coordinates(rng, size)
    rows, aspect = float(rng.uniform(3, 16)), float(rng.uniform(0.4, 2.5))
    row = np.floor(v * rows).astype(np.int32)
    shift = 0.5 * (row % 2) if rng.random() < 0.5 else 0.0
    across = u * rows / aspect + shift
    column = np.floor(across).astype(np.int32)
    variety = int(rng.choice([2, 2, 4, 512]))
    index = (row + column) % 2 if variety == 2 else (row * 73 + column * 151) % variety
    image = palette(rng, variety)[index]
    joint = float(rng.uniform(0, 0.1))
    edge = (v * rows - row < joint) | (across - column < joint * aspect)
    image[edge] = rng.random(3)
    return np.asarray(image, dtype=np.float32)


def shapes(rng: Rng, size: int) -> Pattern:
    """Overlapping discs, ellipses, boxes and polygons on a background."""
    image = noise(rng, size) if rng.random() < 0.5 else np.ones((size, size, 3), np.float32)
    image = np.ascontiguousarray(image * rng.random(3).astype(np.float32))
    biggest = rng.uniform(0.04, 0.3) * size
    for _ in range(int(rng.integers(10, 120))):
        x, y = (int(c) for c in rng.integers(0, size, 2))
        extent = [int(1 + biggest * rng.random() ** 2) for _ in range(2)]
        color, kind = tuple(float(c) for c in rng.random(3)), rng.integers(0, 4)
        thick = -1 if rng.random() < 0.8 else int(rng.integers(1, 5))
        if kind == 0:
            cv2.circle(image, (x, y), extent[0], color, thick, cv2.LINE_AA)
        elif kind == 1:
            turn = float(rng.uniform(0, 180))
            cv2.ellipse(image, (x, y), extent, turn, 0, 360, color, thick, cv2.LINE_AA)
        elif kind == 2:
            cv2.rectangle(image, (x, y), (x + extent[0], y + extent[1]), color, thick)
        else:
            points = (np.array([x, y]) + rng.normal(0, extent[0], (5, 2))).astype(np.int32)
            cv2.fillPoly(image, [points], color, cv2.LINE_AA)
    return image


def strokes(rng: Rng, size: int) -> Pattern:
    """Text-like rows of letters, or scratches, on a plain or cloudy ground."""
    image = np.ones((size, size, 3), np.float32) * rng.random(3).astype(np.float32)
    if rng.random() < 0.4:
        image = noise(rng, size)
    image = np.ascontiguousarray(np.clip(image * 255, 0, 255).astype(np.uint8))  # putText's type
    scale = float(rng.uniform(0.4, 2.5))
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-=#&%?!"
    y = 0.0
    while y < size:
        y += 26 * scale * float(rng.uniform(0.9, 1.6))
        text = "".join(rng.choice(list(letters + "    "), int(60 / scale)))
        color = tuple(int(c) for c in rng.integers(0, 256, 3))
        origin = (int(rng.uniform(-40, 60)), int(y))
        width = int(rng.integers(1, 2 + int(2 * scale)))
        font = int(rng.choice([cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_COMPLEX]))
        cv2.putText(image, text, origin, font, scale, color, width, cv2.LINE_AA)
    for _ in range(int(rng.integers(0, 25))):
        ends = [(int(a), int(b)) for a, b in rng.integers(0, size, (2, 2))]
        color = tuple(int(c) for c in rng.integers(0, 256, 3))
        cv2.line(image, ends[0], ends[1], color, int(rng.integers(1, 4)), cv2.LINE_AA)
    return np.asarray(image, dtype=np.float32) / np.float32(255)


def gradient(rng: Rng, size: int) -> Pattern:
    """Return a nearly textureless surface: a gradient with faint noise."""
    corners = palette(rng, 4).reshape(2, 2, 3)
    image = cv2.resize(corners, (size, size), interpolation=cv2.INTER_LINEAR)
    faint = octave_noise(rng, size, first=8, decay=0.9)[..., None] - 0.5
    return np.asarray(image + float(rng.uniform(0.02, 0.15)) * faint, dtype=np.float32)


PATTERNS: tuple[tuple[Callable[[Rng, int], Pattern], float], ...] = (
    (noise, 0.25),
    (voronoi, 0.15),
    (stripes, 0.05),
    (tiles, 0.15),
    (shapes, 0.2),
    (strokes, 0.12),
    (gradient, 0.08),
)


def draw_pattern(rng: Rng, size: int, depth: int = 0) -> npt.NDArray[np.uint8]:
    """One procedural texture (size, size, 3) uint8, sometimes two blended through a mask."""
    weights = np.array([weight for _, weight in PATTERNS])
    draw = PATTERNS[int(rng.choice(len(PATTERNS), p=weights / weights.sum()))][0]
    image = draw(rng, size)
    if rng.random() < 0.6:  # dirt: no real surface is perfectly regular
        grain = octave_noise(rng, size, first=int(2 ** rng.integers(1, 6)), decay=0.8)
        image = image * (1 + float(rng.uniform(0.1, 0.7)) * (grain[..., None] - 0.5))
    pixels = np.asarray(np.clip(image * 255, 0, 255), dtype=np.uint8)
    if depth == 0 and rng.random() < 0.3:
        other = draw_pattern(rng, size, depth=1)
        mask = octave_noise(rng, size, decay=0.5) > rng.uniform(0.4, 0.6)
        pixels[mask] = other[mask]
    return pixels
