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
Real ROS 2 processes and topics for tests: an isolated domain, a probe node, child nodes.

Nothing here sleeps for a fixed time: everything waits for a condition, at most `PATIENCE` seconds.

Who sends a finite number of messages and waits for all of them calls `Probe.wait_connected` first.
"""

from __future__ import annotations

from collections.abc import Callable
import fcntl
import os
from pathlib import Path
import re
import shutil
import tempfile
import time
from typing import Any

# Seconds; a loaded machine may need more.
PATIENCE = float(os.environ.get("ZEROCO_TEST_PATIENCE", "100"))
ROOT = Path(__file__).resolve().parents[2]
FIRST_DOMAIN, LAST_DOMAIN = 1, 100
_locks: list[Any] = []


def isolate() -> None:
    """
    Give this test process a ROS domain, log folder and middleware profile of its own.

    Must run before rclpy is imported; environment variables of the user do not get through.
    """
    if _locks:
        return
    folder = Path(tempfile.mkdtemp(prefix="zeroco-ros-test-"))
    os.environ.update(
        ROS_AUTOMATIC_DISCOVERY_RANGE="LOCALHOST",
        ROS_DOMAIN_ID=str(_claim_domain()),
        ROS_LOG_DIR=str(folder / "log"),
        ROS_HOME=str(folder),
        FASTDDS_DEFAULT_PROFILES_FILE=str(ROOT / "config" / "fastdds_local.xml"),
        OMP_NUM_THREADS="1",
        PYTHONUNBUFFERED="1",
    )
    for name in ("ROS_LOCALHOST_ONLY", "ROS_STATIC_PEERS", "RMW_IMPLEMENTATION"):
        os.environ.pop(name, None)


def clean_up() -> None:
    """
    Remove the log folder and the shared-memory ports that ended processes of our domain left.

    The domain is ours alone until this process ends, so nobody else can be using its ports.
    """
    shutil.rmtree(os.environ["ROS_HOME"], ignore_errors=True)
    first = 7400 + 250 * int(os.environ["ROS_DOMAIN_ID"])  # the DDS standard's port numbers
    for path in Path("/dev/shm").glob("*fastdds_port*"):
        port = re.search(r"fastdds_port(\d+)", path.name)
        if port and first <= int(port[1]) < first + 250:
            path.unlink(missing_ok=True)


def _claim_domain() -> int:
    """
    Return a domain that no other test process on this machine holds.

    A file lock lasts as we do.
    """
    span = LAST_DOMAIN - FIRST_DOMAIN + 1
    for offset in range(span):
        domain = FIRST_DOMAIN + (os.getpid() + offset) % span
        path = Path(tempfile.gettempdir()) / f"zeroco-ros-test-domain-{domain}.lock"
        lock = path.open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        _locks.append(lock)
        return domain
    raise RuntimeError("all ROS test domains of this machine are in use")


class Probe:
    """A node in the test process: publishes inputs, collects outputs, calls services."""

    def __init__(self, name: str = "probe") -> None:
        import rclpy
        from rclpy.executors import SingleThreadedExecutor

        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node(name, context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self._clients: dict[str, Any] = {}

    def close(self) -> None:
        """Destroy the node and its context."""
        self.executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()

    def wait_until(
        self, condition: Callable[[], Any], what: str, timeout: float = PATIENCE
    ) -> None:
        """Spin until `condition()` is true; AssertionError naming `what` after `timeout` s."""
        end = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < end, f"waited {timeout:g} s in vain for {what}"
            self.executor.spin_once(timeout_sec=0.02)

    def spin_for(self, seconds: float) -> None:
        """Spin for a fixed time: only to show that something does NOT happen."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.executor.spin_once(timeout_sec=0.02)

    def collect(self, message_type: type, topic: str, *, reliable: bool = True, depth: int = 100):
        """Subscribe; returns a Collector whose `messages` grow while this probe spins."""
        from rclpy.qos import QoSProfile, ReliabilityPolicy

        kind = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
        return Collector(self, message_type, topic, QoSProfile(depth=depth, reliability=kind))

    def publisher(self, message_type: type, topic: str, *, reliable: bool = True, depth: int = 50):
        """Return a publisher; see `wait_connected`."""
        from rclpy.qos import QoSProfile, ReliabilityPolicy

        kind = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
        profile = QoSProfile(depth=depth, reliability=kind)
        return self.node.create_publisher(message_type, topic, profile)

    def wait_connected(self, *ends: Any, count: int = 1, timeout: float = PATIENCE) -> None:
        """
        Wait until no message between these ends can be lost for want of a connection.

        ends: publishers (each must have `count` subscriptions), subscriptions and Collectors (each
        must have a publisher). The two sides of a topic find each other at different times, so
        name both where both are in this process. A child's side cannot be seen from here: make
        that subscription reliable, then what is sent before it knows the publisher is sent again.
        """
        for end in ends:
            if isinstance(end, Collector):
                end = end.subscription
            if hasattr(end, "get_subscription_count"):
                self.wait_until(
                    lambda end=end: end.get_subscription_count() >= count,
                    f"{count} subscription(s) to {end.topic_name}",
                    timeout,
                )
            else:
                self.wait_until(
                    lambda end=end: end.get_publisher_count() > 0,
                    f"a publisher of {end.topic_name}",
                    timeout,
                )

    def call(self, service_type: type, name: str, request: Any, timeout: float = PATIENCE) -> Any:
        """Call a service and return its response."""
        if name not in self._clients:  # kept: a new one would have to be found by the server
            self._clients[name] = self.node.create_client(service_type, name)
        client = self._clients[name]
        self.wait_until(client.service_is_ready, f"service {name}", timeout)
        future = client.call_async(request)
        self.wait_until(future.done, f"the answer of service {name}", timeout)
        return future.result()


