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

"""`zeroco record`: live ROS 2 topics into a bag."""

from __future__ import annotations

import argparse
import sys
import time
from typing import get_args, TYPE_CHECKING

from zeroco_ros.bag.choices import Compression, StorageName
from zeroco_ros.errors import ConfigError

if TYPE_CHECKING:
    from zeroco_ros.ros.bag_recorder import Recording

HELP = "record live ROS 2 topics into a rosbag2 bag"
DESCRIPTION = """\
Writes the messages of the topics, byte for byte, into a new bag until it is
interrupted (Ctrl-C) or --duration is over. A topic may appear later; it is
subscribed with the quality of service that its publisher offers. The bag appears
whole when the recording ends; kill -9 leaves none.

Exit code: 0 recorded, 1 nothing came, 2 the bag cannot be written."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    add = parser.add_argument
    add("topics", nargs="*", metavar="TOPIC", help="full names, as in /flow_node/flow")
    add("--all", action="store_true", help="every topic, but not /rosout and /parameter_events")
    add("-o", "--out", required=True, metavar="BAG", help="folder of the bag, which must be new")
    add(
        "--sim-time",
        action="store_true",
        help="stamp the messages with /clock (default: with the machine's clock)",
    )
    add("--duration", type=float, metavar="S", help="end after S seconds (default: never)")
    add("--storage", choices=get_args(StorageName), default="mcap", help="(default: mcap)")
    add(
        "--compression",
        choices=get_args(Compression),
        default="none",
        help="zstd of the whole file, of each message, or of each mcap chunk (default: none)",
    )


def run(args: argparse.Namespace) -> int:
    """Record and print one summary line."""
    from zeroco_ros.ros.environment import require_rclpy

    if bool(args.topics) == args.all:
        raise ConfigError("give the topics to record, as in /flow_node/flow, or --all")
    wrong = [name for name in args.topics if not name.startswith("/")]
    if wrong:
        raise ConfigError(f"{', '.join(wrong)}: give full topic names, as in /{wrong[0]}")
    if args.duration is not None and not 0 < args.duration < 1e9:
        raise ConfigError(f"--duration is {args.duration:g}: give seconds above 0")
    require_rclpy()
    from zeroco_ros.ros.bag_recorder import record_bag
    from zeroco_ros.ros.process import StopSignals

    end = time.monotonic() + args.duration if args.duration is not None else float("inf")
    signals = StopSignals()
    try:
        done = record_bag(
            args.out,
            None if args.all else args.topics,
            sim_time=args.sim_time,
            storage=args.storage,
            compression=args.compression,
            stopped=lambda: signals.requested or time.monotonic() >= end,
            on_warning=lambda text: print(f"zeroco record: warning: {text}", file=sys.stderr),
        )
    finally:
        signals.restore()
    print(summary(done))
    return 0 if done.total else 1


def summary(done: Recording) -> str:
    """Say in one line what is in the bag."""
    topics = ", ".join(f"{name} {count}" for name, count in done.counts.items() if count)
    missing = f"; nothing came on {', '.join(done.missing)}" if done.missing else ""
    return f"recorded {done.total} messages ({topics or 'nothing'}) into {done.path}{missing}"
