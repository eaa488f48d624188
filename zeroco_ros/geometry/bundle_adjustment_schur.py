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
The normal equations of dense bundle adjustment: the inverse depths eliminated, and covariances.

With H the Hessian of the cameras, C the (diagonal) one of the inverse depths and E between them,
the cameras' system is S = H - E C^-1 E^T. S is summed from small matrices per source frame in edge
coordinates, so that E is never laid out for all cameras.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from zeroco_ros.geometry.bundle_adjustment_linear import Linear
from zeroco_ros.geometry.bundle_adjustment_problem import Problem, State
from zeroco_ros.geometry.bundle_adjustment_se3 import inverse, se3_exp

FLOOR = 1e-12  # least eigenvalue, relative, of a system that is inverted for its covariance


@dataclass(frozen=True)
class Step:
    """
    Change of the unknowns, and the decrease of the cost that the linear model expects.

    Of the cameras' (D,) float64 and of the inverse depths (N, P).
    """

    cameras: Tensor
    depths: Tensor
    expected: float


@dataclass(frozen=True)
class Damping:
    """Added to H (D, D) and to the diagonal C (N, P)."""

    cameras: Tensor
    depths: Tensor


def reciprocal(curvature: Tensor, held: Tensor | None = None) -> Tensor:
    """1 / C, and zero where nothing is known or the depth is held."""
    none = curvature <= 0 if held is None else (curvature <= 0) | held
    return curvature.reciprocal().masked_fill_(none, 0)


def eliminate(
    problem: Problem, linear: Linear, inverse_c: Tensor, slope: Tensor
) -> tuple[Tensor, Tensor]:
    """Give what the depths take from the cameras' system: E C^-1 E^T (D, D) and E C^-1 b (D,)."""
    D = problem.unknowns
    taken, moved = torch.zeros(D, D).double(), torch.zeros(D).double()
    if not problem.options.refine_depths or D == 0:
        return taken, moved
    right = inverse_c * slope
    for run in problem.runs:
        cross, turn = run.stack(linear.cross), run.stack(linear.transport)
        product = cross.new_empty(len(cross), cross.shape[1], cross.shape[1])
        pushed = cross.new_empty(len(cross), cross.shape[1])
        scaled = torch.empty_like(cross[0])
        for row, frame in enumerate(run.frames.tolist()):  # one at a time stays in the cache
            torch.mul(cross[row], inverse_c[frame], out=scaled)
            torch.mm(scaled, cross[row].T, out=product[row])
            torch.mv(cross[row], right[frame], out=pushed[row])
        taken += (turn.mT @ product.double() @ turn).sum(0)
        moved += (turn.mT @ pushed.double().unsqueeze(2)).sum((0, 2))
    return taken, moved


def back_substitute(
    problem: Problem, linear: Linear, cameras: Tensor, inverse_c: Tensor, slope: Tensor
) -> Tensor:
    """Return the changes (N, P) of the inverse depths, given those of the cameras (D,)."""
    right = slope.clone()
    if len(cameras) and problem.options.refine_depths:
        edges = (linear.transport @ cameras).to(right.dtype).unsqueeze(-1)
        for run in problem.runs:
            right[run.frames] -= (run.stack(edges).mT @ run.stack(linear.cross)).squeeze(1)
    return right.mul_(inverse_c)


def solve(
    problem: Problem,
    state: State,
    linear: Linear,
    damping: Damping,
    *,
    held: Tensor | None = None,
) -> Step | None:
    """
    One damped Gauss-Newton step; None if the damped system is not positive definite.

    held: (N, P) bool, inverse depths that stay.
    """
    H, v = linear.hessian, linear.gradient
    inverse_c = reciprocal(linear.curvature + damping.depths, held)
    if not problem.options.refine_depths:
        inverse_c.zero_()
    cameras = torch.zeros_like(v)
    if problem.unknowns:
        taken, moved = eliminate(problem, linear, inverse_c, linear.slope)
        system = H - taken + hold_scale(problem, state, H) + damping.cameras
        factor, failed = torch.linalg.cholesky_ex(system)
        if bool(failed) or not bool(factor.isfinite().all()):
            return None
        cameras = torch.cholesky_solve((v - moved).unsqueeze(1), factor).squeeze(1)
    depths = back_substitute(problem, linear, cameras, inverse_c, linear.slope)
    expected = 0.5 * float(cameras @ v + (depths * linear.slope).sum(-1).double().sum())
    return Step(cameras, depths, expected)


def hold_scale(problem: Problem, state: State, H: Tensor) -> Tensor:
    """Return a stiff spring (D, D) against what only changes the scale of the world."""
    direction = scale_direction(problem, state) if problem.hold_scale else None
    if direction is None:
        return torch.zeros_like(H)
    return 1e4 * (direction @ H @ direction) * torch.outer(direction, direction)


