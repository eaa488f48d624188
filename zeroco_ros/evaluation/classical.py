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

"""Classical flow to compare with: OpenCV's DIS, Farneback, and a homography from SIFT matches."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from zeroco_ros.evaluation.protocols import homography_flow
from zeroco_ros.media.images import RGB
from zeroco_ros.refine.dis import dis_flow

Float = npt.NDArray[np.float32]
Points = npt.NDArray[np.float32]

RATIO = 0.8  # Lowe's ratio test
RANSAC_PIXELS = 3.0
LEAST_INLIERS = 12  # below it a homography fits by chance


def dis(target: RGB, source: RGB) -> Float:
    """Compute OpenCV's DIS, medium preset, full resolution; thin images are extended for it."""
    return dis_flow(_gray(target), _gray(source))


def farneback(target: RGB, source: RGB) -> Float:
    """Compute OpenCV's Farneback: 5 levels, window 15, 3 iterations, polynomials over 7 px."""
    height, width = target.shape[:2]
    below = max(height, source.shape[0]), max(width, source.shape[1])
    flow = cv2.calcOpticalFlowFarneback(
        prev=_on_canvas(_gray(target), *below),
        next=_on_canvas(_gray(source), *below),
        flow=np.zeros((*below, 2), dtype=np.float32),
        pyr_scale=0.5,
        levels=5,
        winsize=15,
        iterations=3,
        poly_n=7,
        poly_sigma=1.5,
        flags=0,
    )
    return np.array(flow[:height, :width], np.float32)


def sift_homography(target: RGB, source: RGB) -> Float | None:
    """
    Flow of the homography through mutual SIFT matches (ratio test, MAGSAC); None: none found.

    Exact for planes and for a camera that only rotates; no other motion can be expressed.
    """
    matches = sift_matches(target, source)
    if matches is None or len(matches[0]) < LEAST_INLIERS:
        return None
    matrix, inliers = cv2.findHomography(
        *matches, cv2.USAC_MAGSAC, RANSAC_PIXELS, maxIters=5000, confidence=0.999
    )
    if matrix is None or not np.isfinite(matrix).all() or int(inliers.sum()) < LEAST_INLIERS:
        return None
    height, width = target.shape[:2]
    limit = 2 * np.array([max(width, source.shape[1]), max(height, source.shape[0])], np.float32)
    flow = np.nan_to_num(
        homography_flow(np.asarray(matrix, np.float64), height, width), posinf=1e9, neginf=-1e9
    )
    return np.clip(flow, -limit, limit)


def sift_matches(target: RGB, source: RGB) -> tuple[Points, Points] | None:
    """Positions (n, 2) of SIFT features that choose each other and pass the ratio test."""
    detector = cv2.SIFT.create(nfeatures=8000)
    points, descriptors = zip(
        *(detector.detectAndCompute(_gray(image), None) for image in (target, source)),
        strict=True,
    )
    if any(found is None or len(found) < 2 for found in descriptors):
        return None
    ahead, back = (_best(*order) for order in (descriptors, descriptors[::-1]))
    pairs = [(query, train) for query, train in ahead.items() if back.get(train) == query]
    if not pairs:
        return None
    first = np.array([points[0][query].pt for query, _ in pairs], np.float32)
    second = np.array([points[1][train].pt for _, train in pairs], np.float32)
    return first, second


def _best(queries: Any, candidates: Any) -> dict[int, int]:
    """Nearest candidate of each query that beats the second nearest by the ratio test."""
    found = cv2.BFMatcher(cv2.NORM_L2).knnMatch(queries, candidates, k=2)
    return {
        near.queryIdx: near.trainIdx for near, far in found if near.distance < RATIO * far.distance
    }


def _gray(image: RGB) -> RGB:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def _on_canvas(image: RGB, rows: int, columns: int) -> RGB:
    below, right = rows - image.shape[0], columns - image.shape[1]
    padded = cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_REPLICATE)
    return np.asarray(padded, dtype=np.uint8)
