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

"""The camera's poses from a bag: every topic that says them leads to the same ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pose_bag import camera_pose, FRAMES, START, STEP, write_bag
import pytest

from zeroco_ros.errors import BagError, ConfigError
from zeroco_ros.sequence.frames import Frame, open_sequence, Sequence
from zeroco_ros.sequence.open import open_poses


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bag(tmp_path_factory.mktemp("poses") / "bag")


def check(sequence: Sequence, given: str, atol: float = 2e-4) -> str:
    """Every frame has its pose; interpolating a curve linearly costs 0.1 mm. The words."""
    poses = open_poses(sequence, given)
    assert poses is not None
    for frame in sequence.frames():
        found = poses.at(frame)
        assert found is not None
        np.testing.assert_allclose(
            found, camera_pose(frame.stamp_ns / 1e9 - START / 1e9), atol=atol
        )
    return poses.words


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("auto", "tf from odom to eye"),
        ("/tf", "tf from odom to eye"),
        ("/odom", "14 poses on /odom, with tf from base to eye"),
        ("/pose", "14 poses on /pose"),
        ("/transform", "14 poses on /transform"),
    ],
)
def test_every_topic_says_the_same(bag: Path, given: str, words: str) -> None:
    with open_sequence(bag) as sequence:
        assert check(sequence, given) == words


def test_odometry_is_found_where_the_camera_is_mounted_on_it(tmp_path: Path) -> None:
    with open_sequence(write_bag(tmp_path / "bag", tf=False)) as sequence:
        assert "on /odom, with tf from base to eye" in check(sequence, "auto")


def test_odometry_of_an_unknown_body_is_not_the_cameras(tmp_path: Path) -> None:
    with open_sequence(write_bag(tmp_path / "bag", mounted=False)) as sequence:
        assert open_poses(sequence, "auto") is None
        with pytest.raises(BagError, match=r"/odom moves the frame 'base'.*'eye'.*/pose"):
            open_poses(sequence, "/odom")
        with pytest.raises(BagError, match=r"/tf: tf does not lead .* 'eye'"):
            open_poses(sequence, "/tf")
        check(sequence, "/pose")


def test_a_pose_beside_the_camera_is_the_cameras(tmp_path: Path) -> None:
    """The demo's bag has no tf, and a pose topic in the camera's namespace."""
    from zeroco_ros.demo.gallery import view_at
    from zeroco_ros.demo.synthetic import POSE_TOPIC, write_synthetic_bag

    write_synthetic_bag(tmp_path / "bag", frames=2, size=(48, 64), progress=False)
    with open_sequence(tmp_path / "bag") as sequence:
        poses = open_poses(sequence, "auto")
        assert poses is not None and poses.words == f"2 poses on {POSE_TOPIC}"
        found = poses.at(next(sequence.frames()))
    np.testing.assert_allclose(found, view_at(0, (48, 64)).c2w, atol=1e-12)


def test_outside_of_the_poses_nothing_is_known(bag: Path) -> None:
    with open_sequence(bag) as sequence:
        for given in ("/tf", "/odom", "/pose"):
            poses = open_poses(sequence, given)
            assert poses is not None
            frame = next(sequence.frames())
            for stamp in (START - STEP, START + (FRAMES + 2) * STEP):
                assert poses.at(Frame(frame.image, stamp, 0, "x")) is None


def test_what_says_no_poses(bag: Path) -> None:
    with open_sequence(bag) as sequence:
        assert open_poses(sequence, "none") is None
        with pytest.raises(BagError, match=r"/eye/image is a .*Image and says no poses; .*/odom"):
            open_poses(sequence, "/eye/image")
        with pytest.raises(
            ConfigError, match=r"neither a topic .* nor a file; poses are on: .*/tf"
        ):
            open_poses(sequence, "/nowhere")


def test_the_real_bags(shared_data: Path) -> None:
    """Transforms and the pose topic of the recorded bags agree."""
    for name, topic in [
        ("euroc_MH05_80f_sqlite3", "/cam0/gt_pose"),
        ("hololens_rgbd_60f_mcap", "/camera/gt_pose"),
    ]:
        with open_sequence(shared_data / "bags" / name) as sequence:
            tf, track = open_poses(sequence, "auto"), open_poses(sequence, topic)
            assert tf is not None and track is not None
            frames = list(sequence.frames(every=20))
            for frame in frames:
                one, two = tf.at(frame), track.at(frame)
                assert one is not None and two is not None
                np.testing.assert_allclose(one, two, atol=1e-6)
            moved = tf.at(frames[-1])[:3, 3] - tf.at(frames[0])[:3, 3]
            assert np.linalg.norm(moved) > 0.3
