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

"""Flow sets of rosbag2 bags: a camera's frames in pairs, with recorded or derived true flow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from zeroco_ros.bag.header import read_header
from zeroco_ros.bag.images import read_images, StampedImage
from zeroco_ros.bag.reader import BagReader
from zeroco_ros.errors import BagError
from zeroco_ros.evaluation.bag_camera import CameraSource, find_camera
from zeroco_ros.evaluation.bag_truth import find_truth, true_flow, TruthSource
from zeroco_ros.evaluation.flow_set import bind, FlowSet
from zeroco_ros.evaluation.protocols import FlowPair
from zeroco_ros.media.encodings import to_8_bits
from zeroco_ros.media.images import RGB
from zeroco_ros.sequence.frames import is_bag

Flow = npt.NDArray[np.float32]


def bag_sets(folder: Path, topic: str | None = None) -> Iterator[FlowSet]:
    """
    Yield a set for each bag: the folder itself, or below it and its bags/, if flow is known.

    topic: of the images; None takes the first camera. The truth is a 32FC2 topic whose name says
    truth, ground or gt, else the flow of measured depth and poses (see `bag_truth`). The target is
    the later frame of a pair. A bag without either is passed over, unless it is the folder.
    """
    below = [place for parent in (folder, folder / "bags") for place in sorted(parent.glob("*/"))]
    for place in [folder] if is_bag(folder) else below:
        if is_bag(place):
            try:
                yield bag_set(place, topic)
            except BagError:
                if place == folder:
                    raise


def bag_set(path: Path, topic: str | None = None) -> FlowSet:
    """Return the pairs of one bag, see `bag_sets`. Raises BagError where it has no true flow."""
    with BagReader(path) as reader:
        camera = find_camera(reader, topic)
        truth = find_truth(reader, camera)
        known = _stamps(reader, truth)
    if truth is None:
        raise BagError(
            f"{path} has no true flow for {camera.topic}: it needs a 32FC2 topic whose name says "
            "truth, ground or gt, or depth of the camera's size with poses and calibration"
        )
    pairs = _Pairs(path, camera, truth)
    stamps = [header.stamp_ns for header in camera.headers]
    before = dict(zip(stamps[1:], stamps, strict=False))
    scored = [stamp for stamp in camera.possible if stamp in known]
    if truth.flow is None:
        scored = [stamp for stamp in scored if before.get(stamp) in known]
    loaders = tuple(bind(pairs.load, stamp) for stamp in scored)
    about = f"bag, frames of {camera.topic}, truth: {truth.words}; known pixels"
    return FlowSet(path.resolve().name, about, loaders)


def _stamps(reader: BagReader, truth: TruthSource | None) -> set[int]:
    """Stamps of the frames for which all parts of the truth were recorded."""
    topics = (
        [] if truth is None else [truth.flow or truth.depth, None if truth.flow else truth.pose]
    )
    found = [
        {read_header(message.data).stamp_ns for message in reader.messages([topic])}
        for topic in topics
        if topic is not None
    ]
    return set.intersection(*found) if found else set()


class _Pairs:
    """Reads on where the last pair was, and from the start for an earlier one."""

    def __init__(self, path: Path, camera: CameraSource, truth: TruthSource) -> None:
        self._path, self._camera, self._truth = path, camera, truth
        self._pairs: Iterator[tuple[int, FlowPair]] = iter(())
        self._at = -1
        self._last: FlowPair | None = None

    def load(self, stamp: int) -> FlowPair:
        if self._last is not None and stamp == self._at:
            return self._last
        if self._last is None or stamp < self._at:
            self._pairs = self._read()
        for found, pair in self._pairs:
            self._at, self._last = found, pair
            if found == stamp:
                return pair
        self._last = None
        raise BagError(f"{self._path} has no truth for the frame of stamp {stamp}")

    def _read(self) -> Iterator[tuple[int, FlowPair]]:
        with _open(self._path) as (first, second):
            images = read_images(first, self._camera.topic)
            truths = true_flow(second, self._camera, self._truth)
            before: StampedImage | None = None
            known = next(truths, None)
            for image in images:
                while known is not None and known[0] < image.stamp_ns:
                    known = next(truths, None)
                if before is not None and image.stamp_ns in self._camera.possible:
                    flow = known[1] if known and known[0] == image.stamp_ns else None
                    yield image.stamp_ns, _pair(image, before, flow)
                before = image


def _pair(image: StampedImage, before: StampedImage, motion: Flow | None) -> FlowPair:
    """Motion leads from the frame before to this one: the target's flow leads back."""
    target, source = _rgb(image), _rgb(before)
    if motion is None:
        motion = np.full((*target.shape[:2], 2), np.nan, dtype=np.float32)
    if motion.shape[:2] != target.shape[:2]:
        raise BagError(f"the true flow is {motion.shape[:2]}, the frame is {target.shape[:2]}")
    flow = np.negative(motion)
    name = f"{image.stamp_ns / 1e9:.3f}"
    return FlowPair(name, target, source, flow, np.asarray(np.isfinite(flow).all(axis=-1)))


def _rgb(found: StampedImage) -> RGB:
    pixels = to_8_bits(found.image, 16) if found.image.dtype == np.uint16 else found.image
    if pixels.ndim == 2:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)
    return np.asarray(pixels, dtype=np.uint8)


@contextmanager
def _open(path: Path) -> Iterator[tuple[BagReader, BagReader]]:
    with BagReader(path) as first, BagReader(path) as second:
        yield first, second
