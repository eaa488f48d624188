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

"""Changes of a pair's second image, with the ground truth carried along exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from zeroco_ros.evaluation.protocols import FlowPair, leads_inside
from zeroco_ros.media.images import RGB

GAMMA = 2.2

Change = Callable[[FlowPair, float], FlowPair]


@dataclass(frozen=True)
class Perturbation:
    """
    A change of one kind in several strengths.

    levels: in `unit`; `none` is the level that leaves the pair as it is.
    """

    name: str
    unit: str
    levels: tuple[float, ...]
    none: float
    change: Change

    def apply(self, pair: FlowPair, level: float) -> FlowPair:
        """Return the changed pair; at the level `none` the pair itself."""
        return pair if level == self.none else self.change(pair, level)


def rotate(pair: FlowPair, degrees: float) -> FlowPair:
    """Second image turned about its center, clockwise as seen."""
    angle = np.deg2rad(degrees)
    # exact zeros and ones at right angles keep those free of interpolation
    cosine, sine = (float(np.round(value, 12)) for value in (np.cos(angle), np.sin(angle)))
    return similarity(pair, np.array([[cosine, -sine], [sine, cosine]]))


def rescale(pair: FlowPair, factor: float) -> FlowPair:
    """Second image enlarged about its center; above 1 the camera is nearer."""
    return similarity(pair, factor * np.eye(2))


def similarity(pair: FlowPair, matrix: npt.NDArray[np.float64]) -> FlowPair:
    """
    Second image moved by x -> center + matrix (x - center), on a canvas of the same size.

    matrix: (2, 2) rotation times scale. What leaves the canvas is lost, and no longer scored;
    what comes in is black, as the content beyond the image's border is not known.
    """
    height, width = pair.source.shape[:2]
    center = np.array([(width - 1) / 2, (height - 1) / 2])
    affine = np.concatenate([matrix, (center - matrix @ center)[:, None]], axis=1)
    scale = float(np.sqrt(abs(np.linalg.det(matrix))))
    source = _blurred(pair.source, 0.6 * np.sqrt(1 / scale**2 - 1) if scale < 1 else 0.0)
    source = np.asarray(cv2.warpAffine(source, affine, (width, height)), dtype=np.uint8)
    rows, columns = pair.target.shape[:2]
    grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1)
    place = (grid + pair.flow) @ affine[:, :2].T + affine[:, 2]
    flow = (place - grid).astype(np.float32)
    valid = pair.valid & leads_inside(flow, height, width)
    return replace(pair, source=source, flow=flow, valid=valid)


def expose(image: RGB, stops: float) -> RGB:
    """Twice the light per stop: gain on linear light (gamma 2.2), clipped to 8 bits."""
    light = (np.arange(256) / 255) ** GAMMA * 2.0**stops
    table = np.rint(255 * np.clip(light, 0, 1) ** (1 / GAMMA)).astype(np.uint8)
    return np.asarray(cv2.LUT(image, table), dtype=np.uint8)


def blur(image: RGB, sigma: float) -> RGB:
    """Gaussian blur, sigma in pixels."""
    return _blurred(image, sigma)


def motion_blur(image: RGB, length: float) -> RGB:
    """Mean along a horizontal line of an odd number of pixels, centered."""
    return np.asarray(cv2.blur(image, (int(length), 1)), dtype=np.uint8)


def noise(image: RGB, sigma: float) -> RGB:
    """Gaussian noise, sigma in gray levels, the same for the same image size."""
    added = np.random.default_rng(0).normal(0, sigma, image.shape)
    return np.clip(np.rint(image + added), 0, 255).astype(np.uint8)


def jpeg(image: RGB, quality: float) -> RGB:
    """JPEG compression and back, OpenCV's quality from 0 to 100."""
    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return np.ascontiguousarray(np.asarray(decoded, dtype=np.uint8)[..., ::-1])


def _blurred(image: RGB, sigma: float) -> RGB:
    if sigma <= 0:
        return image
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), dtype=np.uint8)


def _on_image(alter: Callable[[RGB, float], RGB]) -> Change:
    """Return a change of the picture alone: flow and mask stay."""
    return lambda pair, level: replace(pair, source=alter(pair.source, level))


PERTURBATIONS: dict[str, Perturbation] = {
    one.name: one
    for one in (
        Perturbation("rotation", "degrees", (0, 15, 30, 45, 60, 90, 135, 180), 0, rotate),
        Perturbation("scale", "factor", (0.5, 0.7, 0.85, 1, 1.2, 1.4, 2), 1, rescale),
        Perturbation("exposure", "stops", (-3, -2, -1, 0, 1, 2, 3), 0, _on_image(expose)),
        Perturbation("blur", "sigma px", (0, 1, 2, 4, 6), 0, _on_image(blur)),
        Perturbation("motion-blur", "length px", (1, 9, 17, 33), 1, _on_image(motion_blur)),
        Perturbation("noise", "sigma gray levels", (0, 5, 10, 20, 40), 0, _on_image(noise)),
        Perturbation("jpeg", "quality", (100, 50, 20, 10, 5), 100, _on_image(jpeg)),
    )
}
