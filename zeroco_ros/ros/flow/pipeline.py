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

"""Everything a configured flow node has: camera topics -> pairs -> worker -> flow topics."""

from __future__ import annotations

from typing import Any, TYPE_CHECKING

from zeroco_ros.online.frames import FramePair
from zeroco_ros.ros.flow.inputs import SynchronizedInput, TemporalInput
from zeroco_ros.ros.flow.job import FlowJob
from zeroco_ros.ros.flow.model import load_model
from zeroco_ros.ros.flow.outputs import FlowOutputs
from zeroco_ros.ros.journal import Journal
from zeroco_ros.ros.metrics import Metrics
from zeroco_ros.ros.parameter_server import ParameterServer
from zeroco_ros.ros.pipeline import Pipeline

if TYPE_CHECKING:
    from zeroco_ros.ros.managed_node import ManagedNode


class FlowPipeline(Pipeline[FramePair]):
    """See the module and `Pipeline`."""

    def __init__(
        self, node: ManagedNode, parameters: ParameterServer, journal: Journal, metrics: Metrics
    ) -> None:
        super().__init__("flow", journal, metrics)
        values = parameters.values
        kind = SynchronizedInput if values["pairing"] == "synchronized" else TemporalInput
        pairs = kind(node, values, journal, self._submit)
        self.model = load_model(values, node.progress)
        magnitude = float(values["color_max_magnitude"])
        outputs = FlowOutputs(node, journal.incompatible, self.follow_subscribers, magnitude)
        job = FlowJob(self.model, outputs, journal, metrics, lambda: parameters.values, node)
        self._painter = outputs.painter
        self._outfit(pairs, outputs, job)

    def reconfigure(self, values: dict[str, Any]) -> None:
        """Take over parameters that may change while images come in."""
        self._input.reconfigure(values)
        self._painter.max_magnitude = float(values["color_max_magnitude"])
