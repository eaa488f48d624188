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

"""The camera's calibration: kept from its CameraInfo messages, checked, fitted to the images."""

from __future__ import annotations

from typing import Any

import numpy as np

from zeroco_ros.errors import ConfigError
from zeroco_ros.geometry.camera import Camera
from zeroco_ros.online.log import Log

Shape = tuple[int, int]
JITTER = 1e-3  # share of the focal length by which K may move without being another camera


class CameraLatch:
    """
    The last usable CameraInfo, not paired with images by stamp: a calibration rarely changes.

    image_rectified: the images are rectified, so that P counts. refusal: why the newest message is
    not usable, or empty; there is no camera then. changes: how often one camera followed another.
    """

    def __init__(self, topic: str, image_rectified: bool, log: Log) -> None:
        self._topic = topic
        self._rectified = image_rectified
        self._log = log
        self._newest: tuple[Any, ...] = ()
        self._fitted: tuple[Shape, Camera] | None = None
        self.camera: Camera | None = None
        self.refusal = ""
        self.changes = 0

    def take(self, message: Any) -> bool:
        """See a CameraInfo; whether it says anything new."""
        values = _values(message)
        if values == self._newest:
            return False
        self._newest = values
        before, self.camera = self.camera, None
        try:
            camera = _camera(message, self._rectified)
        except ConfigError as error:
            self.refusal = f"{self._topic}: {error}"
            self._log.error(f"camera {error}", self.refusal)
            return True
        self.refusal = ""
        if before is not None and _same(before, camera):
            self.camera = before
            return False
        self.changes += before is not None
        self.camera, self._fitted = camera, None
        self._log.note("camera", f"{self._topic}: camera {described(camera)}")
        return True

    def camera_for(self, shape: Shape | None) -> Camera | None:
        """
        Return the camera of images of (height, width); None where there is none that fits.

        shape None: the camera as it is, for images whose size is not known yet.
        """
        camera = self.camera
        if camera is None or shape is None:
            return camera
        height, width = shape
        if not camera.fits(width, height):
            return None
        if self._fitted is None or self._fitted[0] != shape:
            self._fitted = (shape, camera.resized(width, height))
        return self._fitted[1]


def described(camera: Camera) -> str:
    """Size, model and focal lengths in a phrase."""
    K = camera.K
    return f"{camera.width}x{camera.height} {camera.model}, fx {K[0, 0]:g}, fy {K[1, 1]:g}"


def misfit(camera: Camera, shape: Shape) -> str:
    """Why an image of (height, width) is not one of this camera, and what to do."""
    return (
        f"{shape[1]}x{shape[0]} pixels do not fit camera_info's {camera.width}x{camera.height} "
        "(after binning and region of interest): the aspect differs, so one of them is another "
        "camera's, or the image was cropped without its camera_info"
    )


def _camera(message: Any, image_rectified: bool) -> Camera:
    roi = message.roi
    return Camera.from_info(
        message.width,
        message.height,
        message.distortion_model,
        list(message.d),
        list(message.k),
        r=list(message.r),
        p=list(message.p),
        binning=(message.binning_x, message.binning_y),
        roi=(roi.x_offset, roi.y_offset, roi.width, roi.height),
        image_rectified=image_rectified,
    )


def _values(message: Any) -> tuple[Any, ...]:
    """All that a camera is made of, to compare."""
    roi = message.roi
    return (
        message.width,
        message.height,
        message.distortion_model,
        *(tuple(array) for array in (message.d, message.k, message.r, message.p)),
        (message.binning_x, message.binning_y),
        (roi.x_offset, roi.y_offset, roi.width, roi.height),
    )


def _same(a: Camera, b: Camera) -> bool:
    """Whether two cameras differ by no more than the jitter of a lens that holds its focus."""
    alike = (a.width, a.height, a.model, a.D) == (b.width, b.height, b.model, b.D)
    return alike and bool(np.abs(a.K - b.K).max() <= JITTER * max(a.K[0, 0], a.K[1, 1]))
