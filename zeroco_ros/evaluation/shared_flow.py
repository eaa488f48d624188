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

"""One flow estimator for several depth methods that see the same frames at the same time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
import hashlib
import time
from typing import Any

import numpy as np
import numpy.typing as npt

from zeroco_ros.estimate.flow import FlowEstimator
from zeroco_ros.estimate.frames import EncodedFrame
from zeroco_ros.estimate.results import FlowResult

FRAMES, MATCHES = 4, 24  # latest results that are kept


class SharedFlow:
    """
    A FlowEstimator whose latest results are kept for the next one who asks for the same.

    What a repeated question would have cost is added to a credit, so that times stay comparable:
    `take_credit` says how much since it was last asked. All else is the estimator's own.
    """

    def __init__(self, estimator: FlowEstimator) -> None:
        self._estimator = estimator
        self._frames: OrderedDict[Hashable, Any] = OrderedDict()
        self._matches: OrderedDict[Hashable, Any] = OrderedDict()
        self._credit = np.zeros(2)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._estimator, name)

    def encode(self, image: npt.NDArray[np.uint8]) -> EncodedFrame:
        """As FlowEstimator.encode; the same object for the same pixels."""
        pixels = np.ascontiguousarray(image)
        key = (pixels.shape, hashlib.blake2b(pixels.tobytes(), digest_size=16).digest())
        found: EncodedFrame = self._kept(
            self._frames, FRAMES, key, lambda: self._estimator.encode(image)
        )
        return found

    def match(self, target: EncodedFrame, source: EncodedFrame) -> FlowResult:
        """As FlowEstimator.match."""
        _, _, found = self._kept(
            self._matches,
            MATCHES,
            (id(target), id(source)),
            # the frames are kept along, so that no other one can get their ids meanwhile
            lambda: (target, source, self._estimator.match(target, source)),
        )
        result: FlowResult = found
        return result

    def take_credit(self) -> tuple[float, float]:
        """Wall and processor seconds saved since the last call."""
        wall, cpu = self._credit
        self._credit = np.zeros(2)
        return float(wall), float(cpu)

    def _kept(
        self,
        store: OrderedDict[Hashable, Any],
        limit: int,
        key: Hashable,
        compute: Callable[[], Any],
    ) -> Any:
        if key in store:
            found, cost = store[key]
            store.move_to_end(key)
            self._credit = self._credit + cost
            return found
        wall, cpu = time.perf_counter(), time.process_time()
        found = compute()
        cost = np.array([time.perf_counter() - wall, time.process_time() - cpu])
        store[key] = found, cost
        while len(store) > limit:
            store.popitem(last=False)
        return found
