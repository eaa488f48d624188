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

"""The stand-in for cv_bridge: the same methods, right also where the original is not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not importable: no ROS 2 here")

import ros_harness
from sensor_msgs.msg import CompressedImage, Image

from zeroco_ros.ros.stand_in_bridge import CvBridge, CvBridgeError


@pytest.fixture
def bgr() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("shape", "dtype", "code"),
    [
        ((6, 8), np.uint8, "8UC1"),
        ((6, 8, 3), np.uint8, "8UC3"),
        ((6, 8), np.uint16, "16UC1"),
        ((6, 8), np.float32, "32FC1"),
        ((6, 8, 2), np.float32, "32FC2"),
        ((6, 8), np.float64, "64FC1"),
        ((6, 8, 4), np.int16, "16SC4"),
    ],
)
def test_bridge_passes_any_type_through(shape: tuple[int, ...], dtype: type, code: str) -> None:
    pixels = np.random.default_rng(1).uniform(0, 100, shape).astype(dtype)
    header = ros_harness.make_header(5, "camera")
    message = CvBridge().cv2_to_imgmsg(pixels, header=header)
    assert (message.encoding, message.header) == (code, header)
    back = CvBridge().imgmsg_to_cv2(message)
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, pixels)


def test_bridge_converts_colors(bgr: np.ndarray) -> None:
    bridge = CvBridge()
    message = bridge.cv2_to_imgmsg(bgr, "bgr8")
    np.testing.assert_array_equal(bridge.imgmsg_to_cv2(message, "rgb8"), bgr[..., ::-1])
    np.testing.assert_array_equal(bridge.imgmsg_to_cv2(message, "bgra8")[..., :3], bgr)
    gray = bridge.imgmsg_to_cv2(message, "mono8")
    np.testing.assert_array_equal(gray, cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY))
    deep = bridge.imgmsg_to_cv2(message, "bgr16")
    np.testing.assert_array_equal(deep, bgr.astype(np.uint16) * 257)
    back = bridge.imgmsg_to_cv2(bridge.cv2_to_imgmsg(deep, "bgr16"), "bgr8")
    np.testing.assert_array_equal(back, bgr)
    np.testing.assert_array_equal(bridge.imgmsg_to_cv2(message, "8UC3"), bgr)


def test_bridge_reads_padded_rows_and_big_endian_data() -> None:
    pixels = np.arange(12, dtype=np.uint16).reshape(3, 4)
    rows = np.pad(pixels.astype(">u2").view(np.uint8).reshape(3, 8), ((0, 0), (0, 3)))
    message = Image(height=3, width=4, step=11, encoding="mono16", is_bigendian=1)
    message.data.frombytes(rows.tobytes())
    np.testing.assert_array_equal(CvBridge().imgmsg_to_cv2(message), pixels)


def test_bridge_reads_bayer_and_yuv() -> None:
    message = Image(height=8, width=8, step=8, encoding="bayer_rggb8", data=bytes([90] * 64))
    assert CvBridge().imgmsg_to_cv2(message).shape == (8, 8)
    assert (CvBridge().imgmsg_to_cv2(message, "bgr8") == 90).all()
    yuv = Image(height=4, width=4, step=8, encoding="yuv422", data=bytes([128, 126] * 16))
    assert np.abs(CvBridge().imgmsg_to_cv2(yuv, "rgb8").astype(int) - 128).max() <= 1


def test_bridge_refuses_with_its_own_error(bgr: np.ndarray) -> None:
    bridge = CvBridge()
    assert issubclass(CvBridgeError, TypeError)
    with pytest.raises(CvBridgeError, match="image has incompatible type 8UC3"):
        bridge.cv2_to_imgmsg(bgr, "mono8")
    with pytest.raises(TypeError, match="not a numpy array"):
        bridge.cv2_to_imgmsg("picture")
    with pytest.raises(CvBridgeError, match=r"Unrecognized image encoding \[nonsense\]"):
        bridge.imgmsg_to_cv2(Image(height=1, width=1, step=1, encoding="nonsense", data=b"a"))
    with pytest.raises(CvBridgeError, match="3 bytes of data"):
        bridge.imgmsg_to_cv2(Image(height=6, width=8, step=24, encoding="rgb8", data=b"abc"))
    flow = bridge.cv2_to_imgmsg(np.zeros((4, 4, 2), np.float32))
    with pytest.raises(CvBridgeError, match=r"\[32FC2\] cannot be converted to \[bgr8\]"):
        bridge.imgmsg_to_cv2(flow, "bgr8")


def test_bridge_compresses(bgr: np.ndarray) -> None:
    bridge = CvBridge()
    message = bridge.cv2_to_compressed_imgmsg(bgr, "png")
    assert message.format == "png"
    np.testing.assert_array_equal(bridge.compressed_imgmsg_to_cv2(message), bgr)
    rgb = bridge.compressed_imgmsg_to_cv2(message, "rgb8")
    np.testing.assert_array_equal(rgb, bgr[..., ::-1])
    with pytest.raises(CvBridgeError, match="cannot be encoded as nonsense"):
        bridge.cv2_to_compressed_imgmsg(bgr, "nonsense")
    with pytest.raises(CvBridgeError, match="3 bytes of 'jpeg' cannot be decoded"):
        bridge.compressed_imgmsg_to_cv2(CompressedImage(format="jpeg", data=b"abc"))
