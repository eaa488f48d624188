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

"""Which pixels of a bag's frames show something that moves, where its ground truth tells."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from zeroco_ros.bag.reader import BagReader
from zeroco_ros.evaluation.bag_camera import CameraSource
from zeroco_ros.evaluation.bag_truth import true_flow, TruthSource

Mask = npt.NDArray[np.bool_]

MOVES = 0.25  # pixels between the true flow and that of a scene that stands still
_AROUND = 9  # pixels; the rim of something that moves is often hidden in one of two frames


def moving_pixels(
    reader: BagReader, camera: CameraSource, flow: str, depth: str
) -> Iterator[tuple[int, Mask]]:
    """
    (stamp, mask (H, W)) of every frame whose flow, depth and pose are all recorded.

    flow, depth: topics with ground truth. True where the flow differs from what depth and the
    camera's poses say of a static scene, and close around. Nothing without poses.
    """
    if camera.pose_topic is None:
        return
    still = TruthSource("", depth=depth, pose=camera.pose_topic)
    recorded = true_flow(reader, camera, TruthSource("", flow=flow))
    held: tuple[int, npt.NDArray[np.float32]] | None = next(recorded, None)
    kernel = np.ones((_AROUND, _AROUND), np.uint8)
    for stamp, expected in true_flow(reader, camera, still):
        while held is not None and held[0] < stamp:
            held = next(recorded, None)
        if held is None:
            return
        if held[0] == stamp:
            with np.errstate(invalid="ignore"):
                moves = np.hypot(*np.moveaxis(held[1] - expected, -1, 0)) > MOVES
            yield stamp, np.asarray(cv2.dilate(moves.astype(np.uint8), kernel) > 0)
