"""Image messages to arrays and back, byte for byte."""

from __future__ import annotations

import itertools
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
from zeroco_ros.ros.encodings import ENCODINGS
from zeroco_ros.ros.messages import decode_compressed, from_array, image_size, to_array

H, W = 6, 8


@pytest.fixture
def rgb() -> np.ndarray:
    """(H, W, 3) uint8, every value different from its neighbors."""
    return np.random.default_rng(0).integers(0, 256, (H, W, 3), dtype=np.uint8)


def raw(pixels: np.ndarray, encoding: str, pad: int = 0, big_endian: bool = False) -> Image:
    """A message made by hand: rows padded by `pad` bytes of rubbish, either byte order."""
    pixels = pixels.astype(pixels.dtype.newbyteorder(">" if big_endian else "<"))
    rows = np.frombuffer(pixels.tobytes(), np.uint8).reshape(pixels.shape[0], -1)
    rows = np.pad(rows, ((0, 0), (0, pad)), constant_values=0xAB)
    message = Image(height=pixels.shape[0], width=pixels.shape[1], encoding=encoding)
    message.step = rows.shape[1]
    message.is_bigendian = int(big_endian)
    message.data.frombytes(rows.tobytes())
    return message


PADS = [0, 1, 2, 3, 7, 64]


@pytest.mark.parametrize("pad", PADS)
@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "rgba8", "bgra8"])
def test_color_orders(rgb: np.ndarray, encoding: str, pad: int) -> None:
    pixels = rgb if encoding.startswith("rgb") else rgb[..., ::-1]
    if "a" in encoding:
        pixels = np.dstack([pixels, np.full((H, W), 17, np.uint8)])
    array = to_array(raw(pixels, encoding, pad))
    assert array.dtype == np.uint8
    np.testing.assert_array_equal(array, rgb)


@pytest.mark.parametrize("pad", PADS)
def test_mono8(rgb: np.ndarray, pad: int) -> None:
    np.testing.assert_array_equal(to_array(raw(rgb[..., 0], "mono8", pad)), rgb[..., 0])


