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

"""`zeroco replay`: bags through the estimators without ROS, with metrics and a report."""

from __future__ import annotations

import argparse
from pathlib import Path
import sys
from typing import TYPE_CHECKING

from zeroco_ros.commands.network_options import add_network_options, network_parameters
from zeroco_ros.errors import ConfigError

if TYPE_CHECKING:
    from zeroco_ros.replay.fleet import RunOptions
    from zeroco_ros.replay.record import ReplayRun

HELP = "run bags through flow and depth without ROS: result bags, metrics, a report"
DESCRIPTION = """\
Runs every image of a bag through what flow_node and depth_node run, deterministically and
as fast as the machine can, without ROS, and measures what comes out.

What is written to DIR:
  output_bag/NAME   per bag, what the nodes would have published, with the same stamps:
                    /flow_node/flow, confidence, occluded; /depth_node/depth, depth_sigma,
                    camera_info, odometry, scale
  metrics.json      errors where there is a reference, consistency where there is none,
                    per frame and pooled; the same bytes whenever it is repeated
  timing.json       how fast
  report.html       all of it for people; one file, no network
  frames/*.png      the worst frames

--config takes the nodes' own parameter files. Two runs are compared by `zeroco report A B`.

A fleet: with several bags, --jobs N runs N at once in processes here, --engine ray on a Ray
cluster that is there already. A bag that fails is reported and the others go on; a bag that
is done, with the same content, parameters and weights, is kept (--force does it again).

Exit code: 0 done; 1 a bag of several failed; 2 it could not be run."""

GROUPS = ("flow", "depth", "odometry", "stream")
TASKS = {"flow": ("flow",), "depth": ("depth",), "both": ("flow", "depth")}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    add = parser.add_argument
    add("bags", nargs="+", type=Path, metavar="BAG", help="rosbag2 folder, .mcap or .db3")
    add(
        "-o",
        "--out",
        type=Path,
        default=Path("replay_out"),
        metavar="DIR",
        help="default: replay_out",
    )
    add("--task", choices=tuple(TASKS), default="both", help="default: both")
    add(
        "--config",
        type=Path,
        action="append",
        default=[],
        metavar="FILE.yaml",
        help="parameter file of flow_node, depth_node or both; may be repeated, the last counts",
    )
    add(
        "-p",
        "--param",
        action="append",
        default=[],
        metavar="NAME:=VALUE",
        help="one parameter, over the files; may be repeated",
    )
    add(
        "--reference",
        action="append",
        default=[],
        metavar="TOPIC|FILE|auto",
        help="the truth: a topic of flow (32FC2), depth (16UC1 mm, 32FC1 m) or poses, or a file "
        "of poses (TUM, KITTI; {bag} in its name is the bag's); may be repeated; auto takes what "
        "the bag has",
    )
    add("--no-bag", action="store_true", help="write no output bags")
    add("--no-report", action="store_true", help="write no report.html")
    _add_topics(parser)
    _add_execution(parser)
    add_network_options(parser, engine="--network")


def _add_topics(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("topics of the bag").add_argument
    add("--topic", metavar="TOPIC", help="the camera's (default: the first camera)")
    add(
        "--right",
        metavar="TOPIC",
        help="the second camera, with the parameter pairing:=synchronized (default: by its name)",
    )
    add("--camera-info", metavar="TOPIC", help="its calibration (default: the one beside it)")
    add(
        "--poses",
        metavar="TOPIC",
        help="poses that depth is given (PoseStamped, Odometry or tf); sets pose_source, where "
        "that is none (default: as the parameter pose_source says; none: poses are estimated)",
    )


def _add_execution(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("execution").add_argument
    add(
        "--rate",
        type=float,
        metavar="R",
        help="pace in bag time, 1 is real time (default: as fast as possible)",
    )
    add(
        "--engine",
        dest="execution",
        choices=("local", "ray"),
        default="local",
        help="processes here, or an existing Ray cluster (default: local); the network's engine "
        "is --network",
    )
    add("--jobs", type=int, default=1, metavar="N", help="bags at once, local (default: 1)")
    add("--address", metavar="HOST:PORT", help="of the Ray cluster (default: RAY_ADDRESS, auto)")
    add("--force", action="store_true", help="do bags again that are done already")


def run(args: argparse.Namespace) -> int:
    """Replay, save, report, and print the summary."""
    from zeroco_ros.replay.fleet import run as run_fleet

    options = _options(args)
    merged = run_fleet(options, say=lambda line: print(line, flush=True))
    _print(merged, args.out)
    if not args.no_report:
        from zeroco_ros.report import write_report

        print(f"report: {write_report(args.out)}")
    bad = [bag for bag in merged.metrics.bags if bag.status != "ok"]
    if bad:
        count = len(merged.metrics.bags)
        print(f"zeroco replay: {len(bad)} of {count} bags failed", file=sys.stderr)
    return 1 if bad else 0


def _options(args: argparse.Namespace) -> RunOptions:
    """Check everything that can be checked before a bag is opened."""
    from zeroco_ros.replay.config import parse_parameter, read_values
    from zeroco_ros.replay.fleet import RunOptions
    from zeroco_ros.replay.job import cpus

    if args.jobs < 1:
        raise ConfigError(f"--jobs is {args.jobs}: give 1 or more")
    if args.rate is not None and not 0 < args.rate < float("inf"):
        raise ConfigError(f"--rate is {args.rate:g}: give a number above 0, 1 is real time")
    changes = {**network_parameters(args), **dict(map(parse_parameter, args.param))}
    warnings: list[str] = []
    values = {task: read_values(task, args.config, changes, warnings) for task in TASKS[args.task]}
    for line in dict.fromkeys(warnings):
        print(f"zeroco replay: warning: {line}", file=sys.stderr)
    if args.jobs > 1 or args.execution == "ray":
        # N networks with all threads each would stand in each other's way.
        share = 1 if args.execution == "ray" else max(1, cpus() // args.jobs)
        for one in values.values():
            one["threads"] = one["threads"] or share
    return RunOptions(
        bags=tuple(args.bags),
        out=args.out,
        values=values,
        topic=args.topic,
        info=args.camera_info,
        poses=args.poses,
        right=args.right,
        reference=tuple(args.reference),
        rate=args.rate or 0.0,
        keep=not args.no_bag,
        engine=args.execution,
        jobs=args.jobs,
        address=args.address,
        force=args.force,
        files=tuple(args.config),
        argv=tuple(sys.argv),
    )


def _print(merged: ReplayRun, out: Path) -> None:
    """Print the pooled numbers as a table."""
    record, timing = merged.metrics, merged.timing
    for group in GROUPS:
        for name, metric in record.metrics.items():
            value = record.summary.get(name)
            if metric.group == group and value is not None:
                unit = "" if metric.unit in ("", "ratio") else f" {metric.unit}"
                print(f"{metric.title:34} {value:.4g}{unit}")
    if timing is not None and timing.fps and timing.model_fps:
        print(f"{'speed':34} {timing.fps:.2f} frames/s, the estimators {timing.model_fps:.2f}")
    print(f"written to {out}: metrics.json, timing.json, output_bag/, frames/")
