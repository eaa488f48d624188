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

"""Calibration files of several tools, and of none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from zeroco_ros.errors import ConfigError
from zeroco_ros.geometry.camera import load_camera

ROS = """
image_width: 640
image_height: 480
camera_name: head
camera_matrix:
  rows: 3
  cols: 3
  data: [500.5, 0, 320.25, 0, 501.5, 240.75, 0, 0, 1]
distortion_model: {model}
distortion_coefficients:
  rows: 1
  cols: {count}
  data: {d}
rectification_matrix: {{rows: 3, cols: 3, data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}}
projection_matrix:
  rows: 3
  cols: 4
  data: [450, 0, 322, 0, 0, 452, 241, 0, 0, 0, 1, 0]
"""
PLUMB = ROS.format(model="plumb_bob", count=5, d="[-0.2, 0.05, 0.001, -0.002, 0.0]")
FISHEYE = ROS.format(model="equidistant", count=4, d="[0.01, 0.02, 0.003, 0.004]")
EUROC = """
sensor_type: camera
rate_hz: 20
resolution: [752, 480]
camera_model: pinhole
intrinsics: [458.654, 457.296, 367.215, 248.375] #fu, fv, cu, cv
distortion_model: radial-tangential
distortion_coefficients: [-0.28340811, 0.07395907, 0.00019359, 1.76187114e-05]
"""
KALIBR = """
cam0:
  camera_model: pinhole
  distortion_coeffs: [0.01, 0.02, 0.003, 0.004]
  distortion_model: equidistant
  intrinsics: [190.9, 190.8, 254.9, 256.9]
  resolution: [512, 512]
cam1: {camera_model: pinhole}
"""
KITTI = "P0: 700 0 600 0 0 701 180 0 0 0 1 0\nP1: 700 0 600 -380 0 701 180 0 0 0 1 0\n"


def write(tmp_path: Path, text: str, name: str = "camera.yaml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def focal(camera) -> list[float]:
    return [camera.K[0, 0], camera.K[1, 1], camera.K[0, 2], camera.K[1, 2]]


def test_ros_calibrations(tmp_path: Path):
    camera = load_camera(write(tmp_path, PLUMB))
    assert (camera.width, camera.height, camera.model) == (640, 480, "plumb_bob")
    assert camera.D == (-0.2, 0.05, 0.001, -0.002, 0.0)
    assert focal(camera) == [500.5, 501.5, 320.25, 240.75]
    assert focal(camera.rectified()) == [450, 452, 322, 241]
    assert load_camera(write(tmp_path, FISHEYE)).model == "equidistant"


def test_euroc_and_kalibr(tmp_path: Path):
    euroc = load_camera(write(tmp_path, EUROC))
    assert (euroc.width, euroc.height, euroc.model, len(euroc.D)) == (752, 480, "plumb_bob", 4)
    assert focal(euroc) == [458.654, 457.296, 367.215, 248.375]
    kalibr = load_camera(write(tmp_path, KALIBR))
    assert (kalibr.width, kalibr.model) == (512, "equidistant")


@pytest.mark.parametrize(
    "text",
    [
        '{"fx": 500, "fy": 501, "cx": 320, "cy": 240, "width": 640, "height": 480}',
        '{\n\t"fx": 500,\n\t"fy": 501, "cx": 320, "cy": 240, "model": "pinhole", "D": []}',
        "fx: 500\nfy: 501\ncx: 320\ncy: 240\n",
        "500 501 320 240",
        "# fx fy cx cy\n500, 501, 320, 240\n",
        "500 0 320\n0 501 240\n0 0 1\n",
        "500 0 320 0 0 501 240 0 0 0 1 0\n7 0 3 0 0 5 2 0 0 0 1 0\n",
        "P0: 500 0 320 0 0 501 240 0 0 0 1 0\nTr: 1 0 0 0 0 1 0 0 0 0 1 0",
        "calib_time: 09-Jan-2012 13:57:47\nS_00: 640 480\n"
        "P_rect_00: 500 0 320 0 0 501 240 0 0 0 1 0\n",
    ],
)
def test_the_same_camera_in_plain_words(tmp_path: Path, text: str):
    camera = load_camera(write(tmp_path, text, "calib.txt"), size=(640, 480))
    assert focal(camera) == [500, 501, 320, 240]
    assert (camera.width, camera.height, camera.model) == (640, 480, "pinhole")


@pytest.mark.parametrize("more", [(), (0.01,)])
def test_bare_numbers_with_distortion(tmp_path: Path, more: tuple[float, ...]):
    D = (-0.2, 0.05, 0.001, -0.002, *more)
    path = write(tmp_path, "500 501 320 240 " + " ".join(str(value) for value in D))
    camera = load_camera(path, size=(640, 480))
    assert camera.model == "plumb_bob"
    assert camera.D == D
    assert focal(camera) == [500, 501, 320, 240]


def test_another_size_of_the_images(tmp_path: Path):
    half = load_camera(write(tmp_path, PLUMB), size=(320, 240))
    assert focal(half) == [250.25, 250.75, (320.25 + 0.5) / 2 - 0.5, (240.75 + 0.5) / 2 - 0.5]
    with pytest.raises(ConfigError, match="cropped"):
        load_camera(write(tmp_path, PLUMB), size=(640, 360))
    with pytest.raises(ConfigError, match="give size"):
        load_camera(write(tmp_path, KITTI))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello: world",
        "just words",
        "1 2 3",
        "- 1\n- 2",
        "fx: five\nfy: 1\ncx: 1\ncy: 1",
        "camera_matrix: {data: [1, 2]}",
        "image_width: 640\nimage_height: 480\ncamera_matrix: {data: [1, 2]}",
        "intrinsics: [1, 2]\nresolution: [4, 4]",
        "camera_model: omni\nintrinsics: [1, 1, 1, 1]\nresolution: [4, 4]",
        "fx: {unclosed",
        "!!python/object/apply:os.system ['true']",
        PLUMB.replace("[-0.2,", "[.nan,"),
        PLUMB.replace("500.5", "0"),
        PLUMB.replace("plumb_bob", "omni"),
    ],
)
def test_a_file_that_is_no_calibration_is_named(tmp_path: Path, text: str):
    path = write(tmp_path, text)
    with pytest.raises(ConfigError, match=r"camera\.yaml"):
        load_camera(path, size=(640, 480))


def test_files_that_cannot_be_read(tmp_path: Path):
    binary = tmp_path / "image.png"
    binary.write_bytes(bytes(range(256)))
    large = write(tmp_path, "1 " * 600_000, "large.txt")
    for path in (tmp_path / "none.yaml", tmp_path, binary, large):
        with pytest.raises(ConfigError, match=path.name):
            load_camera(path, size=(4, 4))


def test_kitti_and_seven_scenes_as_downloaded(shared_data: Path):
    kitti = load_camera(shared_data / "rgbd" / "kitti_odom_seq1" / "calib.txt", size=(1226, 370))
    np.testing.assert_allclose(focal(kitti), [707.0912, 707.0912, 601.8873, 183.1104])
    kitchen = shared_data / "rgbd" / "redkitchen" / "camera-intrinsics.txt"
    assert focal(load_camera(kitchen, size=(640, 480))) == [585, 585, 320, 240]
