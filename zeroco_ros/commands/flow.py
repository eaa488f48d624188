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

"""`zeroco flow`: the flow between two images, to a file."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
import re
import sys
import time
from typing import TYPE_CHECKING

from zeroco_ros.commands.network_options import (
    add_network_options,
    network_options,
    warn_of_backend,
)
from zeroco_ros.errors import ConfigError, ImageError

if TYPE_CHECKING:
    import numpy as np

    from zeroco_ros.estimate.config import FlowConfig
    from zeroco_ros.estimate.results import FlowResult

HELP = "flow between two images, with confidence, to a .flo, .png or .npz file"
DESCRIPTION = """\
Dense correspondence from TARGET to SOURCE: flow[y, x] = (dx, dy) says that the
target pixel (x, y) is seen in the source at (x + dx, y + dy), in pixels.

The extension of OUT decides what is written:
  .flo   the flow in Middlebury's format
  .png   the flow as colors (Middlebury's color wheel)
  .npz   flow (H, W, 2), confidence (H, W), occluded (H, W), coarse (h, w, 2) in
         tokens, forward_backward_error (H, W) in pixels"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    add = parser.add_argument
    add("target", metavar="TARGET", help="image whose pixels get a match")
    add("source", metavar="SOURCE", help="image that is searched, of the same size")
    add("-o", "--out", required=True, metavar="OUT", help="file to write: .flo, .png or .npz")
    add(
        "--show",
        action="store_true",
        help="also write OUT's name with _show.png: target, source, flow, confidence, "
        "and the source warped by the flow, side by side",
    )
    _add_model_arguments(parser)
    add_network_options(parser)


def _add_model_arguments(parser: argparse.ArgumentParser) -> None:
    model = parser.add_argument_group("model; what is given here overrides the preset")
    add = model.add_argument
    add(
        "--preset",
        default="default",
        metavar="NAME",
        help="fast, default, accurate, or paper (the published protocol); default: default",
    )
    add(
        "--correlation",
        metavar="KIND",
        help="what is compared: cross_attention, encoder or decoder",
    )
    add(
        "--head",
        metavar="NAME|FILE",
        help="learned head that makes the coarse flow dense: shipped by name, a file of "
        "`zeroco train flow`, or none",
    )
    add("--beta", type=float, metavar="B", help="softmax temperature, above 0")
    add("--zoom", type=int, nargs="*", metavar="Z", help="dense zoom-in ratios, such as 2 3")
    add(
        "--no-reciprocity",
        dest="reciprocity",
        action="store_false",
        default=None,
        help="do not average the cost volume with that of the swapped images",
    )
    add(
        "--no-register-fix",
        dest="register_fix",
        action="store_false",
        default=None,
        help="leave the top-left key token as it is",
    )
    add("--size", metavar="HxW", help="network input, multiples of 16, such as 240x320")


def run(args: argparse.Namespace) -> int:
    """Estimate, write, and print one summary line."""
    from zeroco_ros.media.flow_files import write_flow

    options = network_options(args)
    out, pictures = _outputs(args)
    config = flow_config(args)
    target, source = _read_pair(args.target, args.source)

    started = time.perf_counter()
    _say("loading the model ...")
    from zeroco_ros.estimate.network import open_flow

    running = open_flow(config, options, progress=lambda line: _say(f"{line} ..."))
    loaded = time.perf_counter()
    _say("estimating ...")
    try:
        result = running.estimator.estimate(target, source)
    except ImageError as error:
        raise ImageError(f"{args.target}, {args.source}: {error}") from error
    seconds = time.perf_counter() - loaded
    _say("")
    write_flow(out, result)
    if pictures is not None:
        _write_pictures(pictures, target, source, result)
    weights = args.weights or "default"
    model = f"engine {running.engine}" if running.engine else f"weights {weights}"
    names = f"preset {args.preset}, {model}, {running.backend} {running.precision}"
    took = f"{seconds:.2f} s (and {loaded - started:.2f} s to load)"
    print(f"{out}: {summary(result)}, {names}, {took}")
    warn_of_backend(running, "flow", args)
    return 0


def _outputs(args: argparse.Namespace) -> tuple[Path, Path | None]:
    """Return the files to write, found writable before any work is done."""
    from zeroco_ros.media.atomic import ensure_writable
    from zeroco_ros.media.flow_files import FLOW_EXTENSIONS

    out = Path(args.out)
    if out.suffix.lower() not in FLOW_EXTENSIONS:
        raise ConfigError(
            f"the extension of {out} is {out.suffix or 'missing'}: "
            f"use one of {', '.join(FLOW_EXTENSIONS)}"
        )
    ensure_writable(out)
    if not args.show:
        return out, None
    pictures = out.with_name(f"{out.stem}_show.png")
    ensure_writable(pictures)
    return out, pictures


def flow_config(args: argparse.Namespace) -> FlowConfig:
    """Return the preset with the explicit options put over it; raises ConfigError."""
    from zeroco_ros.estimate.config import preset

    chosen = {
        "correlation": args.correlation,
        "head": args.head,
        "beta": args.beta,
        "zoom": None if args.zoom is None else tuple(args.zoom),
        "reciprocity": args.reciprocity,
        "register_fix": args.register_fix,
        "size": None if args.size is None else parse_size(args.size),
    }
    given = {name: value for name, value in chosen.items() if value is not None}
    return replace(preset(args.preset), **given)


def parse_size(text: str) -> tuple[int, int]:
    """Return "240x320" as (height, width); the range is FlowConfig's to judge."""
    match = re.fullmatch(r"(\d{1,6})[xX](\d{1,6})", text.strip())
    if match is None:
        raise ConfigError(
            f"--size is {text!r}: give HEIGHTxWIDTH in pixels, multiples of 16, such as 240x320"
        )
    return int(match[1]), int(match[2])


def summary(result: FlowResult) -> str:
    """Size, median motion, mean confidence and occluded share of an estimate in words."""
    import numpy as np

    height, width = result.occluded.shape
    motion = float(np.median(np.hypot(result.flow[..., 0], result.flow[..., 1])))
    return (
        f"{width}x{height}, median motion {motion:.1f} px, "
        f"mean confidence {float(result.confidence.mean()):.2f}, "
        f"occluded {100 * float(result.occluded.mean()):.1f} %"
    )


def _read_pair(target: str, source: str) -> tuple[np.ndarray, np.ndarray]:
    """Both images, of one size: a flow between different sizes is hardly what was meant."""
    from zeroco_ros.media.images import read_image

    first, second = read_image(target), read_image(source)
    if first.shape != second.shape:
        height, width = first.shape[:2]
        raise ImageError(
            f"{target} is {width}x{height} and {source} is {second.shape[1]}x{second.shape[0]} "
            f"pixels (width x height): give two images of one size; to resize one: "
            f"ffmpeg -i {Path(source).name} -vf scale={width}:{height} resized.png"
        )
    return first, second


def _write_pictures(
    path: Path, target: np.ndarray, source: np.ndarray, result: FlowResult
) -> None:
    from zeroco_ros.media.images import write_image
    from zeroco_ros.media.panels import confidence_panel, flow_panel, side_by_side, warped

    panels = [
        ("target", target),
        ("source", source),
        ("flow target to source", flow_panel(result.flow)),
        ("confidence", confidence_panel(result.confidence)),
        ("source warped to the target", warped(source, result.flow)),
    ]
    write_image(path, side_by_side(panels))


def _say(text: str) -> None:
    """Print a passing word for somebody who waits at a terminal; "" wipes it away."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
