"""Which pixels of a bag's frames show something that moves, where its ground truth tells."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from zeroco_ros.bag.reader import BagReader
from zeroco_ros.evaluation.bag_camera import CameraSource
from zeroco_ros.evaluation.bag_truth import TruthSource, true_flow

Mask = npt.NDArray[np.bool_]

MOVES = 0.25  # pixels between the true flow and that of a scene that stands still
_AROUND = 9  # pixels; the rim of something that moves is often hidden in one of two frames


def moving_pixels(
    reader: BagReader, camera: CameraSource, flow: str, depth: str
) -> Iterator[tuple[int, Mask]]:
    """(stamp, mask (H, W)) of every frame whose flow, depth and pose are all recorded.

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
