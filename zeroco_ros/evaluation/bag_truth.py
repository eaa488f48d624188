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

"""True flow and depth of a bag, where it has any: recorded, or from depth, poses, calibration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
import re
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from zeroco_ros.bag.camera_topics import best_match
from zeroco_ros.bag.geometry_records import camera_info, pose, POSE_STAMPED
from zeroco_ros.bag.images import decode_image, header_stamp, IMAGE
from zeroco_ros.bag.reader import BagReader
from zeroco_ros.evaluation.bag_camera import CameraSource

Flow = npt.NDArray[np.float32]

OCCLUSION = 0.03  # relative difference of depth that still is the same surface
_IS_TRUTH = re.compile("truth|ground|gt", re.IGNORECASE)  # an estimate is not
_METERS = {"16UC1": 0.001, "mono16": 0.001, "32FC1": 1.0}


@dataclass(frozen=True)
class TruthSource:
    """Where the truth comes from: in words, and the topics to read it from."""

    words: str
    flow: str | None = None
    depth: str | None = None
    pose: str | None = None


@dataclass(frozen=True)
class _Shot:
    """What is known of one frame: depth (H, W) meters, 0 unknown; camera to world (4, 4)."""

    depth: npt.NDArray[np.float32]
    c2w: npt.NDArray[np.float64]


def find_truth(reader: BagReader, camera: CameraSource) -> TruthSource | None:
    """
    Return the topic of true flow, else what flow can be computed from, else None.

    A 32FC2 topic whose name says truth, ground or gt, else depth of the camera's size with poses
    and an undistorted calibration.
    """
    flows = [name for name, code in _images(reader, camera) if code == "32FC2"]
    flow = best_match(camera.topic, [name for name in flows if _IS_TRUTH.search(name)])
    if flow is not None:
        return TruthSource(f"the exact flow on {flow}", flow=flow)
    depth = find_depth(reader, camera)
    place = best_match(camera.topic, _names(reader, POSE_STAMPED))
    if depth is None or place is None:
        return None
    return TruthSource(f"depth on {depth} and poses on {place}", depth=depth, pose=place)


def find_depth(reader: BagReader, camera: CameraSource) -> str | None:
    """
    Return the topic with measured depth of the camera's pixels.

    Of its size, and calibrated without distortion, because depth that we estimate lies on
    rectified pixels; None without one.
    """
    depths = [name for name, code in _images(reader, camera) if code in _METERS]
    depth = best_match(camera.topic, depths)
    if depth is None or camera.info_topic is None:
        return None
    info = camera_info(reader.decode(next(iter(reader.messages([camera.info_topic])))))
    return None if info.K[0, 0] <= 0 or np.any(info.distortion != 0) else depth


def true_depth(reader: BagReader, topic: str) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """(stamp, depth (H, W) in meters, NaN where unknown) of every message of a depth topic."""
    for message in reader.messages([topic]):
        decoded = reader.decode(message)
        depth = meters(decoded)
        known = np.where(depth > 0, depth, np.float32(np.nan))
        yield header_stamp(decoded.header), known.astype(np.float32)


def _images(reader: BagReader, camera: CameraSource) -> Iterator[tuple[str, str]]:
    """(name, encoding) of the other raw image topics whose pictures have the camera's size."""
    for name in _names(reader, IMAGE):
        if name != camera.topic:
            code, *size = _format(reader, name)
            if size == [camera.height, camera.width]:
                yield name, code


def _names(reader: BagReader, kind: str) -> list[str]:
    return [t.name for t in reader.topics.values() if t.type == kind and t.count]


def _format(reader: BagReader, topic: str) -> tuple[str, int, int]:
    """Return the encoding, height, width of the first image."""
    message = reader.decode(next(iter(reader.messages([topic]))))
    return str(message.encoding), int(message.height), int(message.width)


