"""Everything a configured flow node has: camera topics -> pairs -> worker -> flow topics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
