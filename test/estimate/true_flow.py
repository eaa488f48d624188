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

"""A stand-in for the flow estimator that knows the truth, so that the rest is testable."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np

from zeroco_ros.estimate.results import FlowResult
from zeroco_ros.training.sequences import WorldFrame

AGREE = 0.03  # relative difference of depths up to which a point counts as seen


class TrueFlow:
    """
    Flow of the procedural world from its depths and poses, with noise of `noise` pixels.

    It has of FlowEstimator what a depth stream calls: encode, match, config. Frames are told apart
    by their pixels. Occlusion is true; confidence is 0.97 where seen, else 0.
    """

    config = SimpleNamespace(max_pixels=50_000_000)

    def __init__(self, frames: Sequence[WorldFrame], noise: float = 0.3) -> None:
        self._frames = {frame.image.tobytes(): frame for frame in frames}
        self._random = np.random.default_rng(3)
        self.noise = noise
        self.encoded = self.matched = 0

    def encode(self, image: np.ndarray) -> Any:
        self.encoded += 1
        gray = np.ascontiguousarray(image[..., 1])
        world = self._frames[image.tobytes()]
        return SimpleNamespace(image=image, gray=gray, size=gray.shape, world=world)

    def match(self, target: Any, source: Any) -> FlowResult:
        self.matched += 1
        flow, seen = true_flow(target.world, source.world)
        flow = flow + self._random.normal(0, self.noise, flow.shape)
        error = np.where(seen, self.noise, np.inf)
        return FlowResult(
            flow.astype(np.float32),
            np.where(seen, 0.97, 0).astype(np.float32),
            ~seen,
            error.astype(np.float32),
            np.zeros((1, 1, 2), np.float32),
        )


def true_flow(target: WorldFrame, source: WorldFrame) -> tuple[np.ndarray, np.ndarray]:
    """Flow (H, W, 2) of what stands still, and where (H, W) the source sees the same point."""
    height, width = target.depth.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    K = target.K
    rays = np.stack([(x - K[0, 2]) / K[0, 0], (y - K[1, 2]) / K[1, 1], np.ones_like(x)], -1)
    T = np.linalg.inv(source.c2w) @ target.c2w
    points = (rays * target.depth[..., None]) @ T[:3, :3].T + T[:3, 3]
    z = np.maximum(points[..., 2], 1e-6)
    u = source.K[0, 0] * points[..., 0] / z + source.K[0, 2]
    v = source.K[1, 1] * points[..., 1] / z + source.K[1, 2]
    there = cv2.remap(source.depth, u.astype(np.float32), v.astype(np.float32), cv2.INTER_LINEAR)
    inside = (u > 0) & (v > 0) & (u < width - 1) & (v < height - 1) & (points[..., 2] > 0.01)
    flow = np.clip(np.stack([u - x, v - y], -1), -9999, 9999)
    return flow, inside & (np.abs(there - z) < AGREE * z)
