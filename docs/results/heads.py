"""Compares the learned flow heads on data with ground truth and writes heads.md.

python docs/results/heads.py --data ../shared/data --backbone default --head aggregation=FILE \
    --head super-resolution=FILE --head recurrent=FILE --out docs/results/heads.md

Every method gets the same images, stretched to multiples of 16 with a longest side of 320 pixels,
computes both directions, and is run with and without OpenCV's DIS afterwards.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from zeroco_ros.croco.checkpoint import LoadedCroco, load_croco
from zeroco_ros.engine.torch_backend import TorchBackend
from zeroco_ros.estimate.config import FlowConfig
from zeroco_ros.estimate.flow import FlowEstimator
from zeroco_ros.estimate.frames import network_input
from zeroco_ros.evaluation.datasets import find_sets
from zeroco_ros.evaluation.evaluate import SetResult, evaluate
from zeroco_ros.evaluation.methods import Estimate, Method, make_method
from zeroco_ros.evaluation.tables import markdown_table, page
from zeroco_ros.heads.checkpoint import LoadedHead, load_head
from zeroco_ros.heads.dense import dense_flow
from zeroco_ros.matching.flow import fit_letterbox, flow_to_image
from zeroco_ros.refine.dis import refine_flow
from zeroco_ros.weights import resolve

MAX_SIDE = 320
Flow = np.ndarray[Any, np.dtype[np.float32]]
RGB = np.ndarray[Any, np.dtype[np.uint8]]
NOTE = """\
Same backbone, same input, both directions computed, one thread, no confidence. This is a
comparison at unequal and very limited compute: a head that trained for fewer minutes was not given
the chance that another one had, so a rank here says which head is useful today, not which
architecture is better. `start` is what an untrained head returns.""".splitlines()
LEGEND = """\
AEPE in pixels: mean over the pairs of the mean end-point error on scored pixels; in brackets the
share of pixels within 3 px, in percent. CPU: median over all pairs of one estimate from two images
in memory, in ms of processor time. Methods ending in `+dis` are refined by OpenCV's DIS at full
resolution, as the preset `default` does.""".splitlines()


class VolumeHeadFlow:
    """Flow by a head on the backbone's volume (aggregation or super-resolution)."""

    def __init__(self, backbone: LoadedCroco, head: torch.nn.Module) -> None:
        self.backend = TorchBackend(backbone.model, "cpu", "auto", 1)
        self.beta = float(backbone.metadata["matching"]["beta"])
        self.head = head.eval()

    def __call__(self, target: RGB, source: RGB) -> Flow:
        """(H, W, 3) uint8 RGB twice -> (H, W, 2) pixels."""
        sizes = [(image.shape[0], image.shape[1]) for image in (target, source)]
        boxes = [fit_letterbox(size, max_side=MAX_SIDE, keep_aspect=False) for size in sizes]
        inputs = [
            network_input(i, b, "area") for i, b in zip((target, source), boxes, strict=True)
        ]
        encodings = [self.backend.encode(pixels) for pixels in inputs]
        pair = self.backend.match(*encodings, features=True)
        half = self.backend.precision == "bf16"
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
            ahead, _ = dense_flow(self.head, pair, (inputs[0], inputs[1]), beta=self.beta)
        flow = ahead.flow[0].permute(1, 2, 0).float().numpy()
        whole = cv2.resize(flow, sizes[0][::-1], interpolation=cv2.INTER_LINEAR)
        return flow_to_image(whole, boxes[0], boxes[1])


def with_dis(compute: Callable[[RGB, RGB], Flow]) -> Callable[[RGB, RGB], Flow]:
    """The same, refined by DIS at full resolution."""

    def refined(target: RGB, source: RGB) -> Flow:
        flow = compute(target, source)
        grays = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (target, source)]
        return refine_flow(grays[0], grays[1], flow, "default")

    return refined


def estimator_flow(weights: str, head: str) -> Callable[[RGB, RGB], Flow]:
    """The package's estimator with a recurrent head or none, without refinement."""
    config = FlowConfig(head=head, refine="none", resize="stretch", max_side=MAX_SIDE)
    estimator = FlowEstimator(config, weights=weights, device="cpu", threads=1)
    return lambda target, source: estimator.estimate(target, source).flow


def method_of(name: str, compute: Callable[[RGB, RGB], Flow]) -> Method:
    """For the evaluation: flow without confidence."""
    return Method(name, name, lambda target, source: Estimate(compute(target, source)))


def methods_of(args: argparse.Namespace, heads: dict[str, LoadedHead]) -> list[Method]:
    """Coarse, every head, each with and without DIS, and DIS alone."""
    backbone = load_croco(args.backbone)
    flows = {"coarse": estimator_flow(args.backbone, "none")}
    for name, loaded in heads.items():
        if loaded.kind == "recurrent":
            flows[name] = estimator_flow(args.backbone, args.files[name])
        else:
            flows[name] = VolumeHeadFlow(backbone, loaded.head)
    methods = []
    for name, compute in flows.items():
        methods += [method_of(name, compute), method_of(f"{name}+dis", with_dis(compute))]
    return [*methods, make_method("dis")]


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


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--backbone", default="default")
    parser.add_argument("--head", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    args.files = dict(text.split("=", 1) for text in args.head)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    heads = {name: load_head(resolve(path)) for name, path in args.files.items()}
    methods = methods_of(args, heads)
    results = evaluate(find_sets(args.data), methods)
    names = " ".join(f"--head {name}=FILE" for name in args.files)
    backbone = load_croco(args.backbone)
    facts = {
        "command": f"`python docs/results/heads.py --data ../shared/data {names}`",
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "backbone": f"sha256 {backbone.sha256}",
        "versions": f"torch {torch.__version__}, OpenCV {cv2.__version__}",
    }
    text = page(
        "Flow heads side by side",
        facts,
        NOTE,
        head_table(heads, args.backbone),
        error_table(results, methods),
        LEGEND,
    )
    print(text)
    if args.out:
        args.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
