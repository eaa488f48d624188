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

"""Posed sequences in the formats that they come in, and the shared ones."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from zeroco_ros.bag.reader import BagReader
from zeroco_ros.bag.writer import BagWriter
from zeroco_ros.demo.synthetic import write_synthetic_bag
from zeroco_ros.errors import BagError, ConfigError, ImageError
from zeroco_ros.evaluation.datasets import find_sequences
from zeroco_ros.evaluation.sequence_kitti import odometry_sequence
from zeroco_ros.evaluation.sequences import (
    measured_depth,
    PosedFrame,
    PosedSequence,
    rectified_depth,
    resampled_depth,
    shorter,
)
from zeroco_ros.geometry.camera import Camera
from zeroco_ros.media.images import write_image
from zeroco_ros.training.sequences import world_sequence, WorldFrame

SIZE = (48, 64)
SHARED = {  # frames, size, with depth
    "euroc_MH05_80f_sqlite3": (80, (480, 752), False),
    "hololens_rgbd_60f_mcap": (60, (360, 540), True),
    "kitti_odom_seq1": (41, (370, 1226), False),
    "redkitchen": (100, (480, 640), True),
    "tartan_pair": (2, (480, 640), True),
    "tum_pair_slambook": (2, (480, 640), True),
}


@pytest.fixture(scope="module")
def world() -> list[WorldFrame]:
    return list(world_sequence("walk", 3, SIZE))


def _millimeters(depth: np.ndarray) -> np.ndarray:
    return np.round(depth * 1000).astype(np.uint16)


def test_a_bag_with_depth_and_poses(tmp_path: Path) -> None:
    write_synthetic_bag(tmp_path / "bags" / "drive", frames=3, size=SIZE, progress=False)
    (sequence,) = find_sequences(tmp_path)
    frames = list(sequence)
    assert sequence.name == "drive" and len(sequence) == len(frames) == 3
    assert "/camera/depth/image_raw" in sequence.about
    assert (sequence.camera.height, sequence.camera.width) == SIZE
    for frame in frames:
        assert frame.image.shape == (*SIZE, 3) and frame.pose is not None
        assert frame.depth is not None and frame.depth.shape == SIZE
    assert frames[1].stamp_ns - frames[0].stamp_ns == 100_000_000
    assert not np.allclose(frames[0].pose, frames[1].pose)
    assert _explained(sequence, frames[0], frames[2])


def test_a_7_scenes_folder_brings_depth_to_the_color_camera(
    tmp_path: Path, world: list[WorldFrame]
) -> None:
    folder = tmp_path / "kitchen"
    color = np.array([[52.5, 0, 31.55], [0, 52.5, 23.55], [0, 0, 1]])
    for index, frame in enumerate(world[:2]):
        name = folder / f"frame-{index:06d}"
        write_image(f"{name}.color.png", frame.image)
        depth = np.zeros(SIZE, np.uint16)
        depth[:, 20:] = 1500
        depth[:, 40:] = 65535 if index else 3000
        cv2.imwrite(f"{name}.depth.png", depth)
        np.savetxt(f"{name}.pose.txt", frame.c2w)
    (sequence,) = find_sequences(folder)
    first, second = sequence
    assert np.allclose(sequence.camera.K, color, atol=0.01) and sequence.name == "kitchen"
    assert first.pose == pytest.approx(world[0].c2w) and second.name == "frame-000001"
    assert first.depth is not None and second.depth is not None
    # depth column 20 is seen 525/585 as far from the middle by the color camera
    edge = round(31.55 + (19.5 - 31.55) * 525 / 585)
    assert np.isnan(first.depth[24, edge - 2]) and first.depth[24, edge + 2] == pytest.approx(1.5)
    assert first.depth[24, 45] == pytest.approx(3) and np.isnan(second.depth[24, 45])
    assert np.isnan(first.depth[:2]).all()  # seen by the color camera alone


def test_a_kitti_folder_without_its_first_frames(tmp_path: Path, world: list[WorldFrame]) -> None:
    folder = tmp_path / "rgbd" / "drive"
    for index in range(12):
        write_image(folder / "image_l" / f"{index:06d}.png", world[0].image)
    rows = [np.eye(4)[:3] + np.eye(3, 4, 3) * k for k in range(11)]
    np.savetxt(folder / "poses.txt", np.array(rows).reshape(11, 12))
    (folder / "calib.txt").write_text("P0: 70 0 31 0 0 70 23 0 0 0 1 0\n")
    (sequence,) = find_sequences(tmp_path)
    first, second = sequence
    assert len(sequence) == 2 and first.name == "000010" and first.depth is None
    assert not sequence.measured
    assert first.pose is not None and first.pose[0, 3] == 10 and second.pose is None
    assert sequence.camera.K[0, 0] == 70
    assert len(odometry_sequence(folder, 0)) == 12
    with pytest.raises(ImageError, match="no more than 12"):
        odometry_sequence(folder, 12)
    (folder / "poses.txt").write_text("1 2 3\n")
    with pytest.raises(ConfigError, match="12 finite numbers"):
        odometry_sequence(folder, 0)


@pytest.mark.parametrize("kind", ["tum", "tartan"])
def test_a_pair_with_depth(tmp_path: Path, world: list[WorldFrame], kind: str) -> None:
    for k, frame in ((1, world[0]), (2, world[2])):
        if kind == "tum":
            write_image(tmp_path / f"{k}.png", frame.image)
            stored = np.round(frame.depth * 5000).astype(np.uint16)
            cv2.imwrite(str(tmp_path / f"{k}_depth.png"), stored)
        else:
            write_image(tmp_path / f"image{k}.png", frame.image)
            np.save(tmp_path / f"depth{k}.npy", frame.depth)
    motion = np.linalg.inv(world[2].c2w) @ world[0].c2w  # T_2_from_1
    np.savetxt(tmp_path / "pseudo_T_2_from_1.txt", motion, header="T_2_from_1")
    (sequence,) = find_sequences(tmp_path)
    first, second = sequence
    assert sequence.camera.K[0, 0] == {"tum": 520.9, "tartan": 320}[kind]
    assert first.pose is not None and np.array_equal(first.pose, np.eye(4))
    assert second.pose == pytest.approx(np.linalg.inv(motion))
    assert first.depth == pytest.approx(world[0].depth, abs=2e-4)
    (tmp_path / ("1_depth.png" if kind == "tum" else "depth1.npy")).unlink()
    with pytest.raises(ImageError, match="not the files of a pair"):
        find_sequences(tmp_path)


def test_what_cannot_be_used_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not a folder"):
        find_sequences(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="no posed sequence"):
        find_sequences(tmp_path)
    write_synthetic_bag(tmp_path / "a", frames=1, size=SIZE, progress=False)
    with pytest.raises(ConfigError, match=r"unknown set b: .* has a"):
        find_sequences(tmp_path, ["b"])
    with BagReader(tmp_path / "a") as reader, BagWriter(tmp_path / "b") as writer:
        for message in reader.messages(["/camera/image_raw", "/camera/camera_info"]):
            decoded = reader.decode(message)
            writer.write_message(message.topic, message.stamp_ns, decoded)
    assert [one.name for one in find_sequences(tmp_path)] == ["a"]  # b may lie around
    with pytest.raises(BagError, match="does not say where its camera"):
        find_sequences(tmp_path / "b")


def test_fewer_frames_are_the_first_ones(world: list[WorldFrame]) -> None:
    frames = [PosedFrame(str(k), f.image, k, f.c2w, f.depth) for k, f in enumerate(world)]
    whole = PosedSequence("w", "all", 3, Camera(64, 48, world[0].K), lambda: iter(frames))
    assert shorter(whole, None) is whole and shorter(whole, 3) is whole
    part = shorter(whole, 2)
    assert [frame.name for frame in part] == ["0", "1"] == [frame.name for frame in part]
    assert len(part) == 2 and "first 2 of 3" in part.about


def test_stored_depth_in_meters() -> None:
    stored = np.array([[0, 65535, 1500]], np.uint16)
    assert measured_depth(stored) == pytest.approx(np.array([[np.nan, np.nan, 1.5]]), nan_ok=True)
    assert measured_depth(stored, 1 / 5000)[0, 2] == pytest.approx(0.3)
    floats = measured_depth(np.array([[-1, 0, np.inf, np.nan, 2.5]]))
    assert np.isnan(floats[0, :4]).all() and floats[0, 4] == 2.5


def test_depth_of_another_pinhole_is_looked_up_along_the_ray() -> None:
    K = np.array([[100.0, 0, 50], [0, 100, 40], [0, 0, 1]])
    other = np.array([[50.0, 0, 25], [0, 50, 20], [0, 0, 1]])
    depth = np.arange(81 * 101, dtype=np.float32).reshape(81, 101) + 1
    half = resampled_depth(depth, K, other, (41, 51))
    assert np.array_equal(half, depth[::2, ::2])
    wide = resampled_depth(depth, K, other, (60, 80))
    assert np.isnan(wide[50]).all() and np.isnan(wide[:, 60]).all()
    assert resampled_depth(depth, K, K, depth.shape) is depth


def test_depth_is_rectified_like_the_image_but_never_blended() -> None:
    K = np.array([[60.0, 0, 31.5], [0, 60, 23.5], [0, 0, 1]])
    camera = Camera(64, 48, K, "plumb_bob", (-0.3, 0.1, 0.0, 0.0, 0.0))
    y, x = np.mgrid[:48, :64] // 7
    depth = np.where((x + y) % 2, 1.0, 5.0).astype(np.float32)
    moved = rectified_depth(depth, camera)
    picture = camera.rectify((depth * 40).astype(np.uint8))
    assert set(np.unique(moved[np.isfinite(moved)])) <= {1.0, 5.0}
    sure = (picture == 40) | (picture == 200)
    assert sure.mean() > 0.5 and np.array_equal(moved[sure] * 40, picture[sure])
    assert not np.array_equal(moved, depth)
    pinhole = Camera(64, 48, K)
    assert rectified_depth(depth, pinhole) is depth


def _explained(sequence: PosedSequence, first: PosedFrame, second: PosedFrame) -> bool:
    """Whether depth and poses carry the second picture onto the first one better than nothing."""
    K = sequence.camera.rectified().K
    assert first.depth is not None and first.pose is not None and second.pose is not None
    y, x = np.mgrid[: first.depth.shape[0], : first.depth.shape[1]]
    points = np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(K).T * first.depth[..., None]
    motion = np.linalg.inv(second.pose) @ first.pose
    there = (points @ motion[:3, :3].T + motion[:3, 3]) @ K.T
    at = (there[..., :2] / there[..., 2:]).astype(np.float32)
    pictures = [cv2.GaussianBlur(frame.image, (0, 0), 1.5) for frame in (first, second)]
    moved = cv2.remap(pictures[1], at[..., 0], at[..., 1], cv2.INTER_LINEAR)
    seen = np.isfinite(at).all(-1) & (at >= 0).all(-1) & (at < first.depth.shape[::-1]).all(-1)
    errors = [np.abs(p.astype(float) - pictures[0]).mean(-1)[seen] for p in (moved, pictures[1])]
    return bool(seen.mean() > 0.3 and np.median(errors[0]) < 0.7 * np.median(errors[1]))


def test_the_shared_sequences(shared_data: Path) -> None:
    found = {one.name: one for one in find_sequences(shared_data)}
    assert set(found) == set(SHARED)
    for name, (count, size, measured) in SHARED.items():
        sequence = found[name]
        assert len(sequence) == count
        assert (sequence.camera.height, sequence.camera.width) == size
        first = next(iter(sequence))
        assert first.image.shape[:2] == size and first.pose is not None
        assert (first.depth is not None) == measured == sequence.measured


@pytest.mark.parametrize(
    ("name", "apart"),
    [
        ("hololens_rgbd_60f_mcap", 9),
        ("redkitchen", 40),
        ("tartan_pair", 1),
        ("tum_pair_slambook", 1),
    ],
)
def test_their_depth_and_poses_explain_the_pictures(
    name: str, apart: int, shared_data: Path
) -> None:
    (sequence,) = find_sequences(shared_data, [name])
    frames = list(shorter(sequence, apart + 1))
    assert _explained(sequence, frames[0], frames[-1])
