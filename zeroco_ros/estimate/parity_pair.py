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

"""How far two estimators are from each other on one pair of images."""

from __future__ import annotations

from collections.abc import Mapping
import dataclasses
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zeroco_ros.engine.backend import NonFiniteOutput
from zeroco_ros.estimate.flow import FlowEstimator
from zeroco_ros.estimate.frames import EncodedFrame
from zeroco_ros.estimate.learned_depth import LearnedDepth, RelativeDepth
from zeroco_ros.estimate.results import FlowResult

Image = npt.NDArray[np.uint8]
SURE = 0.8


@dataclass(frozen=True)
class Tested:
    """What is compared: an estimator, and the depth head on its backend if it has one."""

    flow: FlowEstimator
    depth: LearnedDepth | None = None


@dataclass(frozen=True)
class PairParity:
    """
    The differences on one pair.

    volume, volume_rms: largest and root mean square difference of the cost volume, relative to its
    standard deviation; flow_median, flow_p99: pixels, where PyTorch's confidence is at least
    `SURE` (elsewhere two matches may be as good as each other, and rounding chooses);
    confidence_p99: of 1, over the same pixels; depth_p99: of the logarithms of inverse depth and
    of sigma, over the image, None without a depth head; sure: the share of those pixels;
    non_finite: values that are NaN or Inf.
    """

    name: str
    volume: float
    volume_rms: float
    flow_median: float
    flow_p99: float
    confidence_p99: float
    depth_p99: float | None
    sure: float
    non_finite: int

    def faults(self, limits: Mapping[str, float]) -> list[str]:
        """Say in words what is outside of the limits, by field name."""
        found = [f"{self.non_finite} values that are not finite"] if self.non_finite else []
        for field, limit in limits.items():
            value = getattr(self, field)
            if value is not None and not value <= limit:  # True for NaN as well
                found.append(f"{field} {value:.3g} above {limit:g}")
        return found


def compare(
    name: str, tested: Tested, trusted: Tested, target: Image, source: Image
) -> PairParity:
    """Return the differences on one pair."""
    ours, theirs = (
        (one.flow.encode(target), one.flow.encode(source)) for one in (tested, trusted)
    )
    volume = _Gap(estimator_volumes(tested.flow, *ours), estimator_volumes(trusted.flow, *theirs))
    expected = trusted.flow.match(*theirs)
    sure = expected.confidence >= SURE
    parity = PairParity(name, volume.largest, volume.rms, *_WORST, float(sure.mean()), volume.bad)
    try:
        found = tested.flow.match(*ours)
        depth, bad = _depth_gap(tested, trusted, ours, theirs, expected)
    except NonFiniteOutput:
        return dataclasses.replace(parity, non_finite=max(1, volume.bad))
    for values in (found.flow, found.confidence):
        bad += int((~np.isfinite(values)).sum())
    gap = np.linalg.norm(found.flow - expected.flow, axis=-1)[sure]
    unsure = np.abs(found.confidence - expected.confidence)[sure]
    return dataclasses.replace(
        parity,
        flow_median=_percentile(gap, 50),
        flow_p99=_percentile(gap, 99),
        confidence_p99=_percentile(unsure, 99),
        depth_p99=depth,
        non_finite=volume.bad + bad,
    )


# flow_median, flow_p99, confidence_p99 and depth_p99 of a network that returned no numbers.
_WORST = (float("inf"), float("inf"), float("inf"), None)


def _percentile(values: npt.NDArray[np.float32], share: float) -> float:
    """Return a percentile, 0 where nothing is to be compared."""
    return float(np.percentile(values, share)) if values.size else 0.0


class _Gap:
    """Differences of two volumes, relative to the trusted one's standard deviation."""

    def __init__(self, found: Tensor, expected: Tensor) -> None:
        self.bad = int((~torch.isfinite(found)).sum())
        gap = (found - expected).abs().nan_to_num(float("inf"))
        spread = float(expected.std())
        self.largest = float(gap.max()) / spread
        self.rms = float(gap.square().mean().sqrt()) / spread


def estimator_volumes(
    estimator: FlowEstimator, target: EncodedFrame, source: EncodedFrame
) -> Tensor:
    """Return the backend's volumes (2, B, Nt, Ns) of both directions, float32 on the CPU."""
    valid = target.letterbox.valid, source.letterbox.valid
    both = estimator.backend.volumes(
        target.encoding, source.encoding, valid, register_fix=estimator.register_fix
    )
    return torch.stack([both[0], both[1].transpose(1, 2)]).float().cpu()


def _depth_gap(
    tested: Tested,
    trusted: Tested,
    ours: tuple[EncodedFrame, EncodedFrame],
    theirs: tuple[EncodedFrame, EncodedFrame],
    flow: FlowResult,
) -> tuple[float | None, int]:
    """Return the depth head's difference, from one flow, and its non-finite values."""
    if tested.depth is None or trusted.depth is None:
        return None, 0
    height, width = ours[0].size
    K = np.array([[width, 0, width / 2], [0, width, height / 2], [0, 0, 1]], dtype=np.float64)
    found = _logs(tested.depth.predict(*ours, flow, K))
    expected = _logs(trusted.depth.predict(*theirs, flow, K))
    bad = int((~np.isfinite(found)).sum())
    return _percentile(np.abs(found - expected).ravel(), 99), bad


def _logs(depth: RelativeDepth) -> npt.NDArray[np.float32]:
    return np.log(np.stack([depth.inverse, depth.sigma]))
