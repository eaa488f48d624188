"""Residuals, Jacobians and their products for dense bundle adjustment, one pass over the pixels.

An edge sees only the relative pose G = w2c[into] c2w[source], so all its derivatives are taken by
the left twist of G; the two poses follow by d = xi_into - Ad(G) xi_source, which
`bundle_adjustment_schur` applies to small matrices only. With x, y the projection, r = 1 / Z and
q the inverse depth in the source, the derivatives of the projection by the twist are

    dx = (qr, 0, -x qr, -x y, 1 + x^2, -y),   dy = (0, qr, -y qr, -1 - y^2, x y, x)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from zeroco_ros.geometry.bundle_adjustment_priors import add_depth_prior, pose_prior
from zeroco_ros.geometry.bundle_adjustment_problem import Problem, State
from zeroco_ros.geometry.bundle_adjustment_se3 import adjoint, inverse


@dataclass(frozen=True)
class Linear:
    """Products at one state; k unknowns per edge (`Problem.local`), P points per frame.

    cost: half the robust squared sum, priors included. transport (E, k, D) float64: from the
    cameras' unknowns to an edge's. hessian (E, k, k), gradient (E, k): float64, of the edges
    alone. cross: per group (edges, k, P). curvature, slope (N, P): of the inverse depths, priors
    included. pose_hessian (D, D), pose_gradient (D,): of the pose prior. Gradients point downhill.
    """

    cost: float
    transport: Tensor
    hessian: Tensor
    gradient: Tensor
    cross: tuple[Tensor, ...]
    curvature: Tensor
    slope: Tensor
    pose_hessian: Tensor
    pose_gradient: Tensor


class Linearizer:
    """`Linear` of states of one problem; keeps its work arrays from call to call."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self._buffers: dict[int, Tensor] = {}

    def __call__(self, state: State) -> Linear:
        """The products at a state."""
        problem = self.problem
        dtype = state.inverse_depth.dtype
        relative = state.w2c[problem.into] @ inverse(state.w2c)[problem.source]
        k = problem.local
        gram = torch.empty(len(problem.source), k + 1, k + 1, dtype=torch.float64)
        curvature = torch.zeros_like(state.inverse_depth)
        slope = torch.zeros_like(state.inverse_depth)
        cross, cost = [], 0.0
        for frame, first, end in problem.groups:
            moved = relative[first:end].to(dtype)
            rows, depth_row, loss = self._rows(state, moved, frame, slice(first, end))
            cost += loss
            flat = rows.flatten(2)
            gram[first:end] = flat @ flat.mT
            if problem.options.refine_depths:
                part = torch.mul(rows[:, :, 0], depth_row[:, :1])
                part.addcmul_(rows[:, :, 1], depth_row[:, 1:])
                slope[frame] = part[:, k].sum(0)
                cross.append(part[:, :k])
                curvature[frame] = depth_row.square_().sum((0, 1))
        cost += add_depth_prior(problem, state, curvature, slope)
        prior_cost, hessian, gradient = pose_prior(problem, state)
        return Linear(
            cost + prior_cost,
            transport(problem, relative),
            gram[:, :k, :k],
            gram[:, :k, k],
            tuple(cross),
            curvature,
            slope,
            hessian,
            gradient,
        )

    def _rows(
        self, state: State, moved: Tensor, frame: int, edges: slice
    ) -> tuple[Tensor, Tensor, float]:
        """Of one group, weighted: rows (e, k + 1, 2, P) of derivatives by the twist (and the focal
        length) with the residual last, derivatives (e, 2, P) by inverse depth, and the cost.
        """
        problem = self.problem
        rays, targets, roots = at_focal(problem, state, frame, edges)
        depth = state.inverse_depth[frame]
        x, y, scale, unit, behind = project(rays, depth, moved, problem.options.near)
        residual = targets - torch.stack([x, y], 1)
        residual *= roots
        loss, shrink = robust_loss(problem, residual)
        if shrink is not None:
            roots = roots * shrink.unsqueeze(1)
            residual *= shrink.unsqueeze(1)
        rows = self._buffer(len(moved), depth)
        fill(rows, x, y, depth * scale, roots, unit, behind)
        depth_row = along(moved[:, :3, 3], x, y, scale, roots, behind)
        if problem.options.refine_focal:
            turned = moved[:, :3, :2].reshape(-1, 2) @ rays
            tilt = turned.view(-1, 3, len(depth)).neg_()
            rows[:, 6] = along(tilt, x, y, scale, roots, behind)
            rows[:, 6, 0].addcmul_(roots[:, 0], x)
            rows[:, 6, 1].addcmul_(roots[:, 1], y)
        rows[:, -1] = residual
        return rows, depth_row, loss

    def _buffer(self, edges: int, like: Tensor) -> Tensor:
        if edges not in self._buffers:
            shape = (edges, self.problem.local + 1, 2, len(like))
            self._buffers[edges] = torch.zeros(shape, dtype=like.dtype)
        return self._buffers[edges]


def at_focal(
    problem: Problem, state: State, frame: int, edges: slice
) -> tuple[Tensor, Tensor, Tensor]:
    """Rays (2, P), targets and roots (e, 2, P) of a group under the state's focal lengths."""
    rays = problem.rays[frame if len(problem.rays) > 1 else 0]
    targets, roots = problem.targets[edges], problem.roots[edges]
    if state.log_focal == 0.0:
        return rays, targets, roots
    factor = math.exp(state.log_focal)
    return rays / factor, targets / factor, roots * factor


