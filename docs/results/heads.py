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

"""
Compares the learned flow heads on data with ground truth and writes heads.md.

python docs/results/heads.py --data ../shared/data --backbone default --head aggregation=RUN \
    --head super-resolution=RUN --head recurrent=RUN --out docs/results/heads.md

A head is a file or a run folder of `zeroco train flow`. Every method gets images with a longest
side of 320 pixels, computes both directions, and is run with and without OpenCV's DIS afterwards.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
import tempfile
import time

import cv2
import numpy as np
import torch

from zeroco_ros.croco.checkpoint import load_croco
from zeroco_ros.estimate.config import FlowConfig
from zeroco_ros.estimate.flow import FlowEstimator
from zeroco_ros.evaluation.datasets import find_sets
from zeroco_ros.evaluation.evaluate import evaluate, SetResult
from zeroco_ros.evaluation.methods import Estimate, make_method, Method
from zeroco_ros.evaluation.tables import markdown_table, page
from zeroco_ros.heads.checkpoint import load_head, LoadedHead
from zeroco_ros.training.flow_export import export_flow
from zeroco_ros.weights import resolve

MAX_SIDE = 320
NOTE = """\
Same backbone, same input, both directions computed, one thread. This is a comparison at unequal
and very limited compute: a head that trained for fewer steps was not given the chance that another
one had, so a rank here says which head is useful today, not which architecture is better. Minutes
are by the clock on a machine that did other work at the same time; steps and pairs seen say more.
All heads learned from the same rendered world, never from these images.""".splitlines()
LEGEND = """\
AEPE in pixels: mean over the pairs of the mean end-point error on scored pixels; in brackets the
share of pixels within 3 px, in percent. CPU: median over all pairs of one estimate from two images
in memory, in ms of processor time. Methods ending in `+dis` are refined by OpenCV's DIS at full
resolution, as the preset `default` does.""".splitlines()


def method_of(name: str, weights: str, head: str, refine: str) -> Method:
    """Return the package's estimator with one head or none."""
    config = FlowConfig(
        head=head,
        max_side=MAX_SIDE,
        head_max_side=MAX_SIDE,
        refine="dis" if refine else "none",
        refine_backward=False,
    )
    estimator = FlowEstimator(config, weights=weights, device="cpu", threads=1)
    return Method(name, name, lambda t, s: Estimate(estimator.estimate(t, s).flow))


def methods_of(backbone: str, files: dict[str, str]) -> list[Method]:
    """Coarse, every head, each with and without DIS, and DIS alone."""
    methods = [
        method_of(f"{name}{refine}", backbone, file, refine)
        for name, file in {"coarse": "none", **files}.items()
        for refine in ("", "+dis")
    ]
    return [*methods, make_method("dis")]


def as_file(name: str, path: str, folder: Path) -> str:
    """Return a head's weights file; of a run folder, what the run has reached so far."""
    if not Path(path).is_dir():
        return str(resolve(path))
    file = folder / f"{name}.safetensors"
    export_flow(Path(path), file, calibration_pairs=0)
    return str(file)


def error_table(results: Sequence[SetResult], methods: Sequence[Method]) -> list[str]:
    """AEPE and PCK-3 per set, CPU time, per method."""
    head = ["method", *(f"{r.name} ({len(r.methods[0].pairs)})" for r in results), "CPU ms"]
    rows = []
    for index, method in enumerate(methods):
        scores = [result.methods[index].score for result in results]
        cells = [f"{s.aepe:.2f} ({s.pck[1] * 100:.0f})" for s in scores]
        times = [p.cpu_seconds for r in results if not r.part_of for p in r.methods[index].pairs]
        rows.append([f"`{method.name}`", *cells, f"{1000 * float(np.median(times)):.0f}"])
    return markdown_table(head, rows)


def head_table(heads: dict[str, LoadedHead], backbone: str) -> list[str]:
    """Size and training of every head."""
    head = [
        "head",
        "kind",
        "parameters",
        "minutes",
        "steps",
        "pairs seen",
        "trained on this backbone",
    ]
    rows = []
    sha256 = load_croco(backbone).sha256
    for name, loaded in heads.items():
        count = sum(p.numel() for p in loaded.head.parameters())
        notes = {**loaded.metadata, **loaded.metadata.get("training", {})}
        same = "yes" if notes.get("backbone") == sha256 else "no"
        facts = [str(notes.get(key, "-")) for key in ("minutes", "steps", "pairs")]
        rows.append([f"`{name}`", loaded.kind, f"{count:,}", *facts, same])
    return markdown_table(head, rows, 2)


def command_list(heads: dict[str, LoadedHead]) -> list[str]:
    """How every head was trained."""
    lines = []
    for name, loaded in heads.items():
        training = loaded.metadata.get("training", {})
        command, commit = training.get("command", "-"), str(training.get("commit", "-"))[:10]
        lines.append(f"- `{name}`: `{command}` at commit {commit}")
    return lines


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--backbone", default="default")
    parser.add_argument("--head", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    given = dict(text.split("=", 1) for text in args.head)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        files = {name: as_file(name, path, Path(folder)) for name, path in given.items()}
        heads = {name: load_head(path) for name, path in files.items()}
        methods = methods_of(args.backbone, files)
        results = evaluate(find_sets(args.data), methods)
    names = " ".join(f"--head {name}=RUN" for name in given)
    backbone = load_croco(args.backbone)
    facts = {
        "command": f"`python docs/results/heads.py --data ../shared/data --backbone FILE {names}`",
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "backbone": f"sha256 {backbone.sha256}",
        "versions": f"torch {torch.__version__}, OpenCV {cv2.__version__}",
    }
    text = page(
        "Flow heads side by side",
        facts,
        NOTE,
        head_table(heads, args.backbone),
        command_list(heads),
        error_table(results, methods),
        LEGEND,
    )
    print(text)
    if args.out:
        args.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
