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

"""`zeroco play`: a bag into live ROS 2 topics."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from zeroco_ros.errors import ConfigError

if TYPE_CHECKING:
    from zeroco_ros.bag.player import Playback

HELP = "play a rosbag2 bag into live ROS 2 topics, with /clock"
DESCRIPTION = """\
Publishes the messages of BAG, byte for byte, at the pace they were recorded, with
the quality of service they were recorded with, and the bag's time on /clock before
each message. BAG is a rosbag2 folder or a single .mcap or .db3 file (zstd in any
form). What a damaged bag still holds is played, with a warning.

Exit code: 0 played, 1 played what was readable of a damaged bag, 2 nothing to play,
130 interrupted (0 with --loop, which ends no other way)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    add = parser.add_argument
    add("bag", metavar="BAG", help="rosbag2 folder, or a .mcap or .db3 file")
    add("--rate", type=float, default=1.0, metavar="R", help="speed, 1 is real time (default)")
    add("--loop", action="store_true", help="start again at the end, until interrupted")
    add(
        "--clock",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="publish the bag's time on /clock for nodes with use_sim_time (default: yes)",
    )
    add("--topics", nargs="+", metavar="TOPIC", help="play only these (default: all)")
    add(
        "--remap",
        nargs="+",
        default=[],
        metavar="FROM:=TO",
        help="publish topic FROM of the bag under the name TO",
    )
    add("--start", type=float, default=0.0, metavar="S", help="begin S seconds into the bag")
    add("--duration", type=float, metavar="S", help="play S seconds of the bag (default: all)")
    add(
        "--wait",
        type=float,
        default=5.0,
        metavar="S",
        help="wait up to S seconds for subscribers before the first message, and 0.6 s more once "
        "they are there (default: 5; 0 starts at once)",
    )


def run(args: argparse.Namespace) -> int:
    """Play and print one summary line."""
    from zeroco_ros.ros.environment import require_rclpy

    remap = parse_remap(args.remap)
    if not 0 <= args.wait < 1e6:
        raise ConfigError(f"--wait is {args.wait:g}: give seconds from 0 on")
    require_rclpy()
    from zeroco_ros.ros.bag_player import play_bag

    done = play_bag(
        args.bag,
        rate=args.rate,
        loop=args.loop,
        clock=args.clock,
        topics=args.topics,
        remap=remap,
        start=args.start,
        duration=args.duration,
        wait=args.wait,
        on_warning=lambda text: print(f"zeroco play: warning: {text}", file=sys.stderr),
    )
    print(summary(done, args.rate))
    if done.interrupted:
        return 0 if args.loop else 130
    return 0 if done.complete else 1


def parse_remap(pairs: list[str]) -> dict[str, str]:
    """["/a:=/b"] as {"/a": "/b"}; raises ConfigError."""
    remap = {}
    for pair in pairs:
        old, separator, new = pair.partition(":=")
        if not (separator and old and new):
            raise ConfigError(f"--remap is {pair!r}: give FROM:=TO, as in /cam0/image_raw:=/image")
        remap[old] = new
    return remap


def summary(done: Playback, rate: float) -> str:
    """One line: how much, how long, how fast."""
    topics = ", ".join(f"{name} {count}" for name, count in done.counts.items()) or "nothing"
    state = "interrupted after" if done.interrupted else "played"
    passes = f" in {done.passes} passes" if done.passes > 1 else ""
    late = f", up to {1000 * done.late:.0f} ms late" if done.late > 0.02 else ""
    return (
        f"{state} {done.total} messages{passes} in {done.seconds:.1f} s at rate {rate:g}{late} "
        f"({topics})"
    )
