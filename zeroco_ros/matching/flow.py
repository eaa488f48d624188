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
Flow on the token grid, flow in pixels, and the bookkeeping between an image and the network.

All pixel coordinates put 0 at the center of the first pixel. A resize by the factor s maps x to
(x + 0.5) s - 0.5, so nothing here shifts by half a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from torch import Tensor

from zeroco_ros.matching.argmax import token_positions

FloatArray = npt.NDArray[np.float32]
PATCH = 16


@dataclass(frozen=True)
class Letterbox:
    """
    How an image lies in the network's input: resized to `content`, at the top left.

    image: (H, W) of the image in pixels; content: (h, w) it is resized to; model: (h, w) of the
    network's input, multiples of 16, the rest of which is padding.
    """

    image: tuple[int, int]
    content: tuple[int, int]
    model: tuple[int, int]

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of tokens of the network's input."""
        return self.model[0] // PATCH, self.model[1] // PATCH

    @property
    def valid(self) -> tuple[int, int]:
        """Rows and columns of tokens whose center lies in the image."""
        rows = (self.content[0] + PATCH // 2 - 1) // PATCH
        columns = (self.content[1] + PATCH // 2 - 1) // PATCH
        return max(1, rows), max(1, columns)

    def to_model(self, points: FloatArray) -> FloatArray:
        """Image pixels (..., 2) as (x, y) to pixels of the network's input."""
        return ((points + 0.5) * self._scale() - 0.5).astype(np.float32)

    def to_image(self, points: FloatArray) -> FloatArray:
        """Pixels of the network's input (..., 2) to image pixels."""
        return ((points + 0.5) / self._scale() - 0.5).astype(np.float32)

    def _scale(self) -> npt.NDArray[np.float64]:
        (height, width), (h, w) = self.image, self.content
        return np.array([w / width, h / height])


def fit_letterbox(
    image: tuple[int, int],
    *,
    size: tuple[int, int] | None = None,
    max_side: int = 320,
    keep_aspect: bool = True,
) -> Letterbox:
    """
    Choose how an image (H, W) enters the network.

    size: the network's input (h, w), or None: the longest side becomes at most `max_side` (images
        are not enlarged, except to reach two tokens a side) and both sides round to tokens.
    keep_aspect: pad instead of stretching.
    """
    height, width = image
    if size is None:
        scale = min(1.0, max_side / max(image))
        scale = max(scale, min(2 * PATCH / min(image), max_side / max(image)))
        if not keep_aspect:
            rows, columns = (max(2, round(side * scale / PATCH)) for side in image)
            return _filled(image, (rows * PATCH, columns * PATCH))
    else:
        scale = min(size[0] / height, size[1] / width)
        if not keep_aspect:
            return _filled(image, size)
    content = max(1, round(height * scale)), max(1, round(width * scale))
    if size is None:
        size = _whole_patches(content[0]), _whole_patches(content[1])
    return Letterbox(image, content, size)


def _filled(image: tuple[int, int], size: tuple[int, int]) -> Letterbox:
    return Letterbox(image, size, size)


def _whole_patches(side: int) -> int:
    return max(2, -(-side // PATCH)) * PATCH


def token_flow(position: Tensor, grid: tuple[int, int]) -> Tensor:
    """
    Match positions (B, h * w, 2) minus the tokens' own: flow (B, h, w, 2) in tokens.

    grid: (h, w) of the target. Where the two images have grids of different size, the flow is the
    difference of the two positions on their own grids.
    """
    own = token_positions(grid, position.device)
    return (position - own).reshape(position.shape[0], *grid, 2)


def upsample_flow(
    coarse: FloatArray, target: Letterbox, source: Letterbox, how: str = "direct"
) -> FloatArray:
    """
    Flow (h, w, 2) in tokens on the target's valid grid to (H, W, 2) in image pixels.

    how: "direct" is bilinear between token centers, constant beyond the outermost ones. "two_step"
    interpolates to the pixels of the network's input and from there to the image, as the released
    code does; it rounds off the corners of the interpolation. "corners" puts the outermost tokens
    into the image's corners, as its DUSt3R path does.
    """
    tokens_high, tokens_wide = coarse.shape[:2]
    (high, wide), (height, width) = target.content, target.image
    field = np.asarray(coarse, dtype=np.float32)
    if how == "two_step":
        field = _separable(
            field,
            interpolation(high, tokens_high, 1 / PATCH),
            interpolation(wide, tokens_wide, 1 / PATCH),
        )
        rows = interpolation(height, high, high / height)
        columns = interpolation(width, wide, wide / width)
    elif how == "corners":
        rows = pinned_interpolation(height, tokens_high)
        columns = pinned_interpolation(width, tokens_wide)
    else:
        rows = interpolation(height, tokens_high, high / height / PATCH)
        columns = interpolation(width, tokens_wide, wide / width / PATCH)
    scale = np.array(source.image[::-1]) / np.array(source.content[::-1]) * PATCH
    flow = _separable(field * scale.astype(np.float32), rows, columns)
    return _add_frame_change(flow, target, source)


def flow_to_image(flow: FloatArray, target: Letterbox, source: Letterbox) -> FloatArray:
    """Flow (H, W, 2) in pixels of the network's input to the same in pixels of the image."""
    scale = np.array(source.image[::-1]) / np.array(source.content[::-1])
    return _add_frame_change(flow * scale.astype(np.float32), target, source)


def _add_frame_change(flow: FloatArray, target: Letterbox, source: Letterbox) -> FloatArray:
    """Add what a pixel moves by going from the target's letterbox to the source's; in place."""
    if target.image == source.image and target.content == source.content:
        return flow
    for axis in (0, 1):
        side = target.image[1 - axis]
        ratio = target.content[1 - axis] / side
        ratio *= source.image[1 - axis] / source.content[1 - axis]
        at = np.arange(side)
        shift = ((at + 0.5) * ratio - 0.5 - at).astype(np.float32)
        flow[..., axis] += shift[:, None] if axis else shift
    return flow


def upsample_map(values: FloatArray, target: Letterbox) -> FloatArray:
    """Values (h, w) on the target's valid tokens to its image pixels (H, W), bilinear."""
    height, width = target.image
    rows = interpolation(height, values.shape[0], target.content[0] / height / PATCH)
    columns = interpolation(width, values.shape[1], target.content[1] / width / PATCH)
    return np.asarray(rows @ values.astype(np.float32) @ columns.T, dtype=np.float32)


@lru_cache(maxsize=64)
def interpolation(n_out: int, n_in: int, scale: float) -> FloatArray:
    """Matrix (n_out, n_in) of linear interpolation at (i + 0.5) * scale - 0.5, clamped."""
    return _linear(np.clip((np.arange(n_out) + 0.5) * scale - 0.5, 0, n_in - 1), n_in)


@lru_cache(maxsize=64)
def pinned_interpolation(n_out: int, n_in: int) -> FloatArray:
    """Matrix (n_out, n_in) of linear interpolation that maps the ends onto the ends."""
    return _linear(np.linspace(0, n_in - 1, n_out), n_in)


def _linear(at: npt.NDArray[np.float64], n_in: int) -> FloatArray:
    n_out = len(at)
    low = np.minimum(np.floor(at).astype(np.int64), max(n_in - 2, 0))
    weight = at - low
    matrix = np.zeros((n_out, n_in), dtype=np.float32)
    matrix[np.arange(n_out), low] = 1 - weight
    matrix[np.arange(n_out), np.minimum(low + 1, n_in - 1)] += weight
    matrix.flags.writeable = False
    return matrix


def _separable(field: FloatArray, rows: FloatArray, columns: FloatArray) -> FloatArray:
    """Interpolate a field (h, w, C) to (H, W, C) by the matrices (H, h) and (W, w)."""
    high, _, channels = field.shape
    wide = np.matmul(columns, field)  # (h, W, C): the small half first
    out = rows @ wide.reshape(high, -1)
    return np.asarray(out.reshape(len(rows), len(columns), channels), dtype=np.float32)
