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

"""The height over the ground: found where there is ground, left open where there is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from true_flow import TrueFlow

from zeroco_ros.estimate.depth import DepthEstimator
from zeroco_ros.estimate.depth_config import DepthConfig
from zeroco_ros.estimate.ground import find_ground
from zeroco_ros.estimate.posed_view import DepthMap, pixel_rays
from zeroco_ros.geometry.camera import Camera
from zeroco_ros.geometry.transforms import so3_exp
from zeroco_ros.training.sequences import world_sequence

SIZE = (120, 160)
K = np.array([[125.0, 0, 79.5], [0, 125.0, 59.5], [0, 0, 1]])


def road(height: float, tilt: float, roll: float, noise: float) -> DepthMap:
    """Return an endless plane below a camera tilted down and rolled, in degrees."""
    R = so3_exp(np.radians([tilt, 0, 0])) @ so3_exp(np.radians([0, 0, roll]))
    down = (pixel_rays(K, SIZE) @ R.T)[..., 1]
    with np.errstate(divide="ignore"):
        depth = np.where(down > 0.02, height / down, np.nan)
    depth *= 1 + np.random.default_rng(1).normal(0, noise, SIZE)
    return DepthMap(depth.astype(np.float32), (np.maximum(noise, 0.01) * depth).astype(np.float32))


@pytest.mark.parametrize(("tilt", "roll"), [(0.0, 0.0), (-12.0, 0.0), (-5.0, 8.0)])
def test_height_and_normal_of_a_plane(tilt: float, roll: float) -> None:
    found = find_ground(road(1.65, tilt, roll, 0.02), K)
    assert found is not None
    assert found.height == pytest.approx(1.65, rel=0.02)
    assert found.share > 0.6 and found.normal[1] < -0.9


def test_clutter_does_not_move_the_plane() -> None:
    depth = road(1.65, -5.0, 0.0, 0.01)
    depth.depth[60:, 20:60] = np.fmin(depth.depth[60:, 20:60], 2.5)  # a box in front
    found = find_ground(depth, K)
    assert found is not None and found.height == pytest.approx(1.65, rel=0.03)


def test_no_ground_is_none() -> None:
    wall = DepthMap(np.full(SIZE, 3.0, np.float32), np.full(SIZE, 0.05, np.float32))
    assert find_ground(wall, K) is None
    sky = DepthMap(np.full(SIZE, np.nan, np.float32), np.full(SIZE, np.nan, np.float32))
    assert find_ground(sky, K) is None
    unsure = road(1.65, 0.0, 0.0, 0.02)
    assert find_ground(DepthMap(unsure.depth, unsure.depth), K) is None


def test_a_known_camera_height_makes_a_stream_metric() -> None:
    frames = tuple(world_sequence("walk", 6, SIZE))
    flow: Any = TrueFlow(frames)
    camera = Camera(SIZE[1], SIZE[0], frames[0].K, "pinhole", ())
    config = DepthConfig(camera_height=1.5)
    stream = DepthEstimator.from_flow(flow, config).stream(camera)
    results = [stream.push(frame.image, i) for i, frame in enumerate(frames)]
    last = results[-1]
    assert last is not None and last.scale == "metric"
    # The camera rises by up to 0.12 m, and a strip of floor between furniture is all it sees.
    assert float(np.nanmedian(last.depth / frames[-1].depth)) == pytest.approx(1.0, abs=0.25)
