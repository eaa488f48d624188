"""What the launch files offer: their arguments, and where each of them goes. No launch in here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Argument = tuple[str, str, str]  # name, default, description

_CAMERA: tuple[Argument, ...] = (
    ("image_transport", "", "raw, or compressed: then <topic>/compressed is read."),
)
_NETWORK: tuple[Argument, ...] = (
    ("weights", "", "Name of shipped weights or path of a model file."),
    ("device", "", "auto, cpu or cuda."),
)
_SESSION: tuple[Argument, ...] = (
    ("namespace", "", "Namespace of the node and its topics."),
    ("use_sim_time", "false", "true: take the time from /clock."),
    ("bag", "", "Path of a bag to play (sqlite3 or mcap); empty: live topics."),
    ("bag_rate", "1.0", "How fast the bag is played; 1.0 is as recorded."),
    ("bag_loop", "false", "true: play the bag again and again."),
    ("log_level", "info", "debug, info, warn, error or fatal."),
)


@dataclass(frozen=True)
class LaunchTable:
    """One launch file.

    executable: of the node; also its default name. config: the parameter file. rviz: the RViz
    configuration, written for a node of the default name without a namespace. arguments: in the
    order in which they are shown. parameters: arguments that are parameters of the node, passed on
    where they are not empty. remaps: topic of the node -> argument that names it; an empty
    argument leaves the topic alone. outputs: topics of the RViz configuration that follow the
    node's name and namespace.
    """

    executable: str
    config: str
    rviz: str
    arguments: tuple[Argument, ...]
    parameters: tuple[str, ...]
    remaps: Mapping[str, str]
    outputs: tuple[str, ...] = field(default=())


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
            "temporal (consecutive frames of one camera) or synchronized (two cameras).",
        ),
        ("preset", "", "fast, default, accurate or paper: speed against accuracy."),
        *_NETWORK,
        ("params_file", "", "Parameter file; empty: config/flow.yaml of this package."),
        (
            "name",
            "flow_node",
            "Name of the node: its topics are <name>/flow, <name>/flow_color, ...",
        ),
        ("rviz", "false", "true: show the camera, the flow in colors and the confidence in RViz."),
        *_SESSION,
    ),
    parameters=("image_transport", "pairing", "preset", "weights", "device"),
    remaps={"image": "image", "left/image": "left_image", "right/image": "right_image"},
    outputs=("flow_color", "confidence", "occluded"),
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
        ("preset", "", "fast, default or accurate: speed against accuracy."),
        *_NETWORK,
        ("params_file", "", "Parameter file; empty: config/depth.yaml of this package."),
        (
            "name",
            "depth_node",
            "Name of the node: its topics are <name>/depth, <name>/points, ...",
        ),
        ("rviz", "false", "true: show the camera, depth, sigma and the points in RViz."),
        *_SESSION,
    ),
    parameters=(
        "image_transport",
        "image_rectified",
        "pose_source",
        "world_frame",
        "preset",
        "weights",
        "device",
    ),
    remaps={"image": "image", "camera_info": "camera_info", "odom": "odom", "pose": "pose"},
    outputs=("depth", "depth_sigma", "points"),
)
