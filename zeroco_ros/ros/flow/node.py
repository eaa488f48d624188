"""FlowNode: a managed node that turns camera frames into flow topics."""

from __future__ import annotations

from typing import Any

from zeroco_ros.ros.flow.counters import COUNTERS, ENDS
from zeroco_ros.ros.flow.parameters import TABLE
from zeroco_ros.ros.flow.pipeline import FlowPipeline
from zeroco_ros.ros.managed_node import ManagedNode


class FlowNode(ManagedNode):
    """See the module. Raises ConfigError when a parameter given at start is not allowed."""

    TASK = "flow"
    TABLE = TABLE
    COUNTERS = COUNTERS
    ENDS = ENDS

    def __init__(self, name: str = "flow_node", **options: Any) -> None:
        super().__init__(name, **options)

    def build_pipeline(self) -> FlowPipeline:
        """The configured half of the node. Raises ZerocoError."""
        return FlowPipeline(self, self.parameters, self.journal, self.metrics)
