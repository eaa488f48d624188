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

"""Plain depth to compare with: one constant, and two views matched by OpenCV's DIS."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from zeroco_ros.evaluation.depth_source import DepthAnswer
from zeroco_ros.geometry.camera import Camera
from zeroco_ros.geometry.transforms import relative
from zeroco_ros.geometry.triangulate import triangulate
from zeroco_ros.refine.dis import dis_flow

Array = npt.NDArray[np.float64]
Gray = npt.NDArray[np.uint8]

STEP = 3  # frames between the two views
SIGMA = 1.0  # pixels, taken for every vector of DIS
GRID = 8  # pixels between the matches that a pose is estimated from
LEAST_MATCHES = 30


class ConstantDepth:
    """One depth everywhere: what median scaling alone achieves."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera

    def push(self, image: Gray, stamp_ns: int, pose: Array | None) -> DepthAnswer:
        """Return the answer for one frame."""
        depth = np.ones((self._camera.height, self._camera.width), np.float32)
        return DepthAnswer(depth, None, self._camera.rectified().K, None, "ok")


@dataclass(frozen=True)
class _View:
    gray: Gray
    pose: Array
    depth: npt.NDArray[np.float32] | None = None


class TwoViewDepth:
    """
    DIS flow to an earlier frame, triangulated with given or estimated motion.

    With poses the other frame is the one `STEP` before. Without, it is the last key frame, and
    every frame that is `STEP` behind it becomes one; the motion is OpenCV's essential matrix
    (USAC, MAGSAC scoring) of the flow, and its length keeps the depth that the key frame already
    has. The first motion between key frames is the unit; frames before it have a depth of a scale
    of their own and no pose.
    """

    def __init__(self, camera: Camera) -> None:
        self._camera, self._K = camera, camera.rectified().K
        self._views: deque[_View] = deque(maxlen=STEP)
        self._age = 0  # of the key frame, in frames

    def push(self, image: Gray, stamp_ns: int, pose: Array | None) -> DepthAnswer | None:
        """Return the answer for one frame; None until there is a frame to match it with."""
        gray: Gray = self._camera.rectify(image)
        if gray.ndim == 3:
            gray = np.asarray(cv2.cvtColor(gray, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
        if not self._views:
            self._views.append(_View(gray, np.eye(4) if pose is None else pose))
            return None
        return self._unposed(gray) if pose is None else self._posed(gray, pose)

    def _posed(self, gray: Gray, pose: Array) -> DepthAnswer:
        other = self._views[0]
        self._views.append(_View(gray, pose))
        return self._answer(dis_flow(gray, other.gray), relative(other.pose, pose), pose)

    def _unposed(self, gray: Gray) -> DepthAnswer:
        key = self._views[-1]
        self._age += 1
        flow = dis_flow(gray, key.gray)
        motion = self._motion(flow, key)
        answer = self._answer(flow, motion, key.pose @ motion)
        if self._age == STEP:
            self._views.append(_View(gray, key.pose @ motion, answer.depth))
            self._age = 0
        elif key.depth is None:
            return replace(answer, pose=None, state="starting")
        return answer

    def _answer(self, flow: npt.NDArray[np.float32], motion: Array, pose: Array) -> DepthAnswer:
        found = triangulate(self._K, None, [(flow, SIGMA, motion, self._K)])
        with np.errstate(invalid="ignore", divide="ignore"):
            known = np.isfinite(found.value) & (found.value > 0)
            depth = np.where(known, 1 / found.value, np.nan).astype(np.float32)
            sigma = (found.sigma * depth**2).astype(np.float32)
        return DepthAnswer(depth, sigma, self._K, pose, "ok")

    def _motion(self, flow: npt.NDArray[np.float32], other: _View) -> Array:
        """T_other_from_this (4, 4) by the five-point algorithm; identity where it finds none."""
        height, width = flow.shape[:2]
        y, x = np.mgrid[GRID // 2 : height : GRID, GRID // 2 : width : GRID]
        here = np.stack([x, y], -1).reshape(-1, 2).astype(np.float64)
        at = here + flow[y, x].reshape(-1, 2)
        inside = ((at >= 0) & (at <= [width - 1, height - 1])).all(1)
        here, at = here[inside], at[inside]
        motion = np.eye(4)
        if len(here) < LEAST_MATCHES:
            return motion
        essential, mask = cv2.findEssentialMat(
            here, at, self._K, method=cv2.USAC_MAGSAC, prob=0.999, threshold=1.0
        )
        if essential is None or essential.shape != (3, 3):
            return motion
        _, rotation, direction, _ = cv2.recoverPose(essential, here, at, self._K, mask=mask)
        motion[:3, :3], motion[:3, 3] = rotation, direction[:, 0]
        motion[:3, 3] *= self._length(flow, other, motion)
        return motion

    def _length(self, flow: npt.NDArray[np.float32], other: _View, motion: Array) -> float:
        """Of the translation, so that depth in the earlier view stays what it was there."""
        if other.depth is None:
            return 1.0
        found = triangulate(self._K, None, [(flow, SIGMA, motion, self._K)])
        height, width = flow.shape[:2]
        y, x = np.mgrid[0:height, 0:width]
        with np.errstate(invalid="ignore", divide="ignore"):
            rays = np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(self._K).T
            z = (rays / found.value[..., None]) @ motion[2, :3] + motion[2, 3]
        at = np.stack([x, y], -1).astype(np.float32) + flow
        before = cv2.remap(other.depth, at[..., 0], at[..., 1], cv2.INTER_NEAREST, borderValue=0)
        with np.errstate(invalid="ignore"):
            good = np.isfinite(z) & (z > 0) & np.isfinite(before) & (before > 0)
        return float(np.median(before[good] / z[good])) if good.any() else 1.0