def true_flow(
    reader: BagReader, camera: CameraSource, source: TruthSource
) -> Iterator[tuple[int, Flow]]:
    """
    (stamp of the current frame, flow (H, W, 2) on its grid, NaN where unknown or unseen).

    Motion in pixels from the frame before to this one, as flow_node says it.
    """
    if source.flow is not None:
        for message in reader.messages([source.flow]):
            decoded = reader.decode(message)
            yield header_stamp(decoded.header), decode_image(decoded)
        return
    assert camera.info_topic is not None
    K = camera_info(reader.decode(next(iter(reader.messages([camera.info_topic]))))).K
    before: _Shot | None = None
    for stamp, shot in _shots(reader, camera, source):
        if before is not None and stamp in camera.possible:
            yield stamp, flow_from_geometry(K, shot, before)
        before = shot


def _shots(
    reader: BagReader, camera: CameraSource, source: TruthSource
) -> Iterator[tuple[int, _Shot]]:
    """
    Depth and pose of every frame of the camera, in its order.

    A frame without both makes the next one's partner unknown: it comes with no depth at all.
    """
    poses: dict[int, npt.NDArray[np.float64]] = {}
    depths: dict[int, npt.NDArray[np.float32]] = {}
    waiting = [header.stamp_ns for header in camera.headers]
    wanted = [name for name in (source.depth, source.pose) if name is not None]
    for message in reader.messages(wanted):
        decoded = reader.decode(message)
        stamp = header_stamp(decoded.header)
        if message.topic == source.pose:
            poses[stamp] = pose(decoded).matrix
        else:
            depths[stamp] = meters(decoded)
        while waiting and waiting[0] in poses and waiting[0] in depths:
            stamp = waiting.pop(0)
            yield stamp, _Shot(depths.pop(stamp), poses.pop(stamp))
        while waiting and min(max(poses, default=0), max(depths, default=0)) > waiting[0]:
            stamp = waiting.pop(0)  # passed over: it has no truth
            poses.pop(stamp, None)
            depths.pop(stamp, None)
            nothing = np.zeros((camera.height, camera.width), np.float32)
            yield stamp, _Shot(nothing, np.eye(4))


def meters(message: Any) -> npt.NDArray[np.float32]:
    """Return a depth image in meters, 0 where unknown (REP 118: 0 or NaN)."""
    depth = decode_image(message).astype(np.float32) * np.float32(_METERS[str(message.encoding)])
    return np.where(np.isfinite(depth), depth, np.float32(0))


def flow_from_geometry(K: npt.NDArray[np.float64], now: _Shot, before: _Shot) -> Flow:
    """
    Flow (H, W, 2) from depth and poses of a static scene, on the current grid.

    A point is moved into the camera before and projected there. NaN where the depth is unknown,
    where the point leaves the picture, and where something nearer or farther is seen at its place.
    """
    height, width = now.depth.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    rays = np.stack([(x - K[0, 2]) / K[0, 0], (y - K[1, 2]) / K[1, 1], np.ones_like(x)], axis=-1)
    points: npt.NDArray[np.floating] = rays * now.depth[..., None]
    motion = np.linalg.inv(before.c2w) @ now.c2w
    points = points @ motion[:3, :3].T + motion[:3, 3]
    depth = points[..., 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        u = points[..., 0] / depth * K[0, 0] + K[0, 2]
        v = points[..., 1] / depth * K[1, 1] + K[1, 2]
    known = (now.depth > 0) & (depth > 1e-3)
    known &= (u >= 0) & (u <= width - 1) & (v >= 0) & (v <= height - 1)
    u, v = np.where(known, u, 0), np.where(known, v, 0)
    there = cv2.remap(before.depth, u.astype(np.float32), v.astype(np.float32), cv2.INTER_NEAREST)
    known &= (there > 0) & (np.abs(there - depth) < OCCLUSION * np.where(known, depth, 1))
    flow = np.stack([x - u, y - v], axis=-1)
    return np.where(known[..., None], flow, np.nan).astype(np.float32)
