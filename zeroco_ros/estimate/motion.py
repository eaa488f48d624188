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
The pose of a new frame against key frames whose depth is known, from dense flow.

Every grid pixel of the frame that is matched with a key frame where depth is known gives a point
in space and the place where the frame sees it. The pose is the one that explains them all: robust
Gauss-Newton on the reprojection error, each residual weighed by the flow's variance and, along
the epipolar direction, by what the depth's variance makes of it; so the unknown depth is
integrated out (the pose-only case of the dense bundle adjustment of DROID-SLAM, NeurIPS 2021, with
the uncertain inverse depth of Civera et al., T-RO 2008). Where nothing is known of the depth a
match still says what an epipolar constraint says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zeroco_ros.estimate.posed_view import DepthMap, flow_sigma
from zeroco_ros.estimate.results import FlowResult
from zeroco_ros.geometry.transforms import inverse, se3_exp

Array = npt.NDArray[np.float64]

# Residuals count less the farther off (Cauchy), at first on a coarse scale: a start that is off by
# many pixels must not make the right matches outliers.
SCALES = (8.0, 4.0, 2.0, 1.0, 1.0, 1.0, 1.0)
CAUCHY = 4.0  # squared whitened residual (2 axes) at which the weight has fallen to one half
AGREES = 9.0  # up to here a match agrees with the pose
FEWEST = 40
# Errors of dense flow go together over about two grid steps, in both directions.
CORRELATED = 4.0
NEAREST = 1e-4
# Smallest eigenvalue of the normal matrix with a unit diagonal; longest step, units or radians.
SINGULAR, FARTHEST = 1e-9, 1e3


@dataclass(frozen=True)
class Landmarks:
    """
    Points (N,) known from one key frame and seen in the frame.

    pixels: (N, 2) where the frame sees them; sigma_px: (N,) of that; rays: (N, 3) in the key
    frame's camera, z = 1; inverse, inverse_sigma: (N,) inverse depth there; c2w: (4, 4).
    """

    pixels: Array
    sigma_px: Array
    rays: Array
    inverse: Array
    inverse_sigma: Array
    c2w: Array


@dataclass(frozen=True)
class Located:
    """
    Where a camera was found to be.

    pose: (4, 4) camera to world; covariance: (6, 6), x y z rot_x rot_y rot_z along the world's
    axes, of the measurement alone; agree: share of the landmarks that agree, in [0, 1]; cost: mean
    robust cost; rms_px: of those that agree.
    """

    pose: Array
    covariance: Array
    agree: float
    cost: float
    rms_px: float


def landmarks(
    flow: FlowResult, depth: DepthMap, c2w: Array, K: Array, step: int
) -> Landmarks | None:
    """
    Return what a match with a key frame of known depth gives; None where next to nothing is known.

    flow: from the frame to the key frame; depth and c2w: of the key frame; K: (3, 3) of both.
    """
    height, width = flow.confidence.shape
    y, x = np.mgrid[step // 2 : height : step, step // 2 : width : step]
    vectors = flow.flow[y, x].astype(np.float64)
    sigma = flow_sigma(flow)[y, x].astype(np.float64)
    u, v = x + vectors[..., 0], y + vectors[..., 1]
    rows, columns = np.rint(v).astype(np.int64), np.rint(u).astype(np.int64)
    inside = (rows >= 0) & (rows < depth.depth.shape[0])
    inside &= (columns >= 0) & (columns < depth.depth.shape[1])
    rows, columns = np.where(inside, rows, 0), np.where(inside, columns, 0)
    z = depth.depth[rows, columns].astype(np.float64)
    good = inside & np.isfinite(sigma) & np.isfinite(z) & (z > 0)
    if good.sum() < FEWEST:
        return None
    z, deviation = z[good], depth.sigma[rows, columns][good].astype(np.float64)
    rays = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones_like(u)], -1)
    return Landmarks(
        np.stack([x, y], -1)[good].astype(np.float64),
        sigma[good],
        rays[good],
        1 / z,
        deviation / z**2,
        c2w,
    )


@dataclass(frozen=True)
class _Points:
    """All landmarks in the world: rays turned (N, 3), the key frame's center (N, 3)."""

    pixels: Array
    variance: Array
    rays: Array
    centers: Array
    inverse: Array
    inverse_variance: Array


def agreement(K: Array, known: Sequence[Landmarks], pose: Array) -> float:
    """Share of the landmarks that agree with a pose (4, 4), camera to world."""
    return _linearized(K, _gathered(known), inverse(pose), 1.0).agree


def _gathered(known: Sequence[Landmarks]) -> _Points:
    return _Points(
        np.concatenate([k.pixels for k in known]),
        np.concatenate([k.sigma_px for k in known]) ** 2,
        np.concatenate([k.rays @ k.c2w[:3, :3].T for k in known]),
        np.concatenate([np.tile(k.c2w[:3, 3], (len(k.rays), 1)) for k in known]),
        np.concatenate([k.inverse for k in known]),
        np.concatenate([k.inverse_sigma for k in known]) ** 2,
    )


