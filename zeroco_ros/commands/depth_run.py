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

"""What `zeroco depth` does: every frame through the estimator, every result into the folder."""

from __future__ import annotations

import argparse
import time
from typing import Any, TYPE_CHECKING

from tqdm import tqdm

from zeroco_ros.commands.depth_folder import DepthFolder
from zeroco_ros.commands.depth_summary import DepthSummary
from zeroco_ros.commands.network_options import warn_of_backend
from zeroco_ros.errors import ImageError
from zeroco_ros.sequence.open import open_camera, open_poses

if TYPE_CHECKING:
    from zeroco_ros.estimate.depth import DepthStream
    from zeroco_ros.estimate.depth_config import DepthConfig
    from zeroco_ros.estimate.network import NetworkOptions
    from zeroco_ros.sequence.frames import Frame, Sequence
    from zeroco_ros.sequence.poses import Poses


def estimate_depth(
    sequence: Sequence, config: DepthConfig, options: NetworkOptions, args: argparse.Namespace
) -> DepthSummary:
    """Depth of a recording into `args.out`; what came of it. Raises ZerocoError."""
    from zeroco_ros.estimate.depth import DepthEstimator
    from zeroco_ros.estimate.network import open_with

    frames = sequence.frames(args.every, args.max_frames)
    first = _first(sequence, frames)
    height, width = first.image.shape[:2]
    camera, camera_words = open_camera(sequence, args.camera, (width, height))
    poses = open_poses(sequence, args.poses)
    estimator, running = open_with(
        lambda flow: DepthEstimator.from_flow(flow.estimator, config), config.flow_config, options
    )
    warn_of_backend(running, "depth", args)
    stream = estimator.stream(camera)
    folder = DepthFolder(args.out, npy=args.npy, voxel=args.voxel, max_sigma=args.max_sigma)
    summary = DepthSummary(
        folder=str(args.out),
        recording=sequence.words,
        camera=camera_words,
        poses=poses.words if poses else "none given, estimated",
        preset=args.preset,
        mode=config.mode,
        weights=args.weights or running.model,
        network=running.facts,
        size=(width, height),
    )
    bar = tqdm(total=_total(sequence, args), desc="depth", unit="frame", disable=None)
    with bar:
        for frame in _with_first(first, frames):
            _push(stream, frame, poses, folder, summary, sequence.warnings)
            bar.update()
    if not summary.frames:
        raise ImageError(f"{args.recording}: no frame can be used: {sequence.warnings[-1]}")
    summary.finish(folder, sequence.warnings)
    return summary


def _first(sequence: Sequence, frames: Any) -> Frame:
    """Give first frame, whose size the camera must fit; raises ImageError where there is none."""
    first: Frame | None = next(frames, None)
    if first is None:
        reason = f": {sequence.warnings[0]}" if sequence.warnings else ""
        raise ImageError(f"{sequence.path}: no frame can be decoded{reason}")
    return first


def _with_first(first: Frame, rest: Any) -> Any:
    yield first
    yield from rest


def _push(
    stream: DepthStream,
    frame: Frame,
    poses: Poses | None,
    folder: DepthFolder,
    summary: DepthSummary,
    warnings: list[str],
) -> None:
    """One frame; one of another size than the first is left out with a warning."""
    pose = poses.at(frame) if poses else None
    began = time.perf_counter()
    try:
        result = stream.push(frame.image, frame.stamp_ns, pose)
    except ImageError as error:
        warnings.append(f"frame {frame.name}: {error}")
        return
    summary.count(result, pose is not None, time.perf_counter() - began)
    if result is not None:
        folder.add(frame.name, result, posed=pose is not None)


def _total(sequence: Sequence, args: argparse.Namespace) -> int | None:
    if sequence.count is None:
        return args.max_frames
    total = -(-sequence.count // args.every)
    return total if args.max_frames is None else min(total, args.max_frames)
