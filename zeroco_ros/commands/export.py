"""`zeroco export`: the network as ONNX graphs at a fixed resolution."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from zeroco_ros.errors import ConfigError

HELP = "write the network as ONNX graphs, an engine for ONNX Runtime"
DESCRIPTION = """\
Writes a folder with the backbone's and the flow head's graphs for one camera
resolution, and a manifest. `zeroco flow --engine FOLDER` runs it in ONNX Runtime,
`zeroco check FOLDER` compares it with PyTorch. Needs zeroco_ros[onnx]."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    add = parser.add_argument
    add("-o", "--out", required=True, type=Path, metavar="FOLDER", help="the engine to write")
    add(
        "--image",
        default="640x480",
        metavar="WxH",
        help="the camera's width and height in pixels (default: 640x480)",
    )
    add("--preset", default="default", metavar="NAME", help="fast, default, accurate or paper")
    add("--weights", default="default", metavar="NAME|FILE", help="as for `zeroco flow`")
    add("--head", metavar="NAME|FILE", help="another flow head than the preset's, or none")


def run(args: argparse.Namespace) -> int:
    """Export, and say how far every graph is from PyTorch."""
    from dataclasses import replace

    from zeroco_ros.estimate.config import preset
    from zeroco_ros.estimate.exported import export_engine

    config = preset(args.preset)
    if args.head is not None:
        config = replace(config, head=args.head)
    width, height = _image_size(args.image)
    report = export_engine(
        args.out,
        config,
        (height, width),
        weights=args.weights,
        progress=lambda line: print(f"{line} ...", file=sys.stderr, flush=True),
    )
    manifest = report.manifest
    for name, gap in report.differences.items():
        size = (args.out / f"{name}.onnx").stat().st_size / 1e6
        print(f"{name + '.onnx':20s} {size:6.1f} MB, at most {gap:.1e} from PyTorch (relative)")
    high, wide = manifest.model_size
    print(f"{args.out}: {manifest.precision}, network input {wide}x{high}")
    if manifest.weights.license_note:
        print(manifest.weights.license_note)
    return 0


def _image_size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{2,5})[xX](\d{2,5})", text.strip())
    if match is None:
        raise ConfigError(f"--image is {text!r}: give WIDTHxHEIGHT in pixels, such as 640x480")
    return int(match[1]), int(match[2])
