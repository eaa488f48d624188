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

"""Numbers of one depth image: against the truth, and against the frame before."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from zeroco_ros.evaluation.depth_metrics import depth_errors as errors_of
from zeroco_ros.evaluation.depth_metrics import known_truth, score_sigma
from zeroco_ros.evaluation.metrics import sparsification
from zeroco_ros.geometry.pointcloud import unproject
from zeroco_ros.geometry.transforms import inverse
from zeroco_ros.replay.flow_values import LEAST, sampled, Values
from zeroco_ros.replay.pool import Pool

Float = npt.NDArray[np.floating]
Array = npt.NDArray[np.float64]
NEAREST_Z = 1e-6


@dataclass(frozen=True)
class DepthFrame:
    """
    A depth image with its camera.

    depth, sigma: (H, W), NaN unknown; K: (3, 3); pose: (4, 4) camera to world, None where it is
    not this frame's own; gray: (H, W) uint8, rectified.

    era: results of another era have another unit and world. metric: whether depth is in meters.
    """

    depth: Float
    sigma: Float
    K: Array
    pose: Array | None
    gray: npt.NDArray[np.uint8]
    era: int
    metric: bool
    parallax: float


def depth_values(frame: DepthFrame, before: DepthFrame | None, pool: Pool) -> Values:
    """Return the metrics that need no truth; pixels are added to the pool's histograms."""
    known = np.isfinite(frame.depth)
    values: Values = {
        "depth_coverage": float(known.mean()),
        "parallax": frame.parallax,
        "depth_median": None,
        "relative_sigma": None,
    }
    if known.any():
        relative = frame.sigma[known] / frame.depth[known]
        pool.histogram("relative_sigma", relative)
        pool.histogram("depth", frame.depth[known])
        values["depth_median"] = float(np.median(frame.depth[known]))
        values["relative_sigma"] = float(np.median(relative))
    if before is not None and before.era == frame.era:
        values |= consistency(frame, before)
    return values


def consistency(frame: DepthFrame, before: DepthFrame) -> Values:
    """
    Return how well this depth, moved by the camera's own poses, agrees with the frame before.

    depth_flicker: median of |d - d'| / d' with d the depth as it would be seen from there and d'
    the one that was found there; depth_photometric_error: mean gray difference.
    """
    if frame.pose is None or before.pose is None or frame.depth.shape != before.depth.shape:
        return {}
    moved = inverse(before.pose) @ frame.pose
    points = unproject(frame.depth, frame.K).astype(np.float64) @ moved[:3, :3].T + moved[:3, 3]
    z = points[..., 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        seen = np.isfinite(z) & (z > NEAREST_Z)
        u = points[..., 0] / z * before.K[0, 0] + before.K[0, 2]
        v = points[..., 1] / z * before.K[1, 1] + before.K[1, 2]
    height, width = frame.depth.shape
    y, x = np.mgrid[0:height, 0:width]
    way = np.where(seen[..., None], np.stack([u - x, v - y], -1), -1e6)
    gray, inside = sampled(before.gray.astype(np.float32), way)
    at = np.asarray(np.clip(way + np.stack([x, y], -1), -1e6, 1e6), np.float32)
    then = cv2.remap(
        np.asarray(before.depth, np.float32), at[..., 0], at[..., 1], cv2.INTER_NEAREST
    )
    both = seen & inside & np.isfinite(then) & (then > 0)
    if not both.any():
        return {}
    change = np.abs(z[both] - then[both]) / then[both]
    difference = np.abs(gray - frame.gray)[both]
    return {
        "depth_flicker": float(np.median(change)),
        "depth_photometric_error": float(difference.mean(dtype=np.float64)),
    }


def depth_errors(frame: DepthFrame, truth: Float | None, pool: Pool) -> Values:
    """
    Return the errors against true depth (H, W) in meters, NaN where unknown; {} without any.

    Depth that is not metric is scaled to the truth's median first, and its sigma with it.
    """
    if truth is None or truth.shape != frame.depth.shape:
        return {}
    wanted = known_truth(truth)
    if wanted.sum() < LEAST:
        return {}
    with np.errstate(invalid="ignore"):
        known = wanted & np.isfinite(frame.depth) & (frame.depth > 0)
    coverage = float(known.sum() / wanted.sum())
    if not known.any():
        return {"truth_coverage": coverage}
    true = np.asarray(truth[known], np.float64)
    depth, doubt = (np.asarray(a[known], np.float64) for a in (frame.depth, frame.sigma))
    scale = float(np.median(true) / np.median(depth))
    if not frame.metric:
        depth, doubt = scale * depth, scale * doubt
    errors, sigma = errors_of(depth, true), score_sigma(depth, true, doubt)
    error = np.abs(depth - true)
    pool.add_sigma(depth, error, doubt, sigma, sparsification(error, doubt))
    pool.histogram("abs_rel", error / true)
    return {
        "abs_rel": errors.abs_rel,
        "rmse": errors.rmse,
        "delta_1": errors.delta[0],
        "depth_scale": scale,
        "truth_coverage": coverage,
        "sigma_within_1": sigma.within[0],
        "depth_ause": sigma.ause,
    }
