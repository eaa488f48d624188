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

"""One step of flow: a pair of frames to the motion as ~/flow says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from zeroco_ros.errors import ImageError
from zeroco_ros.online.frames import Frame, FramePair
from zeroco_ros.online.log import Counts, Log

if TYPE_CHECKING:
    from zeroco_ros.estimate.flow import FlowEstimator
    from zeroco_ros.estimate.results import FlowResult

# The frames whose pixels the flow lies on where it is computed against the order of time.
LATER = ("current", "right")


@dataclass(frozen=True)
class FlowAnswer:
    """
    A flow answer.

    flow: (H, W, 2) float32 pixels, the motion from the first frame to the second (see
    docs/ARCHITECTURE.md), on the pixels of `reference`; result: the other fields, on the same.
    """

    flow: npt.NDArray[np.float32]
    result: FlowResult
    reference: Frame


class FlowStep:
    """Flow of one pair after another; each frame is encoded once. Made when torch is there."""

    def __init__(self, estimator: FlowEstimator, log: Log, counters: Counts) -> None:
        from zeroco_ros.engine.backend import NonFiniteOutput

        self._void = NonFiniteOutput
        self._estimator = estimator
        self._log = log
        self._counters = counters

    def __call__(
        self, pair: FramePair, reference: str, one_camera: bool = True
    ) -> FlowAnswer | None:
        """
        None where an image cannot be used or the result is void; the log then knows.

        reference: "current", "previous", "left" or "right". one_camera: both frames must have the
        same size.
        """
        # The reference is the estimator's target. Its flow leads from the target to the source;
        # topics say the motion from first (previous, left) to second (current, right).
        backwards = reference in LATER
        target, source = (pair.second, pair.first) if backwards else (pair.first, pair.second)
        encoded = self._encoded(target, source)
        if encoded is None or (one_camera and not self._comparable(*encoded)):
            return None
        try:
            result = self._estimator.match(*encoded)
        except self._void as error:
            self._log.non_finite(str(error))
            return None
        flow = np.negative(result.flow) if backwards else result.flow
        if not (np.isfinite(flow).all() and np.isfinite(result.confidence).all()):
            self._log.non_finite("the flow has values that are not finite")
            return None
        return FlowAnswer(flow, result, target)

    def _encoded(self, *frames: Frame) -> list[Any] | None:
        """Encode all, or return None, counted once, where one of them holds no usable image."""
        encode = self._estimator.encode
        # Refused before, in another pair, or encoded by a network that serves no more.
        if any(frame.unusable or frame.stale(encode) for frame in frames):
            self._counters.add("unpaired")
            return None
        try:
            return [frame.encoded(encode) for frame in frames]
        except ImageError as error:
            self._log.refuse(next(f.topic for f in frames if f.unusable), str(error))
            return None

    def _comparable(self, target: Any, source: Any) -> bool:
        """Compressed images show their size only here; one camera must not change it in a pair."""
        if target.size == source.size:
            return True
        self._counters.add("resolution_changes")
        self._counters.add("unpaired")
        self._log.event(
            "resolution", f"image size changed between {source.size} and {target.size}"
        )
        return False
