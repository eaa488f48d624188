"""`zeroco check`: is an engine right? Compared with PyTorch in float32 on stored pairs."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

HELP = "compare an engine with PyTorch before it is trusted"
DESCRIPTION = """\
Runs an engine of `zeroco export` and PyTorch in float32 on stored pairs and compares
the cost volume, the flow in pixels and the confidence. Exit code 0: within the
limits; 1: the engine is wrong and must not be used."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    add = parser.add_argument
    add("engine", type=Path, metavar="FOLDER", help="an engine of `zeroco export`")
    add("--provider", default="cpu", help="of ONNX Runtime: cpu, cuda or tensorrt (default: cpu)")
    add("--threads", type=int, metavar="N", help="CPU threads (default: the library's choice)")
    add("--weights", metavar="FILE", help="what it was exported from, where that is not shipped")
    add("--head", metavar="FILE", help="its flow head, where that is not shipped")
    add("--json", action="store_true", help="print the result as JSON")


def run(args: argparse.Namespace) -> int:
    """Compare and print the verdict."""
    from zeroco_ros.estimate.parity import check_engine

    parity = check_engine(
        args.engine,
        provider=args.provider,
        threads=args.threads,
        weights=args.weights,
        head=args.head,
    )
    if args.json:
        print(json.dumps({"passed": parity.passed, **dataclasses.asdict(parity)}, indent=2))
    else:
        print(
            f"{'pair':12s} {'volume':>10s} {'flow med':>10s} {'flow 99%':>10s} {'conf 99%':>10s}"
        )
        for pair in parity.pairs:
            values = (pair.volume, pair.flow_median, pair.flow_p99, pair.confidence_p99)
            print(f"{pair.name:12s} " + " ".join(f"{value:10.2e}" for value in values))
        values = dataclasses.astuple(parity.limits)
        print(f"{'limit':12s} " + " ".join(f"{value:10.2e}" for value in values))
        for fault in parity.faults:
            print(f"WRONG {fault}")
        print("passed" if parity.passed else "refused: do not use this engine")
    return 0 if parity.passed else 1
