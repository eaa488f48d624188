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

"""Search for the pose of the source in which a hard pair agrees best."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from zeroco_ros.estimate.coarse import CoarseMatch
from zeroco_ros.estimate.frames import EncodedFrame, MAX_SIDE, reduce_image
from zeroco_ros.matching.alignment import Pose, posed, PosedImage, SQUEEZES, TURNS
from zeroco_ros.matching.confidence import forward_backward_error
from zeroco_ros.matching.flow import Letterbox, PATCH

ByteArray = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]

# A pair of which this share of tokens agrees needs no other pose.
ENOUGH = 0.4
# Another pose has to agree this much better than the present one.
BETTER = 1.15
# Less than this is no agreement at all: chance, or a plain image's border in a turned copy.
LEAST = 0.06
# Forward-backward error, in tokens, of a match that leads back.
LEADS_BACK = 1.0

# Longest side of the images that poses are tried on.
SEARCH_SIDE = 640

Matched = Callable[[ByteArray], CoarseMatch]


def agreement(coarse: CoarseMatch) -> float:
    """Mean over target tokens of the match's mass where it leads back, in [0, 1]."""
    forward, backward, mass = (
        np.asarray(field[0].float().cpu().numpy(), dtype=np.float32)
        for field in (coarse.forward, coarse.backward, coarse.forward_mass)
    )
    error = forward_backward_error(forward, backward)
    return float(np.mean(mass * (error <= LEADS_BACK)))


def best_pose(source: EncodedFrame, upright: CoarseMatch, match: Matched) -> Pose | None:
    """
    Return the pose of the source's image that agrees best, None where the given one does.

    upright: the match of the source as it is; match: coarse match of the target and an image.
    Turns are tried first, then squeezes of the best turn: at most nine matches.
    """
    most = agreement(upright)
    if most >= ENOUGH or max(source.size) > MAX_SIDE // 2:
        return None
    image = small_copy(source.image)
    chosen: Pose | None = None
    angle = 0.0
    for turn in TURNS:
        found = agreement(match(posed(image, Pose(turn)).image))
        if found > max(LEAST, BETTER * most):
            most, chosen, angle = found, Pose(turn), turn
    for squeeze in SQUEEZES:
        found = agreement(match(posed(image, Pose(angle, squeeze)).image))
        if found > max(LEAST, BETTER * most):
            most, chosen = found, Pose(angle, squeeze)
    return chosen


def small_copy(image: ByteArray) -> ByteArray:
    """Return the image as it is, or with its longer side brought down to `SEARCH_SIDE`."""
    scale = SEARCH_SIDE / max(image.shape[:2])
    if scale >= 1:
        return image
    height, width = (max(16, round(side * scale)) for side in image.shape[:2])
    return reduce_image(image, (height, width))


def tokens_to_source(
    tokens: FloatArray, boxes: tuple[Letterbox, Letterbox, Letterbox], pose: PosedImage
) -> FloatArray:
    """
    Token flow (h, w, 2) to a posed image as token flow to the source.

    boxes: of the target, of the posed image and of the source.
    """
    _, there, source = boxes
    height, width = tokens.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    here = np.stack([x, y], axis=-1)
    pixels = there.to_image((here + tokens + 0.5) * PATCH - 0.5)
    moved = source.to_model(pose.to_source(pixels))
    return np.asarray((moved + 0.5) / PATCH - 0.5 - here, dtype=np.float32)
