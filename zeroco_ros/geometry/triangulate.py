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
Dense triangulation: the inverse depth of every pixel, with its variance, from posed views.

A reference pixel p with inverse depth d (1/z) is seen in a view at the projection of

    a + d b,    a = K_view R K^-1 (p, 1),    b = K_view t,    T_view_from_ref = (R, t).

Per pixel the one unknown is found by robust maximum likelihood over the full 2-D residuals
between that projection and the measured match (Hartley & Zisserman, "Multiple View Geometry",
12.5; inverse depth as in Civera et al., "Inverse Depth Parametrization for Monocular SLAM", T-RO
2008): closed forms per view and for all views are the candidates, the one with the lowest
truncated cost starts a few reweighted Gauss-Newton steps. Matches that lead elsewhere (occlusion,
moving things, mistakes) lose their weight as long as other views agree on something else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from zeroco_ros.errors import ConfigError

FloatArray = npt.NDArray[np.float32]
Array = npt.NDArray[np.float64]

# A whitened squared residual (two axes, so chi-square of 2 degrees of freedom) up to FULL counts
# in full (95 % of true matches), from NONE on not at all; in between the weight falls linearly.
FULL, NONE = 6.0, 18.0
ITERATIONS = 2
# Candidates from single views: those with the most parallax; more cost time and find no more.
CANDIDATES = 4
# Elements of one block of work over all views: its dozen arrays then stay in the cache.
BLOCK = 28_672
# Nearer than this share of the reference depth to the view's image plane there is no projection.
NEAREST = 1e-3


class View(NamedTuple):
    """
    One posed view of the reference image; a plain tuple in this order will do as well.

    flow: (..., 2), pixels: reference pixel p is seen in the view at p + flow. Not finite: unknown.
    sigma_px: (...) or one number: standard deviation per axis of the match, pixels of the view;
        inf, NaN or not positive: the match is not used.
    T_view_from_ref: (4, 4) takes points of the reference camera into the view's.
    K_view: (3, 3) of the view, undistorted.
    """

    flow: npt.ArrayLike
    sigma_px: npt.ArrayLike
    T_view_from_ref: npt.ArrayLike
    K_view: npt.ArrayLike


@dataclass(frozen=True)
class InverseDepth:
    """
    Triangulated inverse depth per pixel, in 1 / the unit of the poses' translations.

    value: (...) float32. Not clamped: far away it scatters around 0 with the stated sigma, and a
        value below 0 means "farther than can be measured". NaN where no view says anything.
    sigma: (...) float32, one standard deviation, from the matches' sigma_px and the geometry; inf
        where value is NaN.
    inliers: (...) uint8, views that agree with the value (95 % of the true matches of a view do).
    residual: (...) float32, pixels: root mean square distance (2-D) between the matches and the
        projections of the value over the views that keep some weight; NaN where value is.
    """

    value: FloatArray
    sigma: FloatArray
    inliers: npt.NDArray[np.uint8]
    residual: FloatArray


