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
Residuals, Jacobians and their products for dense bundle adjustment, one pass over the pixels.

An edge sees only the relative pose G = w2c[into] c2w[source], so all its derivatives are taken by
the left twist of G; the two poses follow by d = xi_into - Ad(G) xi_source, which
`bundle_adjustment_schur` applies to small matrices only. With x, y the projection, r = 1 / Z and
q the inverse depth in the source, the derivatives of the projection by the twist are

    dx = (qr, 0, -x qr, -x y, 1 + x^2, -y),   dy = (0, qr, -y qr, -1 - y^2, x y, x)

An edge's unknowns are `BASIS` times the twist, chosen so that both axes of a residual share most
operations and hardly any sign is left over.
"""

from __future__ import annotations

from dataclasses import dataclass
import math

import torch
from torch import Tensor

from zeroco_ros.geometry.bundle_adjustment_priors import add_depth_prior, pose_prior
from zeroco_ros.geometry.bundle_adjustment_problem import Problem, State
from zeroco_ros.geometry.bundle_adjustment_se3 import adjoint, inverse

TOGETHER = 1 << 16  # points of edges at a time: fewer would cost calls, more the cache
# (tau_x, tau_y, -tau_z, phi_y, -phi_x, phi_z) from (tau, phi).
BASIS = torch.zeros(6, 6, dtype=torch.float64)
BASIS[range(6), (0, 1, 2, 4, 3, 5)] = torch.tensor([1.0, 1, -1, 1, -1, 1]).double()


@dataclass(frozen=True)
class Linear:
    """
    Products at one state; k unknowns per edge (`Problem.local`), P points per frame.

    cost: half the robust squared sum, priors included. transport (E, k, D) float64: from the
    cameras' unknowns to an edge's. cross (E, k, P): between those and the inverse depths of the
    source, empty if depths are held. hessian (D, D), gradient (D,): float64, of the cameras with
    the depths held. curvature, slope (N, P): the same of the inverse depths with the cameras held.
    All with priors; gradients point downhill.
    """

    cost: float
    transport: Tensor
    cross: Tensor
    hessian: Tensor
    gradient: Tensor
    curvature: Tensor
    slope: Tensor


class Linearizer:
    """`Linear` of states of one problem; keeps its work arrays from call to call."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self._buffers: dict[int, Tensor] = {}

    def __call__(self, state: State, spare: Linear | None = None) -> Linear:
        """
        Return the products at a state.

        spare: products not needed anymore, whose memory is used.
        """
        problem = self.problem
        relative = state.w2c[problem.into] @ inverse(state.w2c)[problem.source]
        curvature = torch.zeros_like(state.inverse_depth)
        slope = torch.zeros_like(state.inverse_depth)
        edges, points, k = len(relative), slope.shape[1], problem.local
        gram = torch.empty(edges, k + 1, k + 1, dtype=torch.float64)
        cross = slope.new_empty(0) if spare is None else spare.cross
        cross.resize_(edges, k, points if problem.options.refine_depths else 0)
        cost = 0.0
        for part in parts(edges, points):
            rows, by_depth, loss = self.rows(state, relative[part], part)
            cost += loss
            flat = rows.flatten(2)
            gram[part] = flat @ flat.mT
            if problem.options.refine_depths:
                torch.mul(rows[:, :k, 0], by_depth[:, :1], out=cross[part])
                cross[part].addcmul_(rows[:, :k, 1], by_depth[:, 1:])
                slope.index_add_(0, problem.source[part], dots(rows[:, k], by_depth))
                curvature.index_add_(0, problem.source[part], dots(by_depth, by_depth))
        cost += add_depth_prior(problem, state, curvature, slope)
        prior_cost, hessian, gradient = pose_prior(problem, state)
        turn = transport(problem, relative)
        hessian += (turn.mT @ gram[:, :k, :k] @ turn).sum(0)
        gradient += (turn.mT @ gram[:, :k, k:]).sum((0, 2))
        return Linear(cost + prior_cost, turn, cross, hessian, gradient, curvature, slope)

    def rows(self, state: State, relative: Tensor, part: slice) -> tuple[Tensor, Tensor, float]:
        """
        Return the weighted derivatives of some edges and their cost.

        Derivatives (e, k + 1, 2, P) by the edges' unknowns with the residual last (a work array),
        derivatives (e, 2, P) by inverse depth, and the cost. relative: (e, 4, 4) poses.
        """
        problem = self.problem
        factor = math.exp(state.log_focal)
        rays, targets, roots = at_focal(problem, factor, part)
        depth = state.inverse_depth[problem.source[part]]
        moved = relative[:, :3].to(depth.dtype)
        seen = project(rays, depth, moved, problem.options.near)
        rows = self._buffer(depth)
        residual = torch.sub(targets, seen.place, out=rows[:, -1]).mul_(roots)
        loss, shrink = robust_loss(problem, residual)
        if shrink is not None:
            roots = roots * shrink.unsqueeze(1)
            residual *= shrink.unsqueeze(1)
        fill(rows, seen, depth, roots)
        by_depth = along(moved[:, :, 3:], seen, roots)
        if problem.options.refine_focal:
            tilt = (moved[:, :, :2] @ rays).neg_()
            torch.addcmul(along(tilt, seen, roots), roots, seen.place, out=rows[:, 6])
        return rows, by_depth, loss

    def _buffer(self, depth: Tensor) -> Tensor:
        edges, points = depth.shape
        if edges not in self._buffers:
            shape = (edges, self.problem.local + 1, 2, points)
            self._buffers[edges] = torch.zeros(shape, dtype=depth.dtype)
        return self._buffers[edges]


