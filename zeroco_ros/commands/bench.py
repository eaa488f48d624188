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

"""`zeroco bench`: how fast this machine is, side by side in one run."""

from __future__ import annotations

import argparse
from pathlib import Path
import shlex
import sys

from zeroco_ros.errors import ConfigError

HELP = "speed and memory on this machine, side by side: network, backends, stages, node"
DESCRIPTION = """\
Measures, round by round and interleaved, and prints medians with quartiles:

  step       a frame of a stream against a plain two-pass implementation of the same
             network (random ViT-B), and against the CPU's own matrix product
  agreement  the flow of both with the shipped weights
  backends   PyTorch, ONNX Runtime, TensorRT and their precisions on camera images
  stages     where the time of a step goes
  memory     peak memory of matching, in processes of their own
  scaling    resolutions, and the window of depth
  node       flow_node, message in to message out, against the bare estimator; its
             memory over --frames

Leaves DIR/bench.json, DIR/bench.txt, DIR/bench.md and DIR/bench.png. Other load on the machine
falsifies it: the load average is in the report.
Exit code: 0 done; 1 something that is asked for was not shown; 2 it could not be run."""

WHAT = ("step", "agreement", "backends", "stages", "memory", "scaling", "node")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    add = parser.add_argument
    add("what", nargs="*", metavar="WHAT", help=f"{', '.join(WHAT)} (default: all)")
    add("-o", "--out", type=Path, required=True, metavar="DIR", help="folder for the results")
    add("--threads", type=int, default=1, metavar="N", help="CPU threads (default: 1)")
    add("--rounds", type=int, default=7, metavar="N", help="repetitions (default: 7)")
    add("--network", default="vit_b", help="of step and memory: vit_b, default or tiny")
    add("--preset", default="default", metavar="NAME", help="of backends, stages and node")
    add("--image", default="640x480", metavar="WxH", help="of the camera (default: 640x480)")
    add(
        "--engine", type=Path, action="append", default=[], metavar="FOLDER", help="to measure too"
    )
    add(
        "--frames", type=int, default=300, metavar="N", help="for the node's memory (default: 300)"
    )
    add("--compile", action="store_true", help="torch.compile too (takes minutes)")
    add("--quick", action="store_true", help="small cases: does everything run?")
    add("--no-picture", action="store_true", help="do without bench.png (needs matplotlib)")


def run(args: argparse.Namespace) -> int:
    """Measure, write, and print the tables."""
    from zeroco_ros.bench.plan import Plan
    from zeroco_ros.engine.resolutions import image_size
    from zeroco_ros.estimate.config import preset
    from zeroco_ros.media.atomic import ensure_writable

    preset(args.preset)
    width, height = image_size(args.image)
    plan = Plan(
        sections=tuple(dict.fromkeys(args.what)) or WHAT,
        network=args.network,
        preset=args.preset,
        rounds=2 if args.quick else args.rounds,
        threads=args.threads,
        image=(height, width),
        engines=tuple(args.engine),
        frames=min(args.frames, 20) if args.quick else args.frames,
        compile=args.compile,
        quick=args.quick,
        say=_say,
    )
    from zeroco_ros.bench.subjects import NETWORKS

    if plan.network not in NETWORKS:
        raise ConfigError(f"--network is {plan.network!r}: use one of {', '.join(NETWORKS)}")
    ensure_writable(args.out / "bench.json")
    from zeroco_ros.bench.run import run_bench

    record = run_bench(plan, shlex.join(["zeroco", *sys.argv[1:]]))
    _say("")
    record.save(args.out / "bench.json")
    (args.out / "bench.txt").write_text(record.text(), encoding="utf-8")
    (args.out / "bench.md").write_text(record.text(markdown=True), encoding="utf-8")
    print(record.text(), end="")
    if not args.no_picture:
        from zeroco_ros.bench.picture import draw

        draw(record, args.out / "bench.png")
    return 1 if record.failed else 0


def _say(text: str) -> None:
    """Print a passing word for somebody who waits at a terminal; "" wipes it away."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
