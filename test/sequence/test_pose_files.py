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

"""Pose files: TUM, KITTI, 7-Scenes; and what is wrong with others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pose_bag import camera_pose
import pytest

from zeroco_ros.errors import ConfigError, ImageError
from zeroco_ros.media.images import write_image
from zeroco_ros.sequence.frames import Frame, open_sequence
from zeroco_ros.sequence.open import open_poses
from zeroco_ros.sequence.pose_files import read_poses, write_tum

POSES = [camera_pose(0.1 * index) for index in range(4)]
STAMPS = [1_700_000_000_000_000_000 + index * 100_000_000 for index in range(4)]


def frame(stamp_ns: int, index: int = 0, name: str = "") -> Frame:
    return Frame(np.zeros((2, 2), np.uint8), stamp_ns, index, name)


def test_tum_there_and_back_with_every_nanosecond(tmp_path: Path) -> None:
    path = tmp_path / "new" / "trajectory.txt"
    write_tum(path, [STAMPS[0] + 1, *STAMPS[1:]], POSES)
    assert path.read_text().splitlines()[1].startswith("1700000000.000000001 ")
    poses = read_poses(path)
    assert poses.words == f"4 poses by stamp of {path} (TUM)"
    for stamp, pose in zip([STAMPS[0] + 1, *STAMPS[1:]], POSES, strict=True):
        np.testing.assert_allclose(poses.at(frame(stamp)), pose, atol=1e-7)
    between = poses.at(frame(STAMPS[1] + 50_000_000))
    np.testing.assert_allclose(between, camera_pose(0.15), atol=1e-3)
    assert poses.at(frame(STAMPS[0] - 10**8)) is None and poses.at(frame(0)) is None


def test_poses_far_apart_are_not_connected(tmp_path: Path) -> None:
    stamps = [STAMPS[0], STAMPS[1], STAMPS[1] + 2 * 10**9]
    write_tum(tmp_path / "gap.txt", stamps, POSES[:3])
    poses = read_poses(tmp_path / "gap.txt")
    assert poses.at(frame(STAMPS[1] + 10**9)) is None
    assert poses.at(frame(stamps[2])) is not None


def test_kitti_is_one_row_per_frame(tmp_path: Path) -> None:
    path = tmp_path / "poses.txt"
    path.write_text("\n".join(" ".join(f"{v:.9e}" for v in p[:3].ravel()) for p in POSES))
    poses = read_poses(path, 4)
    np.testing.assert_allclose(poses.at(frame(7, index=2)), POSES[2], atol=1e-8)
    with pytest.raises(ConfigError, match="4 poses for 5 frames"):
        read_poses(path, 5)


def test_seven_scenes_beside_the_images(tmp_path: Path) -> None:
    for index, pose in enumerate(POSES):
        np.savetxt(tmp_path / f"frame-{index:06d}.pose.txt", pose, delimiter="\t ")
        write_image(tmp_path / f"frame-{index:06d}.color.png", np.zeros((24, 32, 3), np.uint8))
    (tmp_path / "frame-000002.pose.txt").write_text(("-1.#IND -1.#IND -1.#IND -1.#IND\n") * 4)
    with open_sequence(tmp_path) as sequence:
        poses = open_poses(sequence, "auto")
        assert poses is not None and poses.words == f"3 poses by name in {tmp_path} (7-Scenes)"
        found = [poses.at(frame) for frame in sequence.frames()]
        given = open_poses(sequence, str(tmp_path))
        assert given is not None and given.words == poses.words
    assert found[2] is None
    np.testing.assert_allclose(found[3], POSES[3])


_TURNED = "1 0 0 0 0 2 0 0 0 0 1 0"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "holds no poses; poses are read from TUM"),
        (b"# only a comment\n", "holds no poses"),
        (b"1 2 3\n", "line 1 has 3 columns; poses are read from TUM"),
        (b"1 0 0 0 0 0 0 1\n2 0 0 0 0 0 0\n", "line 2 has 7 columns, not 8"),
        (b"1 0 0 zero 0 0 0 1\n", "line 1 is not made of numbers"),
        (b"1 0 0 nan 0 0 0 1\n", "line 1 has a number that is not finite"),
        (b"#t\n1 0 0 0 0 0 0 0\n", "line 2: a quaternion is zero"),
        (_TURNED.encode(), "line 1 is no rotation"),
        (b"\xff\xfe\x00\x01", "is not text"),
    ],
)
def test_what_is_no_pose_file(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "poses.txt"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=words):
        read_poses(path)


def test_missing_files_and_folders_without_poses(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        read_poses(tmp_path / "nowhere.txt")
    with pytest.raises(ConfigError, match=r"holds no NAME\.pose\.txt"):
        read_poses(tmp_path)
    np.savetxt(tmp_path / "a.pose.txt", np.eye(3))
    with pytest.raises(ConfigError, match="not a 4x4 matrix"):
        read_poses(tmp_path)
    with pytest.raises(ImageError, match="cannot write"):
        write_tum(tmp_path / "a.pose.txt" / "t.txt", STAMPS, POSES)
    write_image(tmp_path / "in" / "a.png", np.zeros((24, 32, 3), np.uint8))
    with open_sequence(tmp_path / "in") as sequence:
        assert open_poses(sequence, "auto") is None
        with pytest.raises(ConfigError, match="does not exist"):
            open_poses(sequence, "nowhere.txt")


def test_real_files(shared_data: Path) -> None:
    kitchen = shared_data / "rgbd" / "redkitchen"
    with open_sequence(kitchen) as sequence:
        poses = open_poses(sequence, "auto")
        first = next(sequence.frames())
        assert poses is not None and poses.words.startswith("100 poses by name")
        pose = poses.at(first)
        assert pose is not None and pose[3].tolist() == [0, 0, 0, 1]
    kitti = shared_data / "rgbd" / "kitti_odom_seq1"
    with open_sequence(kitti / "image_l") as sequence:
        poses = open_poses(sequence, str(kitti / "poses.txt"))
        frames = list(sequence.frames(every=10))
        assert poses is not None
        path = [poses.at(frame)[:3, 3] for frame in frames]
        assert 40 < np.linalg.norm(path[-1] - path[0]) < 70
