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

"""One Gauss-Newton iteration of dense bundle adjustment by several methods, for their timing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse
import scipy.sparse.linalg
import torch
from torch import Tensor

from zeroco_ros.geometry.bundle_adjustment_droid import grid_pixels, jacobians, reproject
from zeroco_ros.geometry.bundle_adjustment_linear import Linear, Linearizer
from zeroco_ros.geometry.bundle_adjustment_problem import (
    BundleOptions,
    make_problem,
    Problem,
    State,
)
from zeroco_ros.geometry.bundle_adjustment_schur import Damping, retract, solve, Step
from zeroco_ros.geometry.bundle_adjustment_se3 import se3_exp, with_quaternion

FRAMES, PER_FRAME, FIXED, DAMPING = 8, 3, 2, 1e-4


@dataclass(frozen=True)
class Case:
    """A problem for the package and the same for the other methods, in pixels."""

    problem: Problem
    state: State
    K: Tensor
    source: Tensor
    into: Tensor
    targets: Tensor
    weights: Tensor
    grid: tuple[int, int]


def make_case(height: int, width: int, dtype: str, robust: str = "none") -> Case:
    """Eight frames that go sideways past random depths, each seen in the three nearest ones."""
    random = torch.Generator().manual_seed(0)
    K = torch.tensor([[0.8 * width, 0, (width - 1) / 2], [0, 0.8 * width, (height - 1) / 2]])
    K = torch.cat([K, torch.tensor([[0.0, 0, 1]])]).double()
    nearest = [sorted(range(FRAMES), key=lambda j, i=i: abs(j - i)) for i in range(FRAMES)]
    edges = [(i, j) for i in range(FRAMES) for j in nearest[i][1 : 1 + PER_FRAME]]
    source, into = (torch.tensor(side) for side in zip(*edges, strict=True))

    def noise(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random, dtype=torch.float64)

    twists = 0.01 * noise(FRAMES, 6)
    twists[:, 0] += 0.05 * torch.arange(FRAMES)
    depths = 0.3 + 0.7 * torch.rand(FRAMES, height, width, generator=random).double()
    true, _ = reproject(with_quaternion(se3_exp(twists)), depths, K, source, into)
    targets = true + 0.3 * noise(*true.shape)
    weights = 1 + 9 * torch.rand(true.shape, generator=random).double()
    options = BundleOptions(fixed=FIXED, robust=robust, dtype=dtype)
    pixels = grid_pixels(height, width)
    flat = (targets.flatten(1, 2), weights.flatten(1, 2))
    problem, _ = make_problem(K[None], pixels, (source, into), *flat, options, frames=FRAMES)
    start = se3_exp(0.003 * noise(FRAMES, 6)) @ se3_exp(twists)
    near = (depths * (1 + 0.02 * noise(*depths.shape))).flatten(1).to(problem.rays.dtype)
    seen = (targets.to(near.dtype), weights.to(near.dtype))
    return Case(problem, State(start, near), K, source, into, *seen, (height, width))


def damped(linear: Linear) -> Damping:
    """Return the same for all methods: in proportion to the diagonal."""
    return Damping(DAMPING * torch.diag(linear.hessian.diagonal()), DAMPING * linear.curvature)


class Package:
    """The package's iteration; memory is used again from call to call, as its search does."""

    def __init__(self, case: Case) -> None:
        self.case, self.linearize = case, Linearizer(case.problem)
        self.linear: Linear | None = None

    def __call__(self) -> Step:
        """One step; the new state is made and dropped."""
        problem, state = self.case.problem, self.case.state
        self.linear = self.linearize(state, self.linear)
        step = solve(problem, state, self.linear, damped(self.linear))
        assert step is not None
        retract(problem, state, step)
        return step


