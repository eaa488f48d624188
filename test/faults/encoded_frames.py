"""One view in every encoding that a camera may send, as messages made by hand."""

from __future__ import annotations

import node_scenes as scenes
import numpy as np
import ros_harness
from sensor_msgs.msg import Image
from stage import BASE, MS


def encoded_frames() -> dict[str, np.ndarray]:
    """The same view in every accepted memory layout."""
    rgb = scenes.view(3)
    alpha = np.full((*rgb.shape[:2], 1), 255, np.uint8)
    gray = np.ascontiguousarray(rgb[..., 1])
    deep = gray.astype(np.uint16) * 257
    chroma = np.full_like(gray, 128)
    patterns = ("rggb", "bggr", "gbrg", "grbg")
    return {
        "mono8": gray,
        "mono16": deep,
        "rgb8": rgb,
        "bgr8": rgb[..., ::-1],
        "rgba8": np.concatenate([rgb, alpha], axis=2),
        "bgra8": np.concatenate([rgb[..., ::-1], alpha], axis=2),
        "yuv422": np.dstack([chroma, gray]),
        "yuv422_yuy2": np.dstack([gray, chroma]),
        **{f"bayer_{pattern}8": gray for pattern in patterns},
        **{f"bayer_{pattern}16": deep for pattern in patterns},
    }


def raw(milliseconds: float, pixels: np.ndarray, encoding: str) -> Image:
    """A message of any encoding, without the package's own code."""
    message = Image(height=pixels.shape[0], width=pixels.shape[1], encoding=encoding)
    message.header = ros_harness.make_header(BASE + round(milliseconds * MS), "cam")
    message.step = pixels[0].nbytes
    message.data.frombytes(pixels.tobytes())
    return message
