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
One step of dense bundle adjustment exactly as DROID-SLAM takes it: the reference.

Teed and Deng, "DROID-SLAM", NeurIPS 2021: weights are scaled by 0.001, undamped steps are taken
without looking at the cost, inverse depths are cut to [0, 10]. Production code uses
`bundle_adjustment.bundle_adjust`; this one shows that both stand on the same derivatives.

Poses here are world-to-camera (N, 7): translation, then quaternion x, y, z, w.
"""

from __future__ import annotations

import torch
from torch import Tensor

from zeroco_ros.geometry.bundle_adjustment_linear import along, BASIS, fill, Linearizer, Seen
from zeroco_ros.geometry.bundle_adjustment_problem import (
    BundleOptions,
    make_problem,
    Problem,
    State,
)
from zeroco_ros.geometry.bundle_adjustment_schur import Damping, retract, solve
from zeroco_ros.geometry.bundle_adjustment_se3 import (
    adjoint,
    from_quaternion,
    inverse,
    with_quaternion,
)

LEAST_DEPTH = 0.2  # of a point in the other camera, as a share of its depth in its own
WEIGHT = 0.001
FARTHEST = 10.0  # inverse depths above are taken for errors and set to zero


def reproject(
    poses: Tensor, inverse_depth: Tensor, K: Tensor, source: Tensor, into: Tensor
) -> tuple[Tensor, Tensor]:
    """
    Where the grid of each edge's source frame is seen in the other.

    poses (N, 7) w2c; inverse_depth (N, h, w); K (3, 3) in pixels of the grid; source, into (E,).
    Returns coordinates (E, h, w, 2) in pixels and validity (E, h, w) bool.
    """
    x, y, depth, _, _ = _project(from_quaternion(poses), inverse_depth, K, source, into)
    coordinates = torch.stack([K[0, 0] * x + K[0, 2], K[1, 1] * y + K[1, 2]], -1)
    shape = (len(source), *inverse_depth.shape[1:])
    return coordinates.view(*shape, 2), (depth > LEAST_DEPTH).view(shape)


def jacobians(
    poses: Tensor, inverse_depth: Tensor, K: Tensor, source: Tensor, into: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """
    Return the derivatives of `reproject` for points in front.

    Shapes (E, h, w, 2, 6), (E, h, w, 2, 6), (E, h, w, 2, 1): by the left twists (tau, phi) of the
    source's and the other pose and by inverse depth.
    """
    x, y, _, scale, relative = _project(from_quaternion(poses), inverse_depth, K, source, into)
    edges, points = x.shape
    place = torch.stack([x, y], 1)
    seen = Seen(place, scale, place)
    focal = K[[0, 1], [0, 1]].view(1, 2, 1).expand(edges, 2, points)
    rows = torch.zeros(edges, 6, 2, points, dtype=x.dtype)
    fill(rows, seen, inverse_depth.flatten(1)[source], focal)
    by_into = rows.permute(0, 3, 2, 1) @ BASIS.to(rows.dtype)
    by_source = -by_into @ adjoint(relative)[:, None]
    by_depth = along(relative[:, :3, 3:], seen, focal).mT.unsqueeze(-1)
    shape = (edges, *inverse_depth.shape[1:], 2)
    return by_source.reshape(*shape, 6), by_into.reshape(*shape, 6), by_depth.reshape(*shape, 1)


def _project(
    w2c: Tensor, inverse_depth: Tensor, K: Tensor, source: Tensor, into: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """
    Return the normalized x, y, relative depth and 1 / depth, each (E, P).

    Relative poses (E, 4, 4).
    """
    relative = w2c[into] @ inverse(w2c)[source]
    pixels = grid_pixels(*inverse_depth.shape[1:]).to(K.dtype)
    rays = (pixels - K[[0, 1], [2, 2]]) / K[[0, 1], [0, 1]]
    depth = inverse_depth.flatten(1)[source]
    one = torch.ones_like(depth)
    rays = torch.stack([rays[:, 0].expand_as(depth), rays[:, 1].expand_as(depth), one, depth], 1)
    X, Y, Z = (relative[:, :3] @ rays).unbind(1)
    scale = torch.where(Z < 0.5 * LEAST_DEPTH, one, Z).reciprocal()
    return X * scale, Y * scale, Z, scale, relative


def grid_pixels(height: int, width: int) -> Tensor:
    """Pixel coordinates (height * width, 2) float64 as x, y, row by row."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([x, y], -1).reshape(-1, 2).double()


def droid_problem(
    poses: Tensor,
    inverse_depth: Tensor,
    K: Tensor,
    edges: tuple[Tensor, Tensor],
    targets: Tensor,
    weights: Tensor,
    fixed: int,
    refine_depths: bool,
) -> Problem:
    """Return the problem with DROID-SLAM's weights: nothing where a point is not in front."""
    _, valid = reproject(poses, inverse_depth, K, *edges)
    options = BundleOptions(fixed=fixed, robust="none", refine_depths=refine_depths)
    problem, _ = make_problem(
        K[None],
        grid_pixels(*inverse_depth.shape[1:]),
        edges,
        targets.flatten(1, 2),
        (WEIGHT * valid[..., None] * weights).flatten(1, 2),
        options,
        frames=len(poses),
    )
    return problem


def droid_step(
    poses: Tensor,
    inverse_depth: Tensor,
    K: Tensor,
    edges: tuple[Tensor, Tensor],
    targets: Tensor,
    weights: Tensor,
    eta: Tensor,
    *,
    fixed: int = 1,
    refine_depths: bool = True,
) -> tuple[Tensor, Tensor]:
    """
    Return new poses (N, 7) and inverse depths (N, h, w).

    poses (N, 7) w2c float64; inverse_depth, eta (N, h, w); K (3, 3) in pixels of the grid;
    edges: source and into (E,); targets, weights (E, h, w, 2). refine_depths=False moves the
    poses only.
    """
    problem = droid_problem(poses, inverse_depth, K, edges, targets, weights, fixed, refine_depths)
    state = State(from_quaternion(poses), inverse_depth.flatten(1))
    linear = Linearizer(problem)(state)
    H = linear.hessian
    damped = torch.eye(len(H)).double()
    if not refine_depths:  # it then also damps the diagonals of the blocks between two poses
        damped = torch.eye(6).double().repeat(problem.free, problem.free)
    damping = Damping((0.1 + 1e-4 * H) * damped, eta.flatten(1) + 1e-7)
    step = solve(problem, state, linear, damping)
    if step is None:
        return poses, inverse_depth
    moved = retract(problem, State(state.w2c, state.inverse_depth), step)
    depths = (state.inverse_depth + step.depths).view_as(inverse_depth)
    depths = torch.where(depths > FARTHEST, torch.zeros_like(depths), depths).clamp(min=0)
    return with_quaternion(moved.w2c), depths if refine_depths else inverse_depth
