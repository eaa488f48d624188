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

"""`zeroco eval`: accuracy, robustness and confidence on data with ground truth."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
import sys
from typing import Any

from zeroco_ros.commands import eval_depth
from zeroco_ros.commands.eval_files import run_facts, write_json, write_page, write_picture
from zeroco_ros.commands.eval_options import dataset_kinds, listed, named_sets
from zeroco_ros.commands.network_options import add_network_options, network_options
from zeroco_ros.errors import ConfigError

HELP = "flow and depth on data with ground truth, beside classical methods"
DESCRIPTION = """\
`zeroco eval flow --data DIR` scores flow methods side by side: AEPE and PCK 1, 3, 5
on the visible pixels, ratio to OpenCV's DIS, time, memory, rank quality and
calibration of the confidence.
`zeroco eval robustness --data DIR -o OUT` turns, scales, over-exposes, blurs and
compresses the second image more and more: error curves as table and picture.
`zeroco eval confidence --data DIR -o OUT` compares the confidence with what is right:
reliability diagrams, calibration error, Brier score, sparsification.
`zeroco eval depth --data DIR` streams posed sequences frame by frame: depth errors with
given and estimated poses, calibration of sigma, errors of the trajectory, time.

Methods of flow: the presets (fast, default, accurate, paper); parts of `default`: coarse (without
learned head and refinement), coarse-dis (without learned head), head (without
refinement); dis and farneback (OpenCV), sift (a homography through SIFT matches),
zero (no motion). Of depth: geometric, learned, fused (modes of the preset default), fast,
accurate (presets); dis (two views by OpenCV), constant.
--dataset names what is looked for in DIR, one or several (docs/DATASETS.md has the layouts).
Flow: auto (whatever DIR holds; also pairs NAME_img1.png, NAME_img2.png, NAME_flow.flo), bag,
kitti-flow, sintel, hpatches, hpatches-240, eth3d, middlebury, middlebury-stereo, chairs.
Depth: auto, bag, 7scenes, tum, euroc, kitti-odometry, kitti-eigen, sintel, rgbd-pairs.
Both: procedural (held out from the training world; needs no DIR)."""
_METHODS = {
    "flow": "default,fast,accurate,coarse,dis,farneback,sift",
    "robustness": "default,dis",
    "confidence": "default,fast,accurate,coarse",
    "depth": eval_depth.METHODS,
}
_THREADS = (1, 2)  # of the time and memory table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    add = parser.add_argument
    add("what", choices=tuple(_METHODS), help="what is evaluated")
    add("--data", metavar="DIR", help="folder of the data")
    add("--dataset", default="auto", metavar="A,B", help="kind of data (default: auto)")
    add("--topic", metavar="TOPIC", help="bags: the images (default: the first camera)")
    add("--methods", metavar="A,B", help="methods side by side (default: depends on what)")
    add("--sets", metavar="A,B", help="only these sets (default: all that DIR has)")
    add("--pairs", type=int, metavar="N", help="at most N pairs of each set (robustness: 2)")
    add("--frames", type=int, metavar="N", help="depth: the first N frames of each sequence")
    add(
        "--poses",
        choices=("given", "estimated", "both"),
        default="both",
        help="depth: whose poses are used (default: both, side by side)",
    )
    add("--changes", metavar="A,B", help="robustness: only these changes (default: all)")
    add("--head", metavar="NAME|FILE", help="another learned head (default: the preset's)")
    add("--no-cost", action="store_true", help="flow: leave out the time and memory table")
    add("-o", "--out", metavar="DIR", help="write WHAT.json, WHAT.md and WHAT.png there")
    add("--json", metavar="FILE", help="write everything that was measured as JSON")
    add("--markdown", metavar="FILE", help="write the table as a page")
    add("--picture", metavar="FILE", help="all but flow: write the curves or paths as PNG")
    add_network_options(parser)


def run(args: argparse.Namespace) -> int:
    """Evaluate, print the table, and write what was asked for."""
    from zeroco_ros.evaluation.methods import make_method

    _complete(args)
    names = _names(args)
    if args.threads is not None:
        _limit_threads(args.threads)
    if args.what == "depth":
        return eval_depth.run_depth(args, names, _progress)
    sets = _sets(args)
    options = network_options(args)
    methods = [make_method(name, options, args.head) for name in names]
    return {"flow": _flow, "robustness": _robustness, "confidence": _confidence}[args.what](
        args, sets, methods
    )


def _flow(args: argparse.Namespace, sets: list[Any], methods: list[Any]) -> int:
    from zeroco_ros.evaluation.evaluate import evaluate
    from zeroco_ros.evaluation.report import as_json, as_markdown, as_text

    costed = [] if args.no_cost else methods
    with _progress(sum(map(len, sets)) * len(methods) + len(costed)) as advance:
        costs = _costs(args, sets, costed, advance)
        results = evaluate(sets, methods, advance)
    print(as_text(results, costs))
    facts = run_facts(args)
    write_json(args, as_json(results, methods, facts, costs))
    write_page(args, lambda _: as_markdown(results, methods, facts, costs))
    return 0


def _costs(
    args: argparse.Namespace, sets: list[Any], methods: list[Any], advance: Callable[[str], None]
) -> list[Any]:
    """Time and memory on one pair: the first of 640x480 among the sets' first ones, if any."""
    from zeroco_ros.evaluation.cost import measure_cost

    if not methods:
        return []
    firsts = [flow_set.loaders[0]() for flow_set in sets]
    pair = next((one for one in firsts if one.target.shape[:2] == (480, 640)), firsts[0])
    costs = []
    for method in methods:
        advance(f"time and memory of {method.name}")
        images = pair.target, pair.source
        options = network_options(args)
        costs.append(measure_cost(method.name, *images, _THREADS, options, args.head))
    return costs