class Collector:
    """What arrived on one topic, in order, with the local time of arrival."""

    def __init__(self, probe: Probe, message_type: type, topic: str, profile: Any) -> None:
        self.probe = probe
        self.topic = topic
        self.messages: list[Any] = []
        self.arrivals: list[float] = []
        self.subscription = probe.node.create_subscription(
            message_type, topic, self._take, profile
        )

    def _take(self, message: Any) -> None:
        self.messages.append(message)
        self.arrivals.append(time.monotonic())

    def __len__(self) -> int:
        return len(self.messages)

    @property
    def stamps(self) -> list[int]:
        """header.stamp of every message, in nanoseconds."""
        return [stamp_ns(message.header.stamp) for message in self.messages]

    def wait_for(self, count: int, timeout: float = PATIENCE) -> list[Any]:
        """Wait until at least `count` messages are there; return all."""
        try:
            self.probe.wait_until(
                lambda: len(self.messages) >= count, f"{count} messages on {self.topic}", timeout
            )
        except AssertionError as error:
            raise AssertionError(f"{error}, got {len(self.messages)}") from None
        return self.messages

    def clear(self) -> None:
        """Forget what has come so far."""
        self.messages.clear()
        self.arrivals.clear()

    def destroy(self) -> None:
        """Unsubscribe."""
        self.probe.node.destroy_subscription(self.subscription)


def stamp_ns(stamp: Any) -> int:
    """builtin_interfaces/Time to nanoseconds."""
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def to_stamp(nanoseconds: int) -> Any:
    """Nanoseconds to builtin_interfaces/Time."""
    from builtin_interfaces.msg import Time

    return Time(sec=nanoseconds // 1_000_000_000, nanosec=nanoseconds % 1_000_000_000)


def make_header(nanoseconds: int, frame_id: str = "camera") -> Any:
    """Return a std_msgs/Header."""
    from std_msgs.msg import Header

    return Header(stamp=to_stamp(nanoseconds), frame_id=frame_id)
