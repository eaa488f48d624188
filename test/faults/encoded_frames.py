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

"""One view in every encoding that a camera may send, as messages made by hand."""

from __future__ import annotations

import node_scenes as scenes
import numpy as np
import ros_harness
from sensor_msgs.msg import Image
from stage import BASE, MS


def encoded_frames() -> dict[str, np.ndarray]:
    """Return the same view in every accepted memory layout."""
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
    """Return a message of any encoding, without the package's own code."""
    message = Image(height=pixels.shape[0], width=pixels.shape[1], encoding=encoding)
    message.header = ros_harness.make_header(BASE + round(milliseconds * MS), "cam")
    message.step = pixels[0].nbytes
    message.data.frombytes(pixels.tobytes())
    return message
