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

"""`zeroco build`: the TensorRT plans of an engine, for the GPU of this machine."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
import dataclasses
import logging
import os
from pathlib import Path
import sys
import time
from typing import TYPE_CHECKING

from zeroco_ros.errors import BackendError, ConfigError
from zeroco_ros.ros.interrupt import terminated_as_interrupted

if TYPE_CHECKING:
    from zeroco_ros.engine.build import Plan
    from zeroco_ros.engine.build_options import BuildOptions
    from zeroco_ros.engine.build_progress import BuildProgress
    from zeroco_ros.engine.tensorrt_backend import TensorRTBackend
    from zeroco_ros.estimate.config import FlowConfig

HELP = "build an engine's TensorRT plans for this GPU, and check them"
DESCRIPTION = """\
Builds what TensorRT needs to run a folder of `zeroco export` on this machine's GPU,
keeps it in the cache, and compares it with PyTorch before it is trusted. With
--image instead of a folder it exports first. Takes minutes; stops on Ctrl-C and
leaves nothing half-written. Exit code 0: built and right; 1: wrong, refused from
now on; 2: could not be built. Needs tensorrt and a CUDA build of PyTorch."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    add = parser.add_argument
    add("engine", nargs="?", type=Path, metavar="FOLDER", help="an engine of `zeroco export`")
    add("--list", action="store_true", help="show the plans in the cache, and build nothing")
    add("--force", action="store_true", help="build what is there, too")
    add("--no-check", dest="check", action="store_false", help="do not compare with PyTorch")
    add("--cache", type=Path, metavar="DIR", help="default: $ZEROCO_CACHE, else ~/.cache/zeroco")
    add("--device", type=int, default=0, metavar="N", help="number of the GPU (default: 0)")
    tuning = parser.add_argument_group("how it is built; each combination has its own plans")
    add = tuning.add_argument
    add("--workspace", type=int, default=1024, metavar="MB", help="scratch memory (default: 1024)")
    add(
        "--optimization-level",
        type=int,
        default=3,
        metavar="N",
        help="0 builds fast, 5 searches longest (default: 3)",
    )
    add("--verbosity", default="layer_names", help="for profilers: none, layer_names or detailed")
    add("--layers", type=Path, metavar="FOLDER", help="write what became of the layers, as JSON")
    add("--tf32", action="store_true", help="allow 19-bit products in float32 graphs")
    export = parser.add_argument_group("to export first; without FOLDER")
    add = export.add_argument
    add("--image", metavar="WxH|NAME", help="the camera's pixels, such as 640x480, or vga, 720p")
    add("--preset", metavar="NAME", help="fast, default, accurate or paper (default: default)")
    add("--precision", metavar="P", help="fp32 or fp16 (default: fp16)")
    add(
        "--depth",
        nargs="?",
        const="depth_head",
        metavar="NAME|FILE",
        help="with a depth head (default: depth_head)",
    )
    add("-o", "--out", type=Path, metavar="FOLDER", help="default: in the cache")
    add(
        "--weights",
        metavar="NAME|FILE",
        help="what to export (default: default); with FOLDER: the file that it was exported "
        "from, where that is not a shipped one",
    )
    add("--head", metavar="NAME|FILE", help="the same for the flow head")


def run(args: argparse.Namespace) -> int:
    """Build, check, and say what is where; or list the cache."""
    from zeroco_ros.engine.build_options import BuildOptions

    if args.list:
        return _list(args)
    if args.debug:
        logging.basicConfig(format="%(message)s")
        logging.getLogger("zeroco_ros.tensorrt").setLevel(logging.DEBUG)
    options = BuildOptions(args.workspace, args.optimization_level, args.verbosity, args.tf32)
    with _stoppable():
        _require(args)
        folder = args.engine or _exported(args)
        if args.check:
            return _build_and_check(args, folder, options)
        _build(args, folder, options)
        return 0


def _require(args: argparse.Namespace) -> None:
    """Tell what is missing before minutes are spent."""
    from zeroco_ros.engine import device
    from zeroco_ros.engine.tensorrt_library import require_tensorrt

    if args.engine is None and args.image is None:
        raise ConfigError("what to build? give an engine of `zeroco export`, or --image WxH")
    for name in ("image", "preset", "precision", "out"):
        if args.engine is not None and getattr(args, name) is not None:
            raise ConfigError(f"--{name} is for a new engine: give either a FOLDER or --image")
    if args.precision not in (None, "fp32", "fp16"):
        raise ConfigError(f"--precision is {args.precision!r}: fp32 or fp16")
    args.preset, args.precision = args.preset or "default", args.precision or "fp16"
    if args.layers is not None and not args.check:
        raise ConfigError("--layers needs the plans to be opened: leave --no-check out")
    require_tensorrt()
    device.open_device(args.device)


def _build(args: argparse.Namespace, folder: Path, options: BuildOptions) -> None:
    """Build only."""
    from zeroco_ros.engine.build import build_engine

    line = _ProgressLine()
    built = build_engine(
        folder, options, args.cache, line.show, device=args.device, force=args.force
    )
    line.end()
    _tell(built.plans, built.warnings)