@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("pad", PADS)
def test_mono16_keeps_the_high_byte(pad: int, big_endian: bool) -> None:
    pixels = np.random.default_rng(1).integers(0, 1 << 16, (H, W), dtype=np.uint16)
    array = to_array(raw(pixels, "mono16", pad, big_endian))
    np.testing.assert_array_equal(array, (pixels // 256).astype(np.uint8))


def test_mono16_of_a_12_bit_sensor() -> None:
    pixels = np.array([[0, 15, 16, 4095, 4096, 65535]], np.uint16)
    array = to_array(raw(pixels, "mono16"), significant_bits=12)
    np.testing.assert_array_equal(array, [[0, 0, 1, 255, 255, 255]])
    with pytest.raises(ImageError, match="significant_bits is 17; allowed is 8 to 16"):
        to_array(raw(pixels, "mono16"), significant_bits=17)


def test_16_bit_brightness_does_not_depend_on_the_rest_of_the_frame() -> None:
    dark = np.full((H, W), 5000, np.uint16)
    bright = dark.copy()
    bright[0, 0] = 65535
    assert to_array(raw(dark, "mono16"))[3, 3] == to_array(raw(bright, "mono16"))[3, 3]


@pytest.mark.parametrize("encoding", ["yuv422", "uyvy", "yuv422_yuy2", "yuyv"])
def test_yuv422(encoding: str) -> None:
    """Uniform color patches survive subsampling; luma order is told by a gray ramp."""
    uyvy = encoding in ("yuv422", "uyvy")

    def pack(y: np.ndarray, u: int, v: int) -> np.ndarray:
        chroma = np.tile(np.array([u, v], np.uint8), W // 2)[None].repeat(H, 0)
        return np.dstack([chroma, y] if uyvy else [y, chroma])

    ramp = np.tile(np.arange(16, 16 + 25 * W, 25, dtype=np.uint8), (H, 1))
    gray = to_array(raw(pack(ramp, 128, 128), encoding, pad=6)).astype(int)
    assert (np.diff(gray, axis=1) > 20).all()
    assert np.ptp(gray, axis=2).max() <= 1
    # BT.601, limited range: red has y 81, u 90, v 240; blue y 41, u 240, v 110.
    red = to_array(raw(pack(np.full((H, W), 81, np.uint8), 90, 240), encoding))
    blue = to_array(raw(pack(np.full((H, W), 41, np.uint8), 240, 110), encoding))
    assert np.abs(red.astype(int) - [255, 0, 0]).max() <= 2
    assert np.abs(blue.astype(int) - [0, 0, 255]).max() <= 2


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer(pattern: str, bits: int) -> None:
    """A smooth color picture, sampled as its name says, comes back nearly as it was."""
    height, width = 32, 48
    ramp = np.linspace(20, 200, width)[None].repeat(height, 0)
    color = np.dstack([ramp, 230 - ramp, np.full_like(ramp, 90)])
    mosaic = np.zeros((height, width))
    for index, letter in enumerate(pattern):
        rows, columns = slice(index // 2, None, 2), slice(index % 2, None, 2)
        mosaic[rows, columns] = color[rows, columns, "rgb".index(letter)]
    pixels = mosaic.astype(np.uint8)
    if bits == 16:
        pixels = pixels.astype(np.uint16) << 8
    for big_endian, pad in itertools.product([False, True], [0, 5]):
        array = to_array(raw(pixels, f"bayer_{pattern}{bits}", pad, big_endian))
        inner = np.s_[2:-2, 2:-2]
        assert np.abs(array[inner] - color[inner]).max() < 8


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
    """rosbags hands out its own classes with numpy data, a test may hand out a list."""
    for data in (rgb.ravel(), rgb.tobytes(), rgb.ravel().tolist()):
        message = SimpleNamespace(
            height=H, width=W, step=3 * W, encoding="rgb8", is_bigendian=0, data=data
        )
        np.testing.assert_array_equal(to_array(message), rgb)
        assert image_size(message) == (H, W)


def damaged(rgb: np.ndarray, **fields: object) -> Image:
    message = raw(rgb, "rgb8")
    for name, value in fields.items():
        setattr(message, name, value)
    return message


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"height": 0}, "8x0 rgb8 image: it has no pixels"),
        ({"width": 0}, "0x6 rgb8 image: it has no pixels"),
        ({"step": 23}, "step is 23 bytes, a row needs at least 24"),
        ({"step": 25}, "144 bytes of data, step 25 x height 6 makes 150"),
        ({"height": 7}, "144 bytes of data, step 24 x height 7 makes 168"),
        ({"height": 5}, "144 bytes of data, step 24 x height 5 makes 120"),
        ({"data": b"abc"}, "3 bytes of data, step 24 x height 6 makes 144"),
        ({"data": b""}, "0 bytes of data"),
        ({"step": 0}, "step is 0 bytes"),
        ({"encoding": "bgra8"}, "step is 24 bytes, a row needs at least 32"),
        ({"encoding": ""}, "encoding '' is not supported; accepted are mono8, mono16, rgb8"),
        ({"encoding": "32FC1"}, "encoding '32FC1' is not supported; accepted are mono8"),
        ({"height": 2**31, "width": 2**31}, "a row needs at least 6442450944"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_numbers(
    rgb: np.ndarray, fields: dict[str, object], told: str
) -> None:
    with pytest.raises(ImageError, match=re.escape(told)):
        to_array(damaged(rgb, **fields))


def test_odd_width_yuv_is_refused() -> None:
    with pytest.raises(ImageError, match=r"5x4 yuv422 image: .* width must be even"):
        to_array(raw(np.zeros((4, 5, 2), np.uint8), "yuv422"))


@pytest.mark.parametrize("encoding", sorted(ENCODINGS))
@pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 1), (2, 2), (3, 2)])
def test_tiny_images_are_converted_or_refused(encoding: str, size: tuple[int, int]) -> None:
    kind = ENCODINGS[encoding]
    dtype = np.uint8 if kind.itemsize == 1 else np.uint16
    shape = size if kind.channels == 1 else (*size, kind.channels)
    message = raw(np.zeros(shape, dtype), encoding)
    try:
        array = to_array(message)
    except ImageError as error:
        assert encoding in str(error)
    else:
        assert array.shape[:2] == size


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


@pytest.mark.parametrize("extension", [".png", ".jpg"])
@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.95])
def test_truncated_compressed_images_are_refused(extension: str, part: float) -> None:
    noise = np.random.default_rng(2).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = cv2.imencode(extension, noise)[1].tobytes()
    cut = data[: int(part * len(data))]
    with pytest.raises(ImageError, match=f"format 'x', {len(cut)} bytes: cannot be decoded"):
        to_array(CompressedImage(format="x", data=cut))


@pytest.mark.parametrize(
    ("data", "format_text"),
    [(b"not an image", "jpeg"), (b"\xff\xd8\xff rubbish \xff\xd9", "jpeg")],
)
def test_rubbish_is_refused(data: bytes, format_text: str) -> None:
    with pytest.raises(ImageError, match="cannot be decoded; accepted are whole jpeg and png"):
        decode_compressed(data, format_text)


def test_compressed_depth_is_refused() -> None:
    with pytest.raises(ImageError, match="depth images are not camera images"):
        decode_compressed(b"", "16UC1; compressedDepth")


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
