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

"""`zeroco export`: the network as ONNX graphs at a fixed resolution."""

from __future__ import annotations

import argparse
from pathlib import Path
import sys

HELP = "write the network as ONNX graphs, an engine for ONNX Runtime and TensorRT"
DESCRIPTION = """\
Writes a folder with the graphs of the backbone and the heads for one camera
resolution, and a manifest, and compares it with PyTorch as `zeroco check FOLDER`
does. `zeroco flow --engine FOLDER` runs it in ONNX Runtime, `zeroco build FOLDER`
makes it ready for TensorRT. Needs zeroco_ros[onnx]. Exit code 1: it is wrong."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    add = parser.add_argument
    add("-o", "--out", required=True, type=Path, metavar="FOLDER", help="the engine to write")
    add(
        "--image",
        default="640x480",
        metavar="WxH|NAME",
        help="the camera's pixels, such as 640x480, or vga, 720p, ... (default: 640x480)",
    )
    add(
        "--precision",
        default="fp32",
        metavar="P",
        help="of the products inside: fp32, or fp16 for a GPU (default: fp32)",
    )
    add("--preset", default="default", metavar="NAME", help="fast, default, accurate or paper")
    add("--weights", default="default", metavar="NAME|FILE", help="as for `zeroco flow`")
    add("--head", metavar="NAME|FILE", help="another flow head than the preset's, or none")
    add(
        "--depth",
        nargs="?",
        const="depth_head",
        metavar="NAME|FILE",
        help="with a depth head, for depth of the modes learned and fused (default: depth_head)",
    )
    add(
        "--correlation",
        metavar="WHAT",
        help="cross_attention, decoder or encoder, in place of the preset's",
    )


def run(args: argparse.Namespace) -> int:
    """Export, say how far every graph is from PyTorch, and pass it through the parity gate."""
    from dataclasses import replace

    from zeroco_ros.commands.check import print_parity
    from zeroco_ros.engine.resolutions import image_size
    from zeroco_ros.estimate.config import preset
    from zeroco_ros.estimate.exported import export_engine, ExportReport
    from zeroco_ros.estimate.parity import check_engine
    from zeroco_ros.estimate.parity_verdict import store_verdict

    config = preset(args.preset)
    for name in ("head", "correlation"):
        if getattr(args, name) is not None:
            config = replace(config, **{name: getattr(args, name)})
    width, height = image_size(args.image)

    def tell(line: str) -> None:
        print(f"{line} ...", file=sys.stderr, flush=True)

    report: ExportReport = export_engine(
        args.out,
        config,
        (height, width),
        weights=args.weights,
        depth=args.depth,
        precision=args.precision,
        progress=tell,
    )
    for name, gap in report.differences.items():
        files = [path for path in report.manifest.files if path.split(".")[0] == name]
        size = sum((args.out / path).stat().st_size for path in files) / 1e6
        print(f"{name + '.onnx':25s} {size:6.1f} MB, at most {gap:.1e} from PyTorch (relative)")
    high, wide = report.manifest.model_size
    print(f"{args.out}: {report.manifest.precision}, network input {wide}x{high}")
    if report.manifest.weights.license_note:
        print(report.manifest.weights.license_note)
    tell("comparing it with PyTorch in float32")
    head = None if config.head == "none" else config.head
    parity = check_engine(args.out, weights=args.weights, head=head, depth=args.depth)
    store_verdict(args.out, parity)
    print_parity(parity)
    return 0 if parity.passed else 1
