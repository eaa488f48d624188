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
Draws and measures what the main options do, and fills in docs/TUNING.md.

python docs/tuning.py

A camera walks through a room of the training world, whose flow and depth are known exactly (it is
rendered from photographs inside scikit-image's wheel that are free to use, nothing else). Writes
docs/images/tuning_*.jpg and the tables between the markers of docs/TUNING.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
import re
import sys

import cv2
import numpy as np
import torch

from zeroco_ros.estimate.depth import DepthEstimator
from zeroco_ros.estimate.depth_config import depth_preset
from zeroco_ros.estimate.flow import FlowEstimator
from zeroco_ros.estimate.results import DepthResult, FlowResult
from zeroco_ros.evaluation.bag_truth import flow_from_geometry
from zeroco_ros.evaluation.perturb import expose, jpeg, motion_blur, noise, rotate
from zeroco_ros.evaluation.protocols import FlowPair
from zeroco_ros.evaluation.tables import markdown_table
from zeroco_ros.geometry.camera import Camera
from zeroco_ros.media.depth_color import DepthRange
from zeroco_ros.media.depth_panels import depth_panel, sigma_panel
from zeroco_ros.media.images import RGB, write_image
from zeroco_ros.media.panels import confidence_panel, flow_panel, side_by_side
from zeroco_ros.training.sequences import world_sequence, WorldFrame

HERE = Path(__file__).resolve().parent
PAGE, IMAGES = HERE / "TUNING.md", HERE / "images"
SIZE = (240, 320)
PATH = 60  # frames into which the walk is cut: half a pixel of motion from one to the next
RANGE = DepthRange(1.0, 6.0, True)  # meters
Panels = list[tuple[str, RGB]]
Rows = list[list[str]]


def walked() -> list[WorldFrame]:
    """Return the walk."""
    return list(world_sequence("walk", PATH, SIZE))


def pair_of(now: WorldFrame, before: WorldFrame) -> FlowPair:
    """Two frames with the flow from the later (target) to the earlier one."""
    flow = -flow_from_geometry(now.K, now, before)
    return FlowPair("walk", now.image, before.image, flow, np.isfinite(flow).all(-1))


def scores(result: FlowResult, pair: FlowPair) -> list[str]:
    """AEPE in pixels, share within 1/200 of the longer side, mean confidence."""
    valid = pair.valid
    error = np.linalg.norm(result.flow - pair.flow, axis=-1)[valid]
    right = (error <= max(pair.target.shape[:2]) / 200).mean()
    known = f"{error.mean():.2f}", f"{100 * right:.0f} %"
    return [*known, f"{100 * result.confidence[valid].mean():.0f} %"]


def motion(pair: FlowPair) -> float:
    """Median length of the true flow."""
    return float(np.median(np.linalg.norm(pair.flow[pair.valid], axis=-1)))


def presets(frames: Sequence[WorldFrame]) -> tuple[Panels, Rows]:
    """Return the presets of flow on one pair."""
    pair = pair_of(frames[24], frames[14])
    scale = 1.3 * motion(pair)
    truth = flow_panel(np.where(pair.valid[..., None], -pair.flow, np.nan), scale)
    panels: Panels = [("image", pair.target), ("true flow", truth)]
    rows: Rows = []
    for name in ("fast", "default", "accurate"):
        result = estimator(name).estimate(pair.target, pair.source)
        panels += [(f"{name}: flow", flow_panel(-result.flow, scale))]
        panels += [(f"{name}: confidence", confidence_panel(result.confidence))]
        rows.append([f"`{name}`", *scores(result, pair)])
    return panels, rows


def strides(frames: Sequence[WorldFrame]) -> tuple[Panels, Rows]:
    """Frames further and further apart."""
    panels: Panels = []
    rows: Rows = []
    for stride in (1, 4, 10, 25):
        pair = pair_of(frames[30], frames[30 - stride])
        result = estimator("default").estimate(pair.target, pair.source)
        panels += [(f"stride {stride}: flow", flow_panel(-result.flow, 1.3 * motion(pair)))]
        panels += [("confidence", confidence_panel(result.confidence))]
        seen = f"{100 * pair.valid.mean():.0f} %"
        rows.append([str(stride), f"{motion(pair):.1f}", seen, *scores(result, pair)])
    return panels, rows


CHANGES: dict[str, Callable[[FlowPair], FlowPair]] = {
    "as it is": lambda pair: pair,
    "3 stops darker": lambda pair: replace(pair, source=expose(pair.source, -3)),
    "noise, 20 gray levels": lambda pair: replace(pair, source=noise(pair.source, 20)),
    "motion blur, 15 px": lambda pair: replace(pair, source=motion_blur(pair.source, 15)),
    "JPEG quality 5": lambda pair: replace(pair, source=jpeg(pair.source, 5)),
    "turned by 60 degrees": lambda pair: rotate(pair, 60),
    "turned by 90 degrees": lambda pair: rotate(pair, 90),
}


def pictures(frames: Sequence[WorldFrame]) -> tuple[Panels, Rows]:
    """One pair whose earlier frame is made worse and worse."""
    pair = pair_of(frames[24], frames[14])
    panels: Panels = []
    rows: Rows = []
    for name, change in CHANGES.items():
        worse = change(pair)
        cells = []
        for preset in ("default", "accurate"):
            result = estimator(preset).estimate(worse.target, worse.source)
            cells += scores(result, worse)
            if preset == "default":
                flow = flow_panel(-result.flow, 1.3 * motion(worse))
                confidence = confidence_panel(result.confidence)
        panels += [(name, worse.source), ("flow", flow), ("confidence", confidence)]
        rows.append([name, *cells])
    return panels, rows


def streamed(frames: Sequence[WorldFrame], given: bool = True, **options: object) -> DepthResult:
    """Return the last depth of a stream over the frames."""
    config = replace(depth_preset("default"), **options)
    depth = DepthEstimator.from_flow(estimator("default"), config)
    stream = depth.stream(Camera(*SIZE[::-1], frames[0].K))
    result = None
    for index, frame in enumerate(frames):
        result = stream.push(frame.image, index * 10**8, frame.c2w if given else None)
    assert result is not None
    return result


def depth_scores(result: DepthResult, truth: WorldFrame) -> list[str]:
    """Coverage, AbsRel, median of sigma / depth, parallax in pixels."""
    known = np.isfinite(result.depth)
    parallax = f"{result.parallax_px:.1f}"
    if not known.any():
        return [result.state, parallax, "0 %", "-", "-"]
    error = np.abs(result.depth - truth.depth)[known] / truth.depth[known]
    sigma = np.median(result.sigma[known] / result.depth[known])
    shown = f"{100 * known.mean():.0f} %", f"{error.mean():.3f}", f"{100 * sigma:.1f} %"
    return [result.state, parallax, *shown]


def parallax(frames: Sequence[WorldFrame]) -> tuple[Panels, Rows]:
    """Depth after more and more of the walk, with given poses."""
    panels: Panels = []
    rows: Rows = []
    for count in (2, 4, 8, 16):
        result, truth = streamed(frames[:count]), frames[count - 1]
        way = np.linalg.norm(truth.c2w[:3, 3] - frames[0].c2w[:3, 3])
        panels += [(f"{100 * way:.0f} cm: depth", depth_panel(result.depth, RANGE))]
        panels += [("standard deviation", sigma_panel(result.depth, result.sigma))]
        rows.append([f"{100 * way:.0f} cm", *depth_scores(result, truth)])
    return panels, rows


def gates(frames: Sequence[WorldFrame]) -> tuple[Panels, Rows]:
    """Return the same depth behind narrower and narrower gates on sigma."""
    truth = frames[8]
    panels: Panels = [("true depth", depth_panel(truth.depth, RANGE))]
    rows: Rows = []
    for share in (0.5, 0.3, 0.1, 0.05):
        result = streamed(frames[:9], max_relative_sigma=share)
        panels += [(f"max_relative_sigma {share:g}", depth_panel(result.depth, RANGE))]
        rows.append([f"{share:g}", *depth_scores(result, truth)[2:]])
    return panels, rows


def windows(frames: Sequence[WorldFrame]) -> tuple[Panels, Rows]:
    """More key frames, given and estimated poses."""
    rows: Rows = []
    panels: Panels = [("image", frames[20].image)]
    for views in (1, 3, 5):
        result = streamed(frames[:21:2], views=views)
        panels += [(f"views {views}", depth_panel(result.depth, RANGE))]
        rows.append([str(views), *depth_scores(result, frames[20])[2:]])
    return panels, rows


PARTS = {
    "presets": (presets, 4, ["preset", "AEPE px", "right", "mean confidence"]),
    "stride": (strides, 4, ["stride", "px", "in view", "AEPE px", "right", "mean confidence"]),
    "pictures": (
        pictures,
        3,
        ["earlier frame", *["AEPE px", "right", "confidence"], *["`accurate`", "right", "conf."]],
    ),
    "parallax": (parallax, 4, ["way", "state", "parallax px", "covered", "AbsRel", "sigma/depth"]),
    "gates": (gates, 5, ["max_relative_sigma", "covered", "AbsRel", "sigma/depth"]),
    "views": (windows, 4, ["views", "covered", "AbsRel", "sigma/depth"]),
}
_estimators: dict[str, FlowEstimator] = {}


def estimator(name: str) -> FlowEstimator:
    """Return a preset's estimator on one thread, loaded once."""
    if name not in _estimators:
        _estimators[name] = FlowEstimator(name, device="cpu", threads=1)
    return _estimators[name]


def main() -> int:
    """Draw, measure and write."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    frames, text = walked(), PAGE.read_text(encoding="utf-8")
    for name, (part, columns, head) in PARTS.items():
        panels, rows = part(frames)
        write_image(IMAGES / f"tuning_{name}.jpg", side_by_side(panels, columns))
        table = "\n".join(markdown_table(head, rows))
        block = f"<!-- tuning: {name} -->\n{table}\n<!-- end -->"
        place = rf"<!-- tuning: {name} -->\n.*?<!-- end -->"
        text, count = re.subn(place, lambda _match, block=block: block, text, flags=re.DOTALL)
        if count != 1:
            raise LookupError(f"{PAGE.name} has {count} places for {name}")
        print(f"{name}\n{table}\n")
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
