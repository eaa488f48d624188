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

"""Cameras: CameraInfo's rules, scaling by pixel centers, distortion as OpenCV projects it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from zeroco_ros.bag.reader import BagReader
from zeroco_ros.errors import ConfigError, ImageError
from zeroco_ros.geometry import lens
from zeroco_ros.geometry.camera import Camera

K = [458.6, 0, 367.2, 0, 457.3, 248.4, 0, 0, 1]
PLUMB = [-0.283, 0.0739, 0.00019, 0.0000176, 0.0]
RATIONAL = [0.4, -0.6, 0.001, -0.0005, 0.2, 0.5, -0.55, 0.15]
FISHEYE = [0.01, -0.004, 0.002, -0.0003]
MODELS = {"plumb_bob": PLUMB, "rational_polynomial": RATIONAL, "equidistant": FISHEYE}
POINTS = np.random.default_rng(0).uniform([-0.7, -0.5, 1], [0.7, 0.5, 1], (200, 3))


def camera(model: str, **more) -> Camera:
    return Camera.from_info(752, 480, model, MODELS[model], K, **more)


def projected(model: str, points: np.ndarray) -> np.ndarray:
    """Return OpenCV's own projection."""
    matrix, D = np.array(K).reshape(3, 3), np.array(MODELS[model])
    zero = np.zeros(3)
    project = cv2.fisheye.projectPoints if model == "equidistant" else None
    if project is not None:
        return project(points[:, None], zero, zero, matrix, D)[0].reshape(-1, 2)
    return cv2.projectPoints(points, zero, zero, matrix, D)[0].reshape(-1, 2)


@pytest.mark.parametrize("model", MODELS)
def test_rays_and_pixels_agree_with_opencv(model: str):
    pixels = projected(model, POINTS)
    ours = camera(model)
    np.testing.assert_allclose(ours.undistort_points(pixels), POINTS[:, :2], atol=1e-7)
    np.testing.assert_allclose(lens.distort(ours, POINTS[:, :2]), pixels, atol=1e-9)
    assert np.abs(pixels - POINTS[:, :2] * [458.6, 457.3] - [367.2, 248.4]).max() > 5


@pytest.mark.parametrize("model", MODELS)
def test_rectified_pixels_come_from_where_the_lens_puts_them(model: str):
    """An image of its own coordinates: after rectification each pixel names its source."""
    ours = camera(model)
    y, x = np.indices((480, 752), dtype=np.float32)
    seen = ours.rectify(np.stack([x, y], axis=-1))
    rectified = ours.rectified()
    assert not rectified.distorted
    assert (rectified.width, rectified.height) == (752, 480)
    pixels = np.stack([x, y], axis=-1)[20:-20:37, 20:-20:41].reshape(-1, 2)
    rays = (pixels - rectified.K[:2, 2]) / rectified.K[[0, 1], [0, 1]]
    expected = projected(model, np.column_stack([rays, np.ones(len(rays))]))
    got = seen[20:-20:37, 20:-20:41].reshape(-1, 2)
    # OpenCV's fixed-point maps know 1/32 pixel.
    np.testing.assert_allclose(got, expected, atol=0.04)


@pytest.mark.parametrize("model", MODELS)
def test_the_rectified_image_is_filled_and_no_smaller_than_it_must_be(model: str):
    ours = camera(model)
    assert ours.valid_mask().mean() > 0.9995
    K = ours.rectified().K
    assert K[0, 0] / K[1, 1] == pytest.approx(458.6 / 457.3)
    wider = np.array([[0.97 * K[0, 0], 0, K[0, 2]], [0, 0.97 * K[1, 1], K[1, 2]], [0, 0, 1]])
    more = Camera(752, 480, ours.K, ours.model, ours.D, wider)
    assert more.valid_mask().mean() < 0.9995


def test_a_fisheye_beyond_half_a_turn_is_cut_to_what_a_plane_can_show():
    wide = [150, 0, 376, 0, 150, 240, 0, 0, 1]
    ours = Camera.from_info(752, 480, "equidistant", FISHEYE, wide)
    rectified = ours.rectified()
    reach = np.rad2deg(np.arctan(376 / rectified.K[0, 0]))
    assert 60 < reach < 71
    assert ours.valid_mask().mean() > 0.999


def test_without_distortion_the_image_is_passed_on():
    image = np.zeros((480, 752, 3), np.uint8)
    for ours in (
        Camera.from_info(752, 480, "plumb_bob", [0] * 5, K),
        Camera.from_info(752, 480, "", [], K),
        Camera(752, 480, np.reshape(K, (3, 3))),
    ):
        assert not ours.distorted
        assert ours.rectify(image) is image
        assert ours.valid_mask().all()
        np.testing.assert_array_equal(ours.rectified().K, ours.K)


def test_resize_keeps_rays_at_pixel_centers():
    """A picture reduced by area: the mean position of the source pixels under each new one."""
    ours = Camera(752, 480, np.reshape(K, (3, 3)))
    small = ours.resized(188, 96)
    y, x = np.indices((480, 752), dtype=np.float32)
    where = cv2.resize(np.stack([x, y], axis=-1), (188, 96), interpolation=cv2.INTER_AREA)
    rays = ours.undistort_points(where[::9, ::9])
    there = np.stack(np.meshgrid(np.arange(0, 188, 9), np.arange(0, 96, 9)), axis=-1)
    np.testing.assert_allclose(small.undistort_points(there.astype(float)), rays, atol=1e-6)
    back = small.resized(752, 480)
    np.testing.assert_allclose(back.K, ours.K, rtol=1e-12)
    assert ours.resized(752, 480) is ours


