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
The search: damped Gauss-Newton steps, each taken only if the cost falls.

Damping after Levenberg and Marquardt, with the update of Nielsen (IMM-REP-1999-05): the better the
linear model foretold the decrease, the less damping the next step has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from zeroco_ros.geometry.bundle_adjustment_linear import Linear, Linearizer
from zeroco_ros.geometry.bundle_adjustment_problem import Problem, State
from zeroco_ros.geometry.bundle_adjustment_schur import Damping, retract, solve

Reason = Literal["converged", "iterations", "stalled", "no observations"]
LEAST, MOST = 1e-10, 1e8


@dataclass(frozen=True)
class Search:
    """
    Where the search ended, the products there, costs, and why it ended.

    The first of the costs is from before any step; one more for each step taken; never rising.
    """

    state: State
    linear: Linear
    costs: tuple[float, ...]
    reason: Reason


def search(problem: Problem, start: State) -> Search:
    """Minimize the cost from a start."""
    linearize = Linearizer(problem)
    state, linear = start, linearize(start)
    costs = [linear.cost]
    if problem.unknowns == 0 and not problem.options.refine_depths:
        return Search(state, linear, tuple(costs), "converged")
    damping, growth, spare = problem.options.damping, 2.0, None
    least = 1e-3 * float((problem.roots > 0).sum())  # of what noise of the given size costs
    for _ in range(problem.options.iterations):
        step = solve(
            problem,
            state,
            linear,
            dampen(state, linear, damping),
            held=at_bounds(problem, state, linear),
        )
        if step is not None and step.expected <= problem.options.tolerance * (linear.cost + least):
            return Search(state, linear, tuple(costs), "converged" if damping <= 1 else "stalled")
        if step is not None:
            trial = retract(problem, state, step)
            there = linearize(trial, spare)
            spare = there
            if there.cost < linear.cost:
                gain = (linear.cost - there.cost) / step.expected
                damping = max(LEAST, damping * max(0.1, 1 - (2 * gain - 1) ** 3))
                growth = 2.0
                state, linear, spare = trial, there, linear
                costs.append(linear.cost)
                continue
        damping, growth = damping * growth, growth * 2
        if damping > MOST:
            return Search(state, linear, tuple(costs), "stalled")
    return Search(state, linear, tuple(costs), "iterations")


def dampen(state: State, linear: Linear, damping: float) -> Damping:
    """
    Marquardt's damping in proportion to the diagonal.

    Inverse depths besides as if they were known to their usual size, so that what is hardly
    observed moves in moderate steps.
    """
    cameras = linear.hessian.diagonal()
    least = 1e-9 * float(cameras.max()) if len(cameras) else 0.0
    usual = float(state.inverse_depth.square().mean()) or 1.0
    return Damping(
        torch.diag(damping * cameras.clamp(min=max(least, 1e-300))),
        (linear.curvature + 1 / usual).mul_(damping),
    )


def at_bounds(problem: Problem, state: State, linear: Linear) -> Tensor | None:
    """Inverse depths (N, P) bool at a bound beyond which the cost would fall; None if none are."""
    low, high = problem.options.inverse_depth_range
    depth, slope = state.inverse_depth, linear.slope
    held = ((depth <= low) & (slope <= 0)) | ((depth >= high) & (slope >= 0))
    return held if bool(held.any()) else None


def unobserved(problem: Problem) -> bool:
    """Nothing at all was seen: no weight is positive and there are no priors."""
    priors = (problem.prior_information, problem.pose_information)
    return not any(
        bool(torch.any(part > 0)) for part in (problem.roots, *priors) if part is not None
    )
