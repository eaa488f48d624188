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
The README's pictures: a small animation of the demo's own bag, one frame of flow, one of depth.

zeroco demo --out demo_out && python docs/picture.py demo_out

Writes docs/images/flow.gif (at most 1.5 MB), docs/images/flow.png and docs/images/depth.png. The
world in them is rendered from photographs inside scikit-image's wheel that are free to use,
nothing else.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
import sys

import cv2
import numpy as np

from zeroco_ros.bag.reader import BagReader
from zeroco_ros.demo.depth_pictures import depth_outcomes, depth_panels
from zeroco_ros.demo.pictures import color_scale, Outcome, outcomes
from zeroco_ros.demo.run import INPUT_BAG, OUTPUT_BAG
from zeroco_ros.evaluation.bag_camera import CameraSource, find_camera
from zeroco_ros.evaluation.bag_truth import find_depth
from zeroco_ros.media.animation import write_animation
from zeroco_ros.media.color import typical_magnitude
from zeroco_ros.media.depth_color import typical_range
from zeroco_ros.media.images import RGB, write_image
from zeroco_ros.media.panels import confidence_panel, flow_panel, side_by_side

IMAGES = Path(__file__).resolve().parent / "images"
EVERY, FPS, WIDTH, COLORS = 3, 4.0, 256, 256
LIMIT = 1_500_000  # bytes
STILL = 5  # index of the flow that is shown as a picture
DEPTH_STILL, DEPTH_WIDTH = 21, 320


def main() -> int:
    """Draw from a finished demo's folder; exit code."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "demo_out")
    with BagReader(folder / INPUT_BAG) as reader:
        camera = find_camera(reader, None)
    output = folder / OUTPUT_BAG
    every = list(outcomes(output, camera))
    scale = 0.85 * color_scale(output, len(every))
    IMAGES.mkdir(exist_ok=True)
    still = every[STILL]
    write_image(
        IMAGES / "flow.png", panels(reduced(still, 400), typical_magnitude(still.flow[::4, ::4]))
    )
    frames = [panels(reduced(outcome, WIDTH), scale) for outcome in every[::EVERY]]
    gif = IMAGES / "flow.gif"
    write_animation(gif, frames, FPS, max_width=frames[0].shape[1], colors=COLORS)
    size = gif.stat().st_size
    print(f"{gif}: {size / 1e6:.2f} MB, {len(frames)} frames of {frames[0].shape[1]} pixels")
    write_depth(output, camera)
    return 0 if size <= LIMIT else 1


def write_depth(output: Path, camera: CameraSource) -> None:
    """One frame's picture, depth, sigma and true depth, in one scale of colors."""
    with BagReader(camera.bag) as reader:
        truth = find_depth(reader, camera)
    still = next(islice(depth_outcomes(output, camera, truth), DEPTH_STILL, None))
    assert still.truth is not None
    shown = typical_range(np.where(still.truth > 0, still.truth, np.nan), metric=True)
    size = (DEPTH_WIDTH, round(still.frame.shape[0] * DEPTH_WIDTH / still.frame.shape[1]))
    near = partial(cv2.resize, dsize=size, interpolation=cv2.INTER_NEAREST)
    frame = np.asarray(cv2.resize(still.frame, size, interpolation=cv2.INTER_AREA))
    smaller = replace(
        still, frame=frame, **{n: near(getattr(still, n)) for n in ("depth", "sigma", "truth")}
    )
    write_image(IMAGES / "depth.png", depth_panels(smaller, shown))


def reduced(outcome: Outcome, width: int) -> Outcome:
    """Of another size; the flow stays in pixels of the original."""
    height = round(outcome.frame.shape[0] * width / outcome.frame.shape[1])

    def smaller(array: np.ndarray) -> np.ndarray:
        return np.asarray(cv2.resize(array, (width, height), interpolation=cv2.INTER_AREA))

    return replace(
        outcome,
        frame=smaller(outcome.frame),
        flow=smaller(outcome.flow),
        confidence=smaller(outcome.confidence),
    )


def panels(outcome: Outcome, scale: float) -> RGB:
    """Frame, flow and confidence side by side."""
    return side_by_side(
        [
            ("camera", outcome.frame),
            ("flow from the previous frame", flow_panel(outcome.flow, scale)),
            ("confidence", confidence_panel(outcome.confidence)),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
