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
Robust least squares on the pose between two images, over all their correspondences at once.

The error of a correspondence is the distance, in pixels, of the match from the epipolar line of
its target pixel: the reprojection error with the best depth when, as in dense flow, the pixel
itself is exact. Minimized over the rotation and the direction of the translation, 5 degrees of
freedom, by reweighted Levenberg steps with Tukey's biweight, whose scale comes from the errors
themselves. Errors are whitened: times the root of their weight, so that one scale holds for all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zeroco_ros.geometry.transforms import skew, so3_exp

Array = npt.NDArray[np.float64]

# Tukey's biweight keeps 95 % of the efficiency of least squares at this many sigmas.
TUKEY = 4.685
# Errors below this many pixels are no noise to be believed: interpolation and rounding.
SIGMA_FLOOR = 0.02
_GENERATORS = skew(np.eye(3))


@dataclass(frozen=True)
class Matches:
    """
    Matches as the refinement takes them.

    rays (N, 3): K0^-1 (p0, 1) of the target pixels. points (N, 2): matches in image 1, pixels.
    K: (3, 3) of image 1. weights (N,): relative inverse variances, above 0.
    """

    rays: Array
    points: Array
    K: Array
    weights: Array

    def subset(self, index: npt.NDArray[np.intp]) -> Matches:
        return Matches(self.rays[index], self.points[index], self.K, self.weights[index])


@dataclass(frozen=True)
class PoseFit:
    """
    A pose fit.

    R (3, 3), unit t (3,) of T_1_from_0; sigma: robust scale of the errors at weight 1, pixels;
    basis (3, 2): directions across t; information (5, 5): of (rotation vector, basis) at sigma.
    """

    R: Array
    t: Array
    sigma: float
    basis: Array
    information: Array


@dataclass(frozen=True)
class RotationFit:
    """
    A rotation fit.

    R (3, 3); sigma: robust scale per axis at weight 1, pixels; information (3, 3) of the rotation
    vector at sigma.
    """

    R: Array
    sigma: float
    information: Array


def weighted_median(values: Array, weights: Array) -> float:
    """Return the value at half of the weight; NaN without values."""
    if not len(values):
        return float("nan")
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order[np.searchsorted(total, 0.5 * total[-1])]])


def robust_sigma(errors: Array) -> float:
    """Return standard deviation of the good part of signed errors (N,): repeated, trimmed MAD."""
    size = np.abs(errors)
    sigma = 1.4826 * float(np.median(size))
    for _ in range(3):
        # 1.003: what cutting a Gaussian at three sigmas takes from its median.
        sigma = 1.4826 * 1.003 * float(np.median(size[size <= 3 * sigma]))
    return max(sigma, SIGMA_FLOOR)


def epipolar_errors(R: Array, t: Array, matches: Matches) -> Array:
    """Signed distances (N,), pixels, of the matches from the epipolar lines of their pixels."""
    lines = matches.rays @ (np.linalg.inv(matches.K).T @ skew(t) @ R).T
    norm = np.maximum(np.hypot(lines[:, 0], lines[:, 1]), 1e-12)
    across = (lines[:, :2] * matches.points).sum(axis=1) + lines[:, 2]
    return np.asarray(across / norm, dtype=np.float64)


def rotation_errors(R: Array, matches: Matches) -> Array:
    """Vectors (N, 2), pixels, from where a rotation alone puts the pixels to their matches."""
    moved = matches.rays @ (matches.K @ R).T
    depth = np.where(moved[:, 2:] > 1e-6, moved[:, 2:], np.nan)
    return np.asarray(np.nan_to_num(matches.points - moved[:, :2] / depth, nan=1e6))


def refine_pose(R: Array, t: Array, matches: Matches, iterations: int = 15) -> PoseFit:
    """Return the robust least-squares pose near (R, t)."""
    t = t / np.linalg.norm(t)
    damping = 1e-4
    root = np.sqrt(matches.weights)
    sigma = robust_sigma(epipolar_errors(R, t, matches) * root)
    hessian, gradient, cost = _normal_equations(R, t, matches, sigma)
    for _ in range(iterations):
        step = -np.linalg.solve(hessian + damping * np.diag(np.diag(hessian) + 1e-12), gradient)
        trial_R = so3_exp(step[:3]) @ R
        trial_t = t + _across(t) @ step[3:]
        trial_t /= np.linalg.norm(trial_t)
        trial = _normal_equations(trial_R, trial_t, matches, sigma)
        if trial[2] > cost:
            damping *= 10
            if damping > 1e6:
                break
            continue
        R, t, damping = trial_R, trial_t, max(damping / 10, 1e-9)
        converged = cost - trial[2] < 1e-7 * cost
        tighter = robust_sigma(epipolar_errors(R, t, matches) * root)
        settled = abs(tighter - sigma) < 1e-3 * sigma
        sigma = tighter
        hessian, gradient, cost = trial if settled else _normal_equations(R, t, matches, sigma)
        if converged and settled:
            break
    return PoseFit(R, t, sigma, _across(t), hessian / sigma**2)


