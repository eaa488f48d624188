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

"""Pixels of every encoding to arrays, byte for byte: no ROS in here."""

from __future__ import annotations

import itertools
import re
from typing import Any

import cv2
import numpy as np
import pytest

from zeroco_ros.errors import ImageError
from zeroco_ros.media.encodings import (
    decode_file,
    decode_pixels,
    decode_stored,
    ENCODINGS,
    STORED,
)

H, W = 6, 8


@pytest.fixture
def rgb() -> np.ndarray:
    """(H, W, 3) uint8, every value different from its neighbors."""
    return np.random.default_rng(0).integers(0, 256, (H, W, 3), dtype=np.uint8)


def raw(
    pixels: np.ndarray, encoding: str, pad: int = 0, big_endian: bool = False
) -> dict[str, Any]:
    """
    Return an image as a camera sends it.

    Rows padded by `pad` bytes of rubbish, either byte order.
    """
    pixels = pixels.astype(pixels.dtype.newbyteorder(">" if big_endian else "<"))
    rows = np.frombuffer(pixels.tobytes(), np.uint8).reshape(pixels.shape[0], -1)
    rows = np.pad(rows, ((0, 0), (0, pad)), constant_values=0xAB)
    height, width = pixels.shape[:2]
    sizes = {"height": height, "width": width, "step": rows.shape[1]}
    return {"data": rows.tobytes(), **sizes, "encoding": encoding, "big_endian": big_endian}


PADS = [0, 1, 2, 3, 7, 64]


@pytest.mark.parametrize("pad", PADS)
@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "rgba8", "bgra8"])
def test_color_orders(rgb: np.ndarray, encoding: str, pad: int) -> None:
    pixels = rgb if encoding.startswith("rgb") else rgb[..., ::-1]
    if "a" in encoding:
        pixels = np.dstack([pixels, np.full((H, W), 17, np.uint8)])
    array = decode_pixels(**raw(pixels, encoding, pad))
    assert array.dtype == np.uint8
    np.testing.assert_array_equal(array, rgb)


@pytest.mark.parametrize("pad", PADS)
def test_mono8(rgb: np.ndarray, pad: int) -> None:
    np.testing.assert_array_equal(decode_pixels(**raw(rgb[..., 0], "mono8", pad)), rgb[..., 0])


@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("pad", PADS)
def test_mono16_keeps_the_high_byte(pad: int, big_endian: bool) -> None:
    pixels = np.random.default_rng(1).integers(0, 1 << 16, (H, W), dtype=np.uint16)
    array = decode_pixels(**raw(pixels, "mono16", pad, big_endian))
    np.testing.assert_array_equal(array, (pixels // 256).astype(np.uint8))


def test_mono16_of_a_12_bit_sensor() -> None:
    pixels = np.array([[0, 15, 16, 4095, 4096, 65535]], np.uint16)
    array = decode_pixels(**raw(pixels, "mono16"), significant_bits=12)
    np.testing.assert_array_equal(array, [[0, 0, 1, 255, 255, 255]])
    with pytest.raises(ImageError, match="significant_bits is 17; allowed is 8 to 16"):
        decode_pixels(**raw(pixels, "mono16"), significant_bits=17)


def test_16_bit_brightness_does_not_depend_on_the_rest_of_the_frame() -> None:
    dark = np.full((H, W), 5000, np.uint16)
    bright = dark.copy()
    bright[0, 0] = 65535
    assert (
        decode_pixels(**raw(dark, "mono16"))[3, 3] == decode_pixels(**raw(bright, "mono16"))[3, 3]
    )


@pytest.mark.parametrize("encoding", ["yuv422", "uyvy", "yuv422_yuy2", "yuyv"])
def test_yuv422(encoding: str) -> None:
    """Uniform color patches survive subsampling; luma order is told by a gray ramp."""
    uyvy = encoding in ("yuv422", "uyvy")

    def pack(y: np.ndarray, u: int, v: int) -> np.ndarray:
        chroma = np.tile(np.array([u, v], np.uint8), W // 2)[None].repeat(H, 0)
        return np.dstack([chroma, y] if uyvy else [y, chroma])

    ramp = np.tile(np.arange(16, 16 + 25 * W, 25, dtype=np.uint8), (H, 1))
    gray = decode_pixels(**raw(pack(ramp, 128, 128), encoding, pad=6)).astype(int)
    assert (np.diff(gray, axis=1) > 20).all()
    assert np.ptp(gray, axis=2).max() <= 1
    # BT.601, limited range: red has y 81, u 90, v 240; blue y 41, u 240, v 110.
    red = decode_pixels(**raw(pack(np.full((H, W), 81, np.uint8), 90, 240), encoding))
    blue = decode_pixels(**raw(pack(np.full((H, W), 41, np.uint8), 240, 110), encoding))
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
        array = decode_pixels(**raw(pixels, f"bayer_{pattern}{bits}", pad, big_endian))
        inner = np.s_[2:-2, 2:-2]
        assert np.abs(array[inner] - color[inner]).max() < 8


def damaged(rgb: np.ndarray, **fields: object) -> dict[str, Any]:
    return {**raw(rgb, "rgb8"), **fields}


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
        decode_pixels(**damaged(rgb, **fields))


def test_odd_width_yuv_is_refused() -> None:
    with pytest.raises(ImageError, match=r"5x4 yuv422 image: .* width must be even"):
        decode_pixels(**raw(np.zeros((4, 5, 2), np.uint8), "yuv422"))


@pytest.mark.parametrize("encoding", sorted(ENCODINGS))
@pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 1), (2, 2), (3, 2)])
def test_tiny_images_are_converted_or_refused(encoding: str, size: tuple[int, int]) -> None:
    kind = ENCODINGS[encoding]
    dtype = np.uint8 if kind.itemsize == 1 else np.uint16
    shape = size if kind.channels == 1 else (*size, kind.channels)
    message = raw(np.zeros(shape, dtype), encoding)
    try:
        array = decode_pixels(**message)
    except ImageError as error:
        assert encoding in str(error)
    else:
        assert array.shape[:2] == size


