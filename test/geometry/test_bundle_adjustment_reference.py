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

"""Dense bundle adjustment against reference arrays and finite differences."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
import torch
from torch import Tensor

from zeroco_ros.geometry import bundle_adjustment_se3 as se3
from zeroco_ros.geometry.bundle_adjustment_droid import (
    droid_problem,
    droid_step,
    grid_pixels,
    jacobians,
    reproject,
)
from zeroco_ros.geometry.bundle_adjustment_linear import Linear, Linearizer
from zeroco_ros.geometry.bundle_adjustment_priors import with_priors
from zeroco_ros.geometry.bundle_adjustment_problem import (
    BundleOptions,
    DepthPrior,
    make_problem,
    PosePrior,
    Problem,
    State,
)
from zeroco_ros.geometry.bundle_adjustment_schur import (
    covariances,
    Damping,
    retract,
    solve,
    Step,
)

TOLERANCE = 1e-6


class Case:
    """The reference's input, without its batch axis."""

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.arrays = arrays
        self.poses = self("poses_txyz_qxyzw")[0]
        self.depths = self("disps")[0]
        fx, fy, cx, cy = self("intrinsics")[0, 0].tolist()
        self.K = torch.tensor([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]).double()
        self.edges = (self("ii"), self("jj"))
        self.seen = (self("target")[0], self("weight")[0])

    def __call__(self, key: str) -> Tensor:
        return torch.from_numpy(self.arrays[key])

    def step(
        self, poses: Tensor, depths: Tensor, fixed: int, **more: bool
    ) -> tuple[Tensor, Tensor]:
        eta = self("eta")[0]
        return droid_step(poses, depths, self.K, self.edges, *self.seen, eta, fixed=fixed, **more)


@pytest.fixture(scope="module")
def case(golden: Callable[[str], Mapping[str, np.ndarray]]) -> Case:
    return Case(golden("droid_ba"))


def assert_poses(found: Tensor, expected: Tensor) -> None:
    sign = (found[:, 3:] * expected[:, 3:]).sum(1, keepdim=True).sign()
    same = torch.cat([found[:, :3], sign * found[:, 3:]], 1)
    torch.testing.assert_close(same, expected, atol=TOLERANCE, rtol=0)