def triangulate(
    K: npt.ArrayLike,
    pixels: npt.ArrayLike | None,
    views: Sequence[View | tuple[npt.ArrayLike, ...]],
    *,
    pose_sigma_px: float | Sequence[float] = 0.0,
) -> InverseDepth:
    """
    Inverse depth, its sigma, the agreeing views and the residual for every reference pixel.

    K: (3, 3) of the reference camera. pixels: (..., 2) x y of the reference pixels, or None for
        every pixel of the flows (H, W, 2). views: at least one `View`; flows of one shape.
    pose_sigma_px: what the poses' uncertainty adds, in pixels of each view (one number, or one
        per view), to the matches' sigma, in quadrature.
    Inside float32 (positions are exact to 1e-4 pixels), the matrices float64. Raises ConfigError
    for shapes that do not fit and for matrices that are not finite.
    """
    if not views:
        raise ConfigError("triangulation needs at least one view beside the reference")
    posed = [View(*view) for view in views]
    flows = [np.asarray(view.flow, dtype=np.float32) for view in posed]
    shape = flows[0].shape[:-1]
    points = _grid(shape) if pixels is None else np.asarray(pixels, dtype=np.float32)
    for flow in [*flows, points]:
        if flow.shape != (*shape, 2):
            raise ConfigError(f"flows and pixels need one shape (..., 2): {shape} {flow.shape}")
    extra = np.broadcast_to(np.asarray(pose_sigma_px, dtype=np.float32), (len(posed),))
    A, b = _projections(K, posed)
    count = int(np.prod(shape))
    sigmas = [
        np.broadcast_to(np.asarray(view.sigma_px, dtype=np.float32), shape).reshape(-1)
        for view in posed
    ]
    flat = [flow.reshape(-1, 2) for flow in flows]
    where = points.reshape(-1, 2)
    out = np.empty((4, count), dtype=np.float32)
    step = max(256, BLOCK // len(posed))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for start in range(0, count, step):
            part = slice(start, min(start + step, count))
            flow = np.stack([f[part] for f in flat])
            noise = np.stack([s[part] for s in sigmas])
            out[:, part] = _block(A, b, where[part], flow, noise, extra)
    return InverseDepth(
        value=out[0].reshape(shape),
        sigma=out[1].reshape(shape),
        inliers=out[2].astype(np.uint8).reshape(shape),
        residual=out[3].reshape(shape),
    )


def _grid(shape: tuple[int, ...]) -> FloatArray:
    if len(shape) != 2:
        raise ConfigError(f"without pixels the flows must be (H, W, 2), not {(*shape, 2)}")
    y, x = np.indices(shape, dtype=np.float32)
    return np.stack([x, y], axis=-1)


def _projections(K: npt.ArrayLike, views: Sequence[View]) -> tuple[FloatArray, FloatArray]:
    """Return a (V, 3, 3) and b (V, 3): a point p, d projects to A (p, 1) + d b."""
    reference = np.asarray(K, dtype=np.float64)
    poses = [np.asarray(view.T_view_from_ref, dtype=np.float64) for view in views]
    cameras = [np.asarray(view.K_view, dtype=np.float64) for view in views]
    shapes = {reference.shape, *(camera.shape for camera in cameras)}
    if shapes != {(3, 3)} or {pose.shape for pose in poses} != {(4, 4)}:
        raise ConfigError(
            f"K and K_view (3, 3), T (4, 4) needed, got {sorted(shapes)} and "
            f"{[pose.shape for pose in poses]}"
        )
    T, Kv = np.stack(poses), np.stack(cameras)
    if not (np.isfinite(T).all() and np.isfinite(Kv).all() and np.isfinite(reference).all()):
        raise ConfigError("a pose or camera matrix holds NaN or inf: leave that view out")
    if reference[0, 0] <= 0 or reference[1, 1] <= 0:
        raise ConfigError(f"K has no focal length: fx {reference[0, 0]}, fy {reference[1, 1]}")
    A = Kv @ T[:, :3, :3] @ np.linalg.inv(reference)
    b = (Kv @ T[:, :3, 3:])[..., 0]
    return A.astype(np.float32), b.astype(np.float32)


def _block(
    A: FloatArray,
    b: FloatArray,
    where: FloatArray,
    flow: FloatArray,
    noise: FloatArray,
    extra: FloatArray,
) -> FloatArray:
    """(4, C): value, sigma, agreeing views, residual of C pixels seen in V views."""
    x, y = where[:, 0], where[:, 1]
    rays = np.stack([x, y, np.ones_like(x)])
    a = np.ascontiguousarray(np.moveaxis(A @ rays, 1, 0))  # (3, V, C)
    u, v = x + flow[..., 0], y + flow[..., 1]
    usable = (noise > 0) & np.isfinite(noise) & np.isfinite(u) & np.isfinite(v)
    information = np.where(usable, 1 / (noise**2 + extra[:, None] ** 2), 0).astype(np.float32)
    u, v = np.where(usable, u, 0), np.where(usable, v, 0)
    scene = _Scene(a, b.T[:, :, None], u, v, information)
    d = scene.start()
    for _ in range(ITERATIONS):
        ju, jv, eu, ev, squared = scene.linear(d)
        weight = _weight(squared) * information
        hessian = (weight * (ju * ju + jv * jv)).sum(axis=0)
        gradient = (weight * (ju * eu + jv * ev)).sum(axis=0)
        d = d - np.where(hessian > 0, gradient / hessian, 0)
    ju, jv, eu, ev, squared = scene.linear(d)
    share = _weight(squared) * usable
    hessian = (share * information * (ju * ju + jv * jv)).sum(axis=0)
    known = (hessian > 0) & np.isfinite(d) & np.isfinite(hessian)
    agree = ((squared < FULL) & usable).sum(axis=0)
    misfit = np.sqrt((share * (eu * eu + ev * ev)).sum(axis=0) / share.sum(axis=0))
    return np.stack(
        [
            np.where(known, d, np.nan),
            np.where(known, 1 / np.sqrt(hessian), np.inf),
            np.where(known, agree, 0),
            np.where(known, misfit, np.nan),
        ]
    ).astype(np.float32)


def _weight(squared: FloatArray) -> FloatArray:
    weight: FloatArray = np.clip((NONE - squared) * np.float32(1 / (NONE - FULL)), 0, 1)
    return weight


@dataclass(frozen=True)
class _Scene:
    """a (3, V, C) and b (3, V, 1) of the projections, matches u, v and 1 / sigma^2, all (V, C)."""

    a: FloatArray
    b: FloatArray
    u: FloatArray
    v: FloatArray
    information: FloatArray

    def linear(self, d: FloatArray) -> tuple[FloatArray, ...]:
        """
        Return derivatives of the projection by d, residuals (pixels), whitened squared residuals.

        Points behind or on the view's image plane are projected from just before it: far away.
        """
        scale = 1 / np.maximum(self.a[2] + d * self.b[2], np.float32(NEAREST))
        pu = (self.a[0] + d * self.b[0]) * scale
        pv = (self.a[1] + d * self.b[1]) * scale
        eu, ev = pu - self.u, pv - self.v
        squared = (eu * eu + ev * ev) * self.information
        ju, jv = (self.b[0] - pu * self.b[2]) * scale, (self.b[1] - pv * self.b[2]) * scale
        return ju, jv, eu, ev, squared

    def start(self) -> FloatArray:
        """Return the candidate (C,) with the lowest truncated cost over all views."""
        gu, gv = self.b[0] - self.u * self.b[2], self.b[1] - self.v * self.b[2]
        cu = self.u * self.a[2] - self.a[0]
        cv = self.v * self.a[2] - self.a[1]
        weight = self.information / np.maximum(self.a[2], np.float32(0.1)) ** 2
        along, length = weight * (gu * cu + gv * cv), weight * (gu * gu + gv * gv)
        total = length.sum(axis=0)
        best = np.where(total > 0, along.sum(axis=0) / total, 0)
        views = len(self.information)
        if views == 1:
            return best
        cost = self._cost(best)
        for view in np.argsort(-length.mean(axis=1))[:CANDIDATES]:
            d = np.where(length[view] > 0, along[view] / length[view], best)
            trial = self._cost(d)
            better = trial < cost
            best, cost = np.where(better, d, best), np.where(better, trial, cost)
        return best

    def _cost(self, d: FloatArray) -> FloatArray:
        scale = 1 / np.maximum(self.a[2] + d * self.b[2], np.float32(NEAREST))
        eu = (self.a[0] + d * self.b[0]) * scale - self.u
        ev = (self.a[1] + d * self.b[1]) * scale - self.v
        squared = (eu * eu + ev * ev) * self.information
        # A point that lies behind the other camera is no explanation, whatever its residual.
        cost: FloatArray = np.minimum(squared, np.float32(NONE)).sum(axis=0)
        cost += np.float32(NONE) * (d < 0)
        return cost
