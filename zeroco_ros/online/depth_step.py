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

"""One step of depth: an image with its camera and pose to its depth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zeroco_ros.errors import ImageError
from zeroco_ros.online.camera_latch import misfit
from zeroco_ros.online.log import Counts, Log

if TYPE_CHECKING:
    from zeroco_ros.estimate.depth import DepthEstimator, DepthStream
    from zeroco_ros.estimate.results import DepthResult
    from zeroco_ros.online.depth_intake import DepthItem


@dataclass(frozen=True)
class DepthFacts:
    """What diagnostics say about the newest result. coverage: share of pixels with a depth."""

    scale: str
    state: str
    coverage: float
    parallax_px: float


class DepthStep:
    """
    Depth of one image after another. newest: facts of the newest result, None before it.

    Made when torch is there. Counts keyframes, restarts and without_result.
    """

    def __init__(self, estimator: DepthEstimator, log: Log, counters: Counts) -> None:
        from zeroco_ros.engine.backend import NonFiniteOutput

        self._void = NonFiniteOutput
        self._estimator = estimator
        self._log = log
        self._counters = counters
        self._stream: DepthStream | None = None
        self._epoch = 0
        self.newest: DepthFacts | None = None

    def __call__(self, item: DepthItem) -> DepthResult | None:
        """None where there is nothing to say: the first frame, or what the log knows of."""
        try:
            result = self._depth(item)
        except ImageError as error:
            self._log.refuse(item.frame.topic, str(error))
            return None
        except self._void as error:
            self._log.non_finite(str(error))
            return None
        if result is None:
            self._counters.add("without_result")
            return None
        if not _sane(result):
            self._log.non_finite("the depth has values that are infinite or negative")
            return None
        known = float(np.isfinite(result.depth).mean())
        self.newest = DepthFacts(result.scale, result.state, known, result.parallax_px)
        self._counters.add("keyframes", int(result.keyframe))
        if result.state == "starting" and result.keyframe:
            self._counters.add("restarts")
            self._log.note("restart", "tracking begins anew: origin and relative unit are new")
        return result

    def _depth(self, item: DepthItem) -> DepthResult | None:
        pixels = item.frame.decode()
        height, width = pixels.shape[:2]
        if not item.camera.fits(width, height):
            raise ImageError(misfit(item.camera, (height, width)))
        camera = item.camera.resized(width, height)
        if self._stream is None:
            self._stream = self._estimator.stream(camera)
        elif camera != self._stream.camera:
            self._stream.set_camera(camera)
        elif item.epoch != self._epoch:
            self._stream.clear()
        self._epoch = item.epoch
        return self._stream.push(pixels, item.frame.stamp, item.pose)


def _sane(result: DepthResult) -> bool:
    """Accept NaN (unknown), but no infinity and nothing behind the camera."""
    for values in (result.depth, result.sigma):
        known = values[~np.isnan(values)]
        if not (np.isfinite(known).all() and (known >= 0).all()):
            return False
    return True
