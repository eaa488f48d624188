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

"""Errors of an estimated trajectory: absolute after alignment, and relative from step to step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

STILL = 1e-3  # of the path's length: a shorter step has no direction to compare


@dataclass(frozen=True)
class Similarity:
    """x -> scale * rotation @ x + translation. rotation (3, 3), translation (3,)."""

    scale: float
    rotation: Array
    translation: Array

    def points(self, points: Array) -> Array:
        """Points (N, 3) carried along."""
        return np.asarray(self.scale * points @ self.rotation.T + self.translation)

    def poses(self, poses: Array) -> Array:
        """Poses (N, 4, 4) carried along; their rotations stay rotations."""
        moved = np.array(poses, dtype=np.float64)
        moved[:, :3, :3] = self.rotation @ moved[:, :3, :3]
        moved[:, :3, 3] = self.points(moved[:, :3, 3])
        return moved


@dataclass(frozen=True)
class PositionErrors:
    """
    Distances between aligned and true positions (ATE; Sturm et al., IROS 2012).

    rmse, mean, median, largest: in the truth's unit, meters. alignment: what was applied to the
    estimate before, a similarity or a rigid motion.
    """

    rmse: float
    mean: float
    median: float
    largest: float
    alignment: Similarity


@dataclass(frozen=True)
class StepErrors:
    """
    Errors of the motion over `delta` frames (RPE; Sturm et al., IROS 2012).

    steps: how many. translation: rmse in meters, after the estimate was scaled. rotation,
    rotation_median: rmse and median in degrees. direction, direction_mean: median and mean angle
    in degrees between the translations, each in its first camera's axes, over the `directed` steps
    in which the camera really moves; NaN without one.
    """

    delta: int
    steps: int
    translation: float
    rotation: float
    rotation_median: float
    direction: float
    direction_mean: float
    directed: int


@dataclass(frozen=True)
class TrajectoryScore:
    """
    All errors of one trajectory.

    poses: how many were compared. path: length of the true path in meters. scale: of the Sim(3)
    alignment, true meters for one unit of the estimate. ate: after Sim(3) alignment; ate_rigid:
    after SE(3) alignment. rpe: over one frame, with the Sim(3) scale; rpe_rigid: unscaled.
    """

    poses: int
    path: float
    scale: float
    ate: PositionErrors
    ate_rigid: PositionErrors
    rpe: StepErrors
    rpe_rigid: StepErrors


def umeyama(points: Array, truth: Array, *, with_scale: bool) -> Similarity:
    """
    Return the similarity (or rigid motion) that takes points (N, 3) closest to truth (N, 3).

    Least squares in closed form (Umeyama, PAMI 1991). Where the points do not determine it
    (all in one place, or on a line), one of the best is returned; a cloud without extent keeps
    its scale. Raises ValueError for other shapes or no point.
    """
    points, truth = np.asarray(points, np.float64), np.asarray(truth, np.float64)
    if points.shape != truth.shape or points.ndim != 2 or points.shape[1] != 3 or not len(points):
        raise ValueError(f"expected two (N, 3) clouds, got {points.shape} and {truth.shape}")
    center, aim = points.mean(0), truth.mean(0)
    spread = float(((points - center) ** 2).sum(1).mean())
    left, sizes, right = np.linalg.svd((truth - aim).T @ (points - center) / len(points))
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(left) * np.linalg.det(right))])
    rotation = (left * signs) @ right
    scale = float((sizes * signs).sum()) / spread if with_scale and spread > 0 else 1.0
    return Similarity(scale, rotation, aim - scale * rotation @ center)


def position_errors(poses: Array, truth: Array, *, with_scale: bool) -> PositionErrors:
    """ATE of poses (N, 4, 4) against true ones, both camera to world, after alignment."""
    alignment = umeyama(poses[:, :3, 3], truth[:, :3, 3], with_scale=with_scale)
    error = np.linalg.norm(alignment.points(poses[:, :3, 3]) - truth[:, :3, 3], axis=1)
    return PositionErrors(
        float(np.sqrt((error**2).mean())),
        float(error.mean()),
        float(np.median(error)),
        float(error.max()),
        alignment,
    )


def step_errors(poses: Array, truth: Array, *, delta: int = 1, scale: float = 1.0) -> StepErrors:
    """
    RPE of poses (N, 4, 4), their translations times `scale`, over every `delta` frames.

    Raises ValueError with fewer than delta + 1 poses.
    """
    if len(poses) <= delta:
        raise ValueError(f"{len(poses)} poses have no step over {delta} frames")
    ours, theirs = _steps(poses, delta, scale), _steps(truth, delta)
    error = np.linalg.inv(theirs) @ ours
    angles = rotation_angles(error[:, :3, :3])
    shift, wanted = ours[:, :3, 3], theirs[:, :3, 3]
    lengths = np.linalg.norm(shift, axis=1), np.linalg.norm(wanted, axis=1)
    moved = lengths[1] > STILL * max(path_length(truth), 1e-9)
    off = np.where(lengths[0] > 0, angle_between(shift, wanted), 90.0)[moved]
    return StepErrors(
        delta=delta,
        steps=len(error),
        translation=float(np.sqrt((error[:, :3, 3] ** 2).sum(1).mean())),
        rotation=float(np.sqrt((angles**2).mean())),
        rotation_median=float(np.median(angles)),
        direction=float(np.median(off)) if off.size else float("nan"),
        direction_mean=float(off.mean()) if off.size else float("nan"),
        directed=int(moved.sum()),
    )


def score_trajectory(poses: Array, truth: Array) -> TrajectoryScore:
    """
    Every error of poses (N, 4, 4) against the true ones of the same frames, camera to world.

    Raises ValueError with fewer than two poses or different numbers of them.
    """
    poses, truth = np.asarray(poses, np.float64), np.asarray(truth, np.float64)
    if poses.shape != truth.shape or poses.shape[1:] != (4, 4) or len(poses) < 2:
        raise ValueError(f"expected two (N, 4, 4) with N >= 2, got {poses.shape}, {truth.shape}")
    ate = position_errors(poses, truth, with_scale=True)
    return TrajectoryScore(
        poses=len(poses),
        path=path_length(truth),
        scale=ate.alignment.scale,
        ate=ate,
        ate_rigid=position_errors(poses, truth, with_scale=False),
        rpe=step_errors(poses, truth, scale=ate.alignment.scale),
        rpe_rigid=step_errors(poses, truth),
    )


def path_length(poses: Array) -> float:
    """Length of the way through the positions of poses (N, 4, 4)."""
    return float(np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1).sum())


def rotation_angles(rotations: Array) -> Array:
    """Angles (N,) in degrees of rotations (N, 3, 3), accurate near 0 and near 180."""
    trace = np.trace(rotations, axis1=1, axis2=2)
    axis = np.stack(
        [rotations[:, k - 1, k - 2] - rotations[:, k - 2, k - 1] for k in range(3)], axis=1
    )
    return np.asarray(np.degrees(np.arctan2(np.linalg.norm(axis, axis=1), trace - 1)))


def angle_between(first: Array, second: Array) -> Array:
    """Angles (N,) in degrees between vectors (N, 3) of any length; 0 for a zero vector."""
    across = np.linalg.norm(np.cross(first, second), axis=1)
    return np.asarray(np.degrees(np.arctan2(across, (first * second).sum(1))))


def _steps(poses: Array, delta: int, scale: float = 1.0) -> Array:
    scaled = np.array(poses, dtype=np.float64)
    scaled[:, :3, 3] *= scale
    return np.asarray(np.linalg.inv(scaled[:-delta]) @ scaled[delta:])
