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

"""Numbers of one flow field: against the truth, and against itself and the pictures."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from zeroco_ros.estimate.results import FlowResult
from zeroco_ros.evaluation.calibration import count_confidence, tolerance
from zeroco_ros.evaluation.metrics import end_point_error, score_pair
from zeroco_ros.replay.pool import Pool

Float = npt.NDArray[np.floating]
Gray = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Values = dict[str, float | None]

LEAST = 1000  # pixels of truth; a pair with fewer says nothing


@dataclass(frozen=True)
class FlowFrame:
    """
    A flow field with the pictures that it is between.

    flow: (H, W, 2) as ~/flow says it, the motion from `first` to `second` in pixels, on the pixels
    of `second` (on_second) or of `first`. first, second: (H, W) uint8 gray.
    """

    flow: Float
    result: FlowResult
    first: Gray
    second: Gray
    on_second: bool

    @property
    def way(self) -> Float:
        """From each pixel of the reference to the other picture, (H, W, 2) pixels."""
        return -self.flow if self.on_second else self.flow

    @property
    def known(self) -> Mask:
        """Where the match leads back."""
        return ~self.result.occluded


def flow_values(frame: FlowFrame, before: FlowFrame | None, pool: Pool) -> Values:
    """
    Return the metrics that need no truth; pixels are added to the pool's histograms.

    before: the field of the pair that ended with this pair's first picture, None where there is
    none: no flicker then.
    """
    result, known = frame.result, frame.known
    error = result.forward_backward_error
    finite = error[np.isfinite(error)]
    length = np.hypot(frame.flow[..., 0], frame.flow[..., 1])
    low, high = np.percentile(result.confidence, [10, 90])
    pool.histogram("forward_backward_error", finite)
    pool.histogram("confidence", result.confidence)
    pool.histogram("flow_magnitude", length)
    values: Values = {
        "flow_magnitude": float(np.median(length)),
        "flow_coverage": float(known.mean()),
        "confidence": float(result.confidence.mean(dtype=np.float64)),
        "confidence_p10": float(low),
        "confidence_p90": float(high),
        "forward_backward_error": float(np.median(finite)) if finite.size else None,
        "flow_flicker": None if before is None else flicker(frame, before),
    }
    return values | photometric(frame)


def flow_errors(frame: FlowFrame, truth: Float | None, pool: Pool) -> Values:
    """Return the errors against the true flow (H, W, 2), NaN where unknown; {} without any."""
    if truth is None or truth.shape != frame.flow.shape:
        return {}
    known = np.asarray(np.isfinite(truth).all(axis=-1))
    if known.sum() < LEAST:
        return {}
    score = score_pair(frame.flow, truth, known)
    error = end_point_error(frame.flow, truth, known)
    limit = tolerance(*error.shape)
    pool.add_confidence(count_confidence(error, frame.result.confidence, limit))
    pool.histogram("epe", error[known])
    at_1, at_3, at_5 = (count / score.valid for count in score.correct)
    return {
        "epe": score.epe,
        "epe_median": float(np.median(error[known])),
        "fl_all": score.outliers / score.valid,
        "pck_1": at_1,
        "pck_3": at_3,
        "pck_5": at_5,
        "true_motion": score.motion,
    }


def photometric(frame: FlowFrame) -> Values:
    """Return the mean gray difference after and before undoing the flow, where it leads back."""
    target, source = (
        (frame.second, frame.first) if frame.on_second else (frame.first, frame.second)
    )
    if source.shape != target.shape:
        return {}
    pulled, inside = sampled(source.astype(np.float32), frame.way)
    seen = frame.known & inside
    if not seen.any():
        return {"photometric_error": None, "brightness_change": None}
    after = np.abs(pulled - target)[seen]
    still = np.abs(source.astype(np.float32) - target)[seen]
    return {
        "photometric_error": float(after.mean(dtype=np.float64)),
        "brightness_change": float(still.mean(dtype=np.float64)),
    }


def flicker(frame: FlowFrame, before: FlowFrame) -> float | None:
    """
    Return the median change in pixels of the flow along the motion; None where none is known.

    A point of the middle picture has the motion of the pair before and that of this pair. On the
    second picture's grid this pair's flow leads back to the middle one, where the other field
    lies; on the first one's the field before leads on to it.
    """
    here, there = (frame, before) if frame.on_second else (before, frame)
    if here.flow.shape != there.flow.shape:
        return None
    other, inside = sampled(there.flow.astype(np.float32), here.way)
    known, _ = sampled(there.known.astype(np.float32), here.way)
    both = here.known & inside & (known > 0.999)
    if not both.any():
        return None
    change = np.hypot(*np.moveaxis((here.flow - other)[both], -1, 0))
    return float(np.median(change))


def sampled(field: npt.NDArray[np.float32], way: Float) -> tuple[npt.NDArray[np.float32], Mask]:
    """Return `field` where `way` leads from each pixel, bilinear, and whether that is inside."""
    height, width = field.shape[:2]
    y, x = np.mgrid[0 : way.shape[0], 0 : way.shape[1]]
    u = np.asarray(x + way[..., 0], np.float32)
    v = np.asarray(y + way[..., 1], np.float32)
    inside = (u >= 0) & (u <= width - 1) & (v >= 0) & (v <= height - 1)
    pulled = cv2.remap(field, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(pulled, np.float32), np.asarray(inside)
