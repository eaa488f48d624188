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

"""The worker's job: a pair of frames in, wanted topics out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zeroco_ros.online.flow_step import FlowStep
from zeroco_ros.ros.flow.parameters import reference_of
from zeroco_ros.ros.job import Job

if TYPE_CHECKING:
    from zeroco_ros.estimate.flow import FlowEstimator
    from zeroco_ros.online.frames import FramePair
    from zeroco_ros.ros.flow.outputs import FlowOutputs
    from zeroco_ros.ros.model import RunningModel


class FlowJob(Job):
    """Flow of one pair, published."""

    _model: RunningModel[FlowEstimator]
    _outputs: FlowOutputs

    def _renew(self) -> None:
        self._step = FlowStep(self._model.estimator, self._journal, self._metrics)

    def __call__(self, pair: FramePair) -> None:
        """Nothing is computed when nobody listens any more."""
        if not self._outputs.wanted():
            self._metrics.add("unwanted")
            return
        values = self._values()
        one_camera = values["pairing"] != "synchronized"
        answer = self._recovery.run(lambda: self._step(pair, reference_of(values), one_camera))
        if answer is None:
            return
        if self._outputs.publish_flow(answer.flow, answer.result, answer.reference.header):
            self._metrics.published(pair.second.arrival)
        else:
            self._metrics.add("unwanted")