def project(
    rays: Tensor, depth: Tensor, moved: Tensor, near: float
) -> tuple[Tensor, Tensor, Tensor, Tensor | None, Tensor | None]:
    """Points of one grid in e other cameras, relative poses `moved` (e, 4, 4).

    Returns normalized x, y and the reciprocal of their relative depth, each (e, P). Points behind
    or nearer than `near` are projected as if they were at that depth, so that the cost stays
    continuous; if there are any, their depth as a share of that one and the mask of them follow.
    """
    points = moved[:, :3].reshape(-1, 4) @ torch.stack(
        [rays[0], rays[1], torch.ones_like(depth), depth]
    )
    X, Y, Z = points.view(-1, 3, len(depth)).unbind(1)
    behind = near > Z
    scale = Z.clamp(min=near).reciprocal_()
    x, y = X.mul_(scale), Y.mul_(scale)
    if bool(behind.any()):
        return x, y, scale, Z * scale, behind
    return x, y, scale, None, None


def residual_lengths(problem: Problem, state: State, focal: Tensor) -> Tensor:
    """Distances (E, P) between where points were seen and where they are expected, in pixels, NaN
    where nothing was seen. focal: (1 or N, 2) in pixels at the start.
    """
    relative = state.w2c[problem.into] @ inverse(state.w2c)[problem.source]
    lengths = torch.empty(problem.targets.shape[::2], dtype=problem.targets.dtype)
    for frame, first, end in problem.groups:
        edges = slice(first, end)
        rays, targets, roots = at_focal(problem, state, frame, edges)
        moved = relative[edges].to(rays.dtype)
        x, y, *_ = project(rays, state.inverse_depth[frame], moved, problem.options.near)
        camera = problem.into[edges] if len(focal) > 1 else torch.zeros(1, dtype=torch.long)
        pixels = focal[camera].to(rays.dtype)[..., None] * (targets - torch.stack([x, y], 1))
        lengths[edges] = pixels.norm(dim=1) * math.exp(state.log_focal)
        lengths[edges].masked_fill_((roots <= 0).all(1), torch.nan)
    return lengths


def fill(
    rows: Tensor,
    x: Tensor,
    y: Tensor,
    near: Tensor,
    roots: Tensor,
    unit: Tensor | None,
    behind: Tensor | None,
) -> None:
    """Weighted derivatives by the twist into rows (e, >= 6, 2, P), see the module's formulas.

    unit, behind: see `project`; the projection of points behind does not depend on their depth.
    """
    for axis, (own, other) in enumerate(((x, y), (y, x))):
        root = roots[:, axis]
        lead = torch.mul(root, near, out=rows[:, axis, axis])
        along_z = own if behind is None else own.masked_fill(behind, 0)
        torch.mul(lead, along_z, out=rows[:, 2, axis]).neg_()
        turn = root * along_z
        straight, crossed = (4, 3) if axis == 0 else (3, 4)
        torch.mul(turn, other, out=rows[:, crossed, axis])
        torch.addcmul(
            root if unit is None else root * unit, turn, own, out=rows[:, straight, axis]
        )
        torch.mul(root, other, out=rows[:, 5, axis])
        rows[:, 3, axis].neg_()
    rows[:, 5, 0].neg_()


def along(
    direction: Tensor, x: Tensor, y: Tensor, scale: Tensor, roots: Tensor, behind: Tensor | None
) -> Tensor:
    """Weighted change (e, 2, P) of the projection if points move by `direction` (e, 3[, P])."""
    dx, dy, dz = (part if part.ndim == 2 else part.unsqueeze(1) for part in direction.unbind(1))
    if behind is not None:
        dz = torch.where(behind, torch.zeros_like(x), dz)
    change = torch.stack([dx - x * dz, dy - y * dz], 1)
    change *= scale.unsqueeze(1)
    change *= roots
    return change


def robust_loss(problem: Problem, residual: Tensor) -> tuple[float, Tensor | None]:
    """Half the robust squared sum of whitened residuals (e, 2, P), and the root weight (e, P) of
    iteratively reweighted least squares, or None where it is one everywhere.
    """
    square = residual[:, 0].square().addcmul_(residual[:, 1], residual[:, 1])
    limit = problem.options.robust_scale**2
    if problem.options.robust == "huber":
        weight = (limit / square.clamp(min=limit)).sqrt_()
        # 2 c |r| - c^2 beyond the limit and r^2 within, written as one formula.
        loss = weight * square * (2 - weight)
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
    edges = len(relative)
    matrix = torch.zeros(edges, problem.local, problem.unknowns, dtype=torch.float64)
    blocks = torch.zeros(edges, 6, problem.free, 6, dtype=torch.float64)
    index = torch.arange(edges)
    one = torch.eye(6, dtype=torch.float64)
    for frames, block in (
        (problem.into, one.expand(edges, 6, 6)),
        (problem.source, -adjoint(relative)),
    ):
        column = problem.column[frames]
        free = column >= 0
        blocks[index[free], :, column[free]] += block[free]
    matrix[:, :6, : 6 * problem.free] = blocks.flatten(2)
    if problem.options.refine_focal:
        matrix[:, 6, -1] = 1
    return matrix
