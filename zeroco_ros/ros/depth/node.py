"""DepthNode: a managed node that turns a moving camera's frames into depth topics."""

from __future__ import annotations

from typing import Any

from zeroco_ros.ros.depth.counters import COUNTERS, ENDS
from zeroco_ros.ros.depth.parameters import TABLE
from zeroco_ros.ros.depth.pipeline import DepthPipeline
from zeroco_ros.ros.diagnostics_table import DEPTH
from zeroco_ros.ros.managed_node import ManagedNode


class DepthNode(ManagedNode):
    """See the module. Raises ConfigError when a parameter given at start is not allowed."""

    TASK = "depth"
    TABLE = TABLE
    COUNTERS = COUNTERS
    ENDS = ENDS
    FACTS = DEPTH

    def __init__(self, name: str = "depth_node", **options: Any) -> None:
        super().__init__(name, **options)

    def build_pipeline(self) -> DepthPipeline:
        """The configured half of the node. Raises ZerocoError."""
        return DepthPipeline(self, self.parameters, self.journal, self.metrics)
