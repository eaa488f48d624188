"""A frame seen from another place: its flow and its pose; and the depth that follows from some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zeroco_ros.estimate.results import FlowResult

FloatArray = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]

SIGMA_SURE = 0.7  # pixels at confidence 1, for an image whose longer side is 640
ROUNDS = 3
NEAREST = 1e-3  # inverse depths stay positive: in units of the longest baseline


@dataclass(frozen=True)
class PosedView:
    """A view that a reference frame (H, W) was matched with.

    flow: from the reference (target) to the view (source). T_view_from_ref: (4, 4) float64, takes
    points in the reference camera to the view's camera. K: (3, 3) of the view. gray: (H, W) uint8
    of the view. pose_covariance: (6, 6) of T_view_from_ref, or None where it is taken as exact.
    """

    flow: FlowResult
    T_view_from_ref: Matrix
    K: Matrix
    gray: npt.NDArray[np.uint8]
    pose_covariance: Matrix | None = None


@dataclass(frozen=True)
class DepthMap:
    """depth (H, W) float32, NaN unknown; sigma (H, W) float32, one standard deviation in the unit
    of depth, NaN where depth is.
    """

    depth: FloatArray
    sigma: FloatArray


def unknown_depth(size: tuple[int, int]) -> DepthMap:
    """All NaN, (H, W) = size."""
    return DepthMap(*(np.full(size, np.nan, dtype=np.float32) for _ in range(2)))


def pixel_rays(K: Matrix, size: tuple[int, int]) -> Matrix:
    """K^-1 (x, y, 1) of every pixel: (H, W, 3) float64."""
    height, width = size
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    return np.stack([(x - K[0, 2]) / K[0, 0], (y - K[1, 2]) / K[1, 1], np.ones_like(x)], -1)


def flow_sigma(flow: FlowResult) -> FloatArray:
    """Standard deviation of the flow (H, W) in pixels as its confidence tells; inf at zero."""
    unit = SIGMA_SURE * max(flow.confidence.shape) / 640
    sure = np.where(flow.occluded, 0, flow.confidence)
    with np.errstate(divide="ignore"):
        return np.asarray(unit / sure, dtype=np.float32)


def triangulated(K: Matrix, views: Sequence[PosedView]) -> DepthMap:
    """Depth of the reference frame by weighted least squares over the views' flow.

    Each view adds the two equations u (a_z + rho b_z) = a_x + rho b_x (and y) in the inverse depth
    rho, a = K R K^-1 p and b = K t (the linear method of Hartley and Zisserman, 12.2, iterated
    with the depth of the last round and Huber's weights). sigma comes from the normal equation and
    the residual. NaN where no view tells anything.
    """
    size = views[0].flow.confidence.shape[:2]
    rays = pixel_rays(K, (size[0], size[1]))
    y, x = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float64)
    terms = [_equations(view, rays, x, y) for view in views]
    longest = max(float(np.linalg.norm(view.T_view_from_ref[:3, 3])) for view in views)
    if not longest > 0:
        return unknown_depth((size[0], size[1]))
    rho = np.zeros(size)
    for turn in range(ROUNDS):
        normal, right, cost, count = np.zeros((4, *size))
        for gain, offset, scale, slope, sigma in terms:
            z = np.maximum(scale + rho * slope, 1e-6) if turn else np.ones(size)
            error = (gain * rho[..., None] - offset) / z[..., None]
            off = np.hypot(error[..., 0], error[..., 1]) / sigma
            robust = np.minimum(1, 2 / np.maximum(off, 1e-9)) if turn else 1.0
            weight = np.where((sigma < np.inf) & (z > 1e-6), robust / (sigma * z) ** 2, 0)
            normal += weight * (gain**2).sum(-1)
            right += weight * (gain * offset).sum(-1)
            cost += np.where(weight > 0, robust * off**2, 0)
            count += weight > 0
        with np.errstate(divide="ignore", invalid="ignore"):
            rho = np.where(normal > 0, right / normal, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.maximum(1, cost / np.maximum(2 * count - 1, 1))
        deviation = np.sqrt(spread / normal)
        good = (count > 0) & (rho * longest > NEAREST) & np.isfinite(deviation)
        depth = np.where(good, 1 / rho, np.nan)
        sigma = np.where(good, deviation / rho**2, np.nan)
    return DepthMap(depth.astype(np.float32), sigma.astype(np.float32))


def _equations(
    view: PosedView, rays: Matrix, x: Matrix, y: Matrix
) -> tuple[Matrix, Matrix, Matrix, Matrix, Matrix]:
    """gain rho = offset in both coordinates; the view's depth is scale + rho slope over rho."""
    moved = rays @ (view.K @ view.T_view_from_ref[:3, :3]).T
    shift = view.K @ view.T_view_from_ref[:3, 3]
    u, v = x + view.flow.flow[..., 0], y + view.flow.flow[..., 1]
    gain = np.stack([shift[0] - u * shift[2], shift[1] - v * shift[2]], -1)
    offset = np.stack([u * moved[..., 2] - moved[..., 0], v * moved[..., 2] - moved[..., 1]], -1)
    slope = np.full(u.shape, shift[2])
    return gain, offset, moved[..., 2], slope, flow_sigma(view.flow).astype(np.float64)
