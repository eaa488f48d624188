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

"""Rigid transforms: against the general matrix exponential, and round trips."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm

from zeroco_ros.errors import ConfigError
from zeroco_ros.geometry import transforms as tf

RNG = np.random.default_rng(5)
TWISTS = RNG.normal(size=(20, 6)) * np.array([2, 2, 2, 0.8, 0.8, 0.8])


def generator(xi: np.ndarray) -> np.ndarray:
    out = np.zeros((4, 4))
    out[:3, :3], out[:3, 3] = tf.skew(xi[3:]), xi[:3]
    return out


def test_exponential_is_the_matrix_exponential():
    for xi in [*TWISTS, TWISTS[0] * 1e-6, np.zeros(6)]:
        np.testing.assert_allclose(tf.se3_exp(xi), expm(generator(xi)), atol=1e-12)


def test_small_and_large_angles_meet_at_the_switch():
    direction = np.array([0.3, -0.2, 0.1, 0.6, 0.64, 0.48])
    for angle in (0.99 * tf.SMALL_ANGLE, 1.01 * tf.SMALL_ANGLE):
        xi = direction * np.r_[1, 1, 1, np.full(3, angle)]
        np.testing.assert_allclose(tf.se3_exp(xi), expm(generator(xi)), atol=1e-12)


def test_logarithm_inverts_the_exponential_in_batches():
    np.testing.assert_allclose(tf.se3_log(tf.se3_exp(TWISTS)), TWISTS, atol=1e-10)
    batch = TWISTS.reshape(4, 5, 6)
    assert tf.se3_exp(batch).shape == (4, 5, 4, 4)
    np.testing.assert_allclose(tf.se3_log(tf.se3_exp(batch)), batch, atol=1e-10)


def test_half_a_turn_has_a_logarithm():
    R = np.diag([1.0, -1, -1])
    np.testing.assert_allclose(np.abs(tf.so3_log(R)), [np.pi, 0, 0], atol=1e-12)
    assert tf.rotation_angle(R) == pytest.approx(np.pi)


def test_inverse_and_relative():
    a, b = tf.se3_exp(TWISTS[:10]), tf.se3_exp(TWISTS[10:])
    np.testing.assert_allclose(tf.inverse(a) @ a, np.broadcast_to(np.eye(4), a.shape), atol=1e-12)
    point = np.array([0.3, -1, 2, 1])
    # A point of camera b, through the world, is the same in camera a.
    np.testing.assert_allclose(a @ tf.relative(a, b) @ point, b @ point, atol=1e-12)


def test_adjoint_moves_a_twist_to_the_other_side():
    T = tf.se3_exp(TWISTS[0])
    np.testing.assert_allclose(
        T @ tf.se3_exp(TWISTS[1]), tf.se3_exp(tf.adjoint(T) @ TWISTS[1]) @ T, atol=1e-12
    )


def test_quaternions_are_xyzw_and_have_one_sign():
    quarter = tf.quaternion_to_matrix([0, 0, np.sqrt(0.5), np.sqrt(0.5)])
    np.testing.assert_allclose(quarter @ [1, 0, 0], [0, 1, 0], atol=1e-12)
    R = tf.so3_exp(RNG.normal(size=(30, 3)) * 2)
    q = tf.matrix_to_quaternion(R)
    assert (q[:, 3] >= 0).all()
    np.testing.assert_allclose(np.linalg.norm(q, axis=1), 1)
    np.testing.assert_allclose(tf.quaternion_to_matrix(-3 * q), R, atol=1e-12)
    pose = tf.pose_to_matrix([1, 2, 3], q[0])
    np.testing.assert_allclose(pose, tf.transform(R[0], [1, 2, 3]), atol=1e-12)


@pytest.mark.parametrize("q", [[0, 0, 0, 0], [np.nan, 0, 0, 1], [1, 2, 3]])
def test_a_quaternion_that_says_nothing_is_refused(q):
    with pytest.raises(ConfigError, match="quaternion"):
        tf.quaternion_to_matrix(q)


def test_interpolation_keeps_a_constant_motion():
    twist = np.array([0, 0, 0, 0.2, -0.3, 0.5])
    poses = tf.se3_exp(np.outer([0, 1, 3], twist))
    poses[:, :3, 3] = np.outer([0, 1, 3], [1, 2, -1])
    # Nanoseconds of today: doubles alone would lose the last digits.
    base = 1_790_000_000_000_000_000
    stamps = base + np.array([0, 1_000_000_000, 3_000_000_000])
    wanted = base + np.array([0, 250_000_000, 1_000_000_000, 2_500_000_000, 3_000_000_000])
    got = tf.interpolate(stamps, poses, wanted)
    for pose, share in zip(got, [0, 0.25, 1, 2.5, 3], strict=True):
        np.testing.assert_allclose(pose[:3, :3], tf.so3_exp(share * twist[3:]), atol=1e-12)
        np.testing.assert_allclose(pose[:3, 3], share * np.array([1, 2, -1]), atol=1e-12)
    np.testing.assert_allclose(tf.interpolate(stamps, poses, wanted[1]), got[1])


def test_interpolation_takes_the_short_way():
    poses = tf.transform(tf.so3_exp([[0, 0, 3.0], [0, 0, -3.0]]), np.zeros(3))
    middle = tf.interpolate([0.0, 1.0], poses, 0.5)
    assert tf.rotation_angle(middle[:3, :3]) == pytest.approx(np.pi)


def test_interpolation_never_extrapolates():
    poses = np.broadcast_to(np.eye(4), (2, 4, 4))
    for t in (-0.1, 1.1, [0.5, 2.0]):
        with pytest.raises(ConfigError, match="reach from"):
            tf.interpolate([0.0, 1.0], poses, t)
    with pytest.raises(ConfigError, match="increase"):
        tf.interpolate([1.0, 1.0], poses, 1.0)
    with pytest.raises(ConfigError, match="shape"):
        tf.interpolate([1.0], poses, 1.0)
    np.testing.assert_array_equal(tf.interpolate([1.0], poses[:1], 1.0), np.eye(4))
    with pytest.raises(ConfigError):
        tf.interpolate([1.0], poses[:1], 1.5)
