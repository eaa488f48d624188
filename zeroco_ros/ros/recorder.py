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

"""Listening to topics without decoding them: raw CDR bytes with their time of arrival."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
import threading
import time
from typing import Any

from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy

from zeroco_ros.bag.header import Header, read_header
from zeroco_ros.ros.message_types import message_class

DEPTH = 50
_PATIENCE = 0.1  # seconds until a request to stop is noticed when nothing arrives


@dataclass(frozen=True)
class Received:
    """A message that came in. arrival: time.monotonic() seconds; header: its std_msgs/Header."""

    topic: str
    type: str
    data: bytes
    arrival: float
    header: Header


class TopicRecorder:
    """
    Subscribes to `topics` (name -> type with a header) and calls `receive` for each message.

    Messages come on the thread that spins the node; with `Spinner` that is one of its own.
    Reliable, the newest `depth` are kept while `receive` is busy.
    """

    def __init__(
        self,
        node: Node,
        topics: Mapping[str, str],
        receive: Callable[[Received], None],
        *,
        depth: int = DEPTH,
    ) -> None:
        self._node = node
        self._receive = receive
        quality = QoSProfile(depth=depth, reliability=ReliabilityPolicy.RELIABLE)
        self._subscriptions = [
            node.create_subscription(
                message_class(kind), name, partial(self._take, name, kind), quality, raw=True
            )
            for name, kind in topics.items()
        ]

    def _take(self, topic: str, kind: str, data: bytes) -> None:
        self._receive(Received(topic, kind, data, time.monotonic(), read_header(data)))

    @property
    def connected(self) -> bool:
        """Whether every topic has a publisher."""
        return all(s.get_publisher_count() > 0 for s in self._subscriptions)

    def close(self) -> None:
        """Unsubscribe; the node must not be spinning any more."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []


class Spinner:
    """
    Spins a node on a thread of its own inside a `with` block.

    An exception of a callback ends the thread and is raised at the end of the block. A node has
    one executor at a time: one that it had before gets it back then.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._before = node.executor
        self._executor = SingleThreadedExecutor(context=node.context)
        self._executor.add_node(node)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._spin, name="recorder", daemon=True)
        self.error: BaseException | None = None

    def _spin(self) -> None:
        try:
            while not self._stop.is_set():
                self._executor.spin_once(_PATIENCE)
        except ExternalShutdownException:
            pass
        except BaseException as error:
            self.error = error

    def __enter__(self) -> Spinner:
        self._thread.start()
        return self

    def __exit__(self, kind: Any, value: Any, traceback: Any) -> None:
        self._stop.set()
        self._thread.join()
        self._node.executor = self._before
        self._executor.shutdown()
        if self.error is not None and kind is None:
            raise self.error
