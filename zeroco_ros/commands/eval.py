"""`zeroco eval`: accuracy and time on data with ground truth, beside classical methods."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import shlex
import sys
from pathlib import Path

from zeroco_ros.errors import ConfigError

HELP = "accuracy and time on data with ground truth, beside classical methods"
DESCRIPTION = """\
`zeroco eval flow --data DIR` scores flow methods side by side: AEPE and PCK 1, 3, 5
on the visible pixels, and time per pair.

Methods: the presets (fast, default, accurate, paper), coarse (default without
refinement), dis and farneback (OpenCV), zero (no motion).
DIR may hold flow/, homography/ and stereo/ folders as the developers' evaluation data
does, pairs NAME_img1.png, NAME_img2.png, NAME_flow.flo (and NAME_visible.png, 255 where
to score), or the HPatches sequences."""
_METHODS = "default,fast,accurate,coarse,dis,farneback"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    add = parser.add_argument
    add("what", choices=("flow",), help="what is evaluated")
    add("--data", required=True, metavar="DIR", help="folder of the data")
    add("--methods", default=_METHODS, metavar="A,B", help=f"default: {_METHODS}")
    add("--sets", metavar="A,B", help="only these sets (default: all that DIR has)")
    add("--weights", default="default", metavar="NAME|FILE", help="default: default")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: auto")
    add("--threads", type=int, metavar="N", help="CPU threads of torch and OpenCV")
    add("--json", metavar="FILE", help="write everything that was measured as JSON")
    add("--markdown", metavar="FILE", help="write the table as a page")


def run(args: argparse.Namespace) -> int:
    """Evaluate, print the table, and write what was asked for."""
    from zeroco_ros.evaluation.datasets import find_sets
    from zeroco_ros.evaluation.methods import NAMES, make_method
    from zeroco_ros.media.atomic import ensure_writable

    for path in (args.json, args.markdown):
        if path:
            ensure_writable(path)
    names = _listed(args.methods, "--methods")
    for name in names:
        if name not in NAMES:
            raise ConfigError(f"unknown method {name!r}: use some of {', '.join(NAMES)}")
    sets = find_sets(args.data, _listed(args.sets, "--sets") if args.sets else None)
    if args.threads is not None:
        _limit_threads(args.threads)
    methods = [make_method(name, args.weights, args.device, args.threads) for name in names]

    from tqdm import tqdm

    from zeroco_ros.evaluation.evaluate import evaluate
    from zeroco_ros.evaluation.report import as_json, as_markdown, as_text

    total = sum(map(len, sets)) * len(methods)
    with tqdm(total=total, unit="estimate", disable=None, leave=False, file=sys.stderr) as bar:

        def advance(text: str) -> None:
            bar.set_postfix_str(text, refresh=False)
            bar.update()

        results = evaluate(sets, methods, advance)
    print(as_text(results))
    facts = _facts(args)
    if args.json:
        _write(args.json, json.dumps(as_json(results, methods, facts), indent=1) + "\n")
    if args.markdown:
        _write(args.markdown, as_markdown(results, methods, facts))
    return 0


def _listed(text: str, option: str) -> list[str]:
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise ConfigError(f"{option} is empty: give names separated by commas")
    return names


def _limit_threads(threads: int) -> None:
    import cv2

    if threads < 1:
        raise ConfigError(f"--threads is {threads}: give a whole number from 1")
    cv2.setNumThreads(threads)


def _facts(args: argparse.Namespace) -> dict[str, str]:
    """Command line, date, machine, versions and weights: what a number needs beside it."""
    import hashlib

    import cv2

    from zeroco_ros import __version__
    from zeroco_ros.commands.info import cpu
    from zeroco_ros.weights import resolve

    machine = cpu()
    facts = {
        "command": f"`zeroco {shlex.join(sys.argv[1:])}`",
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{machine['model']}, {machine['cores']} cores",
        "versions": f"zeroco_ros {__version__}, OpenCV {cv2.__version__}",
    }
    torch = sys.modules.get("torch")
    if torch is not None:
        digest = hashlib.sha256(resolve(args.weights).read_bytes()).hexdigest()
        facts["versions"] += f", torch {torch.__version__}"
        facts["threads"] = f"torch {torch.get_num_threads()}, OpenCV {cv2.getNumThreads()}"
        facts["weights"] = f"{Path(args.weights).name}, sha256 {digest}"
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    if load is not None:
        facts["load"] = f"{load:.1f} (mean over the last minute; this run included)"
    return facts


def _write(path: str, text: str) -> None:
    from zeroco_ros.media.atomic import atomic_write

    with atomic_write(path) as handle:
        handle.write(text.encode())
