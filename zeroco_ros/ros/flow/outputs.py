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

"""
What flow_node publishes (see `topics`).

All image outputs carry the header of the reference image unchanged and have its size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from rclpy.lifecycle import LifecycleNode
from std_msgs.msg import Header

from zeroco_ros.ros.flow.painter import FlowPainter
from zeroco_ros.ros.messages import from_array
from zeroco_ros.ros.outputs import Outputs
from zeroco_ros.ros.topics import encodings, FLOW_TOPICS

if TYPE_CHECKING:
    from zeroco_ros.estimate.results import FlowResult

ENCODINGS = encodings(FLOW_TOPICS)


class FlowOutputs(Outputs):
    """See `Outputs`."""

    def __init__(
        self,
        node: LifecycleNode,
        report: Callable[[str], None],
        changed: Callable[[], None],
        max_magnitude: float,
    ) -> None:
        super().__init__(node, FLOW_TOPICS, report, changed)
        self.painter = FlowPainter(max_magnitude)

    def publish_flow(
        self, flow: npt.NDArray[np.float32], result: FlowResult, header: Header
    ) -> frozenset[str]:
        """
        Publish what is listened to; returns the names.

        flow: (H, W, 2) float32 as ~/flow shows it; result: the other fields, on the same pixels.
        """
        pixels: dict[str, Callable[[], npt.NDArray[Any]]] = {
            "flow": lambda: flow,
            "flow_color": lambda: self.painter.paint(flow),
            "confidence": lambda: result.confidence,
            "occluded": lambda: result.occluded.astype(np.uint8) * np.uint8(255),
        }
        return self.publish(
            {
                name: lambda name=name: from_array(pixels[name](), ENCODINGS[name], header)
                for name in pixels
            }
        )
