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
What a camera does to a picture: blur, dark, flicker, noise, JPEG, once per rendered image.

On the CPU, since JPEG is: pictures leave the renderer here.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from zeroco_ros.training.patterns import Rng


@dataclass(frozen=True)
class SensorPlan:
    """
    Shares of the pictures that show an effect; each picture of a pair has its own.

    blur: out of focus; motion: motion blur, of at most 2 `smear` + 1 pixels; vignette: corners,
    lamps, shadows; flicker: bands of a lamp on mains current; rolling: exposure that changes while
    the rows are read; low_light: few photons; noise: of the amplifier; jpeg: compression.
    """

    blur: float = 0.3
    motion: float = 0.12
    smear: int = 4
    vignette: float = 0.25
    flicker: float = 0.06
    rolling: float = 0.0
    low_light: float = 0.06
    noise: float = 0.5
    jpeg: float = 0.3


def happens(rng: Rng, share: float) -> bool:
    """Whether something of this share happens; a share of 0 leaves the generator alone."""
    return share > 0 and rng.random() < share


def degrade(
    rng: Rng, image: npt.NDArray[np.float32], plan: SensorPlan | None = None
) -> npt.NDArray[np.uint8]:
    """Return an RGB picture (H, W, 3) float32 in [0, 255] as a camera would deliver it, uint8."""
    plan = plan or SensorPlan()
    if happens(rng, plan.blur):
        blurred = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.4, 1.6)))
        image = np.asarray(blurred, dtype=np.float32)
    if happens(rng, plan.motion):
        kernel = motion_kernel(rng, plan.smear)
        image = np.asarray(cv2.filter2D(image, -1, kernel), dtype=np.float32)
    if happens(rng, plan.vignette):
        image = image * vignette(rng, image.shape[0], image.shape[1])[..., None]
    if happens(rng, plan.flicker):
        image = image * flicker(rng, image.shape[0])[:, None, None]
    if happens(rng, plan.rolling):
        image = image * rolling_exposure(rng, image.shape[0])[:, None, None]
    if happens(rng, plan.low_light):
        image = low_light(rng, image)
    if happens(rng, plan.noise):
        deviation = float(rng.uniform(0.5, 7.0))
        image = image + deviation * rng.standard_normal(image.shape, dtype=np.float32)
    pixels = np.asarray(np.clip(image + 0.5, 0, 255), dtype=np.uint8)
    if happens(rng, plan.jpeg):
        quality = int(rng.integers(35, 95))
        _, code = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
        pixels = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), dtype=np.uint8)
    return pixels


def flicker(rng: Rng, height: int) -> npt.NDArray[np.float32]:
    """Gain of each row (H,): a rolling shutter under a lamp on mains current."""
    cycles, depth = rng.uniform(0.5, 4), rng.uniform(0.05, 0.3)
    phase = 2 * np.pi * (np.arange(height) / height * cycles + rng.random())
    return np.asarray(1 + depth * np.sin(phase), dtype=np.float32)


def rolling_exposure(rng: Rng, height: int) -> npt.NDArray[np.float32]:
    """Gain of each row (H,): the exposure changes by up to a factor of 2.5 during read-out."""
    last = float(np.exp(rng.uniform(-1, 1) * np.log(2.5)))
    begin, end = np.sort(rng.uniform(-0.3, 1.3, 2))
    ramp = np.clip((np.arange(height) / height - begin) / max(end - begin, 0.02), 0, 1)
    return np.asarray(last**ramp, dtype=np.float32)


def low_light(rng: Rng, image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Few photons, counted and amplified again: noise that grows with brightness."""
    photons = float(rng.uniform(15, 120))
    counted = rng.poisson(np.clip(image, 0, 255) / 255 * photons).astype(np.float32)
    return np.asarray(counted * (255 * rng.uniform(0.35, 1.0) / photons), dtype=np.float32)


def motion_kernel(rng: Rng, longest: int = 4) -> npt.NDArray[np.float32]:
    """Return a line of 3 to 2 `longest` + 1 pixels in any direction, summing to one."""
    length = int(rng.integers(1, longest + 1))
    side = 2 * length + 1
    kernel = np.zeros((side, side), np.float32)
    angle = rng.uniform(0, np.pi)
    end = (round(length * np.cos(angle)), round(length * np.sin(angle)))
    cv2.line(kernel, (length - end[0], length - end[1]), (length + end[0], length + end[1]), 1.0)
    return np.asarray(kernel / kernel.sum(), dtype=np.float32)


def vignette(rng: Rng, height: int, width: int) -> npt.NDArray[np.float32]:
    """Brightness falling off from a random center, (H, W): corners, lamps and shadows."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / max(height, width)
    center = rng.uniform(0, 1, 2)
    distance = (x - center[0]) ** 2 + (y - center[1]) ** 2
    return np.asarray(1.15 - rng.uniform(0.2, 0.9) * np.minimum(distance, 1), dtype=np.float32)
