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
Whether a sequence's poses agree with its depth and pictures: for docs/results/depth.md.

python docs/results/given_poses.py ../shared/data/bags/hololens_rgbd_60f_mcap 3-0 6-0 6-3 8-5 14-12

For each pair "later-earlier" of frames the motion is found from measured depth and our flow alone
(PnP with RANSAC, refined), and compared with that of the given poses: the difference of the
translations, the angle between the rotations, and the median distance in pixels between flow and
reprojection under either motion.
"""

from __future__ import annotations

import sys

import cv2
import numpy as np
import torch

from zeroco_ros.estimate.flow import FlowEstimator
from zeroco_ros.evaluation.datasets import find_sequences
from zeroco_ros.evaluation.trajectory import rotation_angles
from zeroco_ros.geometry.transforms import relative, transform

CONFIDENT, POINTS, PIXELS = 0.6, 4000, 2.0


def motion_of(points: np.ndarray, pixels: np.ndarray, K: np.ndarray) -> np.ndarray:
    """(4, 4) that takes 3-D points (N, 3) to where they are seen at pixels (N, 2)."""
    _, turn, shift, inliers = cv2.solvePnPRansac(
        points, pixels, K, None, reprojectionError=PIXELS, flags=cv2.SOLVEPNP_EPNP
    )
    good = inliers[:, 0]
    turn, shift = cv2.solvePnPRefineLM(points[good], pixels[good], K, None, turn, shift)
    return transform(cv2.Rodrigues(turn)[0], shift[:, 0])


def distance(T: np.ndarray, points: np.ndarray, pixels: np.ndarray, K: np.ndarray) -> float:
    """Median distance in pixels between the points' images under a motion and their matches."""
    seen = (points @ T[:3, :3].T + T[:3, 3]) @ K.T
    return float(np.median(np.linalg.norm(seen[:, :2] / seen[:, 2:] - pixels, axis=1)))


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    (sequence,) = find_sequences(sys.argv[1])
    pairs = [tuple(map(int, text.split("-"))) for text in sys.argv[2:]]
    wanted = {k for pair in pairs for k in pair}
    frames = {k: frame for k, frame in enumerate(sequence) if k in wanted}
    flow, K = FlowEstimator("default", device="cpu", threads=1), sequence.camera.K
    for later, earlier in pairs:
        one, other = frames[later], frames[earlier]
        found = flow.estimate(one.image, other.image)
        known = np.isfinite(one.depth) & (found.confidence > CONFIDENT) & ~found.occluded
        y, x = np.nonzero(known)
        chosen = np.random.default_rng(0).permutation(len(y))[:POINTS]
        y, x = y[chosen], x[chosen]
        here = np.column_stack([x, y]).astype(np.float64)
        rays = np.column_stack([here, np.ones(len(here))]) @ np.linalg.inv(K).T
        points, pixels = rays * one.depth[y, x][:, None], here + found.flow[y, x]
        given, seen = relative(other.pose, one.pose), motion_of(points, pixels, K)
        apart = 100 * np.linalg.norm(given[:3, 3] - seen[:3, 3])
        angle = rotation_angles((given[:3, :3].T @ seen[:3, :3])[None])[0]
        lengths = [100 * np.linalg.norm(T[:3, 3]) for T in (given, seen)]
        errors = [distance(T, points, pixels, K) for T in (given, seen)]
        print(
            f"{later} to {earlier}: given {lengths[0]:.1f} cm, seen {lengths[1]:.1f} cm, apart "
            f"{apart:.1f} cm, {angle:.2f} deg; {errors[0]:.2f} and {errors[1]:.2f} px"
        )


if __name__ == "__main__":
    main()
