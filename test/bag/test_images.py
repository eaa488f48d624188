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

"""Pictures, calibration and poses out of a bag."""

from __future__ import annotations

from pathlib import Path
import types
from typing import Any

import cv2
import numpy as np
import pytest

from zeroco_ros.bag.geometry_records import camera_info, pose, rotation_matrix
from zeroco_ros.bag.images import decode_image, image_topics, read_images
from zeroco_ros.bag.reader import BagReader
from zeroco_ros.bag.writer import BagWriter, message_class
from zeroco_ros.errors import BagError, ImageError

START_NS = 1_700_000_000_000_000_000
RANDOM = np.random.default_rng(3)
RGB = RANDOM.integers(0, 256, (7, 5, 3), dtype=np.uint8)
ALPHA = np.full((7, 5, 1), 9, dtype=np.uint8)
DEPTH = RANDOM.integers(0, 65536, (7, 5)).astype(np.uint16)
METERS = RANDOM.random((7, 5)).astype(np.float32)
FLOW = RANDOM.normal(size=(7, 5, 2)).astype(np.float32)


def message(pixels: np.ndarray, encoding: str, *, pad: int = 0, big: bool = False) -> Any:
    """Return fields of a sensor_msgs/Image; rows may be padded by bytes or stored big-endian."""
    stored = pixels.astype(pixels.dtype.newbyteorder(">" if big else "<"))
    rows = np.ascontiguousarray(stored).view(np.uint8).reshape(pixels.shape[0], -1)
    rows = np.pad(rows, ((0, 0), (0, pad)), constant_values=77)
    return types.SimpleNamespace(
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        is_bigendian=int(big),
        step=rows.shape[1],
        data=rows.reshape(-1),
    )


@pytest.mark.parametrize("pad", [0, 3])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize(
    ("encoding", "stored", "expected"),
    [
        ("mono8", RGB[..., 0], RGB[..., 0]),
        ("8UC1", RGB[..., 0], RGB[..., 0]),
        ("rgb8", RGB, RGB),
        ("bgr8", RGB[..., ::-1], RGB),
        ("8UC3", RGB[..., ::-1], RGB),
        ("rgba8", np.concatenate([RGB, ALPHA], 2), RGB),
        ("bgra8", np.concatenate([RGB[..., ::-1], ALPHA], 2), RGB),
        ("mono16", DEPTH, DEPTH),
        ("16UC1", DEPTH, DEPTH),
        ("32FC1", METERS, METERS),
        ("32FC2", FLOW, FLOW),
    ],
)
def test_encodings(
    encoding: str, stored: np.ndarray, expected: np.ndarray, pad: int, big: bool
) -> None:
    decoded = decode_image(message(stored, encoding, pad=pad, big=big))
    assert decoded.dtype == expected.dtype
    np.testing.assert_array_equal(decoded, expected)


def test_compressed() -> None:
    for pixels, expected in [(RGB[..., ::-1], RGB), (RGB[..., 0], RGB[..., 0])]:
        data = cv2.imencode(".png", np.ascontiguousarray(pixels))[1]
        decoded = decode_image(types.SimpleNamespace(format="png", data=data))
        np.testing.assert_array_equal(decoded, expected)
    red = np.full((16, 16, 3), (0, 0, 200), np.uint8)
    data = cv2.imencode(".jpg", red)[1]
    decoded = decode_image(types.SimpleNamespace(format="bgr8; jpeg compressed bgr8", data=data))
    np.testing.assert_allclose(decoded, red[..., ::-1].astype(int), atol=6)
    data = cv2.imencode(".png", DEPTH)[1]
    decoded = decode_image(types.SimpleNamespace(format="16UC1; png", data=data))
    np.testing.assert_array_equal(decoded, DEPTH)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"encoding": "hsv8"}, "encoding 'hsv8'.*mono8"),
        ({"step": 4}, "5x7 mono8 image: step is 4 bytes"),
        ({"height": 8}, "35 bytes"),
        ({"width": 0, "height": 0}, "0x0"),
        ({"data": np.zeros(0, np.uint8)}, "0 bytes"),
    ],
)
def test_images_that_do_not_add_up(change: dict[str, Any], words: str) -> None:
    broken = message(RGB[..., 0], "mono8")
    vars(broken).update(change)
    with pytest.raises(ImageError, match=words):
        decode_image(broken)


