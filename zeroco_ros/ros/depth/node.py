"""DepthNode: a managed node that turns a moving camera's frames into depth topics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from zeroco_ros.ros.depth.parameters import TABLE
from zeroco_ros.ros.depth.pipeline import DepthPipeline
from zeroco_ros.ros.managed_node import ManagedNode
from zeroco_ros.ros.metrics import COUNTERS, ENDS


class DepthNode(ManagedNode):
    """See the module. Raises ConfigError when a parameter given at start is not allowed."""

    TASK = "depth"
    TABLE = TABLE
    COUNTERS: ClassVar[Mapping[str, str]] = {
        **COUNTERS,
        "no_camera_info": "images dropped for want of a (fitting) camera_info",
        "no_pose": "images that went on without the pose that they should have",
        "camera_changes": "times that one camera followed another",
        "keyframes": "images that became key frames",
        "restarts": "times that tracking began anew, with another origin and, where relative, "
        "another unit",
        "without_result": "images that nothing can be said about, as the first one",
    }
    ENDS = (*ENDS, "no_camera_info", "without_result")

    def __init__(self, name: str = "depth_node", **options: Any) -> None:
        super().__init__(name, **options)

    def build_pipeline(self) -> DepthPipeline:
        """The configured half of the node. Raises ZerocoError."""
        return DepthPipeline(self, self.parameters, self.journal, self.metrics)