def _normal_equations(
    R: Array, t: Array, matches: Matches, sigma: float
) -> tuple[Array, Array, float]:
    """Hessian (5, 5), gradient (5,) and robust cost in pixels^2, for a given scale."""
    inverse = np.linalg.inv(matches.K).T
    basis = _across(t)
    E = skew(t) @ R
    slopes = [skew(t) @ generator @ R for generator in _GENERATORS]
    slopes += [skew(direction) @ R for direction in basis.T]
    lines = matches.rays @ (inverse @ E).T
    norm = np.maximum(np.hypot(lines[:, 0], lines[:, 1]), 1e-12)
    x, y = matches.points[:, 0], matches.points[:, 1]
    errors = (lines[:, 0] * x + lines[:, 1] * y + lines[:, 2]) / norm
    nx, ny = lines[:, 0] / norm, lines[:, 1] / norm
    # d of (p . l) / |l_xy|: the part along the line's own normal only rescales the line.
    weights = (x - errors * nx) / norm, (y - errors * ny) / norm, 1 / norm
    jacobian = np.empty((len(x), 5))
    for column, slope in enumerate(slopes):
        change = matches.rays @ (inverse @ slope).T
        jacobian[:, column] = (
            change[:, 0] * weights[0] + change[:, 1] * weights[1] + change[:, 2] * weights[2]
        )
    share, cost = _biweight(errors * errors, matches.weights, sigma)
    weighted = jacobian * share[:, None]
    return weighted.T @ jacobian, weighted.T @ errors, cost


def _biweight(squared: Array, weights: Array, sigma: float) -> tuple[Array, float]:
    """Tukey's weights (N,) times the matches' own, and the sum of the loss, pixels^2."""
    limit = (TUKEY * sigma) ** 2
    inside = np.clip(1 - squared * weights / limit, 0, None)
    return weights * inside**2, float((1 - inside**3).sum() * limit / 3)


def robust_cost(errors: Array, weights: Array, sigma: float) -> float:
    """Mean of Tukey's loss of errors (N,) in units of sigma^2."""
    return _biweight(errors * errors, weights, sigma)[1] / (len(errors) * sigma**2)


def refine_rotation(R: Array, matches: Matches, iterations: int = 20) -> RotationFit:
    """Return the robust least-squares rotation near R, without any translation."""
    hessian, sigma = np.eye(3), SIGMA_FLOOR
    root = np.sqrt(matches.weights)[:, None]
    back = matches.K[:2, :2]
    for _ in range(iterations):
        errors = rotation_errors(R, matches)
        sigma = robust_sigma((errors * root).ravel())
        share, _ = _biweight((errors * errors).sum(axis=1), matches.weights, sigma)
        moved = matches.rays @ R.T
        front = moved[:, 2] > 1e-6
        x, y = moved[:, :2].T / np.where(front, moved[:, 2], 1)
        # The motion of an image point by a small rotation of the camera's scene about x, y, z.
        field = np.array([[-x * y, 1 + x * x, -y], [-(1 + y * y), x * y, x]])
        jacobian = np.einsum("ab,bcn->acn", back, field) * front
        weighted = jacobian * share
        hessian = np.einsum("acn,adn->cd", weighted, jacobian)
        gradient = np.einsum("acn,na->c", weighted, errors)
        step = np.linalg.lstsq(hessian, gradient, rcond=None)[0]
        R = so3_exp(step) @ R
        if np.linalg.norm(step) < 1e-7:
            break
    return RotationFit(R, sigma, hessian / sigma**2)


def _across(t: Array) -> Array:
    """Two unit directions (3, 2) that are orthogonal to the unit vector t and to each other."""
    axis = np.eye(3)[np.argmin(np.abs(t))]
    first = np.cross(t, axis)
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(t, first)], axis=1)
