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
Rigid transforms: SE(3), quaternions, interpolation in time.

A transform is a homogeneous matrix (..., 4, 4) float64; `T_a_from_b` takes points of b into a. A
pose `c2w` is T_world_from_camera. A twist is (..., 6): translation part first, then the rotation
vector (the order of nav_msgs covariances: x y z rot_x rot_y rot_z). Quaternions are (x, y, z, w),
the order of geometry_msgs, Hamilton's convention. Formulas: J. Sola et al., "A micro Lie theory
for state estimation in robotics", 2018. Leading axes are batch axes everywhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from zeroco_ros.errors import ConfigError

Array = npt.NDArray[np.float64]

# Below this angle the closed forms of the left Jacobian lose digits and its series is exact.
SMALL_ANGLE = 1e-4


def skew(vector: npt.ArrayLike) -> Array:
    """Return the matrices (..., 3, 3) whose product with x is vector (..., 3) cross x."""
    v = np.asarray(vector, dtype=np.float64)
    out = np.zeros((*v.shape[:-1], 3, 3))
    out[..., 0, 1], out[..., 0, 2], out[..., 1, 2] = -v[..., 2], v[..., 1], -v[..., 0]
    out[..., 1, 0], out[..., 2, 0], out[..., 2, 1] = v[..., 2], -v[..., 1], v[..., 0]
    return out


def so3_exp(phi: npt.ArrayLike) -> Array:
    """Rotation vectors (..., 3), radians, to rotation matrices (..., 3, 3)."""
    v = np.asarray(phi, dtype=np.float64)
    matrices = Rotation.from_rotvec(v.reshape(-1, 3)).as_matrix()
    return np.asarray(matrices, dtype=np.float64).reshape(*v.shape[:-1], 3, 3)


def so3_log(rotation: npt.ArrayLike) -> Array:
    """Rotation matrices (..., 3, 3) to rotation vectors (..., 3) of length at most pi."""
    m = np.asarray(rotation, dtype=np.float64)
    vectors = _rotation(m).as_rotvec()
    return np.asarray(vectors, dtype=np.float64).reshape(*m.shape[:-2], 3)


def se3_exp(twist: npt.ArrayLike) -> Array:
    """Twists (..., 6), translation part first, to transforms (..., 4, 4)."""
    xi = np.asarray(twist, dtype=np.float64)
    tau, phi = xi[..., :3], xi[..., 3:]
    translation = (_left_jacobian(phi) @ tau[..., None])[..., 0]
    return transform(so3_exp(phi), translation)


def se3_log(matrix: npt.ArrayLike) -> Array:
    """Map transforms (..., 4, 4) to twists (..., 6): se3_exp of it is the transform again."""
    T = np.asarray(matrix, dtype=np.float64)
    phi = so3_log(T[..., :3, :3])
    tau = np.linalg.solve(_left_jacobian(phi), T[..., :3, 3:])[..., 0]
    return np.concatenate([tau, phi], axis=-1)


def transform(rotation: npt.ArrayLike, translation: npt.ArrayLike) -> Array:
    """Return the transforms (..., 4, 4) of rotations (..., 3, 3) and translations (..., 3)."""
    R = np.asarray(rotation, dtype=np.float64)
    t = np.asarray(translation, dtype=np.float64)
    shape = np.broadcast_shapes(R.shape[:-2], t.shape[:-1])
    out = np.zeros((*shape, 4, 4))
    out[..., :3, :3] = R
    out[..., :3, 3] = t
    out[..., 3, 3] = 1
    return out


def inverse(matrix: npt.ArrayLike) -> Array:
    """Inverse of transforms (..., 4, 4), through the transpose of the rotation."""
    T = np.asarray(matrix, dtype=np.float64)
    back = np.swapaxes(T[..., :3, :3], -1, -2)
    return transform(back, -(back @ T[..., :3, 3:])[..., 0])


def relative(a: npt.ArrayLike, b: npt.ArrayLike) -> Array:
    """T_a_from_b (..., 4, 4) of two poses c2w: takes points of camera b into camera a."""
    return inverse(a) @ np.asarray(b, dtype=np.float64)


def adjoint(matrix: npt.ArrayLike) -> Array:
    """Adjoint (..., 6, 6) of transforms: T exp(xi) = exp(Ad xi) T; moves covariances along T."""
    T = np.asarray(matrix, dtype=np.float64)
    R = T[..., :3, :3]
    out = np.zeros((*T.shape[:-2], 6, 6))
    out[..., :3, :3] = out[..., 3:, 3:] = R
    out[..., :3, 3:] = skew(T[..., :3, 3]) @ R
    return out


