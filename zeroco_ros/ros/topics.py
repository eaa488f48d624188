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

"""Every topic of every node, in tables. Nothing here imports rclpy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class TopicSpec:
    """
    One topic: its name before remapping, message type, encoding and meaning.

    companion: an output that goes with others and is not worth the work alone. latched: the last
    message is kept for subscribers that come later.
    """

    name: str
    direction: Literal["in", "out"]
    message: str
    encoding: str
    description: str
    companion: bool = False
    latched: bool = False

    @property
    def short(self) -> str:
        """Return the name without `~/`."""
        return self.name.removeprefix("~/")

    @property
    def own_output(self) -> bool:
        """Whether the node publishes it below its own name."""
        return self.direction == "out" and self.name.startswith("~/")


_IMAGE = "sensor_msgs/msg/Image"
_ANY = "mono, rgb, bgr, rgba, bgra, yuv422, bayer; 8 or 16 bit"

_DIAGNOSTICS = TopicSpec(
    "/diagnostics",
    "out",
    "diagnostic_msgs/msg/DiagnosticArray",
    "",
    "Rates, latency, every counter, device, model and the last error, once per "
    "`diagnostics_period`.",
)

FLOW_TOPICS: tuple[TopicSpec, ...] = (
    TopicSpec(
        "image",
        "in",
        _IMAGE,
        _ANY,
        "The camera, with `pairing: temporal`. With `image_transport: compressed` it is "
        "`image/compressed` (sensor_msgs/msg/CompressedImage, jpeg or png).",
    ),
    TopicSpec("left/image", "in", _IMAGE, _ANY, "Left camera, with `pairing: synchronized`."),
    TopicSpec("right/image", "in", _IMAGE, _ANY, "Right camera, with `pairing: synchronized`."),
    TopicSpec(
        "~/flow",
        "out",
        _IMAGE,
        "32FC2",
        "(dx, dy) in pixels from the previous to the current position (from left to right), on "
        "the pixels of the `reference` image (default: the current, or left, one); always finite.",
    ),
    TopicSpec(
        "~/flow_color", "out", _IMAGE, "bgr8", "The same in the colors of the Middlebury wheel."
    ),
    TopicSpec(
        "~/confidence",
        "out",
        _IMAGE,
        "32FC1",
        "From 0 (nothing can be said) to 1: with a learned head the probability that the vector "
        "is within 1/200 of the longer side (3.2 px at 640x480) of the truth.",
    ),
    TopicSpec(
        "~/occluded", "out", _IMAGE, "mono8", "255 where the match does not lead back, else 0."
    ),
    _DIAGNOSTICS,
)


_CLOUD = "sensor_msgs/msg/PointCloud2"
_INFO = "sensor_msgs/msg/CameraInfo"
_ODOMETRY = "nav_msgs/msg/Odometry"

DEPTH_TOPICS: tuple[TopicSpec, ...] = (
    TopicSpec(
        "image",
        "in",
        _IMAGE,
        _ANY,
        "The camera, distorted as it comes. With `image_transport: compressed` it is "
        "`image/compressed` (sensor_msgs/msg/CompressedImage, jpeg or png).",
    ),
    TopicSpec(
        "camera_info",
        "in",
        _INFO,
        "",
        "Its calibration, with binning and region of interest; the last one counts. Where it is "
        "not remapped, the one beside the image's topic is read.",
    ),
    TopicSpec(
        "odom",
        "in",
        _ODOMETRY,
        "",
        "With `pose_source: odometry`: poses in meters, interpolated at the image's stamp.",
    ),
    TopicSpec(
        "pose",
        "in",
        "geometry_msgs/msg/PoseStamped",
        "",
        "With `pose_source: pose`: the same as poses of the camera's optical frame.",
    ),
    TopicSpec(
        "~/depth",
        "out",
        _IMAGE,
        "32FC1",
        "Distance along the optical axis (REP 118) on the pixels of the rectified image, in "
        "meters or, as ~/scale says, in a unit of its own; NaN where unknown.",
    ),
    TopicSpec(
        "~/depth_sigma",
        "out",
        _IMAGE,
        "32FC1",
        "Its standard deviation in the same unit; NaN where depth is.",
    ),
    TopicSpec(
        "~/points",
        "out",
        _CLOUD,
        "",
        "The same as colored points (x, y, z, rgb) in the optical frame, organized as the image; "
        "NaN where unknown.",
    ),
    TopicSpec("~/image_rect", "out", _IMAGE, "rgb8", "The rectified image that depth lies on."),
    TopicSpec(
        "~/camera_info",
        "out",
        _INFO,
        "",
        "Its pinhole camera. Does not make the node work by itself.",
        companion=True,
    ),
    TopicSpec(
        "~/odometry",
        "out",
        _ODOMETRY,
        "",
        "The camera's optical frame in the frame of the poses given; estimated: in `world_frame`, "
        "which begins at the first frame with x forward and z up, in the unit of depth. "
        "Not published while tracking is lost. A covariance that begins with -1 is unknown; "
        "velocities always are.",
    ),
    TopicSpec(
        "~/scale",
        "out",
        "std_msgs/msg/String",
        "",
        "metric or relative, for all that follows; latched (transient local). Does not make the "
        "node work by itself.",
        companion=True,
        latched=True,
    ),
    _DIAGNOSTICS,
)


def encodings(topics: Iterable[TopicSpec]) -> dict[str, str]:
    """Name without `~/` -> encoding of the image outputs among `topics`."""
    return {topic.short: topic.encoding for topic in topics if topic.own_output and topic.encoding}
