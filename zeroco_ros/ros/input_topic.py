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

"""Topics that a node listens to on demand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

from zeroco_ros.errors import ImageError
from zeroco_ros.online.frames import Frame
from zeroco_ros.ros import qos
from zeroco_ros.ros.journal import Journal


class InputTopic:
    """
    One topic: subscribed on demand; nothing that `deliver` raises leaves its callback.

    depth: messages kept while the node is busy.
    Raises ConfigError for nonsense QoS overrides.
    """

    def __init__(
        self,
        node: Node,
        kind: type,
        topic: str,
        journal: Journal,
        deliver: Callable[[Any], None],
        *,
        depth: int = qos.INPUT_DEPTH,
    ) -> None:
        self.topic = node.resolve_topic_name(topic)
        self._type = kind
        self._profile = qos.overridden(node, self.topic, "subscription", qos.input_profile(depth))
        self._node = node
        self._journal = journal
        self._deliver = deliver
        self._subscription: Any = None

    def subscribe(self) -> None:
        """Listen; does nothing when listening already."""
        if self._subscription is None:
            self._subscription = self._node.create_subscription(
                self._type,
                self.topic,
                self._receive,
                self._profile,
                event_callbacks=qos.subscription_events(self.topic, self._journal.incompatible),
            )

    def unsubscribe(self) -> None:
        """Stop listening."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    @property
    def publishers(self) -> int:
        """How many publishers the topic has now."""
        return self._node.count_publishers(self.topic)

    def _receive(self, message: Any) -> None:
        try:
            self._deliver(message)
        except Exception as error:  # never out of a callback: the stream goes on
            self._journal.fault(self.topic, error)


class ImageTopic(InputTopic):
    """
    One camera, raw or compressed; what is no image is refused.

    deliver: called with a Frame and its (height, width), None while it is compressed.
    """

    def __init__(
        self,
        node: Node,
        name: str,
        values: Mapping[str, Any],
        journal: Journal,
        deliver: Callable[[Frame, Any], None],
    ) -> None:
        self.base = node.resolve_topic_name(name)
        self._compressed = values["image_transport"] == "compressed"
        topic = f"{self.base}/compressed" if self._compressed else self.base
        kind = CompressedImage if self._compressed else Image
        super().__init__(node, kind, topic, journal, self._take)
        self._hand_on = deliver
        self.reconfigure(values)

    def reconfigure(self, values: Mapping[str, Any]) -> None:
        """Take over what may change while images come in."""
        self._max_pixels = int(values["max_pixels"])
        self._significant_bits = int(values["significant_bits"])

    def _take(self, message: Any) -> None:
        self._journal.received(self.topic)
        try:
            frame = Frame(message, self.topic, self._max_pixels, self._significant_bits)
            # A raw image is judged before it is paired; decompression waits until it is needed.
            shape = None if self._compressed else frame.decode().shape[:2]
            self._hand_on(frame, shape)
        except ImageError as error:
            self._journal.refuse(self.topic, str(error))
        except Exception as error:
            self._journal.failed(self.topic, error)
