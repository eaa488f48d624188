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

"""What is believed beforehand of inverse depths and poses, as parts of dense bundle adjustment."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from zeroco_ros.errors import ConfigError
from zeroco_ros.geometry.bundle_adjustment_problem import (
    as_tensor,
    DepthPrior,
    PosePrior,
    Problem,
    State,
)
from zeroco_ros.geometry.bundle_adjustment_se3 import (
    inverse,
    inverse_left_jacobian,
    rotation_log,
)


def with_priors(problem: Problem, depth: DepthPrior | None, pose: PosePrior | None) -> Problem:
    """
    Return the problem with its priors, and whether the scale is held.

    Raises ConfigError for wrong shapes and a covariance that is not positive definite.
    """
    if depth is not None:
        problem = with_depth_prior(problem, depth)
    if pose is not None:
        problem = with_pose_prior(problem, pose)
    hold = problem.options.hold_scale
    if hold is None:
        few = problem.free >= len(problem.column) - 1
        hold = few and depth is None and pose is None and problem.options.refine_depths
    return replace(problem, hold_scale=hold)


def with_depth_prior(problem: Problem, prior: DepthPrior) -> Problem:
    """Return the problem with a depth prior."""
    shape = (len(problem.column), problem.rays.shape[-1])
    value, sigma = as_tensor(prior.inverse_depth), as_tensor(prior.sigma)
    if value.ndim != 3 or value.numel() != shape[0] * shape[1]:
        raise ConfigError(f"bundle adjustment: the depth prior is {tuple(value.shape)}")
    if sigma.ndim and sigma.shape != value.shape:
        raise ConfigError(f"bundle adjustment: the depth prior's sigma is {tuple(sigma.shape)}")
    value = (value.log() if prior.log else value).reshape(shape)
    information = sigma.expand(shape) if not sigma.ndim else sigma.reshape(shape)
    information = information.square().reciprocal()
    known = value.isfinite() & information.isfinite()
    zero = torch.zeros((), dtype=torch.float64)
    dtype = problem.rays.dtype
    return replace(
        problem,
        prior_value=torch.where(known, value, zero).to(dtype),
        prior_information=torch.where(known, information, zero).to(dtype),
        prior_log=prior.log,
    )


def with_pose_prior(problem: Problem, prior: PosePrior) -> Problem:
    """Return the problem with a prior on poses."""
    frames = len(problem.column)
    center, covariance = as_tensor(prior.c2w), as_tensor(prior.covariance)
    if center.shape != (frames, 4, 4) or covariance.shape not in ((frames, 6, 6), (6, 6)):
        given = f"{tuple(center.shape)} and {tuple(covariance.shape)}"
        raise ConfigError(f"bundle adjustment: the pose prior is {given} for {frames} frames")
    covariance = covariance.expand(frames, 6, 6)
    known = center.isfinite().all((1, 2)) & covariance.isfinite().all((1, 2))
    factor, failed = torch.linalg.cholesky_ex(covariance[known])
    if bool((failed != 0).any()):
        raise ConfigError("bundle adjustment: a pose prior's covariance is not positive definite")
    information = torch.zeros(frames, 6, 6).double()
    information[known] = torch.cholesky_inverse(factor)
    center = torch.where(known[:, None, None], center, torch.eye(4).double())
    return replace(problem, pose_center=center, pose_information=information)


def add_depth_prior(problem: Problem, state: State, curvature: Tensor, slope: Tensor) -> float:
    """Add the prior's part to curvature and slope (N, P), in place; return its cost."""
    if problem.prior_value is None or problem.prior_information is None:
        return 0.0
    information, depth = problem.prior_information, state.inverse_depth
    if problem.prior_log:
        safe = depth.clamp(min=1e-12)
        error = problem.prior_value - safe.log()
        curvature += information / safe.square()
        slope += information * error / safe
    else:
        error = problem.prior_value - depth
        curvature += information
        slope += information * error
    return 0.5 * float((information * error.square()).sum(-1).double().sum())


def pose_prior(problem: Problem, state: State) -> tuple[float, Tensor, Tensor]:
    """Cost, Hessian (D, D) and downhill gradient (D,) of the pose prior (zeros without one)."""
    D = problem.unknowns
    hessian, gradient = torch.zeros(D, D).double(), torch.zeros(D).double()
    if problem.pose_center is None or problem.pose_information is None:
        return 0.0, hessian, gradient
    c2w, prior = inverse(state.w2c), problem.pose_center
    turn = rotation_log(c2w[:, :3, :3] @ prior[:, :3, :3].mT)
    error = torch.cat([c2w[:, :3, 3] - prior[:, :3, 3], turn], -1)
    # The left twist of w2c moves the center by -R tau and turns the camera by -R phi.
    jacobian = torch.zeros(len(c2w), 6, 6).double()
    jacobian[:, :3, :3] = -c2w[:, :3, :3]
    jacobian[:, 3:, 3:] = -inverse_left_jacobian(turn) @ c2w[:, :3, :3]
    weighted = jacobian.mT @ problem.pose_information
    blocks = weighted @ jacobian
    downhill = -(weighted @ error[..., None]).squeeze(-1)
    for frame, column in enumerate(problem.column.tolist()):
        if column >= 0:
            part = slice(6 * column, 6 * column + 6)
            hessian[part, part] = blocks[frame]
            gradient[part] = downhill[frame]
    free = problem.column >= 0
    cost = 0.5 * torch.einsum("ni,nij,nj->n", error, problem.pose_information, error)
    return float(cost[free].sum()), hessian, gradient
