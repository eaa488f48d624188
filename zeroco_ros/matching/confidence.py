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

"""How far a match can be trusted: forward-backward consistency, texture, uniqueness."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
PATCH = 16

# Standard deviation of grey levels (0..255) around a token: below the first number there is
# nothing to match, above the second there is enough. Sensor noise alone is about 1 to 2 levels.
TEXTURE_NONE = 1.5
TEXTURE_ENOUGH = 4.0
# Forward-backward error at which the confidence has fallen to 1/2, in tokens: below half a token
# the coarse flow cannot be told from its own quantization.
CYCLE_HALF = 0.6


def forward_backward_error(forward: FloatArray, backward: FloatArray) -> FloatArray:
    """
    Distance between each pixel and the match of its match: (H, W) float32.

    forward: (H, W, 2) from target to source; backward: (h, w, 2) from source to target, both in
    units of their own grid's cells. inf where the match lies outside the source.
    """
    height, width = forward.shape[:2]
    rows, columns = backward.shape[:2]
    x = forward[..., 0] + np.arange(width, dtype=np.float32)[None, :]
    y = forward[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    back = sample(backward, x, y)
    error = np.hypot(forward[..., 0] + back[..., 0], forward[..., 1] + back[..., 1])
    inside = (x >= -0.5) & (x <= columns - 0.5) & (y >= -0.5) & (y <= rows - 0.5)
    return np.where(inside, error, np.inf).astype(np.float32)


def sample(field: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
    """Bilinear values of a field (h, w, 2) at positions x, y (H, W), the border extended."""
    return np.asarray(
        cv2.remap(field, x, y, interpolation=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
        dtype=np.float32,
    )


def texture(gray: npt.NDArray[np.uint8], grid: tuple[int, int]) -> FloatArray:
    """
    How much there is to match around each token, in [0, 1]: (h, w) float32.

    gray: (16 h, 16 w) uint8, the image as the network sees it. 0 for constant, black and saturated
    areas. The patch and its neighbors count, because the network sees context.
    """
    values = gray.astype(np.float32)
    mean = cv2.boxFilter(values, -1, (3 * PATCH, 3 * PATCH), borderType=cv2.BORDER_REFLECT_101)
    square = cv2.boxFilter(
        values * values, -1, (3 * PATCH, 3 * PATCH), borderType=cv2.BORDER_REFLECT_101
    )
    deviation = np.sqrt(np.maximum(square - mean * mean, 0))
    centers = deviation[PATCH // 2 :: PATCH, PATCH // 2 :: PATCH][: grid[0], : grid[1]]
    share = (centers - TEXTURE_NONE) / (TEXTURE_ENOUGH - TEXTURE_NONE)
    return np.clip(share, 0, 1).astype(np.float32)


def token_confidence(
    mass: FloatArray, error: FloatArray, target_texture: FloatArray, source_texture: FloatArray
) -> FloatArray:
    """
    Confidence (h, w) in [0, 1] of the coarse match of each target token.

    mass: share of the probability in the window around the peak, in [0, 1]; error:
    forward-backward error in tokens; target_texture and source_texture: at the token and at its
    match, in [0, 1].
    """
    cycle = 1 / (1 + (error / CYCLE_HALF) ** 2)
    return np.asarray(
        np.clip(mass * cycle * target_texture * source_texture, 0, 1), dtype=np.float32
    )


def occlusion(
    flow: FloatArray, error: FloatArray, confidence: FloatArray, least: float = 3.0
) -> BoolArray:
    """
    Pixels (H, W) whose match does not lead back, or of which nothing is known.

    flow: (H, W, 2) and error: (H, W) in pixels. The tolerance grows with the motion, as in
    Sundaram et al. (ECCV 2010), from `least` pixels on: the accuracy of the coarser direction.
    """
    tolerance = np.maximum(least, 0.05 * np.hypot(flow[..., 0], flow[..., 1]))
    return np.asarray(~(error <= tolerance) | (confidence <= 0), dtype=np.bool_)
