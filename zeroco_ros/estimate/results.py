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

"""What an estimator returns: frozen dataclasses with stated shapes, units and ranges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
DepthState = Literal["ok", "static", "rotation", "lost", "starting"]


@dataclass(frozen=True)
class FlowResult:
    """
    Dense correspondence from a target image (H, W) to a source image.

    flow: (H, W, 2) float32, pixels; flow[y, x] = (dx, dy) takes target pixel (x, y) to its match
        (x + dx, y + dy) in the source image. Always finite.
    confidence: (H, W) float32 in [0, 1]; with a learned head the calibrated probability that the
        vector ends within 1/200 of the image's longer side of the truth (3.2 px at 640x480), 0
        where there is nothing to see; without one a score that only ranks.
    occluded: (H, W) bool; True where the match does not lead back (hidden in, or outside of, the
        source) or where the confidence is 0.
    forward_backward_error: (H, W) float32, pixels of the target image: the distance between a
        pixel and where its match's own match lies; inf where unknown.
    coarse: (h, w, 2) float32, tokens: the flow of the attention alone on the target's token grid.
    reference_stamp, other_stamp: nanoseconds of the target and of the source frame, or None.
    """

    flow: FloatArray
    confidence: FloatArray
    occluded: BoolArray
    forward_backward_error: FloatArray
    coarse: FloatArray
    reference_stamp: int | None = None
    other_stamp: int | None = None


@dataclass(frozen=True)
class DepthResult:
    """
    Depth of one frame, on the pixels of its rectified (pinhole) image (H, W).

    depth: (H, W) float32, the coordinate along the optical axis (not the ray's length), in meters
        or, with scale "relative", in a unit that is the same for all frames of a stream until it
        starts anew: on `clear`, and with a result of state "starting" that is a key frame. NaN
        where unknown.
    sigma: (H, W) float32, one standard deviation in the unit of depth; NaN where depth is.
    scale: "metric" (meters) or "relative".
    K: (3, 3) float64 camera matrix of that image; integer pixel coordinate = pixel center.
    image: (H, W, 3) uint8 RGB, the rectified image.
    pose: (4, 4) float64 camera-to-world, OpenCV axes; the world is that of the given poses, else
        the first key frame's camera. With state "lost" the given one, else the last known one.
    pose_covariance: (6, 6) float64, order x y z rot_x rot_y rot_z (as nav_msgs/Odometry), or None
        where the pose was given or nothing is known.
    state: "ok"; "static" or "rotation" (no parallax against any key frame that was looked at, or
        so little that next to no pixel has a depth: depth is carried over from the key frames
        where it was known, and NaN elsewhere); "lost" (no key frame can be matched, or no pose
        came where one is needed; depth is all NaN); "starting" (too few frames so far; a key frame
        in this state begins a new unit and, without given poses, a new track).
    keyframe: whether the frame became a key frame.
    stamp: nanoseconds.
    parallax_px: largest parallax (pixels, median over the image, rotation taken off) against the
        key frames used; 0 where nothing could be matched.
    """

    depth: FloatArray
    sigma: FloatArray
    scale: Literal["metric", "relative"]
    K: npt.NDArray[np.float64]
    image: npt.NDArray[np.uint8]
    pose: npt.NDArray[np.float64]
    pose_covariance: npt.NDArray[np.float64] | None
    state: DepthState
    keyframe: bool
    stamp: int
    parallax_px: float
