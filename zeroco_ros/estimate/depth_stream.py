"""Frames of one moving camera, one after another, to depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from zeroco_ros.errors import ConfigError, ImageError
from zeroco_ros.estimate.adjusting import adjust
from zeroco_ros.estimate.depth_config import DepthConfig
from zeroco_ros.estimate.frames import EncodedFrame, check_image
from zeroco_ros.estimate.keyframe import Keyframe, Match, carried_depth, link
from zeroco_ros.estimate.multiview import MultiviewConfig, depth_from_views
from zeroco_ros.estimate.parallax import Parallax, parallax
from zeroco_ros.estimate.placing import Placed, first_pose, tracked
from zeroco_ros.estimate.posed_view import DepthMap, PosedView, unknown_depth
from zeroco_ros.estimate.results import DepthResult, DepthState
from zeroco_ros.geometry.transforms import inverse
from zeroco_ros.stream.window import KeyframeWindow

if TYPE_CHECKING:
    from zeroco_ros.estimate.flow import FlowEstimator
    from zeroco_ros.geometry.camera import Camera

Matrix = npt.NDArray[np.float64]
ByteArray = npt.NDArray[np.uint8]
ROTATION_TOLERANCE = 1e-3
# So many lost frames in a row, and the stream starts anew at the last of them.
PATIENCE = 3
# Without parallax a frame becomes a key frame only to keep sight of something: below this overlap.
NEARLY_OUT = 0.35
SOME = 0.05  # share of the pixels with depth from which on a key frame's depth places later ones


@dataclass(frozen=True)
class _Seen:
    """A frame against the key frames it was matched with, the newest first."""

    matches: list[Match]
    parallaxes: list[Parallax]

    @property
    def matched(self) -> float:
        """Largest share of confidently matched pixels."""
        return max(p.matched for p in self.parallaxes)

    @property
    def most(self) -> float:
        """Largest parallax in pixels."""
        return max(p.pixels for p in self.parallaxes)


class DepthStream:
    """Depth for one frame after another; made by `DepthEstimator.stream`.

    Each frame is rectified and encoded once, matched with `views` of the key frames, placed (by
    its given pose, or against the key frames' depth) and its depth triangulated against them.
    Without given poses the unit of length is chosen so that the first depth's median is 1, and
    carried on by the key frames' depth. Memory is bounded by the window. Not thread-safe.
    """

    def __init__(self, flow: FlowEstimator, config: DepthConfig, camera: Camera) -> None:
        self._flow = flow
        self.config = config
        self.set_camera(camera)

    @property
    def camera(self) -> Camera:
        """The camera that frames come from (distorted, as given)."""
        return self._camera

    def set_camera(self, camera: Camera) -> None:
        """Another camera, or the same one at another resolution: everything starts anew."""
        self._camera = camera
        self._pinhole = camera.rectified()
        side, config = max(camera.width, camera.height), self.config
        self._step = 2 * config.grid
        self._least = config.least_parallax * side
        self._window: KeyframeWindow[Keyframe] = KeyframeWindow(
            config.window,
            config.key_parallax * side,
            config.key_overlap,
            self._least,
        )
        self.clear()

    def clear(self) -> None:
        """Forget all frames, poses and scale: for jumps in time. The next frame is the first."""
        self._window.clear()
        self._pose: Matrix = np.eye(4)
        self._motion: Matrix = np.eye(4)
        self._covariance: Matrix = np.zeros((6, 6))
        self._metric = False
        self._lost = 0

    def push(
        self, image: ByteArray, stamp_ns: int, pose: Matrix | None = None
    ) -> DepthResult | None:
        """Depth of this frame; None for the first one, which nothing can be said about.

        image: (H, W, 3) uint8 RGB or (H, W) gray of the camera's size, distorted as the camera
        gives it. stamp_ns: nanoseconds, passed through. pose: (4, 4) camera-to-world in meters, or
        None. Raises ImageError for an image that cannot be read as one of this camera, ConfigError
        for a pose that is not a rigid transform, and nothing for a bad scene: see
        `DepthResult.state`.
        """
        given = None if pose is None else _checked_pose(pose)
        if self.config.poses == "estimated":
            given = None
        frame = self._prepare(image)
        if not self._window:
            self._start(frame, stamp_ns, given)
            return None
        matches = self._matches(frame)
        placed = self._placed(matches, given)
        seen = self._seen(matches, placed.pose)
        if placed.kind == "lost" or seen.matched < self.config.lost_overlap:
            return self._when_lost(frame, stamp_ns)
        self._lost = 0
        return self._when_placed(frame, stamp_ns, placed, seen, given is not None)

    def _start(self, frame: EncodedFrame, stamp: int, given: Matrix | None) -> None:
        """Begin with this frame, at the given pose or where the last one was."""
        self._window.clear()
        self._metric = given is not None
        if given is not None:
            self._pose, self._covariance = given, np.zeros((6, 6))
        self._motion, self._lost = np.eye(4), 0
        self._window.add(self._keyframe(frame, self._pose, stamp, given is not None, None))

    def _keyframe(
        self,
        frame: EncodedFrame,
        pose: Matrix,
        stamp: int,
        given: bool,
        depth: DepthMap | None,
        matches: Sequence[Match] = (),
    ) -> Keyframe:
        return Keyframe(
            self._window.added,
            frame,
            pose,
            stamp,
            given,
            depth,
            self._covariance,
            tuple(link(match, self._step) for match in matches),
        )

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
        keys = self._window.frames[::-1][: self.config.views]
        return [Match(key, self._flow.match(frame, key.encoded)) for key in keys]

    def _placed(self, matches: list[Match], given: Matrix | None) -> Placed:
        if given is not None:
            return Placed(given, None, "known")
        if self.config.poses == "given":
            return Placed(self._pose, None, "lost")
        K, step = self._pinhole.K, self.config.grid
        if any(match.key.depth is not None for match in matches):
            found = tracked(matches, K, step, self._pose, self._motion)
            if found is None:
                return Placed(self._pose, None, "lost")
            return Placed(found.pose, found.covariance, "known")
        return first_pose(matches[0], K, step)

    def _seen(self, matches: list[Match], pose: Matrix) -> _Seen:
        K = self._pinhole.K
        rotations = [match.key.pose[:3, :3].T @ pose[:3, :3] for match in matches]
        return _Seen(
            matches,
            [parallax(m.flow, K, K, R) for m, R in zip(matches, rotations, strict=True)],
        )

    def _when_lost(self, frame: EncodedFrame, stamp: int) -> DepthResult:
        self._lost += 1
        self._motion = np.eye(4)
        if self._lost >= PATIENCE:
            self._start(frame, stamp, None)
            return self._result(frame, stamp, unknown_depth(frame.size), "starting", 0.0, True)
        return self._result(frame, stamp, unknown_depth(frame.size), "lost", 0.0)

    def _when_placed(
        self, frame: EncodedFrame, stamp: int, placed: Placed, seen: _Seen, given: bool
    ) -> DepthResult:
        """Depth of a frame whose pose is known, and whether it becomes a key frame."""
        state: DepthState = "ok"
        if placed.kind == "ambiguous":
            state = "starting"
        elif placed.kind in ("static", "rotation") or seen.most < self._least:
            turned = max(p.flow for p in seen.parallaxes) >= self._least
            state = "rotation" if turned else "static"
        pose, depth = placed.pose, unknown_depth(frame.size)
        if state == "ok":
            if self.config.adjust and not given:
                start = carried_depth(seen.matches, pose, self._pinhole.K)
                adjusted = adjust(
                    self._window.frames, seen.matches, pose, start, self._pinhole.K, self._step
                )
                pose = pose if adjusted is None else adjusted.pose
            depth = self._depth(frame, pose, seen.matches)
            if placed.kind == "first":
                pose, depth = self._scaled(pose, depth, seen.matches[0].key.pose)
        elif state != "starting":
            depth = carried_depth(seen.matches, pose, self._pinhole.K)
        if placed.kind != "ambiguous":
            self._motion = inverse(self._pose) @ pose
            base = seen.matches[0].key.covariance
            self._covariance = base if placed.covariance is None else base + placed.covariance
            self._pose = pose
        newest = seen.parallaxes[0]
        key = state == "ok" and self._window.wants(newest.pixels, newest.overlap)
        key = key or (state == "rotation" and newest.overlap < NEARLY_OUT)
        if key:
            known = depth if np.isfinite(depth.depth).mean() > SOME else None
            matches = seen.matches if state == "ok" else []
            self._window.add(self._keyframe(frame, pose, stamp, given, known, matches))
        return self._result(frame, stamp, depth, state, seen.most, key)

    def _depth(self, frame: EncodedFrame, pose: Matrix, matches: list[Match]) -> DepthMap:
        """Depth from all key frames' pictures and the flow to those that were matched."""
        K = self._pinhole.K
        flows = {id(match.key): match.flow for match in matches}
        views = [
            PosedView(flows.get(id(key)), inverse(key.pose) @ pose, K, key.encoded.gray)
            for key in self._window.frames[::-1]
        ]
        config = MultiviewConfig(max_relative_sigma=self.config.max_relative_sigma)
        return depth_from_views(K, views, image=frame.gray, config=config)

    def _scaled(self, pose: Matrix, depth: DepthMap, origin: Matrix) -> tuple[Matrix, DepthMap]:
        """The first two frames in the stream's unit: the baseline's, or the median depth is 1."""
        known = np.isfinite(depth.depth)
        unit = 1.0
        if self.config.baseline is not None:
            unit, self._metric = self.config.baseline, True
        elif known.any():
            unit = 1 / float(np.median(depth.depth[known]))
        scaled = pose.copy()
        scaled[:3, 3] = origin[:3, 3] + unit * (pose[:3, 3] - origin[:3, 3])
        return scaled, DepthMap(
            (depth.depth * unit).astype(np.float32), (depth.sigma * unit).astype(np.float32)
        )

    def _result(
        self,
        frame: EncodedFrame,
        stamp: int,
        depth: DepthMap,
        state: DepthState,
        pixels: float,
        keyframe: bool = False,
    ) -> DepthResult:
        estimated = bool(self._covariance.any())
        return DepthResult(
            depth=depth.depth,
            sigma=depth.sigma,
            scale="metric" if self._metric else "relative",
            K=self._pinhole.K,
            image=frame.image,
            pose=self._pose,
            pose_covariance=self._covariance if estimated else None,
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
