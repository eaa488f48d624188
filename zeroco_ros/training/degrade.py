"""What a camera does to a picture: blur, dark, flicker, noise, JPEG, once per rendered image."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from zeroco_ros.training.patterns import Rng


def degrade(rng: Rng, image: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """An RGB picture (H, W, 3) float32 in [0, 255] as a camera would deliver it, uint8."""
    if rng.random() < 0.3:
        blurred = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.4, 1.6)))
        image = np.asarray(blurred, dtype=np.float32)
    if rng.random() < 0.12:
        image = np.asarray(cv2.filter2D(image, -1, motion_kernel(rng)), dtype=np.float32)
    if rng.random() < 0.25:
        image = image * vignette(rng, image.shape[0], image.shape[1])[..., None]
    if rng.random() < 0.06:
        image = image * flicker(rng, image.shape[0])[:, None, None]
    if rng.random() < 0.06:
        image = low_light(rng, image)
    if rng.random() < 0.5:
        deviation = float(rng.uniform(0.5, 7.0))
        image = image + deviation * rng.standard_normal(image.shape, dtype=np.float32)
    pixels = np.asarray(np.clip(image + 0.5, 0, 255), dtype=np.uint8)
    if rng.random() < 0.3:
        quality = int(rng.integers(35, 95))
        _, code = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
        pixels = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), dtype=np.uint8)
    return pixels


def flicker(rng: Rng, height: int) -> npt.NDArray[np.float32]:
    """Gain of each row (H,): a rolling shutter under a lamp on mains current."""
    cycles, depth = rng.uniform(0.5, 4), rng.uniform(0.05, 0.3)
    phase = 2 * np.pi * (np.arange(height) / height * cycles + rng.random())
    return np.asarray(1 + depth * np.sin(phase), dtype=np.float32)


def low_light(rng: Rng, image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Few photons, counted and amplified again: noise that grows with brightness."""
    photons = float(rng.uniform(15, 120))
    counted = rng.poisson(np.clip(image, 0, 255) / 255 * photons).astype(np.float32)
    return np.asarray(counted * (255 * rng.uniform(0.35, 1.0) / photons), dtype=np.float32)


def motion_kernel(rng: Rng) -> npt.NDArray[np.float32]:
    """A line of 3-9 pixels in any direction, summing to one."""
    length = int(rng.integers(1, 5))
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
