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

"""What the launch files offer: their arguments, and where each of them goes. No launch in here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# Name, default, description. The default None makes an argument required.
Argument = tuple[str, str | None, str]

SWITCHES = ("use_sim_time", "rviz", "bag_loop", "respawn")

_CAMERA: tuple[Argument, ...] = (
    ("image_transport", "", "raw, or compressed: then <topic>/compressed is read."),
)
_NETWORK: tuple[Argument, ...] = (
    ("weights", "", "Name of shipped weights or path of a model file."),
    ("backend", "", "auto, torch, onnx or tensorrt: what runs the network."),
    ("engine", "", "Folder of an engine, made by `zeroco export` from these weights."),
    ("build_engine", "", "true: build a missing TensorRT engine at start, which takes minutes."),
    ("device", "", "auto, cpu or cuda."),
    ("precision", "", "auto, fp32, bf16, fp16 or int8."),
    ("threads", "", "CPU threads of the network; 0 leaves it to the library."),
)
_CLOCK: tuple[Argument, ...] = (("use_sim_time", "false", "true: take the time from /clock."),)
_BAG: tuple[Argument, ...] = (
    ("bag", "", "Path of a bag to play (sqlite3 or mcap); empty: live topics."),
    ("bag_rate", "1.0", "How fast the bag is played; 1.0 is as recorded."),
    ("bag_loop", "false", "true: play the bag again and again."),
)
_PROCESS: tuple[Argument, ...] = (
    ("respawn", "false", "true: start the node again, 2 s later, when its process ends."),
    ("log_level", "info", "debug, info, warn, error or fatal."),
)
_RVIZ: tuple[Argument, ...] = (
    ("rviz_config", "", "RViz configuration; empty: the one of this package."),
    (
        "fixed_frame",
        "",
        "Fixed frame of RViz: the frame_id of the images, or a frame that tf connects with it; "
        "empty: the configuration's, which is 'camera'.",
    ),
)
NETWORK = ("weights", "backend", "engine", "build_engine", "device", "precision", "threads")


@dataclass(frozen=True)
class LaunchTable:
    """
    One node as a launch file starts it.

    executable: of the node; also its default name. config: the parameter file. rviz: the RViz
    configuration, written for a node of the default name without a namespace. arguments: in the
    order in which they are shown. parameters: arguments that are parameters of the node, passed on
    where they are not empty. remaps: topic of the node -> argument that names it; an empty
    argument leaves the topic alone. outputs: topics of the RViz configuration that follow the
    node's name and namespace. shown: topic of the RViz configuration -> argument that names the
    camera shown there. fixed: parameters that no argument and no parameter file changes.
    """

    executable: str
    config: str
    rviz: str
    arguments: tuple[Argument, ...]
    parameters: tuple[str, ...]
    remaps: Mapping[str, str]
    outputs: tuple[str, ...] = field(default=())
    shown: Mapping[str, str] = field(default_factory=lambda: {"/image": "image"})
    fixed: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the arguments."""
        return tuple(name for name, _default, _text in self.arguments)


def _session(executable: str, example: str, config: str, view: str) -> tuple[Argument, ...]:
    """Return what every launch file of one node ends with."""
    return (
        ("params_file", "", f"Parameter file; empty: config/{config} of this package."),
        ("name", executable, f"Name of the node: its topics are {example}, ..."),
        ("namespace", "", "Namespace of the node and its topics."),
        *_CLOCK,
        ("rviz", "false", f"true: show {view} in RViz."),
        *_RVIZ,
        *_BAG,
        *_PROCESS,
    )


FLOW = LaunchTable(
    executable="flow_node",
    config="flow.yaml",
    rviz="flow.rviz",
    arguments=(
        ("image", "image", "Camera topic, with pairing temporal."),
        ("left_image", "left/image", "Left camera topic, with pairing synchronized."),
        ("right_image", "right/image", "Right camera topic, with pairing synchronized."),
        *_CAMERA,
        (
            "pairing",
            "",
            "temporal (consecutive frames of one camera) or synchronized (two cameras; "
            "stereo.launch.py is made for that).",
        ),
        ("reference", "", "auto, current or previous: whose pixels and header the flow has."),
        ("preset", "", "fast, default, accurate or paper: speed against accuracy."),
        *_NETWORK,
        *_session(
            "flow_node",
            "<name>/flow, <name>/flow_color",
            "flow.yaml",
            "the camera, the flow in colors and the confidence",
        ),
    ),
    parameters=("image_transport", "pairing", "reference", "preset", *NETWORK),
    remaps={"image": "image", "left/image": "left_image", "right/image": "right_image"},
    outputs=("flow_color", "confidence", "occluded"),
)

