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
        """Return the configured half of the node. Raises ZerocoError."""
        return DepthPipeline(self, self.parameters, self.journal, self.metrics)
