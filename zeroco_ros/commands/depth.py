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

"""`zeroco depth`: depth, point cloud and trajectory of a recording, offline."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
import sys
from typing import TYPE_CHECKING

from zeroco_ros.commands.network_options import add_network_options, network_options
from zeroco_ros.errors import ConfigError

if TYPE_CHECKING:
    from zeroco_ros.estimate.depth_config import DepthConfig

HELP = "depth with its uncertainty, a point cloud and the trajectory of a bag, video or folder"
DESCRIPTION = """\
Depth of every frame of a moving camera's recording. RECORDING is a rosbag2 (folder,
.mcap or .db3), a video, or a folder of images.

What is written to DIR:
  depth/NAME.png, sigma/NAME.png   16 bit, millimeters, 0 unknown; where scale is metric
  depth/NAME.npy, sigma/NAME.npy   float32, NaN unknown; where it is not, or with --npy
  cloud.ply                        colored points of all key frames, where depth is sure
  trajectory.txt                   camera to world, TUM format (seconds x y z qx qy qz qw)
  camera.yaml                      of the depth images: rectified, ROS format
  strip.png, depth.gif             image, depth and standard deviation
  summary.json                     what was read, found and written

Depth is in meters if poses are given, or --camera-height or --baseline; else it has a
scale of its own, the same for all frames.

Exit code: 0 done; 1 no frame has depth (the camera stands still or only turns, or the
frames do not overlap); 2 it could not be run."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    add = parser.add_argument
    add("recording", type=Path, metavar="RECORDING", help="bag, video or folder of images")
    add("-o", "--out", type=Path, required=True, metavar="DIR", help="folder to write to")
    add("--topic", metavar="TOPIC", help="image topic of a bag (default: the first camera)")
    add(
        "--camera",
        type=Path,
        metavar="FILE",
        help="calibration: ROS, Kalibr or EuRoC YAML, KITTI calib.txt, or JSON or YAML with fx, "
        "fy, cx, cy (default: the bag's camera_info; camera.yaml or calib.txt beside the images)",
    )
    add(
        "--poses",
        default="auto",
        metavar="FILE|TOPIC|none",
        help="where the camera was (camera to world, x right, y down, z forward): TUM or KITTI "
        "text, a folder of NAME.pose.txt (7-Scenes), a topic of the bag (tf, Odometry, "
        "PoseStamped, TransformStamped), or none to estimate it "
        "(default: the bag's tf, odometry or pose beside the camera, or NAME.pose.txt beside the "
        "images, where there are any; else none)",
    )
    add("--every", type=int, default=1, metavar="N", help="take every N-th frame (default: 1)")
    add("--max-frames", type=int, metavar="N", help="stop after N frames (default: all)")
    add(
        "--fps",
        type=float,
        default=10.0,
        metavar="F",
        help="frames per second of images without stamps (default: 10)",
    )
    add("--npy", action="store_true", help="write .npy beside the PNG too")
    _add_model_arguments(parser)
    _add_cloud_arguments(parser)
    add_network_options(parser)


def _add_model_arguments(parser: argparse.ArgumentParser) -> None:
    model = parser.add_argument_group("estimate")
    add = model.add_argument
    add("--preset", default="default", metavar="NAME", help="fast, default or accurate")
    add(
        "--mode",
        choices=("geometric", "learned", "fused"),
        help="triangulated from flow, from the depth head, or both (default: the preset's)",
    )
    add("--camera-height", type=float, metavar="M", help="meters above the ground: gives scale")
    add("--baseline", type=float, metavar="M", help="meters between the first two key frames")


def _add_cloud_arguments(parser: argparse.ArgumentParser) -> None:
    cloud = parser.add_argument_group("point cloud")
    add = cloud.add_argument
    add(
        "--voxel",
        type=float,
        metavar="L",
        help="one point per cube of this edge, in the unit of depth (default: 0.5 %% of the "
        "median depth)",
    )
    add(
        "--max-sigma",
        type=float,
        default=0.05,
        metavar="S",
        help="largest standard deviation of a point as a share of its depth (default: 0.05)",
    )


def run(args: argparse.Namespace) -> int:
    """Estimate, write, and print the summary."""
    from zeroco_ros.commands.depth_run import estimate_depth
    from zeroco_ros.sequence.frames import open_sequence

    _check(args)
    config, options = depth_config(args), network_options(args)
    with open_sequence(args.recording, topic=args.topic, fps=args.fps) as sequence:
        summary = estimate_depth(sequence, config, options, args)
    print(summary.as_text())
    for warning in summary.warnings:
        print(f"zeroco depth: warning: {warning}", file=sys.stderr)
    if summary.failure:
        print(f"zeroco depth: {summary.failure}", file=sys.stderr)
        return 1
    return 0


def depth_config(args: argparse.Namespace) -> DepthConfig:
    """Return the preset with the explicit options put over it; raises ConfigError."""
    from zeroco_ros.estimate.depth_config import depth_preset

    chosen = {
        "mode": args.mode,
        "camera_height": args.camera_height,
        "baseline": args.baseline,
    }
    given = {name: value for name, value in chosen.items() if value is not None}
    return replace(depth_preset(args.preset), **given)


def _check(args: argparse.Namespace) -> None:
    """Raise ConfigError for numbers out of range, before anything is opened."""
    if args.every < 1:
        raise ConfigError(f"--every is {args.every}: give 1 or more")
    if args.max_frames is not None and args.max_frames < 2:
        raise ConfigError(f"--max-frames is {args.max_frames}: depth takes 2 frames or more")
    if args.voxel is not None and not 0 < args.voxel < float("inf"):
        raise ConfigError(f"--voxel is {args.voxel:g}: give a length above 0")
    if not 0 < args.max_sigma <= 1:
        raise ConfigError(f"--max-sigma is {args.max_sigma:g}: give a share above 0 and up to 1")
