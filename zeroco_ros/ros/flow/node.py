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
        """Return the configured half of the node. Raises ZerocoError."""
        return FlowPipeline(self, self.parameters, self.journal, self.metrics)
