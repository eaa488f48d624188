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

"""A camera and a listener for one running flow_node: message in, message out."""

from __future__ import annotations

import array
from collections.abc import Callable
import os
import time
from types import TracebackType

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from zeroco_ros.bag.header import read_header
from zeroco_ros.bench.subjects import Image as Pixels
from zeroco_ros.errors import BackendError
from zeroco_ros.soak.process import NodeUnderTest

NANOSECONDS = 1_000_000_000
RATE = 30.0
START_PATIENCE, PATIENCE = 300.0, 100.0


class NodeCamera:
    """
    Publishes frames to a node's input and hears its outputs; a context manager.

    node: it, running in `namespace`. outputs: short names of those that are listened to. Messages
    are heard as bytes: what it takes to make Python of them is not the node's.
    """

    def __init__(self, node: NodeUnderTest, namespace: str, outputs: tuple[str, ...]) -> None:
        self._process, self._outputs = node, outputs
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        self._node = rclpy.create_node("bench", namespace=namespace, context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        quality = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
        self._camera = self._node.create_publisher(Image, "image", quality)
        self._heard: dict[str, tuple[int, float]] = {}
        for name in outputs:
            self._node.create_subscription(
                Image, f"flow_node/{name}", self._taker(name), quality, raw=True
            )
        self._stamp = 0

    def __enter__(self) -> NodeCamera:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._executor.shutdown()
        self._node.destroy_node()
        self._context.try_shutdown()

    def begin(self, frame: Pixels) -> None:
        """Wait until the node listens and answers. Raises BackendError where it does not."""
        self._wait(lambda: self._camera.get_subscription_count() > 0, START_PATIENCE)
        end = time.monotonic() + PATIENCE
        while len(self._heard) < len(self._outputs):
            self.publish(frame)
            self._spin(lambda: len(self._heard) == len(self._outputs), 1.0)
            if time.monotonic() > end:
                raise BackendError(f"flow_node does not answer; its output: {self._process.log}")

    def publish(self, frame: Pixels) -> float:
        """
        Publish (H, W, 3) uint8 RGB, a 30th of a second after the one before by its stamp.

        Returns when (monotonic seconds), before the message was handed over.
        """
        message = Image(height=frame.shape[0], width=frame.shape[1], encoding="rgb8")
        message.header.frame_id = "camera"
        message.step = 3 * frame.shape[1]
        message.data = array.array("B", frame.tobytes())
        self._stamp += int(NANOSECONDS / RATE)
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(self._stamp, NANOSECONDS)
        now = time.monotonic()
        self._camera.publish(message)
        return now

    def answered(self, frame: Pixels) -> float:
        """
        Publish a frame and wait for everything that the node makes of it; the seconds taken.

        Raises BackendError where it does not come.
        """
        sent = self.publish(frame)
        self._wait(
            lambda: all(stamp >= self._stamp for stamp, _ in self._heard.values()), PATIENCE
        )
        return max(arrival for _, arrival in self._heard.values()) - sent

    def _taker(self, name: str) -> Callable[[bytes], None]:
        def take(data: bytes) -> None:
            self._heard[name] = read_header(data).stamp_ns, time.monotonic()

        return take

    def _wait(self, condition: Callable[[], bool], patience: float) -> None:
        if not self._spin(condition, patience):
            state = self._process.ended or "it runs"
            raise BackendError(
                f"waited {patience:g} s in vain for flow_node ({state}); its output: "
                f"{self._process.log}"
            )

    def _spin(self, condition: Callable[[], bool], patience: float) -> bool:
        end = time.monotonic() + patience
        while not condition():
            if self._process.ended or time.monotonic() > end:
                return False
            self._executor.spin_once(timeout_sec=0.05)
        return True


def own_namespace() -> str:
    """Of this process: two benches on a machine must not hear each other."""
    return f"/zeroco_bench_{os.getpid()}"
