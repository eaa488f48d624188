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

"""The public depth data sets, as small files in their real layouts and formats."""

from __future__ import annotations

from pathlib import Path
import struct

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from zeroco_ros.errors import ConfigError, ImageError
from zeroco_ros.evaluation.datasets import DEPTH_DATASETS, find_sequences, FLOW_DATASETS
from zeroco_ros.geometry.transforms import inverse, transform
from zeroco_ros.media.images import write_image
from zeroco_ros.sequence.pose_files import write_tum

HEIGHT, WIDTH = 48, 64
START = 1_305_031_102_175_304_000  # nanoseconds


def _image(seed: int = 0, size: tuple[int, int] = (HEIGHT, WIDTH)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def _pose(k: int) -> np.ndarray:
    turned = Rotation.from_euler("xyz", [0.1 * k, 0.02, -0.03 * k]).as_matrix()
    return transform(turned, [0.1 * k, -0.2, 0.3])


def _tum(folder: Path) -> Path:
    for k in range(3):
        stamp = START + k * 33_000_000
        seconds = f"{stamp // 10**9}.{stamp % 10**9:09d}"[:-3]
        write_image(folder / "rgb" / f"{seconds}.png", _image(k))
        depth = np.full((HEIGHT, WIDTH), 10000 + k, np.uint16)
        depth[:5] = 0
        (folder / "depth").mkdir(exist_ok=True)
        cv2.imwrite(str(folder / "depth" / f"{k}.png"), depth)
    rows = ["# color images", "# file: 'x.bag'", "# timestamp filename"]
    names = sorted((folder / "rgb").glob("*.png"))
    (folder / "rgb.txt").write_text("\n".join([*rows, *(f"{p.stem} rgb/{p.name}" for p in names)]))
    late = [f"{(START + k * 33_000_000 + 9_000_000) / 1e9:.6f} depth/{k}.png" for k in (0, 1)]
    (folder / "depth.txt").write_text("\n".join([*rows, *late]))
    stamps = [START - 5_000_000 + 20_000_000 * k for k in range(6)]
    write_tum(folder / "groundtruth.txt", stamps, [_pose(k) for k in range(6)])
    return folder


def test_tum(tmp_path: Path) -> None:
    _tum(tmp_path / "rgbd_dataset_freiburg3_desk")
    (sequence,) = find_sequences(tmp_path, dataset="tum")
    frames = list(sequence)
    assert sequence.name == "rgbd_dataset_freiburg3_desk" and len(frames) == len(sequence) == 3
    assert [frame.stamp_ns - START for frame in frames] == [0, 33_000_000, 66_000_000]
    assert np.allclose(sequence.camera.K[0], [53.54, 0, (320.1 + 0.5) / 10 - 0.5])
    assert frames[1].depth is not None and np.nanmedian(frames[1].depth) == pytest.approx(2.0002)
    assert np.isnan(frames[1].depth[:5]).all()
    assert frames[2].depth is None  # the nearest depth is 24 ms away
    # frame 0 lies a quarter of the way from the first pose to the second
    assert frames[0].pose is not None and frames[0].pose[0, 3] == pytest.approx(0.025)


def test_tum_names_its_camera_or_brings_it(tmp_path: Path) -> None:
    folder = _tum(tmp_path / "mine")
    with pytest.raises(
        ConfigError, match=r"freiburg1, freiburg2, freiburg3, or put a camera\.yaml"
    ):
        find_sequences(tmp_path, dataset="tum")
    (folder / "camera.yaml").write_text("{fx: 50, fy: 51, cx: 31, cy: 23, width: 64, height: 48}")
    (sequence,) = find_sequences(tmp_path, dataset="tum")
    assert sequence.camera.K[0, 0] == 50
    (folder / "rgb.txt").write_text("1.0 ../../secret.png\n")
    with pytest.raises(ConfigError, match="leads out of its folder"):
        find_sequences(tmp_path, dataset="tum")
    (folder / "rgb.txt").write_text("one picture\n")
    with pytest.raises(ConfigError, match="not a list of `seconds file`"):
        find_sequences(tmp_path, dataset="tum")


def test_freiburg1_depth_is_moved_to_the_rectified_pixels(tmp_path: Path) -> None:
    _tum(tmp_path / "rgbd_dataset_freiburg1_xyz")
    (sequence,) = find_sequences(tmp_path, dataset="tum")
    depth = next(iter(sequence)).depth
    assert sequence.camera.distorted and depth is not None
    assert depth.shape == (HEIGHT, WIDTH) and np.nanmax(depth) == pytest.approx(2)


def _euroc(folder: Path, mount: np.ndarray) -> None:
    place = folder / "mav0"
    rows = ["#timestamp [ns],filename"]
    for k in range(3):
        stamp = START + k * 50_000_000
        write_image(place / "cam0" / "data" / f"{stamp}.png", _image(k))
        rows.append(f"{stamp},{stamp}.png")
    (place / "cam0" / "data.csv").write_text("\r\n".join(rows) + "\r\n")
    numbers = ", ".join(str(value) for value in mount.ravel())
    (place / "cam0" / "sensor.yaml").write_text(
        "sensor_type: camera\nT_BS:\n  cols: 4\n  rows: 4\n"
        f"  data: [{numbers}]\nrate_hz: 20\nresolution: [{WIDTH}, {HEIGHT}]\n"
        "camera_model: pinhole\nintrinsics: [45.8, 45.7, 36.7, 24.8]\n"
        "distortion_model: radial-tangential\n"
        "distortion_coefficients: [-0.28340811, 0.07395907, 0.00019359, 1.76187114e-05]\n"
    )
    truth = place / "state_groundtruth_estimate0"
    truth.mkdir()
    rows = ["#timestamp, p_RS_R_x [m], ..., q_RS_w [], ..."]
    for k in range(2):
        x, y, z, w = Rotation.from_matrix(_pose(k)[:3, :3]).as_quat()
        values = [*_pose(k)[:3, 3], w, x, y, z, *np.zeros(9)]
        rows.append(",".join([str(START + k * 100_000_000), *map(str, values)]))
    (truth / "data.csv").write_text("\n".join(rows))


def test_euroc(tmp_path: Path) -> None:
    mount = transform(Rotation.from_euler("z", 90, degrees=True).as_matrix(), [0.05, 0, -0.02])
    _euroc(tmp_path / "MH_01_easy", mount)
    for root in (tmp_path, tmp_path / "MH_01_easy", tmp_path / "MH_01_easy" / "mav0"):
        (sequence,) = find_sequences(root, dataset="euroc")
        assert sequence.name == "MH_01_easy" and not sequence.measured and len(sequence) == 3
    frames = list(sequence)
    assert sequence.camera.distorted and sequence.camera.K[0, 2] == 36.7
    for k, frame in ((0, frames[0]), (1, frames[2])):
        assert frame.pose is not None
        np.testing.assert_allclose(frame.pose, _pose(k) @ mount, atol=1e-9)
    assert frames[1].stamp_ns == START + 50_000_000 and frames[1].pose is not None
    (tmp_path / "MH_01_easy/mav0/state_groundtruth_estimate0/data.csv").write_text("1,2,3\n")
    with pytest.raises(ConfigError, match="line 1 is no pose"):
        find_sequences(tmp_path, dataset="euroc")


def test_kitti_odometry_as_distributed(tmp_path: Path) -> None:
    root = tmp_path / "dataset"
    for number in ("00", "03"):
        folder = root / "sequences" / number
        for k in range(3):
            write_image(folder / "image_0" / f"{k:06d}.png", _image(k))
        (folder / "calib.txt").write_text("P0: 70 0 31 0 0 70 23 0 0 0 1 0\n")
        (folder / "times.txt").write_text("0.000000e+00\n1.037359e-01\n2.074718e-01\n")
        (root / "poses").mkdir(exist_ok=True)
        rows = [np.eye(4)[:3] + np.eye(3, 4, 3) * k for k in range(3)]
        np.savetxt(root / "poses" / f"{number}.txt", np.array(rows).reshape(3, 12))
    for place in (tmp_path, root):
        sequences = find_sequences(place, dataset="kitti-odometry")
        assert [one.name for one in sequences] == ["00", "03"]
    (only,) = find_sequences(root / "sequences" / "03", dataset="kitti-odometry")
    frames = list(only)
    assert [frame.stamp_ns for frame in frames] == [0, 103_735_900, 207_471_800]
    assert frames[2].pose is not None and frames[2].pose[0, 3] == 2


DRIVE = "2011_09_26_drive_0002_sync"
SCALE = np.cos(np.radians(49.0)) * 6378137.0


def _drive(root: Path, count: int = 3) -> Path:
    date = root / "2011_09_26"
    drive = date / DRIVE
    for k in range(count):
        write_image(drive / "image_02" / "data" / f"{k:010d}.png", _image(k, (100, 200)))
        # 1 m further east at each frame, nose turned to the north
        record = [49.0, 8.4 + np.degrees(k / SCALE), 110.0, 0.0, 0.0, np.pi / 2, *[0.0] * 24]
        (drive / "oxts" / "data").mkdir(parents=True, exist_ok=True)
        np.savetxt(drive / "oxts" / "data" / f"{k:010d}.txt", [record], fmt="%.12f")
    stamps = [f"2011-09-26 13:02:25.{k}51199337" for k in range(count)]
    (drive / "image_02" / "timestamps.txt").write_text("\n".join(stamps))
    unit = "R: 1 0 0 0 1 0 0 0 1\nT: 0 0 0\n"
    (date / "calib_imu_to_velo.txt").write_text(f"calib_time: 25-May-2012 16:47:16\n{unit}")
    # laser x forward, y left, z up; camera x right, y down, z forward
    (date / "calib_velo_to_cam.txt").write_text("R: 0 -1 0 0 0 -1 1 0 0\nT: 0 0 0\n")
    (date / "calib_cam_to_cam.txt").write_text(
        "calib_time: 09-Jan-2012 13:57:47\nR_rect_00: 1 0 0 0 1 0 0 0 1\n"
        "P_rect_02: 120 0 99.5 12 0 120 49.5 0 0 0 1 0\n"
    )
    return drive


def _annotate(folder: Path, frame: int) -> None:
    place = folder / "proj_depth" / "groundtruth" / "image_02"
    place.mkdir(parents=True, exist_ok=True)
    depth = np.full((100, 200), 20 * 256, np.uint16)
    depth[:, 60:80] = 90 * 256
    depth[:, 100:120] = 0
    cv2.imwrite(str(place / f"{frame:010d}.png"), depth)


@pytest.mark.parametrize("beside", [True, False])
def test_kitti_raw_with_annotated_depth(tmp_path: Path, beside: bool) -> None:
    drive = _drive(tmp_path)
    _annotate(tmp_path / "data_depth_annotated" / "val" / DRIVE if beside else drive, 2)
    (sequence,) = find_sequences(tmp_path, dataset="kitti-eigen")
    frames = list(sequence)
    assert len(frames) == 3 and sequence.measured and sequence.camera.K[0, 2] == 99.5
    assert frames[1].stamp_ns - frames[0].stamp_ns == 100_000_000
    assert frames[0].depth is None
    depth = frames[2].depth
    assert depth is not None and depth[60, 30] == 20
    assert np.isnan(depth[:40]).all() and np.isnan(depth[99]).all()  # Garg's crop
    assert np.isnan(depth[:, :7]).all() and np.isnan(depth[:, 192:]).all()
    assert np.isnan(depth[:, 60:80]).all() and np.isnan(depth[:, 100:120]).all()
    assert frames[0].pose is not None and np.allclose(frames[0].pose, np.eye(4))
    # facing north and moving east is moving to the right
    assert frames[2].pose is not None
    np.testing.assert_allclose(frames[2].pose[:3, 3], [2, 0, 0], atol=2e-3)


def test_the_eigen_list_chooses_frames(tmp_path: Path) -> None:
    drive = _drive(tmp_path, 14)
    for k in (3, 12):
        _annotate(drive, k)
    (tmp_path / "eigen_test_files.txt").write_text(f"2011_09_26/{DRIVE} 0000000012 l\n")
    (sequence,) = find_sequences(tmp_path, dataset="kitti-eigen")
    frames = list(sequence)
    assert [int(frame.name) for frame in frames] == list(range(4, 13))
    assert [frame.depth is not None for frame in frames] == [False] * 8 + [True]


def test_a_drive_without_its_inertial_unit_has_no_poses(tmp_path: Path) -> None:
    drive = _drive(tmp_path)
    for file in (drive / "oxts" / "data").glob("*"):
        file.unlink()
    (drive / "oxts" / "data").rmdir()
    (sequence,) = find_sequences(tmp_path, dataset="kitti-eigen")
    assert [frame.pose for frame in sequence] == [None] * 3 and not sequence.measured


def _sintel(root: Path, damaged: bool = False) -> None:
    K = np.array([[100.0, 0, 32], [0, 100, 24], [0, 0, 1]])
    magic = struct.pack("<f", 202021.25)
    for k in (1, 2):
        write_image(root / "final" / "alley_1" / f"frame_{k:04d}.png", _image(k))
        for name in ("depth", "camdata_left"):
            (root / name / "alley_1").mkdir(parents=True, exist_ok=True)
        depth = np.full((HEIGHT, WIDTH), 4.0 + k, "<f4")
        depth[0] = 1000
        content = magic + struct.pack("<ii", WIDTH, HEIGHT) + depth.tobytes()
        (root / "depth" / "alley_1" / f"frame_{k:04d}.dpt").write_bytes(
            content[: -4 * damaged or None]
        )
        w2c = inverse(_pose(k))[:3]
        content = magic + K.astype("<f8").tobytes() + w2c.astype("<f8").tobytes()
        (root / "camdata_left" / "alley_1" / f"frame_{k:04d}.cam").write_bytes(content)


def test_sintel_depth(tmp_path: Path) -> None:
    _sintel(tmp_path / "training")
    for root in (tmp_path, tmp_path / "training", tmp_path / "training" / "final" / "alley_1"):
        (sequence,) = find_sequences(root, dataset="sintel")
        assert sequence.name == "sintel-final-alley_1"
    first, second = sequence
    assert sequence.camera.K[0, 0] == 100 and first.depth is not None
    assert np.isnan(first.depth[0]).all() and (first.depth[1:] == 5).all()
    assert second.pose is not None
    np.testing.assert_allclose(second.pose, _pose(2), atol=1e-12)


def test_damaged_sintel_depth(tmp_path: Path) -> None:
    _sintel(tmp_path, damaged=True)
    (sequence,) = find_sequences(tmp_path, dataset="sintel")
    with pytest.raises(ImageError, match=r"frame_0001\.dpt is damaged"):
        next(iter(sequence))
    (tmp_path / "camdata_left" / "alley_1" / "frame_0001.cam").write_bytes(b"none")
    with pytest.raises(ImageError, match="not a file of Sintel's depth data"):
        find_sequences(tmp_path, dataset="sintel")


def test_7_scenes_as_distributed(tmp_path: Path) -> None:
    for number in ("seq-01", "seq-02"):
        folder = tmp_path / "7scenes" / "chess" / number
        write_image(folder / "frame-000000.color.png", _image())
        cv2.imwrite(str(folder / "frame-000000.depth.png"), np.full((HEIGHT, WIDTH), 1500, "u2"))
        np.savetxt(folder / "frame-000000.pose.txt", _pose(1))
    for root in (tmp_path / "7scenes", tmp_path / "7scenes" / "chess"):
        assert [one.name for one in find_sequences(root, dataset="7scenes")] == [
            "chess-seq-01",
            "chess-seq-02",
        ]


def test_folders_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for place in ("a", "rgbd/a"):
        write_image(tmp_path / place / "frame-000000.color.png", _image())
        np.savetxt(tmp_path / place / "frame-000000.pose.txt", _pose(1))
    assert [one.name for one in find_sequences(tmp_path)] == ["a", "a-2"]


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown data set 'kitti': use one of auto, bag"):
        find_sequences(tmp_path, dataset="kitti")
    for name, one in DEPTH_DATASETS.items():
        with pytest.raises(ConfigError, match="holds no posed sequence") as caught:
            find_sequences(tmp_path, dataset=name)
        assert one.expected in str(caught.value)


def test_the_page_of_data_sets_is_the_registry() -> None:
    page = (Path(__file__).parents[2] / "docs" / "DATASETS.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `") and line[3] != "-"]
    every = (*FLOW_DATASETS.values(), *DEPTH_DATASETS.values())
    assert rows == [f"| `{one.name}` | {one.expected} |" for one in every]
