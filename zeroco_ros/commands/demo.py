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

"""`zeroco demo`: a bag, both nodes as real processes, and what came out."""

from __future__ import annotations

import argparse
from pathlib import Path
import sys

from zeroco_ros.commands.network_options import (
    add_network_options,
    check_network_options,
    network_parameters,
)
from zeroco_ros.errors import ConfigError

HELP = "play a bag into real flow and depth nodes; pictures, animations, a bag and numbers"
DESCRIPTION = """\
Starts flow_node and then depth_node as processes of their own, plays a bag's camera
into each, records what they publish, and leaves in DIR: pictures (input, flow,
confidence; input, depth, sigma), animations, a bag with the results, and a summary.

Without --bag it renders a bag of its own first: photographs (from scikit-image) on
surfaces that a camera drives past, with exact ground truth. depth_node is given the
poses of a PoseStamped topic beside the camera's, where the bag has one.

Exit code: 0 if at least 98 % of the possible flow and depth messages came, all with
the stamp and frame of their picture; 1 if not; 2 if it could not be run."""

NODES = {"flow": ("flow_node",), "depth": ("depth_node",), "both": ("flow_node", "depth_node")}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    add = parser.add_argument
    add("--bag", type=Path, metavar="BAG", help="rosbag2 folder, .mcap or .db3 (default: render)")
    add("--out", type=Path, default=Path("demo_out"), metavar="DIR", help="default: demo_out")
    add("--topic", metavar="TOPIC", help="the camera's topic (default: the first one)")
    add(
        "--rate",
        type=float,
        metavar="R",
        help="playing speed, nothing is held back (default: what the machine can hold)",
    )
    add("--show", choices=tuple(NODES), default="both", help="which node (default: both)")
    add("--preset", default="default", metavar="NAME", help="of both (default: default)")
    rendered = parser.add_argument_group("the rendered bag")
    add = rendered.add_argument
    add("--frames", type=int, default=30, metavar="N", help="default: 30")
    add("--size", default="480x640", metavar="HxW", help="in pixels (default: 480x640)")
    add("--seed", type=int, default=0, metavar="N", help="of the camera noise (default: 0)")
    add_network_options(parser)


def run(args: argparse.Namespace) -> int:
    """Run it and print the summary."""
    from zeroco_ros.ros.environment import require_rclpy

    size = _checked(args)
    require_rclpy()
    from zeroco_ros.demo.run import DemoOptions, run_demo
    from zeroco_ros.estimate.depth_config import DEPTH_PRESETS

    parameters = {"preset": args.preset, **network_parameters(args)}
    summary = run_demo(
        DemoOptions(
            bag=args.bag,
            out=args.out,
            topic=args.topic,
            rate=args.rate,
            nodes=NODES[args.show],
            parameters=parameters,
            depth_parameters={} if args.preset in DEPTH_PRESETS else {"preset": "default"},
            frames=args.frames,
            size=size,
            seed=args.seed,
            warn=lambda text: print(f"zeroco demo: warning: {text}", file=sys.stderr),
        )
    )
    print(summary.as_text())
    if summary.failure:
        print(f"zeroco demo: {summary.failure}", file=sys.stderr)
        return 1
    return 0


def _checked(args: argparse.Namespace) -> tuple[int, int]:
    """
    Size of the rendered frames; raises ZerocoError.

    What is wrong is said before anything is rendered or started.
    """
    from zeroco_ros.commands.flow import parse_size
    from zeroco_ros.estimate.config import preset
    from zeroco_ros.weights import resolve

    if args.rate is not None and not 0 < args.rate < float("inf"):
        raise ConfigError(f"--rate is {args.rate:g}: give a number above 0, 1 is real time")
    if not 3 <= args.frames <= 10_000:
        raise ConfigError(f"--frames is {args.frames}: give 3 to 10000")
    size = parse_size(args.size)
    if not all(64 <= side <= 2160 for side in size):
        raise ConfigError(f"--size is {args.size}: give 64 to 2160 pixels a side")
    preset(args.preset)
    resolve(args.weights or "default")
    check_network_options(args)
    return size