STEREO = LaunchTable(
    executable="flow_node",
    config="stereo.yaml",
    rviz="stereo.rviz",
    arguments=(
        ("left_image", "left/image", "Left camera topic."),
        ("right_image", "right/image", "Right camera topic."),
        *_CAMERA,
        ("slop", "", "Largest difference of stamps in a pair, in seconds; 0 asks for equal ones."),
        ("reference", "", "auto, left or right: whose pixels and header the flow has."),
        ("preset", "", "fast, default, accurate or paper: speed against accuracy."),
        *_NETWORK,
        *_session(
            "flow_node",
            "<name>/flow, <name>/flow_color",
            "stereo.yaml",
            "both cameras, the flow in colors and the confidence",
        ),
    ),
    parameters=("image_transport", "slop", "reference", "preset", *NETWORK),
    remaps={"left/image": "left_image", "right/image": "right_image"},
    outputs=("flow_color", "confidence", "occluded"),
    shown={"/left/image": "left_image", "/right/image": "right_image"},
    fixed={"pairing": "synchronized"},
)

DEPTH = LaunchTable(
    executable="depth_node",
    config="depth.yaml",
    rviz="depth.rviz",
    arguments=(
        ("image", "image", "Camera topic."),
        ("camera_info", "", "Its calibration; empty: the camera_info beside the camera topic."),
        *_CAMERA,
        ("image_rectified", "", "true: the camera topic is an image_rect."),
        ("pose_source", "", "none (estimated, relative depth), odometry, tf or pose (metric)."),
        ("odom", "odom", "Odometry topic, with pose_source odometry."),
        ("pose", "pose", "PoseStamped topic, with pose_source pose."),
        ("world_frame", "", "Fixed frame that tf is asked for, with pose_source tf."),
        (
            "camera_in_body",
            "",
            "The camera's optical frame in the frame that odometry or pose moves, as "
            "'x y z qx qy qz qw'.",
        ),
        ("preset", "", "fast, default or accurate: speed against accuracy."),
        ("mode", "", "preset, geometric, learned or fused: where depth comes from."),
        *_NETWORK,
        *_session(
            "depth_node",
            "<name>/depth, <name>/points",
            "depth.yaml",
            "the camera, depth, its standard deviation and the points",
        ),
    ),
    parameters=(
        "image_transport",
        "image_rectified",
        "pose_source",
        "world_frame",
        "camera_in_body",
        "preset",
        "mode",
        *NETWORK,
    ),
    remaps={"image": "image", "camera_info": "camera_info", "odom": "odom", "pose": "pose"},
    outputs=("depth", "depth_sigma", "points"),
)

REPLAY: tuple[Argument, ...] = (
    ("bag", None, "Path of the bag to play (sqlite3 or mcap, folder or file)."),
    ("nodes", "flow", "flow, depth or both: what runs."),
    (
        "image",
        "",
        "Camera topic of the bag; empty: its first camera. /compressed is recognized.",
    ),
    ("camera_info", "", "Calibration topic of the bag; empty: the one beside the camera."),
    ("pose_source", "", "Of depth: none, odometry, tf or pose."),
    ("odom", "odom", "Odometry topic of the bag, with pose_source odometry."),
    ("pose", "pose", "PoseStamped topic of the bag, with pose_source pose."),
    ("preset", "", "fast, default or accurate: speed against accuracy."),
    *_NETWORK,
    ("flow_params_file", "", "Parameter file of flow_node; empty: config/flow.yaml."),
    ("depth_params_file", "", "Parameter file of depth_node; empty: config/depth.yaml."),
    ("namespace", "", "Namespace of the nodes; the bag's topics keep their names."),
    ("use_sim_time", "true", "true: nodes and recording take the time from the bag's /clock."),
    ("bag_rate", "1.0", "How fast the bag is played; 1.0 is as recorded."),
    ("bag_start", "0.0", "Begin this many seconds into the bag."),
    ("bag_duration", "", "Play this many seconds; empty: to the end."),
    (
        "record",
        "",
        "Folder of the bag that gets all outputs, which must be new; empty: "
        "<bag>_replayed_<date>_<time> in the working directory; none: nothing is recorded.",
    ),
    (
        "linger",
        "5.0",
        "Seconds left to the nodes for their last frames when the bag has ended; then all ends.",
    ),
    ("rviz", "false", "true: show what the nodes make of the bag in RViz."),
    ("rviz_config", "", "RViz configuration; empty: the one of this package."),
    ("fixed_frame", "", "Fixed frame of RViz; empty: the frame_id of the bag's camera."),
    ("log_level", "info", "debug, info, warn, error or fatal."),
)
REPLAY_RVIZ = "flow_depth.rviz"  # where both nodes run

TWO_CAMERAS: tuple[Argument, ...] = (
    ("cameras", "front rear", "Namespaces of the cameras: each has its image and its node there."),
    ("node", "flow", "flow or depth: what runs for each camera."),
    ("image", "image", "Camera topic inside each namespace."),
    ("preset", "", "fast, default or accurate: speed against accuracy."),
    *_NETWORK,
    ("params_file", "", "Parameter file of all nodes; empty: the one of this package."),
    *_CLOCK,
    *_PROCESS,
)
