"""Frames of one moving camera, one after another, to depth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from zeroco_ros.errors import ConfigError, ImageError
from zeroco_ros.estimate.depth_config import DepthConfig
from zeroco_ros.estimate.frames import EncodedFrame, check_image
from zeroco_ros.estimate.parallax import Parallax, parallax
from zeroco_ros.estimate.posed_view import DepthMap, PosedView, triangulated, unknown_depth
from zeroco_ros.estimate.results import DepthResult, DepthState, FlowResult
from zeroco_ros.stream.window import KeyframeWindow

if TYPE_CHECKING:
    from zeroco_ros.estimate.flow import FlowEstimator
    from zeroco_ros.geometry.camera import Camera

Matrix = npt.NDArray[np.float64]
ByteArray = npt.NDArray[np.uint8]
ROTATION_TOLERANCE = 1e-3


@dataclass
class Keyframe:
    """A frame that later ones are measured against: encoded once, with its pose (c2w)."""

    encoded: EncodedFrame
    pose: Matrix
    stamp: int


@dataclass(frozen=True)
class _Match:
    """A frame's match with one key frame."""

    key: Keyframe
    flow: FlowResult
    parallax: Parallax


class DepthStream:
    """Depth for one frame after another; made by `DepthEstimator.stream`.

    Each frame is rectified and encoded once, matched with `views` of the key frames, and
    triangulated against them. Memory is bounded by the window of key frames. Not thread-safe.
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
        frame = self._prepare(image)
        if given is not None:
            self._pose = given
        if not self._window:
            self._window.add(Keyframe(frame, self._pose, stamp_ns))
            return None
        matches = self._matches(frame)
        newest = matches[0].parallax
        state = self._state(matches, given is not None)
        depth = self._depth(matches) if state == "ok" else unknown_depth(frame.size)
        is_key = state == "ok" and self._window.wants(newest.pixels, newest.overlap)
        if is_key:
            self._window.add(Keyframe(frame, self._pose, stamp_ns))
        scale: Literal["metric", "relative"] = "relative" if given is None else "metric"
        return DepthResult(
            depth=depth.depth,
            sigma=depth.sigma,
            scale=scale,
            K=self._pinhole.K,
            image=frame.image,
            pose=self._pose,
            pose_covariance=None,
            state=state,
            keyframe=is_key,
            stamp=stamp_ns,
            parallax_px=max(match.parallax.pixels for match in matches),
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

    def _matches(self, frame: EncodedFrame) -> list[_Match]:
        """Flow to the newest key frames, the newest first."""
        K, found = self._pinhole.K, []
        for key in self._window.frames[::-1][: self.config.views]:
            flow = self._flow.match(frame, key.encoded)
            rotation = key.pose[:3, :3].T @ self._pose[:3, :3]
            found.append(_Match(key, flow, parallax(flow, K, K, rotation)))
        return found

    def _state(self, matches: list[_Match], posed: bool) -> DepthState:
        best = max(matches, key=lambda match: match.parallax.overlap)
        if best.parallax.overlap < self.config.lost_overlap:
            return "lost"
        if not posed:
            return "starting"
        if max(match.parallax.pixels for match in matches) >= self._least:
            return "ok"
        return "static" if best.parallax.flow < self._least else "rotation"

    def _depth(self, matches: list[_Match]) -> DepthMap:
        K = self._pinhole.K
        views = [
            PosedView(
                match.flow, np.linalg.inv(match.key.pose) @ self._pose, K, match.key.encoded.gray
            )
            for match in matches
        ]
        found = triangulated(K, views)
        unsure = ~(found.sigma <= self.config.max_relative_sigma * found.depth)
        return DepthMap(*(np.where(unsure, np.nan, a) for a in (found.depth, found.sigma)))


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
