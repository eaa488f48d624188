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

"""The posed sequences: pictures, depth and poses agree with each other."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from zeroco_ros.errors import ConfigError
from zeroco_ros.training.sequences import KINDS, world_sequence, WorldFrame

SIZE = (72, 96)


def _frames(kind: str, count: int = 5, **options: float) -> list[WorldFrame]:
    return list(world_sequence(kind, count, SIZE, **options))


def _warped(first: WorldFrame, second: WorldFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return second picture on the first's pixels by its depth and both poses, and where it is."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(np.float64)
    rays = np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(first.K).T
    points = rays * first.depth[..., None]
    relative = np.linalg.inv(second.c2w) @ first.c2w
    there = (points @ relative[:3, :3].T + relative[:3, 3]) @ second.K.T
    at = (there[..., :2] / there[..., 2:]).astype(np.float32)
    expected = there[..., 2]
    measured = cv2.remap(second.depth, at[..., 0], at[..., 1], cv2.INTER_NEAREST)
    picture = cv2.remap(second.image, at[..., 0], at[..., 1], cv2.INTER_LINEAR)
    return picture, np.abs(measured - expected) < 0.02 * expected


@pytest.mark.parametrize("kind", ["walk", "rotation", "plane"])
def test_depth_and_poses_carry_one_picture_onto_another(kind: str) -> None:
    first, *_, last = _frames(kind, 9, noise=0.0)[2:5]
    picture, seen = _warped(first, last)
    difference = np.abs(picture.astype(float) - first.image).mean(-1)
    still = np.abs(last.image.astype(float) - first.image).mean(-1)
    assert seen.mean() > 0.7
    assert np.median(difference[seen]) < 0.25 * np.median(still[seen])


def test_static_moves_nothing_but_the_noise() -> None:
    first, second = _frames("static", 2)
    assert np.array_equal(first.c2w, second.c2w) and np.array_equal(first.depth, second.depth)
    difference = first.image.astype(float) - second.image
    assert 2.0 < difference.std() < 3.5  # two frames of noise with 2 gray levels each


def test_rotation_keeps_the_place_and_turns_twenty_degrees() -> None:
    poses = [frame.c2w for frame in _frames("rotation")]
    assert all(np.array_equal(pose[:3, 3], poses[0][:3, 3]) for pose in poses)
    turn = poses[0][:3, :3].T @ poses[-1][:3, :3]
    assert np.degrees(np.arccos((np.trace(turn) - 1) / 2)) == pytest.approx(20)


def test_the_plane_is_one() -> None:
    for frame in _frames("plane", 2):
        y, x = np.mgrid[: SIZE[0], : SIZE[1]]
        grid = np.stack([x.ravel(), y.ravel(), np.ones(x.size)], 1)
        inverse = 1 / frame.depth.ravel().astype(np.float64)
        left = inverse - grid @ np.linalg.lstsq(grid, inverse, rcond=None)[0]
        assert np.abs(left).max() < 1e-5


def test_only_the_mover_is_elsewhere() -> None:
    walk, moving = _frames("walk", 3), _frames("moving", 3)
    assert np.array_equal(walk[0].image, moving[0].image)
    frame = moving[-1]
    assert 0.01 < frame.moving.mean() < 0.3 and not walk[-1].moving.any()
    changed = np.abs(frame.depth - walk[-1].depth) > 1e-4
    assert changed.any() and (frame.moving & changed).any()
    back = walk[-1].depth[changed & ~frame.moving] - frame.depth[changed & ~frame.moving]
    assert (back < 0).all()  # beside it only what it has uncovered, which is farther


def test_the_same_again_and_wrong_names() -> None:
    for kind in KINDS:
        one, two = (_frames(kind, 1)[0] for _ in range(2))
        assert np.array_equal(one.image, two.image) and one.image.shape == (*SIZE, 3)
        assert one.depth.dtype == np.float32 and (one.depth > 0).all()
    with pytest.raises(ConfigError, match=r"flight.*walk.*plane"):
        next(world_sequence("flight"))
    with pytest.raises(ConfigError, match="frames is 0"):
        next(world_sequence("walk", 0))
