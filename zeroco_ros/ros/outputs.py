"""The topics flow_node publishes (see `topics`): who listens, and what is made for whom.

All image outputs carry the header of the reference image unchanged and have its size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from rclpy.lifecycle import LifecycleNode, LifecyclePublisher
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from zeroco_ros.ros import qos
from zeroco_ros.ros.messages import from_array
from zeroco_ros.ros.painter import FlowPainter
from zeroco_ros.ros.topics import output_encodings

if TYPE_CHECKING:
    from zeroco_ros.estimate.results import FlowResult

ENCODINGS = output_encodings()


class FlowOutputs:
    """Publishers of one configured node; they publish while it is active.

    report: called with one line when a subscriber's QoS does not fit. changed: called when
    subscribers come or go (distributions without that event: the node polls `wanted`).
    Raises ConfigError for nonsense QoS overrides.
    """

    def __init__(
        self,
        node: LifecycleNode,
        report: Callable[[str], None],
        changed: Callable[[], None],
        max_magnitude: float,
    ) -> None:
        self._node = node
        self.painter = FlowPainter(max_magnitude)
        profiles = {
            name: qos.overridden(node, f"~/{name}", "publisher", qos.output_profile())
            for name in ENCODINGS
        }
        self._publishers = {
            name: _publisher(node, f"~/{name}", profile, report, changed)
            for name, profile in profiles.items()
        }

    def wanted(self) -> frozenset[str]:
        """Names of the topics that somebody listens to."""
        return frozenset(
            name
            for name, publisher in self._publishers.items()
            if publisher.get_subscription_count() > 0
        )

    def publish(
        self, flow: npt.NDArray[np.float32], result: FlowResult, header: Header
    ) -> frozenset[str]:
        """Publish what is wanted; returns the names.

        flow: (H, W, 2) float32 as ~/flow shows it; result: the other fields, on the same pixels.
        """
        wanted = self.wanted()
        makers: dict[str, Callable[[], npt.NDArray[Any]]] = {
            "flow": lambda: flow,
            "flow_color": lambda: self.painter.paint(flow),
            "confidence": lambda: result.confidence,
            "occluded": lambda: result.occluded.astype(np.uint8) * np.uint8(255),
        }
        for name in wanted:
            message = from_array(makers[name](), ENCODINGS[name], header)
            self._publishers[name].publish(message)
        return wanted

    def destroy(self) -> None:
        """Take the publishers back."""
        for publisher in self._publishers.values():
            self._node.destroy_lifecycle_publisher(publisher)
        self._publishers = {}


def _publisher(
    node: LifecycleNode,
    topic: str,
    profile: QoSProfile,
    report: Callable[[str], None],
    changed: Callable[[], None],
) -> LifecyclePublisher:
    events = qos.publisher_events(node.resolve_topic_name(topic), report, changed)
    return node.create_lifecycle_publisher(Image, topic, profile, event_callbacks=events)