def quaternion_to_matrix(quaternion: npt.ArrayLike) -> Array:
    """
    Quaternions (..., 4) as x y z w to rotation matrices (..., 3, 3); any positive norm.

    Raises ConfigError for a quaternion that is zero or not finite.
    """
    q = np.asarray(quaternion, dtype=np.float64)
    if q.shape[-1:] != (4,):
        raise ConfigError(f"a quaternion has 4 values (x y z w), not shape {q.shape}")
    norm = np.linalg.norm(q, axis=-1)
    if not (np.isfinite(norm) & (norm > 1e-12)).all():
        raise ConfigError("a quaternion is zero or not finite: it says no orientation")
    matrices = Rotation.from_quat(q.reshape(-1, 4)).as_matrix()
    return np.asarray(matrices, dtype=np.float64).reshape(*q.shape[:-1], 3, 3)


def matrix_to_quaternion(rotation: npt.ArrayLike) -> Array:
    """Rotation matrices (..., 3, 3) to unit quaternions (..., 4) as x y z w, with w >= 0."""
    m = np.asarray(rotation, dtype=np.float64)
    q = np.asarray(_rotation(m).as_quat(), dtype=np.float64)
    q *= np.where(q[:, 3:] < 0, -1.0, 1.0)
    return q.reshape(*m.shape[:-2], 4)


def pose_to_matrix(position: npt.ArrayLike, quaternion: npt.ArrayLike) -> Array:
    """Return transforms (..., 4, 4) of positions (..., 3) and quaternions (..., 4), x y z w."""
    return transform(quaternion_to_matrix(quaternion), position)


def rotation_angle(rotation: npt.ArrayLike) -> Array:
    """Angles (...) in radians, 0 to pi, of rotation matrices (..., 3, 3)."""
    return np.asarray(np.linalg.norm(so3_log(rotation), axis=-1), dtype=np.float64)


def interpolate(stamps: npt.ArrayLike, poses: npt.ArrayLike, t: npt.ArrayLike) -> Array:
    """
    Poses (..., 4, 4) at the times t (...) between stamped poses: slerp and a straight line.

    stamps: (N,) strictly increasing, one unit with t (nanoseconds as integers keep every digit).
    poses: (N, 4, 4). Raises ConfigError where t lies outside of the stamps, or the stamps do not
    increase: a pose is never extrapolated.
    """
    times, wanted = np.asarray(stamps), np.asarray(t)
    T = np.asarray(poses, dtype=np.float64)
    if T.shape != (len(times), 4, 4) or not len(times):
        raise ConfigError(f"{len(times)} stamps need poses of shape (N, 4, 4), not {T.shape}")
    if (np.diff(times) <= 0).any():
        raise ConfigError("the stamps of poses must increase strictly: sort them, drop repeats")
    if (wanted < times[0]).any() or (wanted > times[-1]).any():
        raise ConfigError(
            f"no pose at {wanted.tolist()}: the stamped poses reach from {times[0]} to {times[-1]}"
        )
    if len(times) == 1:
        return np.broadcast_to(T[0], (*wanted.shape, 4, 4)).copy()
    left = np.clip(np.searchsorted(times, wanted, side="right") - 1, 0, len(times) - 2)
    share = (wanted - times[left]) / (times[left + 1] - times[left]).astype(np.float64)
    first, second = T[left], T[left + 1]
    turn = so3_log(np.swapaxes(first[..., :3, :3], -1, -2) @ second[..., :3, :3])
    rotation = first[..., :3, :3] @ so3_exp(turn * share[..., None])
    line = first[..., :3, 3] + share[..., None] * (second[..., :3, 3] - first[..., :3, 3])
    return transform(rotation, line)


def _rotation(matrix: Array) -> Any:
    return Rotation.from_matrix(matrix.reshape(-1, 3, 3))


def _left_jacobian(phi: Array) -> Array:
    """V (..., 3, 3) of se3_exp: translation = V tau. Sola et al. (2018), equation 174."""
    angle2 = (phi * phi).sum(axis=-1)[..., None, None]
    angle = np.sqrt(angle2)
    small = angle < SMALL_ANGLE
    safe = np.where(small, 1.0, angle)
    first = np.where(small, 0.5 - angle2 / 24, (1 - np.cos(safe)) / safe**2)
    second = np.where(small, 1 / 6 - angle2 / 120, (safe - np.sin(safe)) / safe**3)
    K = skew(phi)
    return np.asarray(np.eye(3) + first * K + second * (K @ K), dtype=np.float64)
