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
How far redkitchen's pictures and depth are apart: a measurement for docs/results/depth.md.

python docs/results/registration.py ../shared/data/rgbd/redkitchen

SIFT matches between pictures 4 and 9 frames apart are carried by depth and poses under an assumed
color camera; the distance to where the match really is, in pixels, says how well that fits. Then
the color camera's focal length, principal point and place beside the depth camera are varied.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
import sys

import cv2
import numpy as np

from zeroco_ros.evaluation.classical import sift_matches
from zeroco_ros.evaluation.sequence_folders import SCENES_DEPTH_K
from zeroco_ros.evaluation.sequences import measured_depth
from zeroco_ros.geometry.transforms import relative
from zeroco_ros.media.images import read_image

EVERY, APART = 6, (4, 9)  # frames
EDGE, STEP = 9, 0.08  # a window of so many pixels in which depth may differ by this share
VARIED = {  # index among focal length, cx, cy (pixels) and x, y, z (meters); what is added
    "focal length, px": (0, (-30, -20, -10, -5, 5, 10, 20, 30)),
    "cx, px": (1, (-12, -8, -4, -2, 2, 4, 8, 12)),
    "cy, px": (2, (-12, -8, -4, -2, 2, 4, 8, 12)),
    "x, m": (3, (-0.06, -0.03, 0.03, 0.06)),
    "y, m": (4, (-0.06, -0.03, 0.03, 0.06)),
}


@dataclass(frozen=True)
class Observed:
    """Matches (N, 2) from one picture to another, depth (H, W) of the first, T_second_first."""

    depth: np.ndarray
    motion: np.ndarray
    here: np.ndarray
    there: np.ndarray


def observed(folder: Path) -> list[Observed]:
    """All pairs of frames that are looked at."""
    names = sorted(str(f).removesuffix(".pose.txt") for f in folder.glob("frame-*.pose.txt"))
    found = []
    for first in range(0, len(names), EVERY):
        for second in (first + apart for apart in APART if first + apart < len(names)):
            pictures = [read_image(f"{names[k]}.color.jpg") for k in (first, second)]
            poses = [np.loadtxt(f"{names[k]}.pose.txt") for k in (first, second)]
            matches = sift_matches(*pictures)
            if matches is not None:
                depth = smooth_depth(f"{names[first]}.depth.png")
                found.append(Observed(depth, relative(poses[1], poses[0]), *matches))
    return found


def smooth_depth(path: str) -> np.ndarray:
    """Meters, NaN where unknown and at the borders of objects."""
    depth = measured_depth(cv2.imread(path, cv2.IMREAD_UNCHANGED))
    window = np.ones((EDGE, EDGE))
    far = cv2.dilate(np.nan_to_num(depth, nan=1e6), window)
    near = cv2.erode(np.nan_to_num(depth, nan=0), window)
    return np.where((far < 1e5) & (near > 0) & (far - near < STEP * near), depth, np.nan)


def residuals(values: np.ndarray, pairs: list[Observed]) -> np.ndarray:
    """(N, 2) pixels for focal length, cx, cy and the place (x, y, z) in the depth camera."""
    focal, center, place = values[0], values[1:3], values[3:6]
    parts = []
    for one in pairs:
        rays = np.column_stack([(one.here - center) / focal, np.ones(len(one.here))])
        points, z = rays * 2.0 + place, np.full(len(rays), 2.0)
        for _ in range(4):  # where the ray meets the measured surface
            at = (points[:, :2] / points[:, 2:] * SCENES_DEPTH_K[0, 0]) + SCENES_DEPTH_K[:2, 2]
            x, y = at.astype(np.float32).T
            depth = cv2.remap(one.depth.astype(np.float32), x, y, cv2.INTER_LINEAR).ravel()
            z = np.where(depth > 0, z * depth / points[:, 2], z)
            points = rays * z[:, None] + place
        moved = points @ one.motion[:3, :3].T + one.motion[:3, 3] - place
        error = moved[:, :2] / moved[:, 2:] * focal + center - one.there
        parts.append(np.where((depth > 0)[:, None], error, 0))
    return np.concatenate(parts)


def told(name: str, values: np.ndarray, pairs: list[Observed]) -> None:
    """One line: median and upper quartile of the distances."""
    error = np.linalg.norm(residuals(values, pairs), axis=1)
    error = error[error > 0]
    low, high = np.percentile(error, (50, 75))
    print(f"{name:28} median {low:.2f} px, 75 % {high:.2f} px of {len(error)} matches")


def main() -> None:
    """Measure and print."""
    pairs = observed(Path(sys.argv[1]))
    start = np.array([525.0, 320, 240, 0, 0, 0])
    told("as depth camera (585)", np.array([585.0, 320, 240, 0, 0, 0]), pairs)
    told("as evaluated (525)", start, pairs)
    for name, (index, changes) in VARIED.items():
        for change in changes:
            values = start.copy()
            values[index] += change
            told(f"{name} {change:+g}", values, pairs)


if __name__ == "__main__":
    main()