def textbook(case: Case) -> Step:
    """All derivatives for every point and edge, and one matrix between all poses and depths."""
    state, (h, w), index = case.state, case.grid, (case.source, case.into)
    dtype, points = state.inverse_depth.dtype, h * w
    poses, depths = with_quaternion(state.w2c).to(dtype), state.inverse_depth.view(FRAMES, h, w)
    at = (poses, depths, case.K.to(dtype), *index)
    residual = (case.targets - reproject(*at)[0]).flatten(1).unsqueeze(-1)
    weight = case.weights.flatten(1).unsqueeze(-1)
    by_source, by_into, by_depth = (part.flatten(1, 3) for part in jacobians(*at))
    H, E, v = (
        torch.zeros(FRAMES, *shape, dtype=dtype)
        for shape in ((FRAMES, 6, 6), (FRAMES, 6, points), (6,))
    )
    for a, one in enumerate((by_source, by_into)):
        weighted = (weight * one).mT
        for b, other in enumerate((by_source, by_into)):
            H.index_put_((index[a], index[b]), weighted @ other, accumulate=True)
        v.index_add_(0, index[a], (weighted @ residual).squeeze(-1))
        mixed = (weighted * by_depth.mT).unflatten(2, (points, 2)).sum(-1)
        E.index_put_((index[a], index[0]), mixed, accumulate=True)
    C, b = torch.zeros(2, FRAMES, points, dtype=dtype)
    for into, values in ((C, weight * by_depth.square()), (b, weight * by_depth * residual)):
        into.index_add_(0, case.source, values.view(-1, points, 2).sum(-1))
    return _eliminated(case, H, E, C, b, v)


def _eliminated(case: Case, H: Tensor, E: Tensor, C: Tensor, b: Tensor, v: Tensor) -> Step:
    """Give damped step from the blocks for all frames: (N, N, 6, 6), (N, N, 6, P), (N, P), ..."""
    v = v[FIXED:].flatten()
    H = H[FIXED:, FIXED:].transpose(1, 2).reshape(len(v), len(v))
    E = E[FIXED:].transpose(1, 2).reshape(len(v), -1)
    Q = 1 / ((1 + DAMPING) * C).flatten()
    S = H + DAMPING * torch.diag(H.diagonal()) - E @ (Q[:, None] * E.T)
    x = torch.linalg.solve(S, v - E @ (Q * b.flatten()))
    change = Q * (b.flatten() - E.T @ x)
    step = Step(x.double(), change.view_as(C), 0.0)
    retract(case.problem, case.state, step)
    return step


def system(
    problem: Problem, linear: Linear
) -> tuple[scipy.sparse.csc_matrix, npt.NDArray[np.float64], int]:
    """Return the damped normal matrix, depths first, its right side, and the number of depths."""
    frames, points = linear.curvature.shape
    rows = torch.zeros(frames, problem.unknowns, points).double()
    crossed = linear.transport.mT @ linear.cross.double()
    rows.index_add_(0, problem.source, crossed)
    E = rows.transpose(0, 1).flatten(1).numpy()
    damping = damped(linear)
    H = (linear.hessian + damping.cameras).numpy()
    C = scipy.sparse.diags((linear.curvature + damping.depths).double().flatten().numpy())
    E = scipy.sparse.csr_matrix(E)
    matrix = scipy.sparse.bmat([[C, E.T], [E, scipy.sparse.csr_matrix(H)]], format="csc")
    right = np.concatenate([linear.slope.double().flatten().numpy(), linear.gradient.numpy()])
    return matrix, right, frames * points


def step_of(solution: npt.NDArray[np.float64], depths: int) -> Step:
    """Return a `Step` from a solution with the depths first."""
    found = torch.from_numpy(solution)
    return Step(found[depths:], found[:depths].view(FRAMES, -1), 0.0)


def sparse(matrix: scipy.sparse.csc_matrix, right: npt.NDArray[np.float64], depths: int) -> Step:
    """Return the solution by SuperLU in the order given; the assembly is not timed."""
    factor = scipy.sparse.linalg.splu(
        matrix, permc_spec="NATURAL", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
    )
    return step_of(factor.solve(right), depths)


def dense(matrix: Tensor, right: Tensor, depths: int) -> Step:
    """Return the solution by Cholesky's method; the assembly is not timed."""
    factor = torch.linalg.cholesky(matrix)
    return step_of(torch.cholesky_solve(right[:, None], factor)[:, 0].numpy(), depths)
