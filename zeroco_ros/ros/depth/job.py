"""The worker's job: an image with its camera and pose in, wanted topics out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroco_ros.errors import ImageError
from zeroco_ros.ros.depth.camera_latch import misfit
from zeroco_ros.ros.job import Job

if TYPE_CHECKING:
    from zeroco_ros.estimate.depth import DepthEstimator, DepthStream
    from zeroco_ros.estimate.results import DepthResult
    from zeroco_ros.ros.depth.inputs import DepthItem
    from zeroco_ros.ros.depth.outputs import DepthOutputs
    from zeroco_ros.ros.model import RunningModel


@dataclass(frozen=True)
class DepthFacts:
    """What diagnostics say about the newest result. coverage: share of pixels with a depth."""

    scale: str
    state: str
    coverage: float
    parallax_px: float


class DepthJob(Job):
    """Depth of one image, published. newest: facts of the newest result, None before it."""

    _model: RunningModel[DepthEstimator]
    _outputs: DepthOutputs

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._stream: DepthStream | None = None
        self._epoch = 0
        self.newest: DepthFacts | None = None

    def __call__(self, item: DepthItem) -> None:
        """Nothing is computed when nobody listens any more."""
        if not self._outputs.wanted():
            return
        try:
            result = self._depth(item)
        except ImageError as error:
            self._journal.refuse(item.frame.topic, str(error))
            return
        except self._void as error:
            self._journal.non_finite(str(error))
            return
        if result is None:
            self._metrics.add("without_result")
            return
        if not _sane(result):
            self._journal.non_finite("the depth has values that are infinite or negative")
            return
        known = float(np.isfinite(result.depth).mean())
        self.newest = DepthFacts(result.scale, result.state, known, result.parallax_px)
        self._metrics.add("keyframes", int(result.keyframe))
        if result.state == "starting" and result.keyframe:
            self._metrics.add("restarts")
            self._journal.note("restart", "tracking begins anew: origin and relative unit are new")
        if self._outputs.publish_depth(result, item, float(self._values()["max_depth"])):
            self._metrics.published(item.frame.arrival)

    def _depth(self, item: DepthItem) -> DepthResult | None:
        pixels = item.frame.decode()
        height, width = pixels.shape[:2]
        if not item.camera.fits(width, height):
            raise ImageError(misfit(item.camera, (height, width)))
        camera = item.camera.resized(width, height)
        if self._stream is None:
            self._stream = self._model.estimator.stream(camera)
        elif camera != self._stream.camera:
            self._stream.set_camera(camera)
        elif item.epoch != self._epoch:
            self._stream.clear()
        self._epoch = item.epoch
        return self._stream.push(pixels, item.frame.stamp, item.pose)


def _sane(result: DepthResult) -> bool:
    """NaN is an answer (unknown); infinity and what lies behind the camera are none."""
    for values in (result.depth, result.sigma):
        known = values[~np.isnan(values)]
        if not (np.isfinite(known).all() and (known >= 0).all()):
            return False
    return True
