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
Dense bundle adjustment: poses and inverse depths on a grid from flow between frames.

The measure is that of DROID-SLAM (Teed and Deng, NeurIPS 2021): the weighted distance between
where a grid point of one frame is seen in another according to flow, and according to poses and
inverse depth. As in MegaSaM (Li et al., CVPR 2025) the focal length may be refined, moving things
count less, and a depth prior with its own uncertainty decides where parallax does not.

Poses are camera-to-world matrices here, outside. Inside (`State`, `Problem`) they are
world-to-camera, changed by twists (tau, phi) from the left, exp(xi) w2c; the reference step in
`bundle_adjustment_droid` takes the same as translation and quaternion (x, y, z, w).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zeroco_ros.errors import ConfigError
from zeroco_ros.geometry.bundle_adjustment_droid import grid_pixels
from zeroco_ros.geometry.bundle_adjustment_levenberg import Reason, Search, search, unobserved
from zeroco_ros.geometry.bundle_adjustment_linear import Linearizer, residual_lengths
from zeroco_ros.geometry.bundle_adjustment_priors import with_priors
from zeroco_ros.geometry.bundle_adjustment_problem import (
    Array,
    as_tensor,
    BundleOptions,
    DepthPrior,
    make_problem,
    PosePrior,
    Problem,
    State,
)
from zeroco_ros.geometry.bundle_adjustment_schur import baseline, covariances
from zeroco_ros.geometry.bundle_adjustment_se3 import inverse

__all__ = ["BundleOptions", "BundleResult", "DepthPrior", "PosePrior", "bundle_adjust"]

LEAST_BASELINE = 1e-6  # over depth: cameras nearer to each other have no scale to hold
Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class BundleResult:
    """
    What was found, for N frames with a grid of (h, w) points.

    c2w (N, 4, 4) camera to world; inverse_depth (N, h, w) in one over the unit of the poses,
    zero is infinitely far; K (1 or N, 3, 3), changed only if the focal length was refined;
    pose_covariance (N, 6, 6), order x y z rot_x rot_y rot_z about the world's axes (as
    nav_msgs/Odometry; zero for fixed poses, huge where nothing decides), with the depths being
    unknown counted in; inverse_depth_variance (N, h, w), with the poses being unknown counted in,
    infinite where nothing was seen; focal_sigma: relative, zero if the focal length was held.
    Both hold as far as the weights are inverse variances of independent errors:
    variance_factor, the weighted squared error per degree of freedom, is near one if they are.
    costs: half the weighted squared error before the first and after each accepted step, never
    rising; reason: "converged", "iterations" (limit), "stalled" (no step lowers the cost) or
    "no observations"; undecided: number of directions of the cameras that nothing decides.
    residual (E, h, w) float32: length of the residuals in pixels, NaN where nothing was seen.
    """

    c2w: Float
    inverse_depth: Float
    K: Float
    pose_covariance: Float
    inverse_depth_variance: Float
    focal_sigma: float
    variance_factor: float
    costs: tuple[float, ...]
    reason: Reason
    undecided: int
    residual: npt.NDArray[np.float32]


@torch.inference_mode()
def bundle_adjust(
    c2w: Array,
    inverse_depth: Array,
    K: Array,
    edges: tuple[npt.ArrayLike, npt.ArrayLike],
    targets: Array,
    weights: Array,
    *,
    options: BundleOptions | None = None,
    pixels: Array | None = None,
    motion_probability: Array | None = None,
    depth_prior: DepthPrior | None = None,
    pose_prior: PosePrior | None = None,
) -> BundleResult:
    """
    Adjust N poses and N grids of (h, w) inverse depths to E flow fields.

    c2w: (N, 4, 4) camera to world, OpenCV axes, first guess. inverse_depth: (N, h, w) first guess,
    0 or more, in one over the unit of the poses, along the optical axis; where it is not finite
    the median of the frame is taken, or that of all frames. K: (3, 3) or (N, 3, 3) in pixels.
    edges: frames i and j, (E,) each; edge e says where the grid of i[e] is seen in j[e]. targets:
    (E, h, w, 2) that place in pixels (x, y) of frame j, i.e. grid point plus flow; NaN where
    nothing is known. weights: (E, h, w, 2) or (E, h, w), one over the variance in square pixels;
    what is not finite or negative counts as zero. pixels: (h, w, 2) position of the grid points in
    pixels of the frame (of the image, if K is the image's; then the targets are, too); None:
    (0, 0), (1, 0), ...
    motion_probability: (N, h, w) in [0, 1], takes weight from points that move by themselves.
    A scene that cannot be decided is no error: the variances say so. Raises ConfigError for wrong
    shapes, no or bad edges, and values outside their ranges.
    """
    options = options or BundleOptions()
    frames, height, width = _check(c2w, inverse_depth, K, targets)
    i, j = (_edge_index(side, frames, len(targets)) for side in edges)
    if bool((i == j).any()):
        raise ConfigError("bundle adjustment: an edge leads from a frame to itself")
    weight = _weights(weights, targets, motion_probability, i)
    where = grid_pixels(height, width) if pixels is None else as_tensor(pixels).reshape(-1, 2)
    if len(where) != height * width:
        raise ConfigError(f"bundle adjustment: {len(where)} pixels for a grid of {height}x{width}")
    intrinsics = as_tensor(K).reshape(-1, 3, 3)
    problem, order = make_problem(
        intrinsics, where, (i, j), as_tensor(targets).flatten(1, 2), weight, options, frames=frames
    )
    problem = with_priors(problem, depth_prior, pose_prior)
    start = _start(c2w, inverse_depth, problem)
    if problem.hold_scale and baseline(problem, start) < LEAST_BASELINE:
        problem = replace(problem, hold_scale=False)
    if unobserved(problem):
        found = Search(start, Linearizer(problem)(start), (0.0,), "no observations")
    else:
        found = search(problem, start)
    result = _result(problem, order, intrinsics, found, (frames, height, width))
    fixed = (problem.column < 0).numpy()
    result.c2w[fixed] = c2w[fixed]
    return result