def _robustness(args: argparse.Namespace, sets: list[Any], methods: list[Any]) -> int:
    from zeroco_ros.evaluation.perturb import PERTURBATIONS
    from zeroco_ros.evaluation.plots import curves_picture
    from zeroco_ros.evaluation.robustness import (
        as_json,
        as_markdown,
        as_text,
        degradation,
        estimates,
    )

    chosen = listed(args.changes, "--changes") if args.changes else list(PERTURBATIONS)
    unknown = [name for name in chosen if name not in PERTURBATIONS]
    if unknown:
        known = ", ".join(PERTURBATIONS)
        raise ConfigError(f"unknown change {', '.join(unknown)}: use some of {known}")
    kinds = [PERTURBATIONS[name] for name in chosen]
    pairs = {flow_set.name: list(flow_set) for flow_set in sets}
    total = estimates(kinds, sum(map(len, pairs.values())), len(methods))
    with _progress(total) as advance:
        curves = degradation(pairs, methods, kinds, advance)
    print(as_text(curves))
    facts = run_facts(args)
    write_json(args, as_json(curves, methods, facts))
    write_picture(args, lambda: curves_picture(curves))
    write_page(args, lambda picture: as_markdown(curves, methods, facts, picture))
    return 0


def _confidence(args: argparse.Namespace, sets: list[Any], methods: list[Any]) -> int:
    from zeroco_ros.evaluation.confidence import as_json, as_markdown, as_text, pooled
    from zeroco_ros.evaluation.evaluate import evaluate
    from zeroco_ros.evaluation.methods import OURS
    from zeroco_ros.evaluation.plots import reliability_picture

    without = [method.name for method in methods if method.name not in OURS]
    if without:
        known = ", ".join(OURS)
        raise ConfigError(f"{', '.join(without)} has no confidence: use some of {known}")
    with _progress(sum(map(len, sets)) * len(methods)) as advance:
        results = evaluate(sets, methods, advance)
    print(as_text(results))
    facts = run_facts(args)
    write_json(args, as_json(results, methods, facts))
    write_picture(args, lambda: reliability_picture(pooled(results)))
    write_page(args, lambda picture: as_markdown(results, methods, facts, picture))
    return 0


def _complete(args: argparse.Namespace) -> None:
    """Fill in what depends on other options, and refuse what cannot be written."""
    from zeroco_ros.media.atomic import ensure_writable

    if args.out:
        folder = Path(args.out)
        args.json = args.json or str(folder / f"{args.what}.json")
        args.markdown = args.markdown or str(folder / f"{args.what}.md")
        if args.what != "flow":
            args.picture = args.picture or str(folder / f"{args.what}.png")
    if args.picture and args.what == "flow":
        raise ConfigError("--picture belongs to robustness, confidence, depth: flow is a table")
    if args.picture:
        from zeroco_ros.evaluation.plots import check_plotting

        check_plotting()
    for path in (args.json, args.markdown, args.picture):
        if path:
            ensure_writable(path)
    if args.pairs is None and args.what == "robustness":
        args.pairs = 2
    if args.pairs is not None and args.pairs < 1:
        raise ConfigError(f"--pairs is {args.pairs}: give a whole number from 1")


def _names(args: argparse.Namespace) -> list[str]:
    from zeroco_ros.evaluation import depth_methods, methods

    known = depth_methods.NAMES if args.what == "depth" else methods.NAMES
    text = _METHODS[args.what] if args.methods is None else args.methods
    names = listed(text, "--methods")
    for name in names:
        if name not in known:
            raise ConfigError(f"unknown method {name!r}: use some of {', '.join(known)}")
    return names


def _sets(args: argparse.Namespace) -> list[Any]:
    """Return the sets that --dataset, --data and --sets name, with at most --pairs pairs."""
    from zeroco_ros.commands.eval_procedural import procedural_sets
    from zeroco_ros.evaluation.datasets import find_sets, FLOW_DATASETS
    from zeroco_ros.evaluation.flow_set import fewer

    kinds = dataset_kinds(args, FLOW_DATASETS)
    sets: list[Any] = []
    for kind in kinds:
        if kind == "procedural":
            sets += procedural_sets()
        elif not args.data:
            raise ConfigError("--data is missing: give the folder of the evaluation data")
        else:
            sets += find_sets(args.data, dataset=kind, topic=args.topic)
    return [fewer(one, args.pairs) for one in named_sets(sets, args.sets)]


def _limit_threads(threads: int) -> None:
    import cv2

    if threads < 1:
        raise ConfigError(f"--threads is {threads}: give a whole number from 1")
    cv2.setNumThreads(threads)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[str], None]]:
    """
    Yield a progress bar on stderr, if that is a terminal.

    Called with a text before each step.
    """
    from tqdm import tqdm

    with tqdm(total=total, unit="estimate", disable=None, leave=False, file=sys.stderr) as bar:

        def advance(text: str) -> None:
            bar.set_postfix_str(text, refresh=False)
            bar.update()

        yield advance