def test_reprojection_and_jacobians(case: Case) -> None:
    coordinates, valid = reproject(case.poses, case.depths, case.K, *case.edges)
    torch.testing.assert_close(coordinates, case("reproj")[0], atol=TOLERANCE, rtol=0)
    assert torch.equal(valid, case("valid")[0, ..., 0] > 0)
    found = jacobians(case.poses, case.depths, case.K, *case.edges)
    for key, jacobian in zip(("Ji_edge0", "Jj_edge0", "Jz_edge0"), found, strict=True):
        torch.testing.assert_close(jacobian[0], case(key), atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("fixed", [1, 2])
def test_one_step(case: Case, fixed: int) -> None:
    poses, depths = case.step(case.poses, case.depths, fixed)
    assert_poses(poses, case(f"BA_fixed{fixed}_poses")[0])
    expected = case(f"BA_fixed{fixed}_disps")[0]
    torch.testing.assert_close(depths, expected, atol=TOLERANCE, rtol=0)
    poses, depths = case.step(case.poses, case.depths, fixed, refine_depths=False)
    assert_poses(poses, case(f"MoBA_fixed{fixed}_poses")[0])
    assert torch.equal(depths, case.depths)


def test_four_steps(case: Case) -> None:
    poses, depths = case.poses, case.depths
    for _ in range(4):
        poses, depths = case.step(poses, depths, 2)
    assert_poses(poses, case("BA_fixed2_4iters_poses")[0])
    expected = case("BA_fixed2_4iters_disps")[0]
    torch.testing.assert_close(depths, expected, atol=TOLERANCE, rtol=0)


def test_schur_step_equals_the_dense_gauss_newton_step(case: Case) -> None:
    problem = droid_problem(case.poses, case.depths, case.K, case.edges, *case.seen, 1, True)
    state = State(se3.from_quaternion(case.poses), case.depths.flatten(1))
    linear = Linearizer(problem)(state)
    H = linear.hessian
    damping = Damping(torch.diag(0.1 + 1e-4 * H.diagonal()), case("eta")[0].flatten(1) + 1e-7)
    step = solve(problem, state, linear, damping)
    assert step is not None
    for found, key in ((step.cameras.view(3, 6), "dense_GN_dx"), (step.depths, "dense_GN_dz")):
        expected = case(key).view_as(found)
        torch.testing.assert_close(found, expected, atol=TOLERANCE, rtol=0)


# ---- without the reference: a small problem with everything switched on ----


def small_problem(**options: object) -> tuple[Problem, State]:
    """Three frames, 3 x 4 points, five edges; some points are behind a camera."""
    random = torch.Generator().manual_seed(3)
    frames, points = 3, 12
    edges = (torch.tensor([2, 0, 0, 1, 1]), torch.tensor([0, 1, 2, 0, 2]))
    K = torch.tensor([[5.0, 0, 1.5], [0, 6.0, 1.0], [0, 0, 1]]).double()[None]
    pixels = grid_pixels(3, 4)
    noise = 2 * torch.randn(5, points, 2, generator=random, dtype=torch.float64)
    weights = torch.rand(5, points, 2, generator=random, dtype=torch.float64)
    weights[1, 3] = 0
    chosen = BundleOptions(**{"fixed": 1, "robust": "none", "refine_focal": True, **options})
    problem, _ = make_problem(K, pixels, edges, pixels + noise, weights, chosen, frames=frames)
    twists = 0.2 * torch.randn(frames, 6, generator=random, dtype=torch.float64)
    twists[2, 2] = -1.0  # close enough that points fall behind the last camera
    depths = 0.3 + torch.rand(frames, points, generator=random, dtype=torch.float64)
    state = State(se3.se3_exp(twists), depths, 0.1)
    covariance = np.diag([0.1, 0.2, 0.1, 0.05, 0.04, 0.03])
    covariance[0, 5] = covariance[5, 0] = 0.02
    prior = se3.inverse(se3.se3_exp(twists + 0.3)).numpy()
    prior[1] = np.nan
    believed = np.where(np.arange(36).reshape(3, 3, 4) % 5 == 0, np.nan, 0.7)
    depth_prior = DepthPrior(believed, 0.3, log=chosen.robust == "huber")
    return with_priors(problem, depth_prior, PosePrior(prior, covariance)), state


def moved(problem: Problem, state: State, at: Tensor) -> State:
    """Return the state after the step (D + N P,)."""
    D = problem.unknowns
    return retract(problem, state, Step(at[:D], at[D:].view_as(state.inverse_depth), 0.0))


@pytest.mark.parametrize("robust", ["none", "huber", "cauchy"])
def test_gradient_by_finite_differences(robust: str) -> None:
    problem, state = small_problem(robust=robust)
    linearize = Linearizer(problem)
    linear = linearize(state)
    found = -torch.cat([linear.gradient, linear.slope.flatten()])
    step = 1e-6 * torch.eye(len(found)).double()
    cost = [[linearize(moved(problem, state, s * row)).cost for s in (1, -1)] for row in step]
    numeric = torch.tensor([(up - down) / 2e-6 for up, down in cost]).double()
    torch.testing.assert_close(found, numeric, atol=1e-5, rtol=1e-5)
    assert found.abs().max() > 1


def dense(problem: Problem, linear: Linear) -> Tensor:
    """All of the normal matrix, (D + N P, D + N P)."""
    D, (frames, points) = problem.unknowns, linear.curvature.shape
    matrix = torch.zeros(D + frames * points, D + frames * points).double()
    matrix[:D, :D] = linear.hessian
    matrix[D:, D:] = torch.diag(linear.curvature.flatten())
    for edge, frame in enumerate(problem.source.tolist()):
        block = linear.transport[edge].T @ linear.cross[edge]
        matrix[:D, D + frame * points : D + (frame + 1) * points] += block
    matrix[D:, :D] = matrix[:D, D:].T
    return matrix


def test_normal_matrix_is_that_of_numeric_jacobians() -> None:
    problem, state = small_problem()
    bare = Problem(**{**vars(problem), "prior_information": None, "pose_information": None})
    linearize = Linearizer(bare)
    linear = linearize(state)
    size = bare.unknowns + state.inverse_depth.numel()

    def residuals(at: Tensor) -> Tensor:
        there = moved(bare, state, at)
        relative = there.w2c[bare.into] @ se3.inverse(there.w2c)[bare.source]
        rows, _, _ = linearize.rows(there, relative, slice(None))
        return -rows[:, -1].flatten()

    step = 1e-6 * torch.eye(size).double()
    jacobian = torch.stack([(residuals(row) - residuals(-row)) / 2e-6 for row in step], 1)
    torch.testing.assert_close(dense(bare, linear), jacobian.T @ jacobian, atol=1e-5, rtol=1e-5)


def test_step_and_covariances_equal_the_dense_inverse() -> None:
    problem, state = small_problem()
    linear = Linearizer(problem)(state)
    D, matrix = problem.unknowns, dense(problem, linear)
    right = torch.cat([linear.gradient, linear.slope.flatten()])
    step = solve(problem, state, linear, Damping(torch.zeros(D, D), torch.zeros(3, 12)))
    assert step is not None
    found = torch.cat([step.cameras, step.depths.flatten()])
    torch.testing.assert_close(found, torch.linalg.solve(matrix, right))
    inverse = torch.linalg.inv(matrix)
    cameras, variance, undecided = covariances(problem, state, linear)
    torch.testing.assert_close(cameras, inverse[:D, :D])
    torch.testing.assert_close(variance.flatten(), inverse.diagonal()[D:])
    assert undecided == 0


def test_edges_of_a_group_are_counted_once_and_float32_agrees() -> None:
    problem, state = small_problem()
    single, _ = small_problem(dtype="float32")
    low = State(state.w2c, state.inverse_depth.float(), state.log_focal)
    exact, rough = Linearizer(problem)(state), Linearizer(single)(low)
    torch.testing.assert_close(rough.cost, exact.cost, rtol=1e-5, atol=0)
    torch.testing.assert_close(rough.hessian, exact.hessian, rtol=1e-4, atol=1e-3)


def test_motions() -> None:
    random = torch.Generator().manual_seed(5)
    twists = torch.randn(40, 6, generator=random, dtype=torch.float64)
    twists[::4] *= 1e-5
    twists[0] = 0
    motions = se3.se3_exp(twists)
    generators = torch.zeros(40, 4, 4).double()
    generators[:, :3, :3] = se3.cross_matrix(twists[:, 3:])
    generators[:, :3, 3] = twists[:, :3]
    torch.testing.assert_close(motions, torch.linalg.matrix_exp(generators))
    torch.testing.assert_close(se3.rotation_log(motions[:, :3, :3]), twists[:, 3:])
    one = torch.eye(4).double().expand(40, 4, 4)
    torch.testing.assert_close(se3.inverse(motions) @ motions, one)
    torch.testing.assert_close(se3.from_quaternion(se3.with_quaternion(motions)), motions)
    small = 1e-3 * twists.flip(0)
    left = motions @ se3.se3_exp(small)
    right = se3.se3_exp((se3.adjoint(motions) @ small[..., None])[..., 0]) @ motions
    torch.testing.assert_close(left, right)
