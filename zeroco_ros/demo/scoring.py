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

"""How good the recorded flow is: against the truth, and beside two simple methods."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from zeroco_ros.bag.images import decode_image, header_stamp
from zeroco_ros.bag.reader import BagReader
from zeroco_ros.demo.nodes import FLOW
from zeroco_ros.evaluation.bag_camera import CameraSource
from zeroco_ros.evaluation.bag_truth import true_flow, TruthSource
from zeroco_ros.evaluation.methods import make_method
from zeroco_ros.evaluation.metrics import PairScore, score_pair, score_set, SetScore
from zeroco_ros.evaluation.protocols import leads_inside
from zeroco_ros.media.panels import warped

Pixels = npt.NDArray[np.uint8]
LEAST = 1000  # pixels of truth; a pair with fewer says nothing

OURS, DIS, ZERO = "flow_node", "OpenCV DIS", "no motion"


def score(
    output: str | Path, camera: CameraSource, source: TruthSource, *, progress: bool = True
) -> dict[str, SetScore]:
    """
    Scores by method over the pairs that have a recorded flow and a truth; {} if there is none.

    output: the bag that the demo recorded. All methods are scored on the same pixels of the same
    pairs, in the direction and on the grid of ~/flow.
    """
    dis = make_method("dis")
    scores: dict[str, list[PairScore]] = {OURS: [], DIS: [], ZERO: []}
    hidden = None if progress else True  # None: no bar where stderr is no terminal
    with BagReader(output) as recorded, BagReader(camera.bag) as reader:
        flows = ByStamp(recorded, FLOW.kept("flow"), decode_image)
        frames = Frames(reader, camera.topic)
        truths = true_flow(reader, camera, source)
        bar = tqdm(truths, total=len(camera.headers), desc="scoring", unit="frame", disable=hidden)
        for stamp, truth in bar:
            flow = flows.at(stamp)
            known = np.isfinite(truth).all(axis=-1)
            before, current = frames.pair(stamp)
            if flow is None or before is None or current is None or known.sum() < LEAST:
                continue
            # the estimators lead from the current frame back to the one before
            estimates = {OURS: flow, DIS: -dis.estimate(current, before).flow}
            estimates[ZERO] = np.zeros_like(flow)
            for name, estimate in estimates.items():
                scores[name].append(score_pair(estimate, truth, known))
    return {name: score_set(pairs) for name, pairs in scores.items() if pairs}


def brightness_change(
    output: str | Path, camera: CameraSource, *, progress: bool = True
) -> dict[str, float]:
    """
    Mean absolute gray difference (0..255) of neighboring frames after undoing the motion.

    By method, over the pixels that every method leads inside the picture; what remains is wrong
    flow, but also occlusion, noise and light. For bags that do not know the truth. {} if empty.
    """
    dis = make_method("dis")
    sums, pixels = dict.fromkeys((OURS, DIS, ZERO), 0.0), 0
    hidden = None if progress else True  # None: no bar where stderr is no terminal
    topic = FLOW.kept("flow")
    with BagReader(output) as reader, BagReader(camera.bag) as recorded:
        flows = reader.messages([topic])
        frames = Frames(recorded, camera.topic)
        total = reader.topics[topic].count
        for message in tqdm(flows, total=total, desc="scoring", unit="frame", disable=hidden):
            decoded = reader.decode(message)
            before, current = frames.pair(header_stamp(decoded.header))
            if before is None or current is None:
                continue
            flow = decode_image(decoded)
            estimates = {OURS: flow, DIS: -dis.estimate(current, before).flow}
            estimates[ZERO] = np.zeros_like(flow)
            inside = np.logical_and.reduce(
                [leads_inside(-estimate, *flow.shape[:2]) for estimate in estimates.values()]
            )
            pixels += int(inside.sum())
            for name, estimate in estimates.items():
                pulled = warped(before, -estimate)
                difference = cv2.absdiff(current, pulled).mean(axis=-1)
                sums[name] += float(difference[inside].sum())
    return {name: total / pixels for name, total in sums.items()} if pixels else {}


class ByStamp:
    """Decoded messages of a topic, looked up by header stamps that mostly grow."""

    def __init__(self, reader: BagReader, topic: str, decode: Callable[[Any], Any]) -> None:
        self._reader, self._decode = reader, decode
        self._messages = reader.messages([topic])
        self._held: dict[int, Any] = {}

    def at(self, stamp: int) -> Any:
        """Return the message of a stamp, None where there is none; older ones are forgotten."""
        while stamp not in self._held:
            message = next(self._messages, None)
            if message is None:
                break
            decoded = self._reader.decode(message)
            self._held[header_stamp(decoded.header)] = decoded
        found = self._held.get(stamp)
        self._held = {s: m for s, m in self._held.items() if s > stamp}
        return None if found is None else self._decode(found)


class Frames:
    """A camera's frames as (H, W, 3) uint8 RGB, in pairs of neighbors."""

    def __init__(self, reader: BagReader, topic: str) -> None:
        self._reader = reader
        self._messages = reader.messages([topic])
        self._before: Pixels | None = None
        self._current: tuple[int, Pixels] | None = None

    def pair(self, stamp: int) -> tuple[Pixels | None, Pixels | None]:
        """Return the frame before the one with this stamp, and that one; stamps must grow."""
        while self._current is None or self._current[0] < stamp:
            message = next(self._messages, None)
            if message is None:
                return None, None
            decoded = self._reader.decode(message)
            if self._current is not None:
                self._before = self._current[1]
            self._current = header_stamp(decoded.header), rgb(decoded)
        return (self._before, self._current[1]) if self._current[0] == stamp else (None, None)


def rgb(message: Any) -> Pixels:
    """Return a decoded camera image as (H, W, 3) uint8 RGB."""
    from zeroco_ros.online.image_messages import to_array

    pixels = to_array(message)
    return np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels
