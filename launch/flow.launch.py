"""Dense optical flow from a camera, with a bag and RViz if wanted.

ros2 launch zeroco_ros flow.launch.py image:=/camera/image_raw

Every argument of ARGUMENTS can be given as name:=value; `--show-args` lists them. An argument left
empty keeps what the parameter file says.
"""

import sys
from pathlib import Path

from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription

SHARE = Path(__file__).resolve().parents[1]  # share/zeroco_ros, or the source folder

# name, default, description
ARGUMENTS = (
    ("image", "image", "Camera topic, with pairing temporal."),
    ("left_image", "left/image", "Left camera topic, with pairing synchronized."),
    ("right_image", "right/image", "Right camera topic, with pairing synchronized."),
    ("image_transport", "", "raw, or compressed: then <topic>/compressed is read."),
    ("pairing", "", "temporal (consecutive frames of one camera) or synchronized (two cameras)."),
    ("preset", "", "fast, default, accurate or paper: speed against accuracy."),
    ("weights", "", "Name of shipped weights or path of a model file."),
    ("device", "", "auto, cpu or cuda."),
    ("params_file", "", "Parameter file; empty: config/flow.yaml of this package."),
    ("name", "flow_node", "Name of the node: its topics are <name>/flow, <name>/flow_color, ..."),
    ("namespace", "", "Namespace of the node and its topics."),
    ("use_sim_time", "false", "true: take the time from /clock."),
    ("rviz", "false", "true: show the camera, the flow in colors and the confidence in RViz."),
    ("bag", "", "Path of a bag to play (sqlite3 or mcap); empty: live topics."),
    ("bag_rate", "1.0", "How fast the bag is played; 1.0 is as recorded."),
    ("bag_loop", "false", "true: play the bag again and again."),
    ("log_level", "info", "debug, info, warn, error or fatal."),
)
# Arguments that are parameters of the node, passed on where they are not empty.
PARAMETERS = ("image_transport", "pairing", "preset", "weights", "device")
# The topics of config/rviz/flow.rviz that follow the node's name and namespace.
OUTPUTS = ("flow_color", "confidence", "occluded")


def generate_launch_description() -> LaunchDescription:
    """Called by the launch system."""
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, default, description in ARGUMENTS
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=start)])


def start(context: LaunchContext) -> list:
    """The processes that the arguments ask for."""
    value = {name: LaunchConfiguration(name).perform(context) for name, _, _ in ARGUMENTS}
    for name in ("use_sim_time", "rviz", "bag_loop"):
        if value[name] not in ("true", "false"):
            raise ValueError(f"argument {name} is '{value[name]}': use true or false")
    processes = [flow_node(value)]
    if value["rviz"] == "true":
        processes.append(rviz(value))
    if value["bag"]:
        processes.append(player(value))
    return processes


def flow_node(value: dict[str, str]) -> Node:
    """The node; arguments win over the parameter file."""
    chosen = {name: value[name] for name in PARAMETERS if value[name]}
    chosen["use_sim_time"] = value["use_sim_time"] == "true"
    return Node(
        package="zeroco_ros",
        executable="flow_node",
        name=value["name"],
        namespace=value["namespace"],
        parameters=[value["params_file"] or str(SHARE / "config" / "flow.yaml"), chosen],
        remappings=[
            ("image", value["image"]),
            ("left/image", value["left_image"]),
            ("right/image", value["right_image"]),
        ],
        ros_arguments=["--log-level", value["log_level"]],
        output="both",
        emulate_tty=True,
    )


def rviz(value: dict[str, str]) -> Node:
    """RViz, its displays remapped to this node's topics."""
    image = value["left_image"] if value["pairing"] == "synchronized" else value["image"]
    home = "/" + "/".join(filter(None, (value["namespace"].strip("/"), value["name"])))
    if not image.startswith("/"):
        image = f"{home.rsplit('/', 1)[0]}/{image}"
    return Node(
        package="rviz2",
        executable="rviz2",
        arguments=["--display-config", str(SHARE / "config" / "rviz" / "flow.rviz")],
        parameters=[{"use_sim_time": value["use_sim_time"] == "true"}],
        remappings=[
            ("/image", image),
            *((f"/flow_node/{name}", f"{home}/{name}") for name in OUTPUTS),
        ],
        output="log",
    )


def player(value: dict[str, str]) -> ExecuteProcess:
    """The bag, played into its topics by `zeroco play`."""
    command = [sys.executable, "-m", "zeroco_ros.cli", "play", value["bag"]]
    # The node subscribes once its model is loaded and somebody listens: the bag waits for that.
    command += ["--wait", "30", "--rate", value["bag_rate"]]
    if value["bag_loop"] == "true":
        command.append("--loop")
    return ExecuteProcess(cmd=command, output="screen", name="zeroco_play")