def _build_and_check(args: argparse.Namespace, folder: Path, options: BuildOptions) -> int:
    """Build, and pass the parity gate; its verdict is kept with the plans."""
    from zeroco_ros.commands.check import print_parity
    from zeroco_ros.engine.tensorrt_backend import open_tensorrt
    from zeroco_ros.estimate.parity import check_backend

    line = _ProgressLine()
    backend = open_tensorrt(
        folder,
        cache=args.cache,
        allow_build=True,
        force=args.force,
        options=options,
        progress=line.show,
        device=args.device,
        refused_ok=True,
    )
    line.end()
    parity = check_backend(backend, weights=args.weights, head=args.head, depth=args.depth)
    backend.record_verdict(parity.passed, parity.faults)
    _tell(backend.plans, backend.warnings)
    if args.layers is not None:
        _write_layers(args.layers, backend)
    print_parity(parity)
    if parity.passed:
        command = f"zeroco flow TARGET SOURCE -o flow.png --backend tensorrt --engine {folder}"
        print(f"run it: {command}")
    else:
        print(f"these plans of {folder} are not run from now on")
    return 0 if parity.passed else 1


def _write_layers(folder: Path, backend: TensorRTBackend) -> None:
    from zeroco_ros.media.atomic import atomic_write

    for name, runner in backend.runners_by_name.items():
        with atomic_write(folder / f"{name}.layers.json") as handle:
            handle.write(runner.layers().encode())
    print(f"{folder}: layers of {len(backend.runners_by_name)} plans")


def _tell(plans: Mapping[str, Plan], warnings: Sequence[str]) -> None:
    for name, plan in plans.items():
        how = f"built in {plan.record.seconds:.1f} s" if plan.fresh else "from the cache"
        where = "in memory only" if plan.path is None else str(plan.path)
        print(f"{name:14s} {plan.record.plan_bytes / 1e6:7.1f} MB  {how:18s}  {where}")
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)


def _exported(args: argparse.Namespace) -> Path:
    """Return the engine that --image and its companions describe, exported if it is not there."""
    from zeroco_ros.engine.cache import cache_root
    from zeroco_ros.engine.resolutions import image_size
    from zeroco_ros.estimate.config import preset
    from zeroco_ros.estimate.exported import export_engine

    width, height = image_size(args.image)
    config = preset(args.preset)
    if args.head is not None:
        config = dataclasses.replace(config, head=args.head)
    weights = args.weights or "default"
    parts = [Path(weights).stem, f"{width}x{height}", args.preset, args.precision]
    parts += [Path(part).stem for part in (args.head, args.depth) if part]
    folder = args.out or cache_root(args.cache) / "engines" / "-".join(parts)
    if not args.force and _is_there(folder, config, (height, width), weights, args):
        print(f"{folder}: was exported before")
        return folder
    export_engine(
        folder,
        config,
        (height, width),
        weights=weights,
        depth=args.depth,
        precision=args.precision,
        progress=lambda line: print(f"{line} ...", file=sys.stderr, flush=True),
    )
    print(f"{folder}: exported for images of {width}x{height}, {args.precision}")
    return folder


def _is_there(
    folder: Path,
    config: FlowConfig,
    image: tuple[int, int],
    weights: str,
    args: argparse.Namespace,
) -> bool:
    """Whether a former export is of the same files, configuration and size."""
    import json

    from zeroco_ros.engine.bundle import Origin, read_manifest, sha256
    from zeroco_ros.weights import resolve

    try:
        manifest = read_manifest(folder)
    except BackendError:
        return False

    def same(origin: Origin | None, wanted: str | None) -> bool:
        if origin is None or wanted is None:
            return origin is None and wanted is None
        return origin.sha256 == sha256(resolve(wanted).read_bytes())

    asked = json.loads(json.dumps(dataclasses.asdict(config)))
    head = None if config.head == "none" else config.head
    return (
        (manifest.config, manifest.image, manifest.precision) == (asked, image, args.precision)
        and same(manifest.weights, weights)
        and same(manifest.head, head)
        and same(manifest.depth, args.depth)
    )


def _list(args: argparse.Namespace) -> int:
    from zeroco_ros.engine.cache import NoPlan, PlanCache

    cache = PlanCache(args.cache)
    records = cache.records()
    for _path, record in records:
        have = record.ingredients
        try:
            cache.load(have)
            state = ""
        except NoPlan as reason:
            state = f"  UNUSABLE: {reason}"
        options = " ".join(f"{name}={value}" for name, value in have.options.items())
        print(
            f"{have.graph:14s} {record.plan_bytes / 1e6:7.1f} MB  TensorRT {have.tensorrt}  "
            f"{have.device} ({have.capability})  {record.built[:19]}  {options}  "
            f"{record.bundle}{state}"
        )
    print(f"{cache.folder}: {len(records)} plans")
    return 0


class _ProgressLine:
    """One line that changes at a terminal; elsewhere a line per ten percent or five seconds."""

    def __init__(self) -> None:
        self._shown: tuple[str, int] | None = None
        self._when = 0.0

    def show(self, step: BuildProgress) -> None:
        """Show where the build is."""
        if sys.stderr.isatty():
            print(f"\r\x1b[K{step}", end="", file=sys.stderr, flush=True)
            return
        now, shown = time.monotonic(), (step.graph, (step.percent or 0) // 10)
        if shown != self._shown or now - self._when >= 5:
            self._shown, self._when = shown, now
            print(step, file=sys.stderr, flush=True)

    def end(self) -> None:
        """Wipe what stands there."""
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


@contextmanager
def _stoppable() -> Iterator[None]:
    """SIGTERM ends the work as Ctrl-C does: at once, with nothing half-written."""
    from zeroco_ros.engine.build_job import abandoned

    with terminated_as_interrupted():
        try:
            yield
        except KeyboardInterrupt:
            if (
                abandoned()
            ):  # TensorRT is still at it in its own thread: leave without its clean-up
                print("zeroco build: interrupted", file=sys.stderr, flush=True)
                os._exit(130)
            raise
