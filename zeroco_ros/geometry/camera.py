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

"""
Cameras from plain CameraInfo values: scale, binning, region of interest, rectification.

The models are those of sensor_msgs/CameraInfo (REP 104) with OpenCV's formulas: `plumb_bob` and
`rational_polynomial` (Brown), `equidistant` (Kannala and Brandt, cv2.fisheye). Integer pixel
coordinates are pixel centers, so an image whose width is scaled by s has its principal point at
s (cx + 1/2) - 1/2. A camera looks along z, x points right, y down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, Literal

import cv2
import numpy as np
import numpy.typing as npt

from zeroco_ros.errors import ConfigError, ImageError
from zeroco_ros.geometry import lens
from zeroco_ros.geometry.camera_files import read_camera_file

Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Model = Literal["pinhole", "plumb_bob", "rational_polynomial", "equidistant"]

# Model -> allowed numbers of coefficients (OpenCV's orders).
COEFFICIENTS: dict[str, tuple[int, ...]] = {
    "pinhole": (0,),
    "plumb_bob": (4, 5),
    "rational_polynomial": (8, 12, 14),
    "equidistant": (4,),
}
# Other tools' names for the same formulas.
ALIASES = {"": "plumb_bob", "none": "plumb_bob", "radtan": "plumb_bob"}
ALIASES |= {"radial-tangential": "plumb_bob", "fisheye": "equidistant", "equi": "equidistant"}


@dataclass(frozen=True, eq=False)
class Camera:
    """
    One camera and the size of its images. Cameras with the same values are equal.

    width, height: pixels. K: (3, 3) float64, pixels, no skew. model: the distortion model; D: its
    coefficients in OpenCV's order, () for a pinhole. projection: (3, 3) K of the rectified image
    if the calibration names one (P of a CameraInfo), else None: `rectified` then chooses it.
    """

    width: int
    height: int
    K: Array
    model: Model = "pinhole"
    D: tuple[float, ...] = ()
    projection: Array | None = None

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ConfigError(f"a camera's image needs a size, not {self.width}x{self.height}")
        object.__setattr__(self, "K", _checked_matrix(self.K, "K"))
        if self.projection is not None:
            object.__setattr__(self, "projection", _checked_matrix(self.projection, "P"))
        object.__setattr__(self, "D", tuple(float(value) for value in self.D))
        _check_coefficients(self.model, self.D)

    @classmethod
    def from_info(
        cls,
        width: int,
        height: int,
        distortion_model: str,
        d: Sequence[float],
        k: Sequence[float],
        *,
        r: Sequence[float] | None = None,
        p: Sequence[float] | None = None,
        binning: tuple[int, int] = (0, 0),
        roi: tuple[int, int, int, int] | None = None,
        image_rectified: bool = False,
    ) -> Camera:
        """
        Return camera of a sensor_msgs/CameraInfo, given as plain values; also of other sources.

        width, height, k (9), p (12), r (9): full resolution, as calibrated. binning: (x, y), 0
        means 1. roi: (x_offset, y_offset, width, height) in full resolution, zeros mean all. The
        camera returned is the one of the images: after region and binning.
        p counts only without a stereo rotation r (poses are the camera's own).
        image_rectified: the images come from an `image_rect` topic: K is that of p, no distortion.
        Raises ConfigError for a zero K (an uncalibrated camera), wrong lengths, an unknown model.
        """
        K = _matrix(k, (3, 3), "K")
        model, coefficients = _distortion(distortion_model, d)
        projection = None
        if p is not None and np.any(P := _matrix(p, (3, 4), "P")):
            turned = r is not None and np.any(r) and not _is_identity(_matrix(r, (3, 3), "R"))
            projection = None if turned and not image_rectified else P[:, :3]
        if image_rectified:
            if projection is None and any(coefficients):
                raise ConfigError("the images are rectified, but P is zero: P must say their K")
            K = K if projection is None else projection
            model, coefficients, projection = "pinhole", (), None
        full = cls(int(width), int(height), K, model, coefficients, projection)
        return full._region(roi)._binned(binning)

    @property
    def distorted(self) -> bool:
        """Whether rectifying would move anything."""
        return self.model == "equidistant" or any(self.D)

    def resized(self, width: int, height: int) -> Camera:
        """Return same camera with its images resized to width x height (x and y on their own)."""
        if (width, height) == (self.width, self.height):
            return self
        scale = np.array([width / self.width, height / self.height])
        return self._changed(width, height, scale, np.zeros(2))

    def fits(self, width: int, height: int) -> bool:
        """
        Whether width x height has this camera's aspect (2 %): else it is a crop, not a resize.

        A cropped image needs the camera's region of interest, which only the driver knows.
        """
        return abs(width * self.height / (height * self.width) - 1) <= 0.02

    def rectified(self) -> Camera:
        """
        Return the pinhole camera of `rectify`'s images, of the same size and orientation.

        K is the calibration's own projection where it names one; otherwise the whole image shows
        the scene (no empty corners), as wide as that allows, with the pixels' aspect kept.
        """
        if not self.distorted and self.projection is None:
            return Camera(self.width, self.height, self.K)
        K = self.projection if self.projection is not None else lens.inner_projection(self)
        return Camera(self.width, self.height, K)

    def rectify(self, image: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """
        Return the image (H, W[, C]) as the rectified camera sees it; empty places are 0.

        The image itself, not a copy, where there is nothing to do. Raises ImageError for an image
        that does not have the camera's size: use the camera `resized` to it.
        """
        self._check_size(image)
        if not self._moves():
            return image
        first, second = lens.rectifying_maps(self)
        return np.asarray(cv2.remap(image, first, second, cv2.INTER_LINEAR))

    def valid_mask(self) -> BoolArray:
        """(H, W) bool: rectified pixels that lie inside of the image as the camera gives it."""
        if not self._moves():
            return np.ones((self.height, self.width), dtype=bool)
        return lens.filled(self)

    def undistort_points(self, points: npt.ArrayLike) -> Array:
        """
        Pixels (..., 2) of the image as the camera gives it to rays (..., 2) x/z, y/z.

        NaN where the model cannot be inverted.
        """
        xy = np.ascontiguousarray(points, dtype=np.float64)
        return lens.undistort(self, xy.reshape(-1, 2)).reshape(xy.shape)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Camera) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[object, ...]:
        projection = None if self.projection is None else self.projection.tobytes()
        return self.width, self.height, self.K.tobytes(), self.model, self.D, projection

    def _moves(self) -> bool:
        return self.distorted or (
            self.projection is not None and not np.allclose(self.projection, self.K)
        )

    def _check_size(self, image: npt.NDArray[Any]) -> None:
        if image.ndim not in (2, 3) or image.shape[:2] != (self.height, self.width):
            raise ImageError(
                f"an image of shape {image.shape} does not fit a camera of "
                f"{self.width}x{self.height}: use camera.resized(width, height)"
            )

    def _region(self, roi: tuple[int, int, int, int] | None) -> Camera:
        if roi is None or not (roi[2] and roi[3]):
            return self
        x, y, width, height = (int(value) for value in roi)
        if min(x, y, width, height) < 0 or x + width > self.width or y + height > self.height:
            raise ConfigError(
                f"the region of interest {width}x{height} at ({x}, {y}) leaves the full "
                f"resolution {self.width}x{self.height}"
            )
        return self._changed(width, height, np.ones(2), np.array([x, y], dtype=np.float64))

    def _binned(self, binning: tuple[int, int]) -> Camera:
        bx, by = (max(1, int(value)) for value in binning)
        if (bx, by) == (1, 1):
            return self
        # A last, incomplete super-pixel is not read out: the scale is the binning, not the ratio.
        scale = np.array([1 / bx, 1 / by])
        return self._changed(
            max(1, self.width // bx), max(1, self.height // by), scale, np.zeros(2)
        )

    def _changed(self, width: int, height: int, scale: Array, offset: Array) -> Camera:
        def moved(K: Array) -> Array:
            out = np.diag([*scale, 1.0]) @ K
            out[:2, 2] = (K[:2, 2] - offset + 0.5) * scale - 0.5
            return out

        projection = None if self.projection is None else moved(self.projection)
        return Camera(int(width), int(height), moved(self.K), self.model, self.D, projection)


def load_camera(path: str | Path, *, size: tuple[int, int] | None = None) -> Camera:
    """
    Return the camera of a calibration file: see `camera_files` for the formats.

    size: (width, height) of the images; needed where the file does not say it (KITTI, plain
        numbers), and if it does, the camera is resized to it.
    Raises ConfigError for a file that is missing, unreadable or says no camera, and where the size
    is unknown or has another aspect than the calibrated one.
    """
    values = read_camera_file(Path(path))
    stated = values.pop("size", None)
    if stated is None and size is None:
        raise ConfigError(f"{path} does not say the size of the images: give size=(width, height)")
    width, height = stated or cast(tuple[int, int], size)
    try:
        camera = Camera.from_info(int(width), int(height), **values)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    if size is None:
        return camera
    if not camera.fits(*size):
        raise ConfigError(
            f"{path} is for images of {width}x{height}, these are {size[0]}x{size[1]}: another "
            "aspect means they were cropped, which needs a calibration of its own"
        )
    return camera.resized(*size)


def _matrix(values: Sequence[float], shape: tuple[int, int], name: str) -> Array:
    array = np.asarray(values, dtype=np.float64).reshape(-1)
    if array.size != shape[0] * shape[1]:
        raise ConfigError(f"{name} needs {shape[0] * shape[1]} numbers, got {array.size}")
    return array.reshape(shape)


def _checked_matrix(matrix: npt.ArrayLike, name: str) -> Array:
    K = np.array(matrix, dtype=np.float64)
    if K.shape != (3, 3) or not np.isfinite(K).all():
        raise ConfigError(f"{name} must be 3x3 and finite, got {K.tolist()}")
    if K[0, 0] <= 0 or K[1, 1] <= 0 or K[2, 2] <= 0:
        raise ConfigError(
            f"{name} has no focal length (fx {K[0, 0]:g}, fy {K[1, 1]:g}): the camera is not "
            "calibrated; calibrate it (camera_calibration) or load its calibration file"
        )
    K = np.asarray(K / K[2, 2], dtype=np.float64)
    if abs(K[0, 1]) > 1e-6 * K[0, 0] or np.any(K[2, :2]) or K[1, 0]:
        raise ConfigError(f"{name} has a skew or is no camera matrix: {K.tolist()}")
    K.setflags(write=False)
    return K


def _distortion(name: str, d: Sequence[float]) -> tuple[Model, tuple[float, ...]]:
    coefficients = tuple(float(value) for value in d)
    model = ALIASES.get(name.strip().lower(), name.strip().lower())
    if model not in COEFFICIENTS:
        raise ConfigError(
            f"unknown distortion model '{name}': use plumb_bob, rational_polynomial, equidistant"
        )
    if model == "plumb_bob" and not any(coefficients):
        return "pinhole", ()
    _check_coefficients(model, coefficients)
    return cast(Model, model), coefficients


def _check_coefficients(model: str, coefficients: tuple[float, ...]) -> None:
    allowed = COEFFICIENTS.get(model)
    if allowed is None or len(coefficients) not in allowed:
        raise ConfigError(
            f"model '{model}' with {len(coefficients)} coefficients: allowed are "
            + ", ".join(f"{name} {counts}" for name, counts in COEFFICIENTS.items())
        )
    if not np.isfinite(coefficients).all():
        raise ConfigError(f"D must be finite, got {list(coefficients)}")


def _is_identity(R: Array) -> bool:
    return bool(np.abs(R - np.eye(3)).max() < 1e-6)
