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

"""Image messages to arrays and back, byte for byte."""

from __future__ import annotations

import re
import sys
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

pytest.importorskip("sensor_msgs", reason="sensor_msgs is not importable: no ROS 2 here")

import ros_harness
from sensor_msgs.msg import CompressedImage, Image

from zeroco_ros.errors import ImageError
from zeroco_ros.online.image_messages import decode_compressed, image_size, to_array
from zeroco_ros.ros.messages import from_array

H, W = 6, 8


@pytest.fixture
def rgb() -> np.ndarray:
    """(H, W, 3) uint8, every value different from its neighbors."""
    return np.random.default_rng(0).integers(0, 256, (H, W, 3), dtype=np.uint8)


def raw(pixels: np.ndarray, encoding: str, pad: int = 0, big_endian: bool = False) -> Image:
    """Return a message made by hand: rows padded by `pad` bytes of rubbish, either byte order."""
    pixels = pixels.astype(pixels.dtype.newbyteorder(">" if big_endian else "<"))
    rows = np.frombuffer(pixels.tobytes(), np.uint8).reshape(pixels.shape[0], -1)
    rows = np.pad(rows, ((0, 0), (0, pad)), constant_values=0xAB)
    message = Image(height=pixels.shape[0], width=pixels.shape[1], encoding=encoding)
    message.step = rows.shape[1]
    message.is_bigendian = int(big_endian)
    message.data.frombytes(rows.tobytes())
    return message


def test_packed_rgb8_and_mono8_are_views(rgb: np.ndarray) -> None:
    for pixels, encoding in ((rgb, "rgb8"), (rgb[..., 0], "mono8")):
        for pad in (0, 5):
            message = raw(pixels, encoding, pad)
            assert np.shares_memory(to_array(message), np.frombuffer(message.data, np.uint8))


def test_views_outlive_the_message(rgb: np.ndarray) -> None:
    message = raw(rgb, "rgb8")
    array = to_array(message)
    del message
    np.testing.assert_array_equal(array, rgb)


def test_fields_of_any_message_class_will_do(rgb: np.ndarray) -> None:
    """The classes of rosbags have numpy data, a test may hand out a list."""
    for data in (rgb.ravel(), rgb.tobytes(), rgb.ravel().tolist()):
        message = SimpleNamespace(
            height=H, width=W, step=3 * W, encoding="rgb8", is_bigendian=0, data=data
        )
        np.testing.assert_array_equal(to_array(message), rgb)
        assert image_size(message) == (H, W)


@pytest.mark.parametrize("format_text", ["png", "bgr8; png compressed bgr8", "rgb8; png"])
def test_compressed_png_is_exact(rgb: np.ndarray, format_text: str) -> None:
    data = cv2.imencode(".png", rgb[..., ::-1])[1].tobytes()
    message = CompressedImage(format=format_text, data=data)
    assert image_size(message) is None
    np.testing.assert_array_equal(to_array(message), rgb)


def test_compressed_gray_alpha_and_16_bit_png(rgb: np.ndarray) -> None:
    gray = cv2.imencode(".png", rgb[..., 0])[1]
    np.testing.assert_array_equal(decode_compressed(gray, "png"), rgb[..., 0])
    alpha = cv2.imencode(".png", np.dstack([rgb[..., ::-1], rgb[..., 0]]))[1]
    np.testing.assert_array_equal(decode_compressed(alpha, "png"), rgb)
    deep = rgb.astype(np.uint16) * 256 + 77
    for pixels, expected in ((deep[..., ::-1], rgb), (deep[..., 0], rgb[..., 0])):
        data = cv2.imencode(".png", pixels)[1]
        np.testing.assert_array_equal(decode_compressed(data, "png"), expected)


def test_compressed_jpeg_colors_and_camera_padding() -> None:
    picture = np.zeros((32, 32, 3), np.uint8)
    picture[:, :16] = (250, 10, 10)
    picture[:, 16:] = (10, 10, 250)
    data = cv2.imencode(".jpg", picture[..., ::-1])[1].tobytes()
    for padded in (data, data + bytes(100)):
        array = to_array(CompressedImage(format="jpeg", data=padded))
        assert np.abs(array[:, :12].astype(int) - picture[:, :12]).max() < 20
        assert np.abs(array[:, 20:].astype(int) - picture[:, 20:]).max() < 20


@pytest.mark.parametrize(
    ("encoding", "dtype", "channels"),
    [
        ("32FC2", np.float32, 2),
        ("32FC1", np.float32, 1),
        ("bgr8", np.uint8, 3),
        ("mono8", np.uint8, 1),
    ],
)
def test_from_array(encoding: str, dtype: type, channels: int) -> None:
    values = np.random.default_rng(3).uniform(0, 255, (H, W, channels)).astype(dtype)
    pixels = values[..., 0] if channels == 1 else values
    header = ros_harness.make_header(123_000_000_456, "left_optical")
    message = from_array(pixels, encoding, header)
    assert message.header == header
    assert (message.height, message.width, message.encoding) == (H, W, encoding)
    assert message.step == W * channels * values.itemsize
    assert message.is_bigendian == (sys.byteorder == "big")
    assert bytes(message.data) == values.tobytes()


def test_from_array_takes_any_memory_layout(rgb: np.ndarray) -> None:
    header = ros_harness.make_header(0)
    for pixels in (rgb[..., ::-1], np.asfortranarray(rgb), np.repeat(rgb, 2, 1)[:, ::2]):
        assert bytes(from_array(pixels, "bgr8", header).data) == pixels.tobytes()


@pytest.mark.parametrize(
    ("pixels", "encoding", "told"),
    [
        (np.zeros((4, 4, 2)), "32FC2", "32FC2 takes (H, W, 2) of float32"),
        (np.zeros((4, 4, 3), np.float32), "32FC2", "not (4, 4, 3) of float32"),
        (np.zeros((0, 4), np.uint8), "mono8", "not (0, 4) of uint8"),
        (np.zeros(4, np.uint8), "mono8", "not (4,) of uint8"),
        (np.zeros((4, 4)), "64FC1", "encoding '64FC1' is not supported; allowed: mono8"),
    ],
)
def test_from_array_refuses_what_does_not_fit(
    pixels: np.ndarray, encoding: str, told: str
) -> None:
    with pytest.raises(ImageError, match=re.escape(told)):
        from_array(pixels, encoding, ros_harness.make_header(0))


def test_images_survive_the_middleware(probe: ros_harness.Probe, rgb: np.ndarray) -> None:
    collector = probe.collect(Image, "round_trip")
    publisher = probe.publisher(Image, "round_trip")
    probe.wait_connected(publisher, collector)
    flow = np.random.default_rng(4).normal(size=(H, W, 2)).astype(np.float32)
    header = ros_harness.make_header(77, "camera")
    publisher.publish(from_array(flow, "32FC2", header))
    publisher.publish(from_array(rgb, "rgb8", header))
    first, second = collector.wait_for(2)[:2]
    assert bytes(first.data) == flow.tobytes()
    assert first.header == header
    np.testing.assert_array_equal(to_array(second), rgb)
