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

"""Where a new frame is: from given poses, against known depth, or from two views alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from zeroco_ros.estimate.depth_config import DepthConfig
from zeroco_ros.estimate.keyframe import Match
from zeroco_ros.estimate.motion import agreement, Landmarks, landmarks, locate, Located
from zeroco_ros.estimate.posed_view import flow_sigma
from zeroco_ros.estimate.track import Track
from zeroco_ros.geometry.epipolar import relative_pose, RelativePose
from zeroco_ros.geometry.transforms import inverse, transform

Array = npt.NDArray[np.float64]

AGREE = 0.4  # share of the landmarks that must agree with a pose
JUMPED = 0.1  # share below which a given pose contradicts the ones before
WELL = 0.7  # below it a two-view pose is tried as a start, too
LENGTHS = (0.3, 1.0, 3.0)  # of the last step, for the unknown length of a two-view translation


@dataclass(frozen=True)
class Placed:
    """
    pose: (4, 4) camera to world; covariance: (6, 6) of the measurement alone, or None.

    kind: "known" (given, or found against known depth), "first" (two views without known depth:
    the translation has length 1), "static", "rotation" (two views without parallax), "ambiguous"
    (a plane that two motions explain), "jump" (the given pose has nothing to do with those before
    it, says what the key frames know) or "lost".
    """

    pose: Array
    covariance: Array | None
    kind: Literal["known", "first", "static", "rotation", "ambiguous", "jump", "lost"]


def place(
    track: Track, matches: Sequence[Match], given: Array | None, K: Array, config: DepthConfig
) -> Placed:
    """
    Return the pose of a frame that was matched with key frames of the track, the newest first.

    A given pose is taken as it is; key frames whose poses were estimated since the last one are
    moved to fit it, or forgotten where they cannot be.
    """
    if given is not None:
        if not all(key.given for key in track.window):
            _follow(track, matches, given, K, track.fine)
        elif _contradicted(track, matches, given, K):
            return Placed(given, None, "jump")
        return Placed(given, None, "known" if len(track.window) else "lost")
    if config.poses == "given" or (track.posed and not track.mapped):
        return Placed(track.pose, None, "lost")
    if not track.mapped:
        return first_pose(matches[0], K, track.fine)
    found = tracked(matches, K, track.fine, track.pose, track.motion)
    if found is None:
        return Placed(track.pose, None, "lost")
    return Placed(found.pose, found.covariance, "known")


def _contradicted(track: Track, matches: Sequence[Match], given: Array, K: Array) -> bool:
    """Whether what the key frames know fits another pose well and the given one not at all."""
    known = _known(matches, K, track.fine)
    if not known or agreement(K, known, given) >= JUMPED:
        return False
    found = locate(K, known, [track.pose, track.pose @ track.motion])
    return found is not None and found.agree >= WELL


def _follow(track: Track, matches: Sequence[Match], given: Array, K: Array, step: int) -> None:
    """Key frames with estimated poses follow the correction that a given pose is."""
    found = tracked(matches, K, step, track.pose, track.motion) if track.mapped else None
    if found is None:
        track.forget_estimated()
    else:
        track.correct(given @ inverse(found.pose))


def tracked(
    matches: Sequence[Match], K: Array, step: int, last: Array, motion: Array
) -> Located | None:
    """
    Return the pose against key frames of known depth; None where too few agree.

    last: (4, 4) pose of the frame before; motion: (4, 4) from it to the one before that.
    """
    known = _known(matches, K, step)
    located = locate(K, known, [last, last @ motion])
    if located is None or located.agree < WELL:
        starts = _two_view_starts(matches[0], K, step, float(np.linalg.norm(motion[:3, 3])))
        other = locate(K, known, starts)
        if other is not None and (located is None or other.cost < located.cost):
            located = other
    return located if located is not None and located.agree >= AGREE else None


def _known(matches: Sequence[Match], K: Array, step: int) -> list[Landmarks]:
    return [
        found
        for match in matches
        if match.key.depth is not None
        for found in [landmarks(match.flow, match.key.depth, match.key.pose, K, step)]
        if found is not None
    ]


def two_views(match: Match, K: Array, step: int) -> RelativePose:
    """Return the pose T_key_from_frame between a frame and one key frame, from the flow alone."""
    height, width = match.flow.confidence.shape
    y, x = np.mgrid[step // 2 : height : step, step // 2 : width : step]
    points = np.stack([x.ravel(), y.ravel()], -1).astype(np.float64)
    sigma = flow_sigma(match.flow)[y, x].ravel().astype(np.float64)
    there = points + match.flow.flow[y, x].reshape(-1, 2)
    return relative_pose(points, there, K, K, 1 / sigma**2)


def first_pose(match: Match, K: Array, step: int) -> Placed:
    """Return the pose of the second frame of a stream; see `Placed`."""
    found = two_views(match, K, step)
    here = match.key.pose
    if found.kind == "degenerate":
        return Placed(here, None, "lost")
    if found.kind == "static":
        return Placed(here, None, "static")
    pose = here @ transform(found.R, found.t)
    if found.kind == "rotation":
        return Placed(pose, None, "rotation")
    return Placed(pose, None, "first" if found.alternative is None else "ambiguous")


def _two_view_starts(match: Match, K: Array, step: int, length: float) -> list[Array]:
    found = two_views(match, K, step)
    if found.kind == "degenerate":
        return []
    here, lengths = match.key.pose, LENGTHS if found.kind == "general" else (0.0,)
    return [here @ transform(found.R, found.t * length * factor) for factor in lengths]
