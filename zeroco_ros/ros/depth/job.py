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

"""The worker's job: an image with its camera and pose in, wanted topics out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zeroco_ros.online.depth_step import DepthFacts, DepthStep
from zeroco_ros.ros.job import Job

if TYPE_CHECKING:
    from zeroco_ros.estimate.depth import DepthEstimator
    from zeroco_ros.online.depth_intake import DepthItem
    from zeroco_ros.ros.depth.outputs import DepthOutputs
    from zeroco_ros.ros.model import RunningModel


class DepthJob(Job):
    """Depth of one image, published."""

    _model: RunningModel[DepthEstimator]
    _outputs: DepthOutputs

    def _renew(self) -> None:
        self._step = DepthStep(self._model.estimator, self._journal, self._metrics)

    @property
    def newest(self) -> DepthFacts | None:
        """Facts of the newest result, None before it."""
        return self._step.newest

    def __call__(self, item: DepthItem) -> None:
        """Nothing is computed when nobody listens any more."""
        if not self._outputs.wanted():
            self._metrics.add("unwanted")
            return
        result = self._recovery.run(lambda: self._step(item))
        if result is None:
            return
        if self._outputs.publish_depth(result, item, float(self._values()["max_depth"])):
            self._metrics.published(item.frame.arrival)
        else:
            self._metrics.add("unwanted")
