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
Where the search for the pose between two images starts: several poses, so that one is near.

- The essential matrix of OpenCV's USAC with MAGSAC++ scores (Barath et al., CVPR 2020).
- The best rotation, with the translation that then explains the rest: good for short baselines.
- The poses of a homography (Malis and Vargas, INRIA RR-6303, 2007, in OpenCV): where the scene is
  a plane two poses explain it equally well, and a search from one would hide the other.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from zeroco_ros.geometry.epipolar_refinement import Matches, refine_rotation

Array = npt.NDArray[np.float64]
Pose = tuple[Array, Array]

# Correspondences that the sampling sees, and its threshold in pixels at a focal length of 500.
SAMPLED = 2000
THRESHOLD = 1.5


def essential_poses(matches: Matches) -> list[Pose]:
    """Up to one pose (R, t) from USAC's essential matrix, the sides of t decided by cheirality."""
    target, source = _pixels(matches), np.ascontiguousarray(matches.points)
    limit = _threshold(matches)
    try:
        E, _ = cv2.findEssentialMat(
            target, source, matches.K, cv2.USAC_MAGSAC, 0.9999, limit, 2000
        )
    except cv2.error:
        return []
    if E is None or E.shape != (3, 3) or not np.isfinite(E).all():
        return []
    parts = [np.asarray(part, dtype=np.float64) for part in cv2.decomposeEssentialMat(E)]
    t = parts[2][:, 0]
    poses = [(R, side * t) for R in parts[:2] for side in (1.0, -1.0)]
    return [max(poses, key=lambda pose: in_front(pose[0], pose[1], matches).mean())]


def rotation_poses(R: Array, matches: Matches) -> list[Pose]:
    """
    Return pose with rotation R and the translation that explains the rest, from (N,) residuals.

    Every match asks t to be orthogonal to (R x0) cross x1: the smallest eigenvector, reweighted.
    """
    moved = matches.rays @ R.T
    there = _source_rays(matches)
    normals = np.cross(moved, there)
    length = np.linalg.norm(normals, axis=1)
    weights, t = matches.weights, np.zeros(3)
    for _ in range(5):
        t = np.linalg.eigh((normals * weights[:, None]).T @ normals)[1][:, 0]
        errors = np.abs(normals @ t)
        scale = 1e-9 + 2 * float(np.median(errors))
        weights = matches.weights / (1 + (errors / scale) ** 2) / (1e-6 + length)
    return [max(((R, t), (R, -t)), key=lambda pose: in_front(pose[0], pose[1], matches).mean())]


def homography_poses(matches: Matches) -> tuple[list[Pose], float]:
    """
    (poses, share): those of the dominant homography that put its points in front.

    share: of the matches within three THRESHOLDs of it.
    """
    target, limit = _pixels(matches), 2 * _threshold(matches)
    try:
        H, _ = cv2.findHomography(target, matches.points, cv2.USAC_MAGSAC, limit)
    except cv2.error:
        H = None
    if H is None or not np.isfinite(H).all() or abs(np.linalg.det(H)) < 1e-9:
        return [], 0.0
    moved = np.column_stack([target, np.ones(len(target))]) @ H.T
    errors = np.linalg.norm(moved[:, :2] / moved[:, 2:] - matches.points, axis=1)
    near = errors < 1.5 * limit
    count, rotations, translations, normals = cv2.decomposeHomographyMat(H, matches.K)
    poses: list[Pose] = []
    rays = matches.rays[near]
    for index in range(count):
        t, normal = np.asarray(translations[index], np.float64)[:, 0], normals[index][:, 0]
        length = np.linalg.norm(t)
        # The plane n . X = d with d > 0 is in front of the camera where n . ray > 0.
        if length > 1e-6 and len(rays) and (rays @ normal > 0).mean() > 0.9:
            poses.append((np.asarray(rotations[index], np.float64), t / length))
    return poses, float(near.mean())


def rotation_start(matches: Matches) -> Array:
    """Give a rotation (3, 3) near the one that explains most: Kabsch on unit rays, reweighted."""
    first = matches.rays / np.linalg.norm(matches.rays, axis=1, keepdims=True)
    second = _source_rays(matches)
    second /= np.linalg.norm(second, axis=1, keepdims=True)
    weights, R = matches.weights, np.eye(3)
    for _ in range(10):
        u, _, vt = np.linalg.svd((second * weights[:, None]).T @ first)
        R = u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt
        errors = np.linalg.norm(second - first @ R.T, axis=1)
        scale = 1e-6 + 1.5 * float(np.median(errors))
        weights = matches.weights / (1 + (errors / scale) ** 2) ** 2
    return refine_rotation(R, matches).R


def in_front(R: Array, t: Array, matches: Matches) -> npt.NDArray[np.bool_]:
    """(N,) bool: the two rays of a match meet in front of both cameras (or are parallel)."""
    first = matches.rays @ R.T
    second = _source_rays(matches)
    # depth0 first - depth1 second = -t, least squares, each times its positive determinant.
    ff, ss, fs = (
        (a * b).sum(axis=1) for a, b in ((first, first), (second, second), (first, second))
    )
    ft, st = first @ t, second @ t
    return np.asarray((fs * st - ss * ft >= 0) & (ff * st - fs * ft >= 0))


def _source_rays(matches: Matches) -> Array:
    points = np.column_stack([matches.points, np.ones(len(matches.points))])
    return np.asarray(points @ np.linalg.inv(matches.K).T)


def _pixels(matches: Matches) -> Array:
    """Where image 1's camera, in image 0's place, would see the target pixels: (N, 2)."""
    moved = matches.rays @ matches.K.T
    return np.ascontiguousarray(moved[:, :2] / moved[:, 2:])


def _threshold(matches: Matches) -> float:
    return float(np.clip(THRESHOLD * matches.K[0, 0] / 500, 0.5, 5))
