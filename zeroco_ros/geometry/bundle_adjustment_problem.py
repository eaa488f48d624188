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
What dense bundle adjustment is given: options, priors, and the problem as tensors.

Inside, poses are world-to-camera matrices; a frame's grid is flattened to P points; pixels are
normalized coordinates (K^-1 applied), and weights are root information in those units, so that
no focal length appears in the inner loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zeroco_ros.errors import ConfigError

Array = npt.NDArray[np.floating]


@dataclass(frozen=True)
class BundleOptions:
    """
    How to adjust.

    fixed: gauge; the first so many frames keep their pose (all of them: only depths are sought),
    or one bool per frame. iterations: at most so many steps are tried. refine_focal: one factor on
    every focal length is sought too. refine_depths: False seeks poses only. robust, robust_scale:
    kernel on the length of a residual in standard deviations, and where it sets in. near: a point
    counts as in front of a camera from this share of its depth in its own frame on.
    inverse_depth_range: bounds kept by every step. hold_scale: the root mean square distance
    of the cameras from the first fixed one stays; None does so where otherwise nothing decides the
    scale (at most one fixed pose, no prior). damping: of the first step,
    relative. tolerance: relative decrease of the cost, foretold, under which the search ends.
    dtype: of the arithmetic on pixels; the system of the cameras is always float64.
    """

    fixed: int | Sequence[bool] = 1
    iterations: int = 12
    refine_focal: bool = False
    refine_depths: bool = True
    robust: Literal["none", "huber", "cauchy"] = "huber"
    robust_scale: float = 2.0
    near: float = 0.1
    inverse_depth_range: tuple[float, float] = (0.0, float("inf"))
    hold_scale: bool | None = None
    damping: float = 1e-4
    tolerance: float = 1e-6
    dtype: Literal["float32", "float64"] = "float64"

    def __post_init__(self) -> None:
        """Raise ConfigError for values outside their ranges."""
        low, high = self.inverse_depth_range
        checks = [
            (self.iterations >= 0, f"iterations is {self.iterations}: 0 or more is needed"),
            (
                self.robust in ("none", "huber", "cauchy"),
                f"robust is {self.robust!r}: none, huber or cauchy",
            ),
            (self.robust_scale > 0, f"robust_scale is {self.robust_scale}: it must be positive"),
            (0 < self.near < 1, f"near is {self.near}: between 0 and 1 is needed"),
            (0 <= low < high, f"inverse_depth_range is {(low, high)}: 0 <= low < high is needed"),
            (self.damping > 0, f"damping is {self.damping}: it must be positive"),
            (self.tolerance >= 0, f"tolerance is {self.tolerance}: 0 or more is needed"),
            (self.dtype in ("float32", "float64"), f"dtype is {self.dtype!r}: float32 or float64"),
        ]
        for passed, message in checks:
            if not passed:
                raise ConfigError(f"bundle adjustment: {message}")


@dataclass(frozen=True)
class DepthPrior:
    """
    What is believed of inverse depth beforehand, as in MegaSaM (Li et al., CVPR 2025).

    inverse_depth (N, h, w), in one over the unit of the poses; sigma (N, h, w) or a number: one
    standard deviation, of the inverse depth or, if `log`, of its logarithm (a relative error).
    Where either is NaN, or sigma is infinite, nothing is believed.
    """

    inverse_depth: Array
    sigma: Array | float
    log: bool = False


@dataclass(frozen=True)
class PosePrior:
    """
    What is believed of the poses beforehand.

    c2w (N, 4, 4); covariance (N, 6, 6) or (6, 6), in the order x y z rot_x rot_y rot_z about the
    world's axes, as in nav_msgs/Odometry, positive definite. Frames with NaN in either have no
    prior. A pose that is known exactly belongs into `BundleOptions.fixed`.
    """

    c2w: Array
    covariance: Array


@dataclass(frozen=True)
class State:
    """
    What is sought.

    w2c (N, 4, 4) float64, inverse_depth (N, P), and the logarithm of the factor on all focal
    lengths.
    """

    w2c: Tensor
    inverse_depth: Tensor
    log_focal: float = 0.0


@dataclass(frozen=True)
class Run:
    """Source frames (n,) that follow each other with as many edges each, `size`, and all these."""

    frames: Tensor
    edges: slice
    size: int

    def stack(self, values: Tensor) -> Tensor:
        """(E, k, ...) values of edges as (n, size * k, ...) values of source frames."""
        chosen = values[self.edges]
        return chosen.reshape(len(self.frames), self.size * chosen.shape[1], *chosen.shape[2:])


