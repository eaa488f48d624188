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
Every parameter of depth_node in one table, with what is allowed and when it may change.

Nothing here imports rclpy; see `flow.parameters`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zeroco_ros.ros.parameter_spec import choice, number, ParameterSpec
from zeroco_ros.ros.parameter_table import ParameterTable
from zeroco_ros.ros.shared_parameters import IMAGES, NETWORK, PROCESS, times_in_order, TRANSPORT

_NUMBER = r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?"
SMALLEST_NORM = 1e-6

_MODEL = (
    choice(
        "preset",
        ("default", "fast", "accurate"),
        "How depth is computed: a named set of flow, window and key-frame options.",
        "configure",
    ),
    choice(
        "mode",
        ("preset", "geometric", "learned", "fused"),
        "geometric triangulates flow between posed frames, learned asks the depth head, fused "
        "weighs both by their uncertainty.",
        "configure",
    ),
    *NETWORK,
    ParameterSpec(
        "head",
        "preset",
        "Depth head of the modes learned and fused: a name of shipped weights or a file of "
        "`zeroco train depth`.",
        "configure",
        pattern=r"\S(.*\S)?",
        pattern_text="preset, a name of shipped weights or a path",
    ),
    number(
        "window", 0, 0, 32, "Key frames kept, 2 or more; 0 is the preset's number.", "configure"
    ),
    number(
        "views",
        0,
        0,
        32,
        "Key frames that each frame is matched with, at most `window`; 0 is the preset's number.",
        "configure",
    ),
)

_INPUT = (
    *TRANSPORT,
    ParameterSpec(
        "image_rectified",
        False,
        "The images are rectified already (an image_rect topic): P of camera_info counts, not K "
        "and D.",
        "configure",
    ),
    number("min_dt", 0.0, 0.0, 3600.0, "Frames closer in time (s) are dropped.", "live"),
    number(
        "max_dt",
        1.0,
        0.0,
        3600.0,
        "After a longer pause (s) between frames everything starts anew.",
        "live",
    ),
    *IMAGES,
)

_POSES = (
    choice(
        "pose_source",
        ("none", "odometry", "tf", "pose"),
        "Where the camera's poses come from. none: they are estimated and depth is relative; "
        "odometry reads `odom`, pose reads `pose`, tf asks tf2 for the image's frame in "
        "`world_frame`: depth is in meters.",
        "configure",
    ),
    ParameterSpec(
        "world_frame",
        "odom",
        "The fixed frame that tf is asked for, and the frame of ~/odometry where the poses "
        "themselves name none.",
        "configure",
        pattern=r"[A-Za-z_][\w/.-]*",
        pattern_text="a frame id",
    ),
    ParameterSpec(
        "camera_in_body",
        "none",
        "The camera's optical frame in the frame that odometry or pose moves, as 'x y z qx qy qz "
        "qw' (meters, quaternion); none: they give the camera's own pose, which odometry must "
        "confirm by its child_frame_id.",
        "configure",
        pattern=rf"none|{_NUMBER}([ ,]+{_NUMBER}){{6}}",
        pattern_text="none or seven numbers x y z qx qy qz qw",
    ),
    choice(
        "missing_poses",
        ("estimate", "skip"),
        "What becomes of a frame whose pose does not come: it is estimated, or the frame has no "
        "depth.",
        "configure",
    ),
    number(
        "max_pose_gap",
        0.5,
        0.0,
        3600.0,
        "Poses further apart (s) are not interpolated between.",
        "live",
    ),
    number(
        "patience",
        0.2,
        0.0,
        60.0,
        "Seconds that an image waits for its pose, and for a camera_info of its size.",
        "live",
    ),
    number(
        "camera_height",
        0.0,
        0.0,
        10_000.0,
        "Meters above the ground, which makes estimated depth metric where the ground is seen; 0 "
        "is unknown.",
        "configure",
    ),
)

_OUTPUT = (
    number(
        "max_relative_sigma",
        0.0,
        0.0,
        1000.0,
        "Pixels whose sigma exceeds this share of their depth are NaN; 0 is the preset's share.",
        "configure",
    ),
    number(
        "max_depth",
        0.0,
        0.0,
        1e6,
        "Pixels further away (in the unit of depth) are NaN; 0 keeps all.",
        "live",
    ),
)


def _window_holds_views(values: Mapping[str, Any]) -> str | None:
    if values["window"] == 1:
        return "parameter window: 1 is out of range; allowed is 0 (the preset's) or 2 to 32"
    if 0 < values["window"] < values["views"]:
        return (
            f"parameters views and window: {values['views']} > {values['window']}; allowed is "
            "views <= window"
        )
    return None


def _mount_is_a_rotation(values: Mapping[str, Any]) -> str | None:
    numbers = mount_numbers(values)
    if numbers is not None and sum(q * q for q in numbers[3:]) < SMALLEST_NORM:
        return "parameter camera_in_body: its quaternion is zero; allowed is x y z qx qy qz qw"
    return None


TABLE = ParameterTable(
    (*PROCESS, *_MODEL, *_INPUT, *_POSES, *_OUTPUT),
    times_in_order,
    _window_holds_views,
    _mount_is_a_rotation,
)


def mount_numbers(values: Mapping[str, Any]) -> tuple[float, ...] | None:
    """camera_in_body as x y z qx qy qz qw, None where it is not given."""
    text = str(values["camera_in_body"])
    return None if text == "none" else tuple(float(x) for x in text.replace(",", " ").split())