def _check(c2w: Array, inverse_depth: Array, K: Array, targets: Array) -> tuple[int, int, int]:
    """Frames, height, width."""
    if inverse_depth.ndim != 3:
        raise ConfigError(
            f"bundle adjustment: inverse_depth is {inverse_depth.shape}: (N, h, w) is needed"
        )
    frames, height, width = inverse_depth.shape
    shapes: dict[str, tuple[tuple[int, ...], list[tuple[int, ...]]]] = {
        "c2w": (c2w.shape, [(frames, 4, 4)]),
        "K": (K.shape, [(3, 3), (frames, 3, 3)]),
        "targets": (targets.shape, [(len(targets), height, width, 2)]),
    }
    for name, (given, allowed) in shapes.items():
        if given not in allowed:
            raise ConfigError(f"bundle adjustment: {name} is {given}: {allowed[-1]} is needed")
    if len(targets) == 0:
        raise ConfigError("bundle adjustment: there are no edges: at least one flow is needed")
    if not (np.isfinite(c2w).all() and np.isfinite(K).all()):
        raise ConfigError("bundle adjustment: c2w or K is not finite")
    if (K[..., [0, 1], [0, 1]] <= 0).any():
        raise ConfigError("bundle adjustment: K has a focal length that is not positive")
    return frames, height, width


def _edge_index(side: npt.ArrayLike, frames: int, edges: int) -> Tensor:
    index = torch.from_numpy(np.array(side, dtype=np.int64).reshape(-1))
    if len(index) != edges:
        raise ConfigError(f"bundle adjustment: {len(index)} edges for {edges} targets")
    if bool(((index < 0) | (index >= frames)).any()):
        raise ConfigError(f"bundle adjustment: edges name frames outside 0..{frames - 1}")
    return index


def _weights(weights: Array, targets: Array, motion: Array | None, source: Tensor) -> Tensor:
    """(E, P, 2), less where things move by themselves."""
    if weights.shape not in (targets.shape, targets.shape[:3]):
        raise ConfigError(
            f"bundle adjustment: weights is {weights.shape}: {targets.shape} is needed"
        )
    values = as_tensor(weights)
    if values.ndim == 3:
        values = values[..., None].expand(*values.shape, 2)
    if motion is not None:
        share = 1 - as_tensor(motion)
        if bool(((share < 0) | (share > 1)).any()):
            raise ConfigError("bundle adjustment: motion_probability is outside [0, 1]")
        values = values * share[source][..., None]
    return values.flatten(1, 2)


def _start(c2w: Array, inverse_depth: Array, problem: Problem) -> State:
    depths = as_tensor(inverse_depth).flatten(1)
    low, high = problem.options.inverse_depth_range
    known = torch.where(depths.isfinite(), depths, torch.nan)
    usual = known.nanmedian(1, keepdim=True).values
    usual = torch.where(usual.isfinite(), usual, known.nanmedian().nan_to_num(1.0))
    depths = torch.where(known.isfinite(), known, usual).clamp(low, high)
    poses = as_tensor(c2w)
    # Poses from float32 are not quite rigid, and the inverse takes them to be.
    left, stretch, right = torch.linalg.svd(poses[:, :3, :3])
    if bool((stretch - 1).abs().max() > 1e-3) or bool((torch.linalg.det(left @ right) < 0).any()):
        raise ConfigError("bundle adjustment: c2w holds a matrix that is no rotation")
    poses[:, :3, :3] = left @ right
    return State(inverse(poses), depths.to(problem.rays.dtype))


def _result(
    problem: Problem, order: Tensor, K: Tensor, found: Search, shape: tuple[int, int, int]
) -> BundleResult:
    state = found.state
    cameras, variance, undecided = covariances(problem, state, found.linear)
    c2w = inverse(state.w2c)
    turn = torch.zeros(len(c2w), 6, 6).double()
    turn[:, :3, :3] = turn[:, 3:, 3:] = c2w[:, :3, :3]
    poses = torch.zeros(len(c2w), 6, 6).double()
    for frame, column in enumerate(problem.column.tolist()):
        if column >= 0:
            part = slice(6 * column, 6 * column + 6)
            poses[frame] = turn[frame] @ cameras[part, part] @ turn[frame].mT
    focal = K.clone()
    focal[:, [0, 1], [0, 1]] *= float(np.exp(state.log_focal))
    lengths = torch.empty(len(order), shape[1] * shape[2])
    lengths[order] = residual_lengths(problem, state, K[:, [0, 1], [0, 1]]).float()
    seen = int((problem.roots > 0).sum())
    unknown = int((found.linear.curvature > 0).sum()) * problem.options.refine_depths
    freedom = seen - unknown - problem.unknowns
    return BundleResult(
        c2w.numpy(),
        state.inverse_depth.double().view(shape).numpy(),
        focal.numpy(),
        poses.numpy(),
        variance.view(shape).numpy(),
        float(cameras[-1, -1].sqrt()) if problem.options.refine_focal else 0.0,
        2 * found.costs[-1] / freedom if freedom > 0 else float("nan"),
        found.costs,
        found.reason,
        undecided,
        lengths.view(len(order), *shape[1:]).numpy(),
    )