def test_binning_and_region_are_crop_and_resize():
    full = camera("plumb_bob")
    ours = camera("plumb_bob", binning=(2, 2), roi=(100, 60, 400, 300))
    assert (ours.width, ours.height) == (200, 150)
    pixels = np.random.default_rng(1).uniform(0, [199, 149], (50, 2))
    in_full = (pixels + 0.5) * 2 - 0.5 + [100, 60]
    np.testing.assert_allclose(
        ours.undistort_points(pixels), full.undistort_points(in_full), atol=1e-9
    )
    assert ours.D == full.D
    odd = camera("plumb_bob", binning=(3, 0))
    assert (odd.width, odd.height) == (250, 480)
    assert odd.K[0, 0] == pytest.approx(458.6 / 3)
    assert odd.K[1, 1] == 457.3


def test_aspect_tells_a_resize_from_a_crop():
    ours = Camera(640, 480, np.reshape(K, (3, 3)))
    assert ours.fits(320, 240)
    assert ours.fits(641, 480)
    assert not ours.fits(640, 360)


def test_the_calibrations_projection_rules_unless_it_is_turned():
    P = [400, 0, 350, 0, 0, 400, 240, 0, 0, 0, 1, 0]
    ours = camera("plumb_bob", p=P)
    np.testing.assert_array_equal(ours.rectified().K, np.reshape(P, (3, 4))[:, :3])
    half = ours.resized(376, 240).rectified().K
    np.testing.assert_allclose(half[:2], [[200, 0, 174.75], [0, 200, 119.75]])
    turn = cv2.Rodrigues(np.array([0, 0.01, 0]))[0].ravel()
    stereo = camera("plumb_bob", p=P, r=turn)
    assert stereo.projection is None
    # Images of an image_rect topic have P's camera matrix, whatever the lens was.
    rectified = camera("plumb_bob", p=P, r=turn, image_rectified=True)
    assert not rectified.distorted
    np.testing.assert_array_equal(rectified.K, np.reshape(P, (3, 4))[:, :3])
    with pytest.raises(ConfigError, match="P must say"):
        camera("plumb_bob", p=[0] * 12, image_rectified=True)


def test_equality_is_of_values():
    ours = camera("plumb_bob")
    assert ours == camera("plumb_bob")
    assert len({ours, camera("plumb_bob"), camera("equidistant")}) == 2
    assert ours != ours.resized(376, 240)
    assert ours != "camera"
    with pytest.raises(ValueError, match="read-only"):
        ours.K[0, 0] = 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"k": [0] * 9}, "not calibrated"),
        ({"k": [1, 2, 3]}, "9 numbers"),
        ({"k": [np.nan, *K[1:]]}, "finite"),
        ({"k": [458, 30, 367, 0, 457, 248, 0, 0, 1]}, "skew"),
        ({"k": [-458.0, *K[1:]]}, "focal"),
        ({"d": [0.1, 0.2]}, "coefficients"),
        ({"d": [0.1, 0.2, 0, np.inf, 0]}, "finite"),
        ({"distortion_model": "thin_prism"}, "unknown distortion model"),
        ({"distortion_model": "equidistant"}, "coefficients"),
        ({"p": [1, 2]}, "12 numbers"),
        ({"p": [-1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]}, "P has no focal"),
        ({"width": 0}, "size"),
        ({"roi": (700, 0, 100, 100)}, "region"),
    ],
)
def test_what_is_no_camera_is_refused(change, words: str):
    values = {"width": 752, "height": 480, "distortion_model": "plumb_bob", "d": PLUMB, "k": K}
    with pytest.raises(ConfigError, match=words):
        Camera.from_info(**{**values, **change})


@pytest.mark.parametrize("shape", [(480, 640), (480,), (752, 480)])
def test_an_image_of_another_size_is_refused(shape):
    with pytest.raises(ImageError, match="752x480"):
        camera("plumb_bob").rectify(np.zeros(shape, np.uint8))


def from_bag(path: Path, topic: str) -> Camera:
    with BagReader(path) as reader:
        info = reader.decode(next(iter(reader.messages([topic]))))
    roi = (info.roi.x_offset, info.roi.y_offset, info.roi.width, info.roi.height)
    return Camera.from_info(
        info.width,
        info.height,
        info.distortion_model,
        info.d,
        info.k,
        r=info.r,
        p=info.p,
        binning=(info.binning_x, info.binning_y),
        roi=roi,
    )


def test_recorded_camera_infos(shared_data: Path):
    drone = from_bag(shared_data / "bags" / "euroc_MH05_80f_sqlite3", "/cam0/camera_info")
    assert (drone.width, drone.height, drone.model) == (752, 480, "plumb_bob")
    assert drone.distorted
    assert drone.valid_mask().mean() > 0.9999
    headset = from_bag(
        shared_data / "bags" / "hololens_rgbd_60f_mcap", "/camera/color/camera_info"
    )
    assert (headset.width, headset.height, headset.model) == (540, 360, "pinhole")
    assert headset.K[0, 0] == pytest.approx(495.5678, abs=1e-3)
