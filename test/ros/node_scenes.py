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

"""What the node tests share: a node, textured scenes, and a look into messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
import re
from typing import Any

import cv2
import node_process
import numpy as np
import ros_harness

HEIGHT, WIDTH = 96, 128
# With pytest --backend onnx: the engine of each model file, see the fixture `engines`.
ENGINES: dict[str, Path] = {}
SECOND = 1_000_000_000
STARTUP = 2 * ros_harness.PATIENCE  # seconds: loading PyTorch on a busy machine


@dataclass(frozen=True)
class Subject:
    """
    A node to be tested. output: its main topic, below a node of the default name.

    quick: parameters that keep a test quick.
    """

    name: str
    output: str
    quick: Mapping[str, Any]

    @property
    def module(self) -> str:
        """Return what `python -m` runs."""
        return f"zeroco_ros.ros.{self.name}"

    @property
    def path(self) -> str:
        """Return the node's name in the graph."""
        return f"/{self.name}"

    @property
    def counters(self) -> tuple[str, ...]:
        """Return what it counts, as diagnostics name it."""
        return tuple(self.node_class.COUNTERS)

    @property
    def ends(self) -> tuple[str, ...]:
        """Counters of which each image ends in exactly one."""
        return self.node_class.ENDS

    @property
    def node_class(self) -> Any:
        """Return the node itself."""
        from zeroco_ros.ros.depth.node import DepthNode
        from zeroco_ros.ros.flow.node import FlowNode

        return FlowNode if self.name == FLOW.name else DepthNode


FLOW = Subject(
    "flow_node",
    "/flow_node/flow",
    {"max_side": 128},
)
DEPTH = Subject(
    "depth_node",
    "/depth_node/depth",
    {"preset": "fast", "patience": 60.0},
)
SUBJECTS = {subject.name: subject for subject in (FLOW, DEPTH)}


def shipped_or(tiny_weights: Path) -> str:
    """Return the shipped weights where they are there already, else the tiny network."""
    from zeroco_ros.weights import shipped

    return "default" if "default" in shipped() else str(tiny_weights)


def view(x: int, y: int = 0) -> np.ndarray[Any, Any]:
    """(HEIGHT, WIDTH, 3) uint8 RGB window of one fixed texture, its corner at (x, y) + 40."""
    return np.ascontiguousarray(_texture()[40 + y : 40 + y + HEIGHT, 40 + x : 40 + x + WIDTH])


def _texture() -> np.ndarray[Any, Any]:
    noise = np.random.default_rng(7).integers(0, 256, (40, 48, 3), dtype=np.uint8)
    return cv2.resize(noise, None, fx=5, fy=5, interpolation=cv2.INTER_CUBIC)


def image(pixels: np.ndarray[Any, Any], stamp: int, frame_id: str = "cam", encoding: str = "rgb8"):
    """Return a sensor_msgs/Image stamped `stamp` nanoseconds."""
    from zeroco_ros.ros.messages import from_array

    return from_array(pixels, encoding, ros_harness.make_header(stamp, frame_id))


def calibration(size: tuple[int, int] = (WIDTH, HEIGHT), focal: float = 100.0, **more: Any) -> Any:
    """Return a sensor_msgs/CameraInfo of a pinhole camera; `more` are its fields."""
    from sensor_msgs.msg import CameraInfo

    width, height = size
    k = [focal, 0.0, (width - 1) / 2, 0.0, focal, (height - 1) / 2, 0.0, 0.0, 1.0]
    known = {"width": width, "height": height, "k": k, "distortion_model": "plumb_bob"}
    return CameraInfo(**{**known, **more})


def pixels(message: Any) -> np.ndarray[Any, Any]:
    """Return the array in an output message, read without the package's own code."""
    dtype, channels = {
        "32FC2": (np.float32, 2),
        "32FC1": (np.float32, 1),
        "bgr8": (np.uint8, 3),
        "rgb8": (np.uint8, 3),
        "mono8": (np.uint8, 1),
    }[message.encoding]
    flat = np.frombuffer(message.data, dtype)
    assert message.step == message.width * channels * flat.itemsize
    return flat.reshape(message.height, message.width, channels)


def parameters(weights: str, subject: Subject = FLOW, **more: Any) -> dict[str, Any]:
    """Node parameters that keep a test quick, and `more`."""
    quick = {"weights": weights, "threads": 1, "diagnostics_period": 0.1, "precision": "fp32"}
    if weights in ENGINES:
        quick |= {"backend": "onnx", "engine": str(ENGINES[weights]), "check_engine": False}
    return {**quick, **subject.quick, **more}


