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

"""The truth that a replay is measured by: topics of the bag, or files of poses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from zeroco_ros.bag.geometry_records import POSE_STAMPED
from zeroco_ros.bag.images import IMAGE
from zeroco_ros.bag.reader import BagReader
from zeroco_ros.errors import BagError, ConfigError
from zeroco_ros.evaluation.bag_camera import CameraSource, find_camera
from zeroco_ros.evaluation.bag_truth import (
    find_depth,
    find_truth,
    true_depth,
    true_flow,
    TruthSource,
)
from zeroco_ros.evaluation.sequences import rectified_depth
from zeroco_ros.geometry.camera import Camera
from zeroco_ros.sequence.bag import BagSequence
from zeroco_ros.sequence.frames import Frame
from zeroco_ros.sequence.open import open_poses
from zeroco_ros.sequence.pose_topics import KINDS
from zeroco_ros.sequence.poses import Poses

Floats = npt.NDArray[np.float32]

AUTO = "auto"
BAG = "{bag}"  # in a file's name: the bag's own
_DEPTH = ("16UC1", "mono16", "32FC1")


@dataclass(frozen=True)
class Chosen:
    """Where the truth is: topics of the bag; poses: a topic, a file or a folder."""

    flow: str | None = None
    depth: str | None = None
    poses: str | None = None


class ByStamp:
    """Truth that comes in the order of stamps, looked up by stamps that mostly grow."""

    def __init__(self, items: Iterator[tuple[int, Floats]]) -> None:
        self._items = items
        self._held: dict[int, Floats] = {}

    def at(self, stamp: int) -> Floats | None:
        """Return what belongs to a stamp, None where there is nothing; older ones are let go."""
        while stamp not in self._held and max(self._held, default=0) <= stamp:
            item = next(self._items, None)
            if item is None:
                break
            if item[0] >= stamp:
                self._held[item[0]] = item[1]
        found = self._held.get(stamp)
        self._held = {key: value for key, value in self._held.items() if key > stamp}
        return found


class Reference:
    """
    The truth of one bag; a context manager. words: by what it is for, for the record.

    Raises BagError or ConfigError where what is named is not there.
    """

    def __init__(self, path: Path, camera: str, names: Sequence[str], bag: str) -> None:
        self._sequence = BagSequence(path, camera) if names else None
        self.words: dict[str, str] = {}
        self._flow = self._depth = ByStamp(iter(()))
        self._poses: Poses | None = None
        if self._sequence is None:
            return
        try:
            self._open(self._sequence, [name.replace(BAG, bag) for name in names])
        except BaseException:
            self._sequence.close()
            raise

    def flow(self, stamp: int) -> Floats | None:
        """Return the motion (H, W, 2) in pixels from the frame before, NaN where unknown."""
        return self._flow.at(stamp)

    def depth(self, stamp: int, camera: Camera) -> Floats | None:
        """Return true distances (H, W) in meters on the rectified image's pixels."""
        raw = self._depth.at(stamp)
        if raw is None or raw.shape != (camera.height, camera.width):
            return None
        return rectified_depth(raw, camera)

    def pose(self, stamp: int, row: int) -> npt.NDArray[np.float64] | None:
        """Return where the camera was, (4, 4) camera to world, at the image of a row."""
        if self._poses is None:
            return None
        nothing = np.zeros((1, 1), np.uint8)
        return self._poses.at(Frame(nothing, stamp, row, f"{row:06d}"))

    def close(self) -> None:
        """Let go of the bag."""
        if self._sequence is not None:
            self._sequence.close()

    def __enter__(self) -> Reference:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self, sequence: BagSequence, names: list[str]) -> None:
        reader = sequence.reader
        camera = _camera(reader, sequence.topic)
        chosen = _automatic(sequence, camera) if names == [AUTO] else _named(reader, names)
        if chosen.poses is not None:
            self._poses = open_poses(sequence, chosen.poses)
        if self._poses is not None:
            self.words["poses"] = self._poses.words
        if chosen.depth is not None:
            self._depth = ByStamp(true_depth(reader, chosen.depth))
            self.words["depth"] = f"depth on {chosen.depth}"
        source = _flow_source(reader, camera, chosen)
        if source is not None and camera is not None:
            self._flow = ByStamp(true_flow(reader, camera, source))
            self.words["flow"] = source.words
        if not self.words:
            raise BagError(
                f"{reader.path} has no truth beside {sequence.topic}: no topic of true flow, of "
                "depth with its pixels, or of poses; name it with --reference"
            )


def reference_hashes(names: Sequence[str], bag: str) -> dict[str, str]:
    """Return file name -> sha256 of the reference's files (those of a folder, its listing too)."""
    found = {}
    for name in names:
        path = Path(name.replace(BAG, bag))
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        for file in files:
            if file.is_file():
                found[file.name] = hashlib.sha256(file.read_bytes()).hexdigest()
    return found


def _camera(reader: BagReader, topic: str) -> CameraSource | None:
    try:
        return find_camera(reader, topic)
    except BagError:  # no two frames follow each other: there is no flow to be judged
        return None


def _automatic(sequence: BagSequence, camera: CameraSource | None) -> Chosen:
    reader = sequence.reader
    if camera is None:
        return Chosen(poses=AUTO)
    truth = find_truth(reader, camera)
    return Chosen(truth.flow if truth else None, find_depth(reader, camera), AUTO)


def _named(reader: BagReader, names: Sequence[str]) -> Chosen:
    found: dict[str, str] = {}
    for name in names:
        use = _use(reader, name)
        if use in found:
            raise ConfigError(f"reference {name}: {found[use]} says the {use} already")
        found[use] = name
    return Chosen(**found)


def _use(reader: BagReader, name: str) -> str:
    """Return what a name of --reference is the truth of: flow, depth or poses."""
    if name not in reader.topics:
        if Path(name).exists():
            return "poses"
        raise ConfigError(f"reference {name} is neither a topic of {reader.path} nor a file")
    kind, count = reader.topics[name].type, reader.topics[name].count
    if not count:
        raise BagError(f"reference {name} of {reader.path} holds no message")
    if kind in KINDS:
        return "poses"
    if kind == IMAGE:
        encoding = str(reader.decode(next(iter(reader.messages([name])))).encoding)
        if encoding == "32FC2":
            return "flow"
        if encoding in _DEPTH:
            return "depth"
        kind = f"{kind} of encoding {encoding}"
    raise BagError(
        f"reference {name} is a {kind}: truth is an Image of 32FC2 (flow) or 16UC1 or 32FC1 "
        "(depth), or poses (tf, Odometry, PoseStamped, TransformStamped)"
    )


def _flow_source(
    reader: BagReader, camera: CameraSource | None, chosen: Chosen
) -> TruthSource | None:
    """Give true flow as recorded, or from depth and poses, where the camera has no distortion."""
    if chosen.flow is not None:
        return TruthSource(f"flow on {chosen.flow}", flow=chosen.flow)
    if camera is None or chosen.depth is None or chosen.poses is None:
        return None
    poses = camera.pose_topic if chosen.poses == AUTO else chosen.poses
    stamped = poses in reader.topics and reader.topics[poses].type == POSE_STAMPED
    if not stamped or find_depth(reader, camera) != chosen.depth:
        return None
    words = f"flow from depth on {chosen.depth} and poses on {poses}"
    return TruthSource(words, depth=chosen.depth, pose=poses)
