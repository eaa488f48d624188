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
Draws and measures what depth does where there is little to know, and writes depth_behavior.md.

python docs/results/depth_behavior.py

A static camera, a pure rotation, a plane, and a moving object in front of a static scene,
rendered from the training world (photographs inside scikit-image's wheel that are free to use,
nothing else), streamed through `DepthEstimator` frame by frame. Writes docs/images/depth_KIND.png,
the last frame of each as image, depth and standard deviation, and docs/results/depth_behavior.md.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
import time

import cv2
import numpy as np
import torch

from zeroco_ros.estimate.depth import DepthEstimator
from zeroco_ros.estimate.depth_config import depth_preset
from zeroco_ros.estimate.flow import FlowEstimator
from zeroco_ros.estimate.results import DepthResult
from zeroco_ros.evaluation.depth_metrics import known_truth
from zeroco_ros.evaluation.tables import markdown_table, page
from zeroco_ros.geometry.camera import Camera
from zeroco_ros.media.depth_color import DepthRange
from zeroco_ros.media.depth_panels import depth_panel, depth_row, depth_strip
from zeroco_ros.media.images import RGB, write_image
from zeroco_ros.training.sequences import world_sequence, WorldFrame

HERE = Path(__file__).resolve().parent
IMAGES = HERE.parent / "images"
SIZE = (240, 320)
FRAMES = 10
RANGE = DepthRange(1.0, 6.0, True)  # meters, of all pictures
KINDS = {
    "static": "A camera that does not move",
    "rotation": "A camera that only turns",
    "plane": "A plane that fills the picture",
    "moving": "A crate slides through a static room while the camera walks",
}
MODES = ("geometric", "fused")
LEGEND = """\
Last of {frames} frames of {width}x{height} pixels, streamed through the preset `default`; states
count all frames. known: share of the pixels with a depth. AbsRel: against the exact depth, as it
is with given poses and after median scaling without them. sigma: median of sigma / depth of the
known pixels; sure: share of all pixels whose sigma is below 10 % of the depth; wrong: share of
those that are off by more than 3 sigma and 10 % of the depth.""".splitlines()


@dataclass(frozen=True)
class Shown:
    """The last answer to a sequence. label: mode and poses; states: of all frames."""

    label: str
    frame: WorldFrame
    result: DepthResult | None
    states: dict[str, int]
    metric: bool

    @property
    def depth(self) -> np.ndarray:
        """(H, W), brought to meters by the ratio of medians unless poses were given."""
        if self.result is None:
            return np.full(SIZE, np.nan, np.float32)
        known = np.isfinite(self.result.depth)
        if self.metric or not known.any():
            return self.result.depth
        return self.result.depth * self._scale(known)

    @property
    def sigma(self) -> np.ndarray:
        """(H, W), scaled as the depth is."""
        if self.result is None:
            return np.full(SIZE, np.nan, np.float32)
        known = np.isfinite(self.result.depth)
        scale = 1.0 if self.metric or not known.any() else self._scale(known)
        return self.result.sigma * scale

    def _scale(self, known: np.ndarray) -> float:
        assert self.result is not None
        return float(np.median(self.frame.depth[known]) / np.median(self.result.depth[known]))


def streamed(kind: str, flow: FlowEstimator, mode: str, given: bool) -> Shown:
    """One sequence through one mode."""
    config = replace(depth_preset("default"), mode=mode)
    estimator = DepthEstimator.from_flow(flow, config)
    stream, states, result = None, Counter[str](), None
    for index, frame in enumerate(world_sequence(kind, FRAMES, SIZE)):
        stream = stream or estimator.stream(Camera(*SIZE[::-1], frame.K))
        pose = frame.c2w if given else None
        result = stream.push(frame.image, index * 10**8, pose)
        states["no answer" if result is None else result.state] += 1
    label = f"{mode}, {'given' if given else 'estimated'} poses"
    return Shown(label, frame, result, dict(states.most_common()), given)


def picture(shown: list[Shown]) -> RGB:
    """
    Return a row of image, depth and sigma for each.

    The true depth beside the first one's image.
    """
    rows = []
    for one in shown:
        row = depth_row(one.frame.image, one.depth, one.sigma, RANGE)
        rows.append([(f"{row[1][0]}: {one.label}", row[1][1]), row[2]])
    first = shown[0].frame
    rows[0].insert(0, ("image", first.image))
    rows[1].insert(0, ("true depth", depth_panel(first.depth, RANGE)))
    for row in rows[2:]:
        row.insert(0, ("", np.full((*SIZE, 3), 255, np.uint8)))
    return depth_strip(rows)


def numbers(one: Shown, where: np.ndarray | None = None) -> list[str]:
    """Cells of the table, over the pixels `where` (None: all)."""
    area = known_truth(one.frame.depth) if where is None else where
    depth, truth, sigma = one.depth[area], one.frame.depth[area], one.sigma[area]
    known = np.isfinite(depth)
    states = ", ".join(f"{count} {state}" for state, count in one.states.items())
    if not known.any():
        return [states, "0.0 %", "-", "-", "0.0 %", "-"]
    error = np.abs(depth - truth)[known]
    sure = sigma[known] < 0.1 * depth[known]
    wrong = sure & (error > 3 * sigma[known]) & (error > 0.1 * truth[known])
    return [
        states,
        f"{100 * known.mean():.1f} %",
        f"{(error / truth[known]).mean():.3f}",
        f"{100 * np.median(sigma[known] / depth[known]):.1f} %",
        f"{100 * sure.sum() / known.size:.1f} %",
        f"{100 * wrong.sum() / max(sure.sum(), 1):.1f} %",
    ]


def main() -> None:
    """Draw, measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE / "depth_behavior.md")
    parser.add_argument("--images", type=Path, default=IMAGES)
    parser.add_argument("--modes", default=",".join(MODES))
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    flow = FlowEstimator(depth_preset("default").flow_config, device="cpu", threads=1)
    parts: list[list[str]] = []
    head = ["", "states", "known", "AbsRel", "sigma", "sure", "wrong"]
    for kind, title in KINDS.items():
        modes = args.modes.split(",")
        shown = [streamed(kind, flow, mode, given) for mode in modes for given in (True, False)]
        write_image(args.images / f"depth_{kind}.png", picture(shown))
        rows = [[one.label, *numbers(one)] for one in shown]
        if kind == "moving":
            moving = shown[0].frame.moving
            rows += [[f"{one.label}: the crate", *numbers(one, moving)] for one in shown]
        text = notes(args.out, kind)
        link = f"![{title}](../images/depth_{kind}.png)"
        parts += [[f"## {title}"], [link], markdown_table(head, rows), text]
        print("\n".join(markdown_table(head, rows)))
    facts = {
        "command": "`python docs/results/depth_behavior.py`",
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "versions": f"torch {torch.__version__}, OpenCV {cv2.__version__}",
    }
    legend = "\n".join(LEGEND).format(frames=FRAMES, width=SIZE[1], height=SIZE[0]).splitlines()
    args.out.write_text(page("Depth where little can be known", facts, legend, *parts))


def notes(path: Path, kind: str) -> list[str]:
    """Return what a person wrote below this kind's table: kept when the page is written again."""
    if not path.is_file():
        return []
    marked, found = f"<!-- {kind} -->", path.read_text()
    if marked not in found:
        return []
    after = found.split(marked, 1)[1].split("\n## ", 1)[0].strip()
    return [marked, *after.splitlines()]


if __name__ == "__main__":
    main()
