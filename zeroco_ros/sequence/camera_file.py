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

"""A rectified camera as a calibration file of ROS."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import yaml

from zeroco_ros.media.atomic import atomic_write


def write_camera(
    path: str | Path, K: npt.NDArray[np.float64], width: int, height: int, name: str = "depth"
) -> None:
    """
    Write a pinhole camera without distortion as camera_calibration's YAML, atomically.

    K: (3, 3) pixels; width, height: of its images. Raises ImageError for an unwritable folder.
    """
    values = [[float(value) for value in row] for row in K]
    flat = [value for row in values for value in row]
    projection = [value for row in values for value in (*row, 0.0)]
    content = {
        "image_width": int(width),
        "image_height": int(height),
        "camera_name": name,
        "camera_matrix": {"rows": 3, "cols": 3, "data": flat},
        "distortion_model": "plumb_bob",
        "distortion_coefficients": {"rows": 1, "cols": 5, "data": [0.0] * 5},
        "rectification_matrix": {"rows": 3, "cols": 3, "data": np.eye(3).ravel().tolist()},
        "projection_matrix": {"rows": 3, "cols": 4, "data": projection},
    }
    with atomic_write(path) as handle:
        handle.write(yaml.safe_dump(content, sort_keys=False, default_flow_style=None).encode())