@pytest.mark.parametrize("extension", [".png", ".jpg"])
@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.95])
def test_truncated_compressed_images_are_refused(extension: str, part: float) -> None:
    noise = np.random.default_rng(2).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = cv2.imencode(extension, noise)[1].tobytes()
    cut = data[: int(part * len(data))]
    with pytest.raises(ImageError, match=f"format 'x', {len(cut)} bytes: cannot be decoded"):
        decode_file(cut, "x")


@pytest.mark.parametrize(
    ("data", "format_text"),
    [(b"not an image", "jpeg"), (b"\xff\xd8\xff rubbish \xff\xd9", "jpeg")],
)
def test_rubbish_is_refused(data: bytes, format_text: str) -> None:
    with pytest.raises(ImageError, match="cannot be decoded; accepted are whole jpeg and png"):
        decode_file(data, format_text)


def test_compressed_depth_is_refused() -> None:
    with pytest.raises(ImageError, match="depth images are not camera images"):
        decode_file(b"", "16UC1; compressedDepth")


@pytest.mark.parametrize("pad", [0, 3])
@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize(
    ("encoding", "dtype", "channels"),
    [
        ("mono16", np.uint16, 1),
        ("16UC1", np.uint16, 1),
        ("32FC1", np.float32, 1),
        ("32FC2", np.float32, 2),
    ],
)
def test_stored_values_keep_their_depth(
    encoding: str, dtype: type, channels: int, big_endian: bool, pad: int
) -> None:
    shape = (H, W) if channels == 1 else (H, W, channels)
    values = np.random.default_rng(6).uniform(0, 65535, shape).astype(dtype)
    array = decode_stored(**raw(values, encoding, pad, big_endian))
    assert array.dtype == dtype
    assert array.dtype.isnative
    np.testing.assert_array_equal(array, values)


def test_stored_pictures_are_those_of_the_camera(rgb: np.ndarray) -> None:
    """Depth apart, both decoders say the same, and a stored array is the caller's own."""
    for encoding, kind in ENCODINGS.items():
        if kind.itemsize == 2 and kind.to_rgb is None:
            continue
        dtype = np.uint8 if kind.itemsize == 1 else np.uint16
        pixels = np.random.default_rng(8).integers(0, 256, (H, W, kind.channels)).astype(dtype)
        image = raw(pixels, encoding, pad=5)
        stored = decode_stored(**image)
        np.testing.assert_array_equal(stored, decode_pixels(**image))
        assert stored.flags.writeable
        assert stored.flags.owndata
    np.testing.assert_array_equal(decode_stored(**raw(rgb[..., ::-1], "8UC3")), rgb)
    assert set(STORED) - set(ENCODINGS) == {"8UC1", "8UC3", "16UC1", "32FC1", "32FC2"}
