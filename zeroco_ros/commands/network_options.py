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

"""The options of every command that runs a network: what runs it, and on what."""

from __future__ import annotations

import argparse
from pathlib import Path
import sys
from typing import TYPE_CHECKING

from zeroco_ros.errors import ConfigError

if TYPE_CHECKING:
    from zeroco_ros.estimate.network import NetworkOptions, RunningFlow

BACKENDS = ("auto", "torch", "onnx", "tensorrt")
PROVIDERS = ("auto", "cpu", "cuda", "tensorrt")


def add_network_options(
    parser: argparse.ArgumentParser, *, weights: bool = True, engine: str = "--engine"
) -> None:
    """
    Declare them as a group.

    weights: `--weights` too, where the command has none of its own; engine: what the option for
    the engine's folder is called, where `--engine` is something else.
    """
    group = parser.add_argument_group("what runs the network")
    add = group.add_argument
    if weights:
        add(
            "--weights",
            metavar="NAME|FILE",
            help="shipped weights by name, or a model file: ours (.safetensors), or an official "
            "CroCo v1/v2, DUSt3R or MASt3R checkpoint (.pth); default: the engine's, else default",
        )
    add(
        "--backend",
        choices=BACKENDS,
        default="auto",
        help="auto: the best that is there and fits: TensorRT, ONNX Runtime (both need "
        f"{engine}), else PyTorch (default: auto)",
    )
    add(engine, dest="engine", metavar="FOLDER", help="an engine of `zeroco export`")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: auto")
    add(
        "--precision",
        choices=("auto", "fp32", "bf16", "fp16", "int8"),
        default="auto",
        help="auto: what is fast and precise on the device; int8: bf16 with an 8-bit decoder, for "
        "CPUs; an engine has its own (default: auto)",
    )
    add("--provider", choices=PROVIDERS, default="auto", help="of ONNX Runtime (default: auto)")
    add(
        "--acceleration",
        choices=("none", "compile", "cuda_graph"),
        default="none",
        help="of PyTorch; the first image of a size then takes seconds to minutes (default: none)",
    )
    add("--threads", type=int, metavar="N", help="CPU threads (default: the library's choice)")
    add(
        "--build",
        action="store_true",
        help="build the engine for TensorRT on this GPU where that is not done yet (minutes)",
    )
    add(
        "--check",
        action="store_true",
        help="compare the engine with PyTorch before it is used (seconds)",
    )
    add(
        "--fallback",
        action="store_true",
        help="let PyTorch serve where the engine is damaged or wrong, instead of refusing",
    )


def network_options(args: argparse.Namespace) -> NetworkOptions:
    """Return what was chosen; raises ConfigError for what does not go together."""
    from zeroco_ros.estimate.network import NetworkOptions

    return NetworkOptions(
        backend=args.backend,
        weights=args.weights,
        engine=args.engine,
        device=args.device,
        precision=args.precision,
        provider=args.provider,
        threads=args.threads,
        acceleration=args.acceleration,
        build=args.build,
        check=args.check,
        fallback=args.fallback,
    )


def check_network_options(args: argparse.Namespace) -> None:
    """Raise ConfigError for what does not go together, without loading anything large."""
    if args.backend in ("onnx", "tensorrt") and args.engine is None:
        raise ConfigError(f"--backend {args.backend} runs an engine, and none is given")
    if args.threads is not None and args.threads < 1:
        raise ConfigError(f"--threads is {args.threads}: give a whole number from 1")


def network_parameters(args: argparse.Namespace) -> dict[str, str | int | bool]:
    """Return same as parameters of a node, paths made absolute; what is not given is left out."""
    given: dict[str, str | int | bool | None] = {
        "backend": args.backend,
        "weights": _for_node(args.weights),
        "engine": None if args.engine is None else str(Path(args.engine).resolve()),
        "device": args.device,
        "precision": args.precision,
        "provider": args.provider,
        "threads": args.threads,
        "acceleration": args.acceleration,
        "build_engine": args.build,
        "engine_fallback": args.fallback,
    }
    return {
        name: value for name, value in given.items() if value not in (None, "auto", "none", False)
    }


def _for_node(weights: str | None) -> str | None:
    from zeroco_ros.weights import resolve, shipped

    if weights is None or weights in shipped():
        return weights
    return str(resolve(weights).resolve())


def warn_of_backend(running: RunningFlow, verb: str, args: argparse.Namespace) -> None:
    """
    Say on stderr why the engine that was given does not serve, or a better backend does not.

    And which options play no part.
    """
    unused = _unused(args, running.backend)
    if unused:
        text = f"{', '.join(unused)}: not used, {running.backend} runs the network"
        print(f"zeroco {verb}: {text}", file=sys.stderr)
    for warning in running.warnings:
        print(f"zeroco {verb}: warning: {warning}", file=sys.stderr)
    if running.refused:
        print(f"zeroco {verb}: warning: {running.reason}: {running.refused}", file=sys.stderr)
    elif not running.reason.endswith(("asked for", "no engine is given")):
        print(f"zeroco {verb}: {running.reason}", file=sys.stderr)


def _unused(args: argparse.Namespace, backend: str) -> list[str]:
    """Options that were given and are not this backend's."""
    of_engines = {
        "--check": args.check,
        "--build": args.build,
        "--fallback": args.fallback and args.engine is None,
        "--provider": args.provider != "auto",
    }
    if backend == "torch":
        return [name for name, given in of_engines.items() if given]
    return ["--acceleration"] if args.acceleration != "none" else []
