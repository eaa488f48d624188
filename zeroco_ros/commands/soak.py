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

"""`zeroco soak`: hostile traffic at a live node."""

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

HELP = "hostile traffic at a live node: does it survive, and do its counters add up?"
DESCRIPTION = """\
Starts a node as a process of its own and sends it what a bad day brings: gaps,
duplicates, late and looping stamps, other sizes and encodings, garbage, darkness,
subscribers that come, go or sleep, storms of parameters and lifecycle transitions.
All the while it checks that the node lives and answers, that stamps rise, that every
value is finite, that the counters add up to what was sent, that memory is bounded and
that diagnostics come. Every act is drawn from the seed: the same seed sends the same.

Leaves DIR/soak.json and DIR/node.log (the node's console output).
Exit code: 0 everything held; 1 something did not, with the step and the command that
comes by it again; 2 it could not be run; 130 interrupted."""

NODES = ("flow_node", "depth_node")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    add = parser.add_argument
    add("--node", choices=NODES, default="flow_node", help="default: flow_node")
    add("--frames", type=int, default=10_000, metavar="N", help="images (default: 10000)")
    add("--seed", type=int, default=0, metavar="S", help="of the traffic (default: 0)")
    add("--size", default="96x128", metavar="HxW", help="of most images (default: 96x128)")
    add(
        "--set",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="parameters of the node, such as preset=fast",
    )
    add(
        "--patience",
        type=float,
        default=60.0,
        metavar="S",
        help="seconds for whatever the node has to do, its start apart (default: 60)",
    )
    add(
        "-o", "--out", type=Path, default=Path("soak_out"), metavar="DIR", help="default: soak_out"
    )
    add_network_options(parser)


def run(args: argparse.Namespace) -> int:
    """Soak, and print the verdict."""
    from zeroco_ros.ros.environment import require_rclpy

    size = _checked(args)
    parameters = {**network_parameters(args), **parse_parameters(args.set)}
    require_rclpy()
    from zeroco_ros.soak.run import run_soak, SoakOptions

    report = run_soak(
        SoakOptions(
            node=args.node,
            frames=args.frames,
            seed=args.seed,
            out=args.out,
            size=size,
            parameters=parameters,
            patience=args.patience,
            say=lambda line: print(f"zeroco soak: {line}", file=sys.stderr),
        )
    )
    print(report.verdict())
    return 0 if report.held else 1


def _checked(args: argparse.Namespace) -> tuple[int, int]:
    """Return the size of the images; raises ConfigError for options that make no sense."""
    from zeroco_ros.commands.flow import parse_size

    if args.frames < 1:
        raise ConfigError(f"--frames is {args.frames}: give a whole number from 1")
    if args.seed < 0:
        raise ConfigError(f"--seed is {args.seed}: give a whole number from 0")
    if not args.patience > 0:
        raise ConfigError(f"--patience is {args.patience:g}: give seconds above 0")
    size = parse_size(args.size)
    if not all(64 <= side <= 1080 and side % 2 == 0 for side in size):
        raise ConfigError(f"--size is {args.size}: give even numbers from 64 to 1080")
    check_network_options(args)
    return size


def parse_parameters(pairs: list[str]) -> dict[str, str]:
    """Return ["a=1", "b=x"] as {"a": "1", "b": "x"}; raises ConfigError."""
    parameters = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not (name and separator and value):
            raise ConfigError(f"--set is {pair!r}: give NAME=VALUE, as in preset=fast")
        parameters[name] = value
    return parameters