@dataclass(frozen=True)
class Problem:
    """
    Edges sorted by source frame; E edges, N frames, P points per frame.

    source, into (E,) int64: an edge's pixels lie on the source's grid and are seen in `into`.
    runs: all edges by source frame. rays (1 or N, 2, P): normalized grid points;
    targets (E, 2, P) and roots (E, 2, P): where they were seen, and root information (both zero
    where nothing was). column (N,): index of a frame among the free ones, or -1.
    prior_* (N, P): inverse depth or its logarithm and information. pose_* : of `PosePrior`, with
    information (N, 6, 6), zero where there is none.
    """

    source: Tensor
    into: Tensor
    runs: tuple[Run, ...]
    rays: Tensor
    targets: Tensor
    roots: Tensor
    column: Tensor
    options: BundleOptions
    hold_scale: bool
    prior_value: Tensor | None = None
    prior_information: Tensor | None = None
    prior_log: bool = False
    pose_center: Tensor | None = None
    pose_information: Tensor | None = None

    @property
    def free(self) -> int:
        """Return the number of frames whose pose is sought."""
        return int((self.column >= 0).sum())

    @property
    def unknowns(self) -> int:
        """Return the number of unknowns that are not depths."""
        return 6 * self.free + self.options.refine_focal

    @property
    def local(self) -> int:
        """Unknowns per edge: the twist of the relative pose, and the focal length."""
        return 6 + self.options.refine_focal


def as_tensor(array: npt.ArrayLike) -> Tensor:
    """Return a copy in float64."""
    return torch.from_numpy(np.array(array, dtype=np.float64))


def runs_of(source: Tensor) -> tuple[Run, ...]:
    """Return the runs in a sorted (E,) tensor."""
    frames, counts = torch.unique_consecutive(source, return_counts=True)
    sizes, lengths = torch.unique_consecutive(counts, return_counts=True)
    runs, edge, group = [], 0, 0
    for size, length in zip(sizes.tolist(), lengths.tolist(), strict=True):
        edges = slice(edge, edge + size * length)
        runs.append(Run(frames[group : group + length], edges, size))
        edge, group = edges.stop, group + length
    return tuple(runs)


def columns_of(fixed: int | Sequence[bool], frames: int) -> Tensor:
    """Index of each frame among the free ones, -1 for fixed frames, (N,) int64."""
    if isinstance(fixed, int) and not isinstance(fixed, bool):
        if not 0 <= fixed <= frames:
            raise ConfigError(f"bundle adjustment: fixed is {fixed} of {frames} frames")
        held = torch.arange(frames) < fixed
    else:
        held = torch.tensor([bool(value) for value in np.asarray(fixed).reshape(-1)])
        if len(held) != frames:
            raise ConfigError(
                f"bundle adjustment: fixed has {len(held)} entries for {frames} frames"
            )
    return torch.where(held, -1, (~held).cumsum(0) - 1)


def make_problem(
    K: Tensor,
    pixels: Tensor,
    edges: tuple[Tensor, Tensor],
    targets: Tensor,
    weights: Tensor,
    options: BundleOptions,
    *,
    frames: int,
) -> tuple[Problem, Tensor]:
    """
    Return the problem, and the order (E,) in which it has the edges.

    K: (1 or N, 3, 3) float64; pixels (P, 2); edges: (E,) source and into; targets (E, P, 2) in
    pixels of `into`, not finite where nothing was seen; weights (E, P, 2), one over square pixels,
    negative ones and those that are not finite count as zero.
    """
    dtype = torch.float64 if options.dtype == "float64" else torch.float32
    order = edges[0].argsort(stable=True)
    source, into = edges[0][order], edges[1][order]
    focal = K[:, [0, 1], [0, 1]].unsqueeze(-1)  # (1 or N, 2, 1)
    center = K[:, [0, 1], [2, 2]].unsqueeze(-1)
    rays = (pixels.T - center) / focal
    camera = into if len(K) > 1 else torch.zeros_like(into)
    there = (targets[order].mT.double() - center[camera]) / focal[camera]
    weight = weights[order].mT.double()
    seen = there.isfinite().all(1, keepdim=True) & weight.isfinite() & (weight > 0)
    zero = torch.zeros((), dtype=torch.float64)
    problem = Problem(
        source,
        into,
        runs_of(source),
        rays.to(dtype),
        torch.where(seen, there, zero).to(dtype).contiguous(),
        (torch.where(seen, weight, zero).sqrt() * focal[camera]).to(dtype).contiguous(),
        columns_of(options.fixed, frames),
        options,
        bool(options.hold_scale),
    )
    return problem, order