def locate(K: Array, known: Sequence[Landmarks], starts: Sequence[Array]) -> Located | None:
    """
    Return the frame's pose from at least one set of landmarks; None where nothing explains them.

    starts: first guesses (4, 4) camera to world; the best is refined.
    """
    if not known or not starts:
        return None
    points = _gathered(known)
    inward = [inverse(start) for start in starts]
    costs = [_linearized(K, points, pose, SCALES[0]).cost for pose in inward]
    pose = inward[int(np.argmin(costs))]
    for scale in SCALES:
        system = _linearized(K, points, pose, scale)
        step = _solved(system)
        if step is None:
            return None
        pose = se3_exp(step) @ pose
    system = _linearized(K, points, pose, 1.0)
    inside = _inverted(system)
    if inside is None:
        return None
    c2w = inverse(pose)
    turn = np.zeros((6, 6))
    turn[:3, :3] = turn[3:, 3:] = c2w[:3, :3]
    spread = max(1.0, system.misfit) * CORRELATED
    covariance = turn @ inside @ turn.T * spread
    return Located(c2w, covariance, system.agree, system.cost, system.rms_px)


@dataclass(frozen=True)
class _System:
    normal: Array
    right: Array
    cost: float
    agree: float
    misfit: float
    rms_px: float


def _linearized(K: Array, points: _Points, pose: Array, scale: float) -> _System:
    """Give normal equations of a left twist of the pose (world to camera) at this robust scale."""
    R, t = pose[:3, :3], pose[:3, 3]
    offset = points.centers @ R.T + t  # the key frame's center in the frame's camera
    seen = points.rays @ R.T + points.inverse[:, None] * offset
    z = seen[:, 2]
    front = z > NEAREST
    per_z = np.where(front, 1 / np.where(front, z, 1), 0)
    fx, fy = K[0, 0] * per_z, K[1, 1] * per_z
    px, py = seen[:, 0] * per_z, seen[:, 1] * per_z
    ex = points.pixels[:, 0] - K[0, 0] * px - K[0, 2]
    ey = points.pixels[:, 1] - K[1, 1] * py - K[1, 2]
    # Derivatives of the projection by the inverse depth: the epipolar direction.
    dx = fx * (offset[:, 0] - px * offset[:, 2])
    dy = fy * (offset[:, 1] - py * offset[:, 2])
    s = points.variance * scale**2
    q = points.inverse_variance * scale**2
    # (s I + q d d^T)^-1 by Sherman and Morrison.
    shrink = q / (s * (s + q * (dx * dx + dy * dy)))
    along = dx * ex + dy * ey
    squared = np.where(front, (ex * ex + ey * ey) / s - shrink * along**2, np.inf)
    weight = np.where(front, 1 / (1 + squared / CAUCHY), 0)
    a, b = weight * (1 / s - shrink * dx * dx), weight * (1 / s - shrink * dy * dy)
    c = -weight * shrink * dx * dy
    x_row, y_row = _rows(K, seen, points.inverse)
    ax, cy = a[:, None] * x_row + c[:, None] * y_row, c[:, None] * x_row + b[:, None] * y_row
    normal = x_row.T @ ax + y_row.T @ cy
    right = ax.T @ ex + cy.T @ ey
    agree = squared < AGREES
    count = max(int(agree.sum()), 1)
    cost = float(np.mean(np.log1p(np.minimum(squared, 1e12) / CAUCHY)))
    lengths = (ex * ex + ey * ey)[agree]
    return _System(
        normal,
        right,
        cost,
        float(agree.mean()),
        float(squared[agree].sum()) / (2 * count),
        float(np.sqrt(lengths.sum() / count)),
    )


def _rows(K: Array, seen: Array, inverse_depth: Array) -> tuple[Array, Array]:
    """Return the derivatives (N, 6) of both coordinates of the projection by a left twist."""
    z = seen[:, 2]
    per_z = np.where(z > NEAREST, 1 / np.where(z > NEAREST, z, 1), 0)
    fx, fy, rho, zero = K[0, 0] * per_z, K[1, 1] * per_z, inverse_depth, np.zeros_like(z)
    px, py = seen[:, 0] * per_z, seen[:, 1] * per_z
    turned_x = (-fx * px * seen[:, 1], fx * (z + px * seen[:, 0]), -fx * seen[:, 1])
    turned_y = (-fy * (z + py * seen[:, 1]), fy * py * seen[:, 0], fy * seen[:, 0])
    return (
        np.stack([rho * fx, zero, -rho * fx * px, *turned_x], -1),
        np.stack([zero, rho * fy, -rho * fy * py, *turned_y], -1),
    )


def _solved(system: _System) -> Array | None:
    """Return the step, None where the points do not determine one or it leads nowhere."""
    inside = _inverted(system)
    if inside is None:
        return None
    step = inside @ system.right
    return step if np.isfinite(step).all() and np.abs(step).max() < FARTHEST else None


def _inverted(system: _System) -> Array | None:
    """Inverse of the normal matrix; None where it is singular, whatever the units."""
    diagonal = np.diag(system.normal)
    if not np.isfinite(system.normal).all() or not (diagonal > 0).all():
        return None
    unit = 1 / np.sqrt(diagonal)
    values, vectors = np.linalg.eigh(system.normal * np.outer(unit, unit))
    if values[0] < SINGULAR:
        return None
    return np.asarray(np.outer(unit, unit) * ((vectors / values) @ vectors.T), dtype=np.float64)
