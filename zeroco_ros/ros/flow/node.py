"""FlowNode: a managed node that turns camera frames into flow topics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from zeroco_ros.ros.flow.parameters import TABLE
from zeroco_ros.ros.flow.pipeline import FlowPipeline
from zeroco_ros.ros.managed_node import ManagedNode
from zeroco_ros.ros.metrics import COUNTERS, ENDS


class FlowNode(ManagedNode):
    """See the module. Raises ConfigError when a parameter given at start is not allowed."""

    TASK = "flow"
    TABLE = TABLE
    COUNTERS: ClassVar[Mapping[str, str]] = {
        **COUNTERS,
        "unmatched": "with `pairing: synchronized`: images that have no partner, or none yet",
    }
    ENDS = (*ENDS, "started", "unmatched")

    def __init__(self, name: str = "flow_node", **options: Any) -> None:
        super().__init__(name, **options)

    def build_pipeline(self) -> FlowPipeline:
        """The configured half of the node. Raises ZerocoError."""
        return FlowPipeline(self, self.parameters, self.journal, self.metrics)