def arms(problem: Problem, c2w: Tensor) -> Tensor:
    """Ways (N, 3) of the cameras from the first one whose pose is fixed."""
    fixed = (problem.column < 0).nonzero()
    anchor = int(fixed[0]) if len(fixed) else 0
    return c2w[:, :3, 3] - c2w[anchor, :3, 3]


def baseline(problem: Problem, state: State) -> float:
    """Largest distance of a camera from the first fixed one, as a share of the mean depth."""
    way = arms(problem, inverse(state.w2c)).norm(dim=1).max()
    return float(way) * float(state.inverse_depth.mean())


def scale_direction(problem: Problem, state: State) -> Tensor | None:
    """
    Return the unit vector (D,): the cameras move away from the first one.

    None if all are at one place.
    """
    c2w = inverse(state.w2c)
    twist = -(c2w[:, :3, :3].mT @ arms(problem, c2w).unsqueeze(-1)).squeeze(-1)
    direction = torch.zeros(problem.unknowns).double()
    free = problem.column >= 0
    direction[: 6 * problem.free].view(-1, 6)[problem.column[free], :3] = twist[free]
    norm = float(direction.norm())
    return direction / norm if norm > 0 else None


def retract(problem: Problem, state: State, step: Step) -> State:
    """Return the state after a step, inverse depths kept within their bounds."""
    free = problem.column >= 0
    twist = torch.zeros(len(state.w2c), 6, dtype=torch.float64)
    twist[free] = step.cameras[: 6 * problem.free].view(-1, 6)[problem.column[free]]
    w2c = se3_exp(twist) @ state.w2c
    log_focal = state.log_focal
    if problem.options.refine_focal:
        log_focal += float(step.cameras[-1])
    depths, factor = state.inverse_depth, 1.0
    if problem.hold_scale:
        w2c, factor = _rescaled(problem, state.w2c, w2c)
    if problem.options.refine_depths:
        depths = (depths + step.depths).mul_(factor)
        depths.clamp_(*problem.options.inverse_depth_range)
    return State(w2c, depths, log_focal)


def _rescaled(problem: Problem, before: Tensor, after: Tensor) -> tuple[Tensor, float]:
    """Poses w2c with the root mean square distance from before, and the factor that it grew by."""
    old, c2w = arms(problem, inverse(before)), inverse(after)
    new = arms(problem, c2w)
    factor = float(new.norm() / old.norm()) if bool(old.any()) and bool(new.any()) else 1.0
    c2w[:, :3, 3] += (1 / factor - 1) * new
    return inverse(c2w), factor


def covariances(problem: Problem, state: State, linear: Linear) -> tuple[Tensor, Tensor, int]:
    """
    Return how well cameras and depths are known.

    Covariance (D, D) of the cameras' unknowns, variance (N, P) of the inverse depths, and the
    number of directions of the cameras that nothing decides.

    Both are marginal: a pose's covariance contains that the depths are not known, a depth's
    variance that the poses are not. What nothing decides has an infinite or a huge variance.
    """
    inverse_c = reciprocal(linear.curvature)
    if not problem.options.refine_depths:
        inverse_c = torch.zeros_like(inverse_c)
    root, undecided = torch.zeros(0, 0).double(), 0
    if problem.unknowns:
        H = linear.hessian
        taken, _ = eliminate(problem, linear, inverse_c, linear.slope)
        root, undecided = inverse_root(H - taken + hold_scale(problem, state, H), H.diagonal())
    variance = linear.curvature.double().reciprocal()
    if not problem.options.refine_depths:
        return root @ root.mT, torch.zeros_like(variance), undecided
    if problem.unknowns:
        for run in problem.runs:
            cross, turn = run.stack(linear.cross), run.stack(linear.transport) @ root
            spread = (turn.mT.to(cross.dtype) @ cross).square_().sum(1)
            variance[run.frames] += spread * inverse_c[run.frames].square()
    return root @ root.mT, variance, undecided


def inverse_root(system: Tensor, scale: Tensor) -> tuple[Tensor, int]:
    """
    Return R (D, D) with R R^T the inverse of a semidefinite system, and its null directions.

    The number of those. The system is scaled by the diagonal `scale`, which makes "null"
    unit-free.
    """
    known = scale > 0
    length = torch.where(known, scale, torch.ones_like(scale)).rsqrt()
    scaled = system * length[:, None] * length
    scaled = 0.5 * (scaled + scaled.mT)
    values, vectors = torch.linalg.eigh(scaled)
    null = values < FLOOR
    root = length[:, None] * vectors * values.clamp(min=FLOOR).rsqrt()
    return root, int(null.sum())
