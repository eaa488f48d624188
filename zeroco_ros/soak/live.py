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

"""The other end of the node's topics and services: a camera, an audience, an operator."""

from __future__ import annotations

from collections.abc import Callable
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition as TransitionNumber
from lifecycle_msgs.srv import ChangeState
import numpy as np
from rcl_interfaces.srv import SetParameters
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.logging import LoggingSeverity
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image

from zeroco_ros.errors import BackendError

DEPTH = 256  # messages that topics keep, more than are ever under way
LAYOUTS = {"32FC2": ("f4", 2), "32FC1": ("f4", 1), "bgr8": ("u1", 3), "rgb8": ("u1", 3)}
LAYOUTS["mono8"] = ("u1", 1)

Result = Callable[[str, Image], None]


class Broken(Exception):  # noqa: N818
    """What was waited for did not come."""


class Live:
    """
    Topics and services of one node. on_result: called with output and message.

    told: the newest diagnostics as key -> value. heard: when diagnostics came, monotonic seconds.
    check: called while waiting; what it raises ends the wait.
    """

    def __init__(self, path: str, on_result: Result, on_report: Callable[[], None]) -> None:
        self.path = path
        self.namespace = path.rpartition("/")[0]
        self.told: dict[str, str] = {}
        self.heard: list[float] = []
        self.check: Callable[[], None] = lambda: None
        self._on_result = on_result
        self._on_report = on_report
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        self._node = rclpy.create_node("soak", namespace=self.namespace, context=self._context)
        # rclpy tells of every misfit, which are meant here.
        self._node.get_logger().set_level(LoggingSeverity.ERROR)
        self._deaf = rclpy.create_node("deaf", namespace=self.namespace, context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self.camera = self._node.create_publisher(Image, "image", _qos())
        self.info = self._node.create_publisher(CameraInfo, "camera_info", _qos())
        self._unfit: Any = None
        self._slow: Any = None
        self._audience: dict[str, Any] = {}
        self._clients: dict[str, Any] = {}
        self._node.create_subscription(DiagnosticArray, "diagnostics", self._report, _qos())

    def close(self) -> None:
        """Take everything back."""
        self._executor.shutdown()
        self._node.destroy_node()
        self._deaf.destroy_node()
        self._context.try_shutdown()

    def spin(self, seconds: float = 0.0) -> None:
        """Take what has come, and what comes within so many seconds."""
        end = time.monotonic() + seconds
        self._executor.spin_once(timeout_sec=0.0)
        while (left := end - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=min(left, 0.05))

    def wait(self, condition: Callable[[], Any], what: str, patience: float) -> None:
        """Spin until the condition holds. Raises Broken that names `what` after `patience` s."""
        end = time.monotonic() + patience
        while not condition():
            self.check()
            if time.monotonic() > end:
                raise Broken(f"waited {patience:g} s in vain for {what}")
            self._executor.spin_once(timeout_sec=0.05)

    def report_after(self, moment: float) -> bool:
        """Whether diagnostics have come since a moment (monotonic seconds)."""
        return bool(self.heard) and self.heard[-1] > moment

    def listen(self, outputs: tuple[str, ...], wanted: Callable[[str], str]) -> None:
        """Subscribe to these outputs and no others; wanted: topic of an output."""
        for name in outputs:
            if name not in self._audience:
                take = self._taker(name)
                topic = wanted(name)
                self._audience[name] = self._node.create_subscription(Image, topic, take, _qos())
        for name in set(self._audience) - set(outputs):
            self._node.destroy_subscription(self._audience.pop(name))

    def _taker(self, name: str) -> Callable[[Image], None]:
        return lambda message: self._on_result(name, message)

    def slow_consumer(self, topic: str, there: bool) -> None:
        """Let a subscriber come that never takes anything, or go."""
        if there and self._slow is None:
            self._slow = self._deaf.create_subscription(Image, topic, lambda _: None, _qos(1))
        elif not there and self._slow is not None:
            self._deaf.destroy_subscription(self._slow)
            self._slow = None

    def misfit(self, there: bool) -> None:
        """Let a camera come that offers less than the node asks for, or go."""
        if there and self._unfit is None:
            profile = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
            self._unfit = self._node.create_publisher(Image, "image", profile)
        elif not there and self._unfit is not None:
            self._node.destroy_publisher(self._unfit)
            self._unfit = None

    def set_parameter(self, name: str, value: Any, patience: float) -> tuple[bool, str]:
        """Set one parameter; return whether it was taken, and the reason."""
        message = Parameter(name, value=value).to_parameter_msg()
        request = SetParameters.Request(parameters=[message])
        answer = self._call(SetParameters, "set_parameters", request, patience).results[0]
        return answer.successful, answer.reason

    def transition(self, label: str, patience: float) -> bool:
        """Ask for a lifecycle transition; return whether it was done."""
        number = getattr(TransitionNumber, f"TRANSITION_{label.upper()}")
        request = ChangeState.Request(transition=TransitionNumber(id=number))
        return bool(self._call(ChangeState, "change_state", request, patience).success)

    def _call(self, kind: Any, name: str, request: Any, patience: float) -> Any:
        if name not in self._clients:
            self._clients[name] = self._node.create_client(kind, f"{self.path}/{name}")
        client = self._clients[name]
        self.wait(client.service_is_ready, f"the service {name}", patience)
        future = client.call_async(request)
        self.wait(future.done, f"an answer of the service {name}", patience)
        return future.result()

    def _report(self, message: DiagnosticArray) -> None:
        status = message.status[0]
        self.told = {pair.key: pair.value for pair in status.values}
        self.told["level"], self.told["message"] = str(status.level[0]), status.message
        self.heard.append(time.monotonic())
        self._on_report()


def pixels_of(message: Image) -> np.ndarray[Any, Any]:
    """Return the (H, W, C) array of a result. Raises BackendError where the fields do not fit."""
    kind, channels = LAYOUTS[message.encoding]
    flat = np.frombuffer(message.data, kind)
    if flat.size != message.height * message.width * channels:
        raise BackendError(
            f"{len(message.data)} bytes in a {message.width}x{message.height} image"
        )
    return flat.reshape(message.height, message.width, channels)


def _qos(depth: int = DEPTH) -> QoSProfile:
    return QoSProfile(depth=depth, reliability=ReliabilityPolicy.RELIABLE)
