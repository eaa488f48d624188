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

"""Pictures of the recorded flow: some frames large, all of them as an animation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from zeroco_ros.bag.images import decode_image, header_stamp
from zeroco_ros.bag.reader import BagReader
from zeroco_ros.demo.nodes import FLOW, NodeSpec
from zeroco_ros.demo.scoring import Frames
from zeroco_ros.evaluation.bag_camera import CameraSource
from zeroco_ros.media.animation import write_animation
from zeroco_ros.media.color import typical_magnitude
from zeroco_ros.media.images import write_image
from zeroco_ros.media.panels import confidence_panel, flow_panel, side_by_side

Pixels = npt.NDArray[np.uint8]

STILLS = 6
ANIMATED = 80  # frames at most
PANEL_WIDTH = 320  # pixels of a panel in the animation
_SAMPLED = 12  # flows that decide on the scale of the colors


@dataclass(frozen=True)
class Outcome:
    """One frame with what the node said about it."""

    stamp_ns: int
    frame: Pixels
    flow: npt.NDArray[np.float32]
    confidence: npt.NDArray[np.float32]


def outcomes(output: Path, camera: CameraSource) -> Iterator[Outcome]:
    """Every frame that has both flow and confidence, in order."""
    with BagReader(output) as reader, BagReader(camera.bag) as recorded:
        frames = Frames(recorded, camera.topic)
        for stamp, flow, confidence in answers(reader, FLOW):
            _, frame = frames.pair(stamp)
            if frame is not None:
                yield Outcome(stamp, frame, flow, confidence)


def answers(
    reader: BagReader, spec: NodeSpec
) -> Iterator[tuple[int, npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
    """(stamp, first output, second output) of every frame of which a node gave both, in order."""
    topics = [spec.kept(name) for name in spec.outputs]
    if not all(topic in reader.topics for topic in topics):
        return
    parts: dict[int, dict[str, npt.NDArray[np.float32]]] = {}
    for message in reader.messages(topics):
        decoded = reader.decode(message)
        stamp = header_stamp(decoded.header)
        part = parts.setdefault(stamp, {})
        part[message.topic] = decode_image(decoded)
        if len(part) == len(topics):
            del parts[stamp]
            yield stamp, part[topics[0]], part[topics[1]]


def draw(output: Path, camera: CameraSource, folder: Path, *, progress: bool = True) -> list[Path]:
    """
    Write flow_N.png and flow.gif into a folder; the paths written.

    output: the recorded bag. One scale of colors serves all, so that they can be compared.
    """
    count = count_answers(output, FLOW)
    if count == 0:
        return []
    scale = color_scale(output, count)
    stills = set(np.linspace(0, count - 1, min(STILLS, count)).round().astype(int).tolist())
    every = max(1, -(-count // ANIMATED))
    written: list[Path] = []
    animation: list[Pixels] = []
    hidden = None if progress else True  # None: no bar where stderr is no terminal
    bar = tqdm(outcomes(output, camera), total=count, desc="drawing", unit="frame", disable=hidden)
    for index, outcome in enumerate(bar):
        if index in stills:
            path = folder / f"flow_{index:03d}.png"
            write_image(path, panels(outcome, scale))
            written.append(path)
        if index % every == 0:
            animation.append(panels(_smaller(outcome), scale))
    path = folder / "flow.gif"
    fps = min(12.0, 1 / camera.period)
    write_animation(path, animation, fps=fps, max_width=animation[0].shape[1])
    return [*written, path]


def panels(outcome: Outcome, scale: float) -> Pixels:
    """Frame, flow and confidence side by side."""
    return side_by_side(
        [
            ("input", outcome.frame),
            ("flow from the previous frame", flow_panel(outcome.flow, scale)),
            ("confidence", confidence_panel(outcome.confidence)),
        ]
    )


def color_scale(output: Path, count: int) -> float:
    """Pixels of motion for full color: what is typical of the faster ones of some flows."""
    step = max(1, count // _SAMPLED)
    lengths = []
    with BagReader(output) as reader:
        for index, message in enumerate(reader.messages([FLOW.kept("flow")])):
            if index % step == 0:
                lengths.append(typical_magnitude(decode_image(reader.decode(message))[::4, ::4]))
    return max(1.0, float(np.percentile(lengths, 80)))


def count_answers(output: Path, spec: NodeSpec) -> int:
    """Messages of a node's rarest output in the recorded bag."""
    with BagReader(output) as reader:
        names = [spec.kept(name) for name in spec.outputs]
        return min(reader.topics[n].count if n in reader.topics else 0 for n in names)


def _smaller(outcome: Outcome) -> Outcome:
    """Reduced to PANEL_WIDTH; the flow stays in pixels of the original."""
    height, width = outcome.frame.shape[:2]
    if width <= PANEL_WIDTH:
        return outcome
    size = (PANEL_WIDTH, round(height * PANEL_WIDTH / width))
    arrays = (outcome.frame, outcome.flow, outcome.confidence)
    frame, flow, confidence = (cv2.resize(a, size, interpolation=cv2.INTER_AREA) for a in arrays)
    return Outcome(outcome.stamp_ns, frame, flow, confidence)
