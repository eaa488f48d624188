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
Rigid motions as (..., 4, 4) tensors, batched: what dense bundle adjustment needs of SE(3).

Twists are (tau, phi): translation first. exp(xi) acts from the left, as in DROID-SLAM
(Teed and Deng, NeurIPS 2021); formulas after Sola et al., "A micro Lie theory", 2018.
"""

from __future__ import annotations

import torch
from torch import Tensor

SMALL = 1e-4  # radians below which the Taylor series is more exact than the quotient


def cross_matrix(vector: Tensor) -> Tensor:
    """[v]x (..., 3, 3) of vectors (..., 3)."""
    x, y, z = vector.unbind(-1)
    o = torch.zeros_like(x)
    return torch.stack([o, -z, y, z, o, -x, -y, x, o], -1).view(*vector.shape[:-1], 3, 3)


def se3_exp(twist: Tensor) -> Tensor:
    """Motions (..., 4, 4) of twists (..., 6) = (tau, phi), phi in radians."""
    tau, phi = twist[..., :3], twist[..., 3:]
    angle = phi.norm(dim=-1)[..., None, None]
    small = angle < SMALL
    safe = torch.where(small, torch.ones_like(angle), angle)
    square = angle.square()
    a = torch.where(small, 1 - square / 6, safe.sin() / safe)
    b = torch.where(small, 0.5 - square / 24, (1 - safe.cos()) / safe.square())
    c = torch.where(small, 1 / 6 - square / 120, (safe - safe.sin()) / safe**3)
    skew = cross_matrix(phi)
    twice = skew @ skew
    one = torch.eye(3, dtype=twist.dtype, device=twist.device)
    motion = torch.zeros(*twist.shape[:-1], 4, 4, dtype=twist.dtype, device=twist.device)
    motion[..., :3, :3] = one + a * skew + b * twice
    motion[..., :3, 3:] = (one + b * skew + c * twice) @ tau[..., None]
    motion[..., 3, 3] = 1
    return motion


def inverse(motion: Tensor) -> Tensor:
    """Return the inverse motions (..., 4, 4)."""
    back = torch.zeros_like(motion)
    rotation = motion[..., :3, :3].mT
    back[..., :3, :3] = rotation
    back[..., :3, 3:] = -(rotation @ motion[..., :3, 3:])
    back[..., 3, 3] = 1
    return back


def adjoint(motion: Tensor) -> Tensor:
    """Ad (..., 6, 6) with motion exp(xi) = exp(Ad xi) motion."""
    rotation = motion[..., :3, :3]
    matrix = torch.zeros(*motion.shape[:-2], 6, 6, dtype=motion.dtype, device=motion.device)
    matrix[..., :3, :3] = rotation
    matrix[..., 3:, 3:] = rotation
    matrix[..., :3, 3:] = cross_matrix(motion[..., :3, 3]) @ rotation
    return matrix


def rotation_log(rotation: Tensor) -> Tensor:
    """Rotation vectors (..., 3) in radians of rotation matrices (..., 3, 3), angle below pi."""
    quaternion = to_quaternion(rotation)
    quaternion = torch.where(quaternion[..., 3:] < 0, -quaternion, quaternion)
    vector, w = quaternion[..., :3], quaternion[..., 3:]
    sine = vector.norm(dim=-1, keepdim=True)
    small = sine < SMALL
    safe = torch.where(small, torch.ones_like(sine), sine)
    factor = torch.where(small, 2 / w - 2 * sine.square() / (3 * w**3), 2 * safe.atan2(w) / safe)
    return factor * vector


def inverse_left_jacobian(phi: Tensor) -> Tensor:
    """Jl^-1 (..., 3, 3) of rotation vectors (..., 3): log(exp(d) exp(phi)) = phi + Jl^-1 d."""
    angle = phi.norm(dim=-1)[..., None, None]
    small = angle < 1e-3
    safe = torch.where(small, torch.ones_like(angle), angle)
    c = torch.where(
        small,
        1 / 12 + angle.square() / 720,
        1 / safe.square() - (1 + safe.cos()) / (2 * safe * safe.sin()),
    )
    skew = cross_matrix(phi)
    one = torch.eye(3, dtype=phi.dtype, device=phi.device)
    return one - skew / 2 + c * (skew @ skew)


def to_quaternion(rotation: Tensor) -> Tensor:
    """
    Return the unit quaternions (..., 4) as x, y, z, w of rotation matrices (..., 3, 3).

    W >= 0 or nearly.

    Of Shepperd's four formulas the one with the largest pivot is taken.
    """
    m = rotation
    x, y, z = (m[..., i, i] for i in range(3))
    yz, zx, xy = (m[..., a, b] + m[..., b, a] for a, b in ((1, 2), (2, 0), (0, 1)))
    wx, wy, wz = (m[..., a, b] - m[..., b, a] for a, b in ((2, 1), (0, 2), (1, 0)))
    rows = [
        [1 + x - y - z, xy, zx, wx],
        [xy, 1 - x + y - z, yz, wy],
        [zx, yz, 1 - x - y + z, wz],
        [wx, wy, wz, 1 + x + y + z],
    ]
    outer = torch.stack([torch.stack(row, -1) for row in rows], -2)  # 4 q q^T
    pivot = outer.diagonal(dim1=-2, dim2=-1).argmax(-1)[..., None, None]
    column = outer.gather(-2, pivot.expand(*outer.shape[:-2], 1, 4)).squeeze(-2)
    return torch.nn.functional.normalize(column, dim=-1)


def from_quaternion(poses: Tensor) -> Tensor:
    """Motions (..., 4, 4) of poses (..., 7) = t, q with q = x, y, z, w (normalized here)."""
    vector, w = poses[..., 3:6], poses[..., 6:7]
    norm = poses[..., 3:].square().sum(-1)[..., None, None]
    skew = cross_matrix(vector)
    one = torch.eye(3, dtype=poses.dtype, device=poses.device)
    motion = torch.zeros(*poses.shape[:-1], 4, 4, dtype=poses.dtype, device=poses.device)
    motion[..., :3, :3] = one + 2 / norm * (w[..., None] * skew + skew @ skew)
    motion[..., :3, 3] = poses[..., :3]
    motion[..., 3, 3] = 1
    return motion


def with_quaternion(motion: Tensor) -> Tensor:
    """Return the inverse of `from_quaternion`: poses (..., 7) of motions (..., 4, 4)."""
    return torch.cat([motion[..., :3, 3], to_quaternion(motion[..., :3, :3])], -1)
