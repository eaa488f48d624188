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

"""The topics a node publishes: who listens, and making messages only for those who do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rclpy.lifecycle import LifecycleNode, LifecyclePublisher

from zeroco_ros.ros import qos
from zeroco_ros.ros.message_types import message_class
from zeroco_ros.ros.topics import TopicSpec


class Outputs:
    """
    Lifecycle publishers of one configured node: those of `topics` that begin with `~/`.

    report: called with one line when a subscriber's QoS does not fit. changed: called when
    subscribers come or go (distributions without that event: the node polls `wanted`).
    Raises ConfigError for nonsense QoS overrides.
    """

    def __init__(
        self,
        node: LifecycleNode,
        topics: Iterable[TopicSpec],
        report: Callable[[str], None],
        changed: Callable[[], None],
    ) -> None:
        self._node = node
        own = [topic for topic in topics if topic.own_output]
        self._companions = frozenset(topic.short for topic in own if topic.companion)
        profiles = {topic: qos.publisher_profile(node, topic.name, topic.latched) for topic in own}
        self._publishers = {
            topic.short: _publisher(node, topic, profile, report, changed)
            for topic, profile in profiles.items()
        }

    def listened(self) -> frozenset[str]:
        """Names of the topics that somebody listens to."""
        return frozenset(
            name
            for name, publisher in self._publishers.items()
            if publisher.get_subscription_count() > 0
        )

    def wanted(self) -> frozenset[str]:
        """Return the same without companions: topics that are worth the work."""
        return self.listened() - self._companions

    def publish(self, makers: Mapping[str, Callable[[], Any]]) -> frozenset[str]:
        """
        Publish, in order, the messages that are listened to; returns their names.

        makers: what makes the message of a topic; called where somebody listens.
        """
        listened = self.listened() & makers.keys()
        for name, make in makers.items():
            if name in listened:
                self._publishers[name].publish(make())
        return listened

    def publish_latched(self, name: str, message: Any) -> None:
        """Publish on a latched topic, for those too who come later."""
        self._publishers[name].publish(message)

    def destroy(self) -> None:
        """Take the publishers back."""
        for publisher in self._publishers.values():
            self._node.destroy_lifecycle_publisher(publisher)
        self._publishers = {}


def _publisher(
    node: LifecycleNode,
    topic: TopicSpec,
    profile: Any,
    report: Callable[[str], None],
    changed: Callable[[], None],
) -> LifecyclePublisher:
    events = qos.publisher_events(node.resolve_topic_name(topic.name), report, changed)
    kind = message_class(topic.message)
    return node.create_lifecycle_publisher(kind, topic.name, profile, event_callbacks=events)