def parts(edges: int, points: int) -> list[slice]:
    """Even cuts of the edges with about TOGETHER points in each."""
    count = -(-edges // max(1, TOGETHER // points))
    size = -(-edges // count)
    return [slice(first, min(first + size, edges)) for first in range(0, edges, size)]


def dots(one: Tensor, other: Tensor) -> Tensor:
    """Return the sums over both axes of products, (e, 2, P) each, as (e, P)."""
    return (one[:, 0] * other[:, 0]).addcmul_(one[:, 1], other[:, 1])


def at_focal(problem: Problem, factor: float, part: slice) -> tuple[Tensor, Tensor, Tensor]:
    """
    Return rays, targets and roots of some edges with focal lengths changed by a factor.

    Rays (1 or e, 2, P), targets and roots (e, 2, P).
    """
    rays, targets, roots = problem.rays, problem.targets[part], problem.roots[part]
    if len(rays) > 1:
        rays = rays[problem.source[part]]
    if factor == 1.0:
        return rays, targets, roots
    return rays / factor, targets / factor, roots * factor


@dataclass(frozen=True)
class Seen:
    """
    One grid in e other cameras.

    Normalized place (e, 2, P) and the reciprocal (e, P) of the depth there relative to the own
    one. Points behind or too near are projected as if they were at the least depth, so that the
    cost stays continuous. If there are any: `unit` (e, P), depths there as a share of the one
    taken, and `lever`, the place with zeros for such points; else None and the place.
    """

    place: Tensor
    scale: Tensor
    lever: Tensor
    unit: Tensor | None = None


def project(rays: Tensor, depth: Tensor, moved: Tensor, near: float) -> Seen:
    """Where grids, rays (1 or e, 2, P) and inverse depth (e, P), are seen; moved: (e, 3, 4)."""
    if len(rays) == 1:
        points = (moved[:, :, :2].reshape(-1, 2) @ rays[0]).view(*moved.shape[:2], -1)
    else:
        points = moved[:, :, :2] @ rays
    points.addcmul_(moved[:, :, 3:], depth.unsqueeze(1)).add_(moved[:, :, 2:3])
    place, Z = points[:, :2], points[:, 2]
    if float(Z.min()) >= near:
        scale = Z.reciprocal_()
        place *= scale.unsqueeze(1)
        return Seen(place, scale, place)
    behind = near > Z
    scale = Z.clamp(min=near).reciprocal_()
    place *= scale.unsqueeze(1)
    return Seen(place, scale, place.masked_fill(behind.unsqueeze(1), 0), Z * scale)


def residual_lengths(problem: Problem, state: State, focal: Tensor) -> Tensor:
    """
    Return the distances (E, P) between where points were seen and where they are expected.

    In pixels, NaN where nothing was seen. focal: (1 or N, 2) in pixels at the start.
    """
    relative = state.w2c[problem.into] @ inverse(state.w2c)[problem.source]
    lengths = torch.empty(problem.targets.shape[::2], dtype=problem.targets.dtype)
    factor = math.exp(state.log_focal)
    for part in parts(*lengths.shape):
        rays, targets, roots = at_focal(problem, factor, part)
        moved = relative[part, :3].to(rays.dtype)
        depth = state.inverse_depth[problem.source[part]]
        seen = project(rays, depth, moved, problem.options.near)
        camera = problem.into[part] if len(focal) > 1 else torch.zeros(1, dtype=torch.long)
        pixels = factor * focal[camera].to(rays.dtype)[..., None] * (targets - seen.place)
        lengths[part] = pixels.norm(dim=1).masked_fill_((roots <= 0).all(1), torch.nan)
    return lengths


def fill(rows: Tensor, seen: Seen, depth: Tensor, roots: Tensor) -> None:
    """
    Write weighted derivatives of the projection by `BASIS` times the twist into rows.

    rows: (e, 6.., 2, P), whose entries (0, y) and (1, x) are zero already. depth: (e, P) inverse,
    in the source.
    """
    x, y = seen.place.unbind(1)
    lead = roots * (seen.scale * depth).unsqueeze(1)
    rows[:, 0, 0], rows[:, 1, 1] = lead[:, 0], lead[:, 1]
    torch.mul(lead, seen.lever, out=rows[:, 2])
    turn = roots * seen.lever
    level = roots if seen.unit is None else roots * seen.unit.unsqueeze(1)
    torch.addcmul(level, turn, seen.place, out=rows[:, 3:5].diagonal(dim1=1, dim2=2).mT)
    torch.mul(turn[:, 0], y, out=rows[:, 4, 0])
    torch.mul(turn[:, 1], x, out=rows[:, 3, 1])
    torch.mul(roots[:, 0], y, out=rows[:, 5, 0]).neg_()
    torch.mul(roots[:, 1], x, out=rows[:, 5, 1])


def along(direction: Tensor, seen: Seen, roots: Tensor) -> Tensor:
    """Weighted change (e, 2, P) of the projection if points move by `direction` (e, 3, 1 or P)."""
    change = torch.addcmul(direction[:, :2], seen.lever, direction[:, 2:], value=-1)
    change *= seen.scale.unsqueeze(1)
    change *= roots
    return change


def robust_loss(problem: Problem, residual: Tensor) -> tuple[float, Tensor | None]:
    """
    Return the robust loss of whitened residuals (e, 2, P) and their root weights.

    Half the robust squared sum, and the root weight (e, P) of iteratively reweighted least
    squares, or None where it is one everywhere.
    """
    square = residual[:, 0].square().addcmul_(residual[:, 1], residual[:, 1])
    limit = problem.options.robust_scale**2
    if problem.options.robust == "huber":
        weight = square.clamp(min=limit).rsqrt_().mul_(problem.options.robust_scale)
        # 2 c |r| - c^2 beyond the limit and r^2 within, written as one formula.
        loss = square.mul_(weight).mul_(2 - weight)
        return 0.5 * total(loss), weight.sqrt_()
    if problem.options.robust == "cauchy":
        ratio = square / limit
        return 0.5 * limit * total(ratio.log1p()), ratio.add_(1).rsqrt_()
    return 0.5 * total(square), None


def total(values: Tensor) -> float:
    """Sum of (e, P) values, rows added in float64."""
    return float(values.sum(-1).double().sum())


def transport(problem: Problem, relative: Tensor) -> Tensor:
    """(E, k, D): an edge's unknowns from the cameras' unknowns."""
    edges, frames = len(relative), len(problem.column)
    blocks = torch.zeros(edges, frames, 6, 6, dtype=torch.float64)
    index = torch.arange(edges)
    blocks[index, problem.into] = BASIS
    blocks[index, problem.source] = -BASIS @ adjoint(relative)
    matrix = torch.zeros(edges, problem.local, problem.unknowns, dtype=torch.float64)
    free = blocks[:, problem.column >= 0]
    matrix[:, :6, : 6 * problem.free] = free.transpose(1, 2).flatten(2)
    if problem.options.refine_focal:
        matrix[:, 6, -1] = 1
    return matrix
