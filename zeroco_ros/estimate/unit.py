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

"""The unit of length of a stream without given poses: chosen at its start, or from the ground."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from zeroco_ros.estimate.ground import find_ground
from zeroco_ros.estimate.placing import Placed
from zeroco_ros.estimate.posed_view import DepthMap
from zeroco_ros.estimate.track import Track

Array = npt.NDArray[np.float64]

# So many key frames must see the ground before it decides the unit; then the median of the last.
SIGHTINGS = 3


def first_unit(
    placed: Placed, depth: DepthMap, origin: Array, baseline: float | None
) -> tuple[Placed, DepthMap]:
    """
    Return the second frame of a stream and its depth in the stream's unit.

    origin: (4, 4) pose of the first frame; baseline: meters between the two, or None: then the
    median depth becomes 1.
    """
    known = np.isfinite(depth.depth)
    length, unit = float(np.linalg.norm(placed.pose[:3, 3] - origin[:3, 3])), 1.0
    if baseline is not None:
        unit = baseline / length
    elif known.any():
        unit = 1 / float(np.median(depth.depth[known]))
    pose = placed.pose.copy()
    pose[:3, 3] = origin[:3, 3] + unit * (pose[:3, 3] - origin[:3, 3])
    covariance = placed.covariance
    if covariance is not None:
        units = np.repeat([unit, 1.0], 3)
        covariance = covariance * np.outer(units, units)
    return Placed(pose, covariance, placed.kind), depth.scaled(unit)


def level(track: Track, depth: DepthMap, height: float | None, K: Array) -> float:
    """
    Bring a track to the known height over the ground; returns the factor on lengths.

    depth: of the key frame just added. The median of the last sightings of the ground decides. 1
    where no height is known, the ground is not seen, or the world is that of given poses.
    """
    if height is None or track.posed:
        return 1.0
    ground = find_ground(depth, K)
    if ground is None:
        return 1.0
    track.heights.append(height / ground.height)
    if len(track.heights) < SIGHTINGS:
        return 1.0
    factor = float(np.median(track.heights))
    track.rescale(factor)
    track.metric = True
    return factor
