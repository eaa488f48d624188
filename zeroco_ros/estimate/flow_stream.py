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

"""Frames one after another through an estimator, each encoded once."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from zeroco_ros.estimate.frames import EncodedFrame
from zeroco_ros.estimate.results import FlowResult

if TYPE_CHECKING:
    from zeroco_ros.estimate.flow import FlowEstimator

Image = npt.NDArray[np.uint8]


class FlowStream:
    """Frames one after another; each becomes the target, the one before it the source."""

    def __init__(self, estimator: FlowEstimator) -> None:
        self._estimator = estimator
        self._previous: EncodedFrame | None = None
        self._previous_stamp: int | None = None

    def push(self, image: Image, stamp: int | None = None) -> FlowResult | None:
        """
        Flow from this frame to the previous one; None for the first frame.

        stamp: nanoseconds, passed through to the result. Raises ImageError as `estimate`; the
        stream then goes on from the last good frame.
        """
        frame = self._estimator.encode(image)
        previous, previous_stamp = self._previous, self._previous_stamp
        self._previous, self._previous_stamp = frame, stamp
        if previous is None:
            return None
        result = self._estimator.match(frame, previous)
        return dataclasses.replace(result, reference_stamp=stamp, other_stamp=previous_stamp)

    def reset(self) -> None:
        """Forget the previous frame: the next one starts anew."""
        self._previous = self._previous_stamp = None