def lossless(remap: dict[str, str], values: dict[str, Any]) -> dict[str, Any]:
    """Return QoS overrides with which nothing is lost between reliable publishers and the node."""
    pair = values.get("pairing") == "synchronized"
    suffix = "/compressed" if values.get("image_transport") == "compressed" else ""
    images = ("left/image", "right/image") if pair else ("image",)
    topics = {name: remap.get(name, f"{remap.get('__ns', '')}/{name}") for name in images}
    beside = topics[images[0]].rpartition("/")[0]
    names = [f"{topic}{suffix}" for topic in topics.values()]
    names += [remap.get("camera_info", f"{beside}/camera_info")]
    names += [remap.get(name, f"{remap.get('__ns', '')}/{name}") for name in ("odom", "pose")]
    overrides: dict[str, Any] = {}
    for topic in names:
        overrides[f"qos_overrides.{topic}.subscription.reliability"] = "reliable"
        overrides[f"qos_overrides.{topic}.subscription.depth"] = 200
    return overrides


@contextmanager
def running(
    subject: Subject,
    weights: str,
    remap: dict[str, str] | None = None,
    *,
    default_qos: bool = False,
    **more: Any,
) -> Iterator[Any]:
    """
    Yield a running process of the node; `more` are its parameters.

    Frames sent once it is connected all reach it, unless it has its default_qos (best effort).
    """
    values = parameters(weights, subject, **more)
    if not default_qos:
        values = {**lossless(remap or {}, values), **values}
    with node_process.running(subject.module, values, remap=remap) as process:
        yield process


flow_node = partial(running, FLOW)
depth_node = partial(running, DEPTH)


def listened(*outputs: str) -> dict[str, str]:
    """Return what `wait_status` waits for until the outputs are known to be listened to."""
    return {"subscribed outputs": ", ".join(sorted(outputs))}


def status(diagnostics: Any) -> dict[str, str]:
    """Return the newest diagnostics as name -> value, with level (0, 1, 2) and message."""
    if not diagnostics.messages:  # none has arrived yet: whoever waits for one looks again
        return {"level": "", "message": ""}
    newest = diagnostics.messages[-1].status[0]
    level = {"level": str(newest.level[0]), "message": newest.message}
    return {**{pair.key: pair.value for pair in newest.values}, **level}


def documented_keys(*tables: str) -> list[str]:
    """Keys of these tables of docs/DIAGNOSTICS.md, in order."""
    page = (ros_harness.ROOT / "docs" / "DIAGNOSTICS.md").read_text(encoding="utf-8")
    keys: list[str] = []
    for name in tables:
        table = page.partition(f"<!-- table: {name} -->")[2].partition("<!-- end -->")[0]
        keys += re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    return keys


def wait_status(probe: Any, diagnostics: Any, **expected: str) -> dict[str, str]:
    """Wait until the newest diagnostics have these values."""

    def there() -> bool:
        if not diagnostics.messages:
            return False
        now = status(diagnostics)
        return all(now.get(name) == value for name, value in expected.items())

    probe.wait_until(there, f"diagnostics with {expected}", STARTUP)
    return status(diagnostics)


def connect(probe: Any, process: Any, *cameras: Any) -> None:
    """
    Wait until the node has loaded its model and listens to every camera (or other input).

    It subscribes when it has found a listener of an output: what it publishes gets there too.
    """

    def alive_and_there() -> bool:
        assert process.process.poll() is None, f"the node ended early:\n{process.log}"
        return all(camera.get_subscription_count() for camera in cameras)

    probe.wait_until(alive_and_there, "the node to subscribe to its cameras", STARTUP)
    probe.wait_connected(*cameras)


def overload(camera: Any, large: np.ndarray[Any, Any], sent: int, count: int = 4) -> int:
    """
    Publish `count` frames, numbers `sent` and on, 10 ms apart by their stamps; the next number.

    Called again and again while waiting, these are more than any machine has time for.
    """
    for number in range(sent, sent + count):
        camera.publish(image(large, SECOND + number * 10**7))
    return sent + count


def set_parameter(probe: Any, name: str, value: Any, node: str = FLOW.path) -> Any:
    """Set one parameter through the node's service; the SetParametersResult."""
    from rcl_interfaces.srv import SetParameters
    from rclpy.parameter import Parameter

    request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
    return probe.call(SetParameters, f"{node}/set_parameters", request).results[0]


def parameter_values(probe: Any, node: str = FLOW.path) -> list[str]:
    """All parameters of the node, as text."""
    from rcl_interfaces.srv import GetParameters, ListParameters

    listed = probe.call(ListParameters, f"{node}/list_parameters", ListParameters.Request())
    names = sorted(listed.result.names)
    request = GetParameters.Request(names=names)
    values = probe.call(GetParameters, f"{node}/get_parameters", request).values
    return [f"{name}: {value}" for name, value in zip(names, values, strict=True)]


def transition(probe: Any, label: str, node: str = FLOW.path) -> bool:
    """Ask for a lifecycle transition; whether it succeeded."""
    from lifecycle_msgs.msg import Transition
    from lifecycle_msgs.srv import ChangeState

    number = getattr(Transition, f"TRANSITION_{label.upper()}")
    request = ChangeState.Request(transition=Transition(id=number))
    return probe.call(ChangeState, f"{node}/change_state", request, STARTUP).success


def state(probe: Any, node: str = FLOW.path) -> str:
    """Return the node's lifecycle state, from its service."""
    from lifecycle_msgs.srv import GetState

    return probe.call(GetState, f"{node}/get_state", GetState.Request()).current_state.label
