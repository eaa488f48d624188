"""The worker's job: a pair of frames in, wanted topics out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroco_ros.errors import ImageError
from zeroco_ros.ros.flow.parameters import reference_of
from zeroco_ros.ros.job import Job

if TYPE_CHECKING:
    from zeroco_ros.estimate.flow import FlowEstimator
    from zeroco_ros.ros.flow.outputs import FlowOutputs
    from zeroco_ros.ros.frames import Frame, FramePair
    from zeroco_ros.ros.model import RunningModel


class FlowJob(Job):
    """Flow of one pair, published."""

    _model: RunningModel[FlowEstimator]
    _outputs: FlowOutputs

    def __call__(self, pair: FramePair) -> None:
        """Nothing is computed when nobody listens any more."""
        if not self._outputs.wanted():
            return
        values = self._values()
        # The reference is the estimator's target. Its flow leads from the target to the source;
        # topics say the motion from first (previous, left) to second (current, right).
        backwards = reference_of(values) in ("current", "right")
        target, source = (pair.second, pair.first) if backwards else (pair.first, pair.second)
        encoded = self._encode(target), self._encode(source)
        if None in encoded or not self._comparable(*encoded, values):
            return
        try:
            result = self._model.estimator.match(*encoded)
        except self._void as error:
            self._journal.non_finite(str(error))
            return
        flow = np.negative(result.flow) if backwards else result.flow
        if not (np.isfinite(flow).all() and np.isfinite(result.confidence).all()):
            self._journal.non_finite("the flow has values that are not finite")
            return
        if self._outputs.publish_flow(flow, result, target.header):
            self._metrics.published(pair.second.arrival)

    def _encode(self, frame: Frame) -> Any:
        """None where the frame holds no usable image; told once, though it is in two pairs."""
        if frame.unusable:
            return None
        try:
            return frame.encoded(self._model.estimator.encode)
        except ImageError as error:
            self._journal.refuse(frame.topic, str(error))
            return None

    def _comparable(self, target: Any, source: Any, values: Mapping[str, Any]) -> bool:
        """Compressed images show their size only here; one camera must not change it in a pair."""
        if values["pairing"] == "synchronized" or target.size == source.size:
            return True
        self._metrics.add("resolution_changes")
        self._journal.event(
            "resolution", f"image size changed between {source.size} and {target.size}"
        )
        return False