@pytest.mark.parametrize("data", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n"])
def test_compressed_rubbish(data: bytes) -> None:
    with pytest.raises(ImageError, match=f"format 'jpeg', {len(data)} bytes"):
        decode_image(types.SimpleNamespace(format="jpeg", data=data))


def test_reading_pictures_calibration_and_poses(tmp_path: Path) -> None:
    time = message_class("builtin_interfaces/msg/Time")
    header = message_class("std_msgs/msg/Header")(
        stamp=time(sec=START_NS // 10**9, nanosec=5), frame_id="eye"
    )
    fields = vars(message(RGB, "rgb8", pad=2))
    K = np.array([[300.0, 0, 160], [0, 301, 120], [0, 0, 1]])
    info = message_class("sensor_msgs/msg/CameraInfo")
    region = message_class("sensor_msgs/msg/RegionOfInterest")
    point, quaternion, geometry_pose, stamped = (
        message_class(f"geometry_msgs/msg/{name}")
        for name in ("Point", "Quaternion", "Pose", "PoseStamped")
    )
    half = np.sqrt(0.5)
    with BagWriter(tmp_path / "bag") as writer:
        image = message_class("sensor_msgs/msg/Image")(header=header, **fields)
        writer.write_message("/eye/image", START_NS + 77, image)
        calibration = info(
            header=header, height=240, width=320, distortion_model="plumb_bob",
            d=np.array([0.1, 0, 0, 0, 0]), k=K.reshape(-1), r=np.eye(3).reshape(-1),
            p=np.zeros(12), binning_x=0, binning_y=0,
            roi=region(x_offset=0, y_offset=0, height=0, width=0, do_rectify=False),
        )  # fmt: skip
        writer.write_message("/eye/camera_info", START_NS, calibration)
        turned = geometry_pose(
            position=point(x=1.0, y=2.0, z=3.0),
            orientation=quaternion(x=0.0, y=0.0, z=half, w=half),
        )
        writer.write_message("/eye/pose", START_NS, stamped(header=header, pose=turned))

    with BagReader(tmp_path / "bag") as reader:
        assert image_topics(reader) == ["/eye/image"]
        (picture,) = read_images(reader, "/eye/image")
        np.testing.assert_array_equal(picture.image, RGB)
        assert (picture.stamp_ns, picture.frame_id) == (START_NS + 5, "eye")
        assert picture.record_ns == START_NS + 77
        with pytest.raises(BagError, match="not an image"):
            next(read_images(reader, "/eye/pose"))
        with pytest.raises(BagError, match="no topic /nose"):
            next(read_images(reader, "/nose"))
        by_topic = {m.topic: reader.decode(m) for m in reader}
    calibrated = camera_info(by_topic["/eye/camera_info"])
    np.testing.assert_array_equal(calibrated.K, K)
    assert (calibrated.width, calibrated.height, calibrated.model) == (320, 240, "plumb_bob")
    placed = pose(by_topic["/eye/pose"])
    np.testing.assert_allclose(placed.matrix @ [1, 0, 0, 1], [1, 3, 3, 1], atol=1e-12)
    assert placed.stamp_ns == START_NS + 5


def test_rotation_matrix() -> None:
    q = RANDOM.normal(size=4)
    R = rotation_matrix(*q)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(R) == pytest.approx(1)
    # the axis stays where it is, whatever the length of the quaternion
    np.testing.assert_allclose(R @ q[:3], q[:3], atol=1e-12)
    np.testing.assert_array_equal(rotation_matrix(0, 0, 0, 0), np.eye(3))


def test_the_real_bags(shared_data: Path) -> None:
    with BagReader(shared_data / "bags" / "euroc_MH05_80f_sqlite3") as reader:
        pictures = list(read_images(reader, "/cam0/image_raw"))
    assert len(pictures) == 80
    assert {p.image.shape for p in pictures} == {(480, 752)}
    assert len({p.frame_id for p in pictures}) == 1
    assert np.diff([p.stamp_ns for p in pictures]) == pytest.approx(5e7, rel=0.01)
    with BagReader(shared_data / "bags" / "hololens_rgbd_60f_mcap") as reader:
        (color, depth) = image_topics(reader)
        assert {p.image.shape for p in read_images(reader, color)} == {(360, 540, 3)}
        assert {p.image.dtype for p in read_images(reader, depth)} == {np.dtype(np.uint16)}
