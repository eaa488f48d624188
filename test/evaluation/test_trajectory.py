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

"""Trajectory errors against evo's numbers and against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from zeroco_ros.evaluation.trajectory import (
    angle_between,
    path_length,
    rotation_angles,
    score_trajectory,
    step_errors,
    umeyama,
)

# What evo 1.38.1 says of `curve()`: APE of the translation part after
# PosePath3D.align with and without scale; RPE over all pairs that many frames apart.
EVO_SCALE = 2.6793960850258274
EVO_ATE = {
    True: (0.04218886600838655, 0.039429223881193035, 0.03947863092180694, 0.06805408115982955),
    False: (1.2512611247997398, 1.1745772741642448, 1.299205058596086, 1.7355837912655179),
}
EVO_RPE = {  # (delta, scaled): rmse of translation; rmse and median of rotation
    (1, True): (0.032620070400087936, 0.42561700163955307, 0.4121176130640515),
    (1, False): (0.13363213550909006, 0.42561700163955307, 0.4121176130640515),
    (5, True): (0.07023247811498233, 1.5631771848710843, 1.5246854934413492),
    (5, False): (0.6524960263948381, 1.5631771848710843, 1.5246854934413492),
}
EVO_PATH = 8.097743272956217


def _turn(vector: list[float]) -> np.ndarray:
    angle = float(np.linalg.norm(vector))
    x, y, z = np.asarray(vector) / max(angle, 1e-300)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def curve() -> tuple[np.ndarray, np.ndarray]:
    """40 poses of an estimate that is scaled, turned, drifts and shakes; and the truth."""
    world = np.eye(4)
    world[:3, :3], world[:3, 3] = _turn([0.4, -1.1, 0.7]), [3, -2, 1]
    truth, ours = np.tile(np.eye(4), (2, 40, 1, 1))
    for k in range(40):
        t, off = k / 10, np.eye(4)
        truth[k, :3, :3] = _turn([0.3 * np.sin(t), 0.5 * t, 0.2 * np.cos(2 * t)])
        truth[k, :3, 3] = [2 * np.cos(t), t * t / 4, np.sin(1.7 * t)]
        off[:3, :3] = _turn([0.01 * np.sin(7 * t), 0.02 * t, -0.015 * np.cos(5 * t)])
        off[:3, 3] = [0.05 * np.sin(9 * t), 0.02 * t, -0.03 * np.cos(4 * t)]
        ours[k] = world @ truth[k] @ off
        ours[k, :3, 3] *= 0.37
    return ours, truth


def test_the_numbers_of_evo() -> None:
    ours, truth = curve()
    score = score_trajectory(ours, truth)
    assert score.poses == 40 and score.path == pytest.approx(EVO_PATH, rel=1e-12)
    assert score.scale == pytest.approx(EVO_SCALE, rel=1e-9)
    for scaled, found in ((True, score.ate), (False, score.ate_rigid)):
        numbers = found.rmse, found.mean, found.median, found.largest
        assert numbers == pytest.approx(EVO_ATE[scaled], rel=1e-9)
    for (delta, scaled), wanted in EVO_RPE.items():
        found = step_errors(ours, truth, delta=delta, scale=score.scale if scaled else 1.0)
        numbers = found.translation, found.rotation, found.rotation_median
        assert numbers == pytest.approx(wanted, rel=1e-9)
        assert found.steps == 40 - delta
    assert score.rpe == step_errors(ours, truth, scale=score.scale)
    assert score.rpe_rigid == step_errors(ours, truth)


def test_a_similar_trajectory_has_no_error() -> None:
    _, truth = curve()
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = _turn([1.0, 2.0, -0.5]), [5, 6, 7]
    ours = pose @ truth
    ours[:, :3, 3] *= 4.0
    score = score_trajectory(ours, truth)
    assert score.scale == pytest.approx(0.25)
    assert score.ate.largest < 1e-9 and score.ate_rigid.rmse > 1
    assert score.rpe.translation < 1e-9 and score.rpe.rotation < 1e-6
    assert score.rpe.direction < 1e-6 and score.rpe.directed == 39
    assert np.allclose(score.ate.alignment.poses(ours), truth, atol=1e-9)


def test_alignment_never_mirrors() -> None:
    points = np.array([[1.0, 0, 0], [0, 2, 0], [0, 0, 3], [1, 1, 1]])
    found = umeyama(points, points * [1, 1, -1], with_scale=True)
    assert np.linalg.det(found.rotation) == pytest.approx(1)
    assert np.abs(found.points(points) - points * [1, 1, -1]).max() > 0.1


def test_a_camera_that_stays_has_scale_one_and_no_direction() -> None:
    still = np.tile(np.eye(4), (5, 1, 1))
    score = score_trajectory(still, still)
    assert score.scale == 1 and score.ate.rmse == 0 and score.path == 0
    assert score.rpe.directed == 0 and np.isnan(score.rpe.direction)


def test_directions_are_compared_in_the_cameras_axes() -> None:
    truth = np.tile(np.eye(4), (3, 1, 1))
    truth[:, 0, 3] = 0, 1, 2
    ours = truth.copy()
    ours[1:, :3, 3] = [np.cos(0.1), np.sin(0.1), 0], [2 * np.cos(0.1), 2 * np.sin(0.1), 0]
    found = step_errors(ours, truth)
    assert found.direction == pytest.approx(np.degrees(0.1)) and found.directed == 2
    ours[:, :3, 3] = 0  # no motion was seen: as wrong as a right angle
    assert step_errors(ours, truth).direction == 90
    truth[2, 0, 3] = 1.0  # a pause is not compared
    assert step_errors(ours, truth).directed == 1


def test_angles_are_accurate_at_both_ends() -> None:
    for angle in (1e-7, 1.0, np.pi - 1e-7):
        found = rotation_angles(_turn([0.0, angle, 0.0])[None])[0]
        assert np.radians(found) == pytest.approx(angle, rel=1e-6)
    ahead, back = np.array([[0.0, 0, 2]]), np.array([[0.0, 1e-8, -1]])
    assert angle_between(ahead, back)[0] == pytest.approx(180)


def test_wrong_shapes_are_told() -> None:
    poses = np.tile(np.eye(4), (3, 1, 1))
    with pytest.raises(ValueError, match="N >= 2"):
        score_trajectory(poses[:1], poses[:1])
    with pytest.raises(ValueError, match=r"\(3, 4, 4\).*\(2, 4, 4\)"):
        score_trajectory(poses, poses[:2])
    with pytest.raises(ValueError, match="no step over 3"):
        step_errors(poses, poses, delta=3)
    with pytest.raises(ValueError, match="clouds"):
        umeyama(np.zeros((0, 3)), np.zeros((0, 3)), with_scale=True)
    assert path_length(poses) == 0
