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

"""Frames of one moving camera, one after another, to depth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from zeroco_ros.errors import ConfigError, ImageError
from zeroco_ros.estimate.adjusting import adjust
from zeroco_ros.estimate.depth_config import DepthConfig
from zeroco_ros.estimate.depth_modes import learned_depth
from zeroco_ros.estimate.frames import check_image, EncodedFrame
from zeroco_ros.estimate.keyframe import carried_depth, Match
from zeroco_ros.estimate.multiview import depth_from_views, MultiviewConfig
from zeroco_ros.estimate.multiview_prior import warp_prior
from zeroco_ros.estimate.parallax import Parallax, parallax
from zeroco_ros.estimate.placing import place, Placed
from zeroco_ros.estimate.posed_view import DepthMap, PosedView, unknown_depth
from zeroco_ros.estimate.results import DepthResult, DepthState
from zeroco_ros.estimate.track import Known, Passed, Track
from zeroco_ros.estimate.unit import first_unit, level
from zeroco_ros.geometry.transforms import inverse

if TYPE_CHECKING:
    from zeroco_ros.estimate.flow import FlowEstimator
    from zeroco_ros.estimate.learned_depth import LearnedDepth
    from zeroco_ros.geometry.camera import Camera

Matrix = npt.NDArray[np.float64]
ByteArray = npt.NDArray[np.uint8]
ROTATION_TOLERANCE = 1e-3
# So many lost frames in a row, and the stream starts anew at the last of them.
PATIENCE = 3
# Without parallax a frame becomes a key frame only to keep sight of something: below this overlap.
NEARLY_OUT = 0.5
# A frame with less of its pixels known than this has no depth, whatever its parallax.
NEXT_TO_NOTHING = 0.01
# The second key frame may come earlier by this factor: without it there is no scale to carry on.
EARLY = 2.0


@dataclass(frozen=True)
class _Seen:
    """A frame against the key frames it was matched with, the newest first."""

    matches: list[Match]
    parallaxes: list[Parallax]

    @property
    def matched(self) -> float:
        """Largest share of confidently matched pixels."""
        return max((p.matched for p in self.parallaxes), default=0.0)

    @property
    def most(self) -> float:
        """Largest parallax in pixels."""
        return max(p.pixels for p in self.parallaxes)

    def still(self, least: float) -> DepthState:
        """Return what a camera without parallax does."""
        return "rotation" if self.parallaxes[0].flow >= least else "static"


class DepthStream:
    """
    Depth for one frame after another; made by `DepthEstimator.stream`.

    Each frame is rectified and encoded once, matched with `views` of the key frames, placed (by
    its given pose, or against the key frames' depth, then by bundle adjustment of the window) and
    its depth taken from all key frames. Without given poses the unit of length is chosen so that
    the first depth's median is 1, and carried on by the key frames. Frames with and without a pose
    may alternate: once two given poses with parallax between them have been seen, everything is
    metric, and estimated key frames follow when a given pose corrects them; a pose that comes
    after a start without one starts anew in its world. Memory is bounded by the window. Not
    thread-safe.
    """

    def __init__(
        self,
        flow: FlowEstimator,
        config: DepthConfig,
        camera: Camera,
        head: LearnedDepth | None = None,
    ) -> None:
        self._flow = flow
        self._head = head
        self.config = config
        self.set_camera(camera)

    @property
    def camera(self) -> Camera:
        """Return the camera that frames come from (distorted, as given)."""
        return self._camera

    def set_camera(self, camera: Camera) -> None:
        """Another camera, or the same one at another resolution: everything starts anew."""
        self._camera = camera
        self._pinhole = camera.rectified()
        # Rectification may show places that the camera does not see: nothing is known of them.
        self._unseen = ~camera.valid_mask()
        self._track = Track(self.config, max(camera.width, camera.height))

    def clear(self) -> None:
        """Forget all frames, poses and scale: for jumps in time. The next frame is the first."""
        self._track.clear()

    def push(
        self, image: ByteArray, stamp_ns: int, pose: Matrix | None = None
    ) -> DepthResult | None:
        """
        Depth of this frame; None for the first one, which nothing can be said about.

        image: (H, W, 3) uint8 RGB or (H, W) gray of the camera's size, distorted as the camera
        gives it. stamp_ns: nanoseconds, passed through. pose: (4, 4) camera-to-world in meters, or
        None. Raises ImageError for an image that cannot be read as one of this camera, ConfigError
        for a pose that is not a rigid transform, and nothing for a bad scene: see
        `DepthResult.state`.
        """
        given = None if pose is None else _checked_pose(pose)
        if self.config.poses == "estimated":
            given = None
        frame, track = self._prepare(image), self._track
        if not track.window:
            track.start(frame, stamp_ns, given)
            return None
        if given is not None and not track.posed:
            return self._anew(frame, stamp_ns, given)
        matches = self._matches(frame)
        placed = place(track, matches, given, self._pinhole.K, self.config)
        if placed.kind == "jump":
            return self._anew(frame, stamp_ns, given)
        matches = [match for match in matches if match.key in track.window.frames]
        seen = self._seen(matches, placed.pose)
        lost = not matches or placed.kind == "lost"
        if lost or seen.matched < self.config.lost_overlap:
            return self._when_lost(frame, stamp_ns, given)
        return self._when_placed(frame, stamp_ns, placed, seen, given is not None)

    def _prepare(self, image: ByteArray) -> EncodedFrame:
        """Check, rectify and encode."""
        checked = check_image(image, self._flow.config.max_pixels)
        height, width = checked.shape[:2]
        if (width, height) != (self._camera.width, self._camera.height):
            raise ImageError(
                f"an image of {width}x{height} pixels for a camera of {self._camera.width}x"
                f"{self._camera.height}: give images of the camera's size, or set_camera() anew"
            )
        return self._flow.encode(np.ascontiguousarray(self._camera.rectify(checked)))

    def _matches(self, frame: EncodedFrame) -> list[Match]:
        """Flow to the newest key frames, the newest first."""
        keys = self._track.window.frames[::-1][: self.config.views]
        return [Match(key, self._flow.match(frame, key.encoded)) for key in keys]

    def _seen(self, matches: list[Match], pose: Matrix) -> _Seen:
        K = self._pinhole.K
        rotations = [match.key.pose[:3, :3].T @ pose[:3, :3] for match in matches]
        found = [parallax(m.flow, K, K, R) for m, R in zip(matches, rotations, strict=True)]
        return _Seen(matches, found)

    def _anew(self, frame: EncodedFrame, stamp: int, given: Matrix | None) -> DepthResult:
        """Make this frame the first one of a new start."""
        self._track.start(frame, stamp, given)
        return self._result(frame, stamp, unknown_depth(frame.size), "starting", 0.0, True)

    def _when_lost(self, frame: EncodedFrame, stamp: int, given: Matrix | None) -> DepthResult:
        track = self._track
        if track.lost + 1 >= PATIENCE:
            return self._anew(frame, stamp, given)
        track.lost += 1
        if given is not None:
            track.pose, track.covariance = given, np.zeros((6, 6))
        return self._result(frame, stamp, unknown_depth(frame.size), "lost", 0.0)

    def _when_placed(
        self, frame: EncodedFrame, stamp: int, placed: Placed, seen: _Seen, given: bool
    ) -> DepthResult:
        """Depth of a frame whose pose is known, and whether it becomes a key frame."""
        track, depth = self._track, unknown_depth(frame.size)
        if placed.kind == "ambiguous":
            track.lost = 0
            return self._result(frame, stamp, depth, "starting", seen.most)
        if placed.kind in ("static", "rotation") or seen.most < track.least:
            track.move(placed.pose, self._drift(placed, seen))
            return self._carried(frame, stamp, seen, given)
        if not given:
            placed = self._adjusted(placed, seen)
        depth = self._depth(frame, placed.pose, seen)
        if placed.kind == "first":
            origin, baseline = seen.matches[0].key.pose, self.config.baseline
            placed, depth = first_unit(placed, depth, origin, baseline)
            track.metric = baseline is not None
        track.move(placed.pose, self._drift(placed, seen))
        if np.isfinite(depth.depth).mean() < NEXT_TO_NOTHING:
            return self._carried(frame, stamp, seen, given)
        key = self._is_key(placed, seen)
        if key:
            track.add(frame, stamp, given=given, depth=depth, matches=seen.matches)
            factor = level(track, depth, self.config.camera_height, self._pinhole.K)
            depth = depth.scaled(factor)
        if track.mapped or given:
            if not key:
                track.recent.append(Passed(frame.gray, placed.pose))
            track.last = Known(depth, placed.pose)
        return self._result(frame, stamp, depth, "ok", seen.most, key)

    def _is_key(self, placed: Placed, seen: _Seen) -> bool:
        """
        Whether the frame is far enough from the newest key frame, or about to lose it.

        Matches fail before the view is left, in driving ahead for example: so the share of matched
        pixels counts too, against the best that this key frame has had.
        """
        newest, key = seen.parallaxes[0], seen.matches[0].key
        key.matched = max(key.matched, newest.matched)
        left = min(newest.overlap, newest.matched / max(key.matched, 1e-6))
        parallax = newest.pixels * (EARLY if placed.kind == "first" else 1.0)
        return self._track.window.wants(parallax, left)

    def _drift(self, placed: Placed, seen: _Seen) -> Matrix:
        """Covariance of the pose: of the measurement, and of what it was measured against."""
        if placed.covariance is None:
            return np.zeros((6, 6))
        return np.asarray(seen.matches[0].key.covariance + placed.covariance)

    def _carried(self, frame: EncodedFrame, stamp: int, seen: _Seen, given: bool) -> DepthResult:
        """Return a frame without parallax: depth as the key frames know it."""
        track = self._track
        depth = carried_depth(seen.matches, track.pose, self._pinhole.K)
        state = seen.still(track.least)
        key = state == "rotation" and seen.parallaxes[0].overlap < NEARLY_OUT
        if key:
            track.add(frame, stamp, given=given, depth=depth)
        return self._result(frame, stamp, depth, state, seen.most, key)

    def _adjusted(self, placed: Placed, seen: _Seen) -> Placed:
        if not self.config.adjust:
            return placed
        track, K = self._track, self._pinhole.K
        start = carried_depth(seen.matches, placed.pose, K)
        found = adjust(track.window.frames, seen.matches, placed.pose, start, K, track.step)
        return placed if found is None else Placed(found.pose, found.covariance, placed.kind)

    def _depth(self, frame: EncodedFrame, pose: Matrix, seen: _Seen) -> DepthMap:
        """
        Depth from all key frames' pictures and the flow to those that were matched.

        With little parallax the last frame's depth joins in; with more it would carry on its own
        mistakes (on a real sequence with true poses: AbsRel 0.095 without it, 0.110 with it).
        """
        matches = seen.matches
        K, limit = self._pinhole.K, self.config.max_relative_sigma
        flows = {match.key.serial: match.flow for match in matches}
        views = [
            PosedView(flows.get(key.serial), inverse(key.pose) @ pose, K, key.encoded.gray)
            for key in self._track.window.frames[::-1]
        ]
        views += [
            PosedView(None, inverse(one.pose) @ pose, K, one.gray) for one in self._track.recent
        ]
        config = MultiviewConfig(max_relative_sigma=limit)
        prior, last = None, self._track.last
        if last is not None and seen.most < self._track.window.min_parallax:
            prior = warp_prior(last.depth, K, inverse(pose) @ last.pose)
        found = depth_from_views(K, views, image=frame.gray, prior=prior, config=config)
        mode = self.config.mode
        if self._head is None or mode == "geometric":
            return found
        return learned_depth(self._head, mode, frame, matches[0], pose, K, found, limit)

    def _result(
        self,
        frame: EncodedFrame,
        stamp: int,
        depth: DepthMap,
        state: DepthState,
        pixels: float,
        keyframe: bool = False,
    ) -> DepthResult:
        track = self._track
        return DepthResult(
            depth=np.where(self._unseen, np.float32(np.nan), depth.depth),
            sigma=np.where(self._unseen, np.float32(np.nan), depth.sigma),
            scale="metric" if track.metric else "relative",
            K=self._pinhole.K,
            image=frame.image,
            pose=track.pose,
            pose_covariance=track.covariance if track.covariance.any() else None,
            state=state,
            keyframe=keyframe,
            stamp=stamp,
            parallax_px=pixels,
        )


def _checked_pose(pose: Matrix) -> Matrix:
    """(4, 4) float64; raises ConfigError for anything but a rigid transform."""
    matrix = np.asarray(pose, dtype=np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        raise ConfigError(f"a pose of shape {matrix.shape}: give 4x4 finite numbers (c2w)")
    rotation = matrix[:3, :3]
    wrong = np.abs(rotation @ rotation.T - np.eye(3)).max() > ROTATION_TOLERANCE
    if wrong or np.linalg.det(rotation) < 0 or np.abs(matrix[3] - [0, 0, 0, 1]).max() > 1e-9:
        raise ConfigError("a pose that is not rigid: give rotation, translation and 0 0 0 1")
    return matrix
