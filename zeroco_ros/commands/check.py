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

"""`zeroco check`: is a backend right? Compared with PyTorch in float32 on stored pairs."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
import sys
from typing import TYPE_CHECKING

from zeroco_ros.commands.network_options import BACKENDS, PROVIDERS
from zeroco_ros.errors import BackendError, ConfigError

if TYPE_CHECKING:
    from zeroco_ros.estimate.parity import Parity

HELP = "compare an engine, or a precision, with PyTorch before it is trusted"
DESCRIPTION = """\
Runs an engine of `zeroco export` in ONNX Runtime or TensorRT, or PyTorch in another
precision, and PyTorch in float32 on stored pairs, and compares the cost volume, the
flow in pixels, the confidence and the depth. The verdict is kept with the engine.
Exit code 0: within the limits; 1: it is wrong and must not be used."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    add = parser.add_argument
    add("engine", nargs="?", type=Path, metavar="FOLDER", help="an engine of `zeroco export`")
    add(
        "--backend",
        choices=BACKENDS,
        default="auto",
        help="auto: TensorRT where its plans are built, else ONNX Runtime; without FOLDER PyTorch",
    )
    add(
        "--precision",
        default="auto",
        metavar="P",
        help="of PyTorch: auto, fp32, bf16, fp16 or int8 (default: auto)",
    )
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: auto")
    add("--provider", choices=PROVIDERS, default="auto", help="of ONNX Runtime (default: auto)")
    add("--threads", type=int, metavar="N", help="CPU threads (default: the library's choice)")
    add("--cache", type=Path, metavar="DIR", help="of TensorRT's plans, as for `zeroco build`")
    add("--preset", metavar="NAME", help="without FOLDER (default: default)")
    add(
        "--weights",
        metavar="NAME|FILE",
        help="what FOLDER was exported from, where that is not shipped; without it: what to check",
    )
    add("--head", metavar="NAME|FILE", help="the same for the flow head")
    add("--depth", metavar="NAME|FILE", help="the same for the depth head")
    add("--json", action="store_true", help="print the result as JSON")


def run(args: argparse.Namespace) -> int:
    """Compare and print the verdict."""
    parity = _torch(args) if args.engine is None else _engine(args)
    if args.json:
        print(json.dumps({"passed": parity.passed, **dataclasses.asdict(parity)}, indent=2))
    else:
        print_parity(parity)
    return 0 if parity.passed else 1


def _torch(args: argparse.Namespace) -> Parity:
    """Check PyTorch itself."""
    from zeroco_ros.estimate.config import preset
    from zeroco_ros.estimate.parity import check_torch

    if args.backend not in ("auto", "torch"):
        raise ConfigError(f"--backend {args.backend} runs an engine: give its FOLDER")
    config = preset(args.preset or "default")
    if args.head is not None:
        config = dataclasses.replace(config, head=args.head)
    return check_torch(
        config,
        args.precision,
        device=args.device,
        threads=args.threads,
        weights=args.weights or "default",
        depth=args.depth or "depth_head" if args.weights is None else args.depth,
    )


def _engine(args: argparse.Namespace) -> Parity:
    """Check an engine and keep the verdict with it."""
    from zeroco_ros.engine.bundle import read_manifest
    from zeroco_ros.estimate.parity import check_engine
    from zeroco_ros.estimate.parity_verdict import store_verdict

    if args.backend == "torch" or args.preset is not None:
        raise ConfigError("PyTorch needs no engine: leave FOLDER out")
    precision = read_manifest(args.engine).precision
    if args.precision not in ("auto", precision):
        raise ConfigError(
            f"--precision {args.precision} with an engine of {precision}: export it with "
            f"--precision {args.precision}"
        )
    files = {"weights": args.weights, "head": args.head, "depth": args.depth}
    if args.backend in ("auto", "tensorrt"):
        parity = _tensorrt(args, files)
        if parity is not None:
            return parity
    parity = check_engine(args.engine, provider=_provider(args), threads=args.threads, **files)
    if not store_verdict(args.engine, parity):
        print(f"warning: {args.engine} is read-only: the verdict is not kept", file=sys.stderr)
    return parity


def _provider(args: argparse.Namespace) -> str:
    from zeroco_ros.engine.available import choose_provider, onnx_absence

    absence = onnx_absence()
    if absence is not None:
        raise BackendError(f"{absence.what}: {absence.remedy}")
    return choose_provider(args.provider, args.device)


def _tensorrt(args: argparse.Namespace, files: dict[str, str | None]) -> Parity | None:
    """Check the plans in the cache; None where `auto` finds none and ONNX Runtime serves."""
    from zeroco_ros.engine.available import tensorrt_absence
    from zeroco_ros.engine.tensorrt_backend import NotBuilt, open_tensorrt
    from zeroco_ros.estimate.parity import check_backend

    absence = tensorrt_absence()
    if absence is not None:
        if args.backend == "auto":
            return None
        raise BackendError(f"{absence.what}: {absence.remedy}")
    try:
        backend = open_tensorrt(args.engine, cache=args.cache, refused_ok=True)
    except NotBuilt:
        if args.backend == "auto":
            return None
        raise
    parity = check_backend(backend, **files)
    backend.record_verdict(parity.passed, parity.faults)
    for warning in backend.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    return parity


COLUMNS = {
    "volume": "volume",
    "volume_rms": "rms",
    "flow_median": "flow med",
    "flow_p99": "flow 99%",
    "confidence_p99": "conf 99%",
    "depth_p99": "depth 99%",
}


def print_parity(parity: Parity) -> None:
    """Print the differences, the limits, what is wrong, and the verdict."""
    print(f"{parity.what} against torch cpu fp32")
    print(" ".join([f"{'pair':8s}", *(f"{title:>9s}" for title in COLUMNS.values())]))
    rows = [(pair.name, pair) for pair in parity.pairs]
    for name, row in (*rows, ("limit", parity.limits)):
        values = [getattr(row, field) for field in COLUMNS]
        cells = ["-" if value is None else f"{value:.2e}" for value in values]
        print(" ".join([f"{name:8s}", *(f"{cell:>9s}" for cell in cells)]))
    for part in parity.unchecked:
        print(f"NOT CHECKED {part}")
    for fault in parity.faults:
        print(f"WRONG {fault}")
    print("passed" if parity.passed else "refused: do not use it")
