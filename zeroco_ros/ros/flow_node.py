"""The executable `flow_node`: dense optical flow with confidence from a camera's topic.

    ros2 run zeroco_ros flow_node --ros-args -r image:=/camera/image_raw
    python3 -m zeroco_ros.ros.flow_node --list-parameters

The node itself is `flow_lifecycle.FlowNode`. This module imports neither rclpy nor torch, so that
help and listing work without them and a missing one is told in one sentence.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Sequence

from zeroco_ros.errors import BackendError
from zeroco_ros.ros import params
from zeroco_ros.ros.environment import require_rclpy
from zeroco_ros.ros.topics import TOPICS

_INDENT = {"initial_indent": "      ", "subsequent_indent": "      "}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until it is stopped; the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(_own(given))
    if options.list_parameters:
        print(params.listing())
        return 0
    try:
        require_rclpy()
    except BackendError as error:
        print(f"flow_node: {error}", file=sys.stderr)
        return 2
    from zeroco_ros.ros.flow_lifecycle import FlowNode
    from zeroco_ros.ros.process import run

    return run(FlowNode, given)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="flow_node",
        description="Dense optical flow with confidence, as a managed ROS 2 node.",
        epilog=_topics(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--list-parameters", action="store_true", help="print every parameter and leave"
    )
    parser.add_argument(
        "--ros-args", nargs="*", metavar="ARGUMENT", help="remappings, parameters and log levels"
    )
    return parser


def _topics() -> str:
    """The topic table for a terminal."""
    lines = ["topics (remap them with --ros-args -r image:=/camera/image_raw):"]
    for topic in TOPICS:
        head = f"  {topic.name}  {topic.message} {topic.encoding}".rstrip()
        arrow = "subscribed" if topic.direction == "in" else "published"
        lines += [f"{head}, {arrow}", *textwrap.wrap(topic.description, 88, **_INDENT)]
    lines.append("set a parameter with --ros-args -p name:=value; --list-parameters lists them")
    return "\n".join(lines)


def _own(arguments: Sequence[str]) -> list[str]:
    """What is not between --ros-args and -- (or the end): this program's own arguments."""
    own: list[str] = []
    inside = False
    for argument in arguments:
        if argument == "--ros-args":
            inside = True
        elif inside and argument == "--":
            inside = False
        elif not inside:
            own.append(argument)
    return own


if __name__ == "__main__":
    sys.exit(main())
