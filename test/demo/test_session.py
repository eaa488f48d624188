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

"""A session waits for everything that belongs to the last frame, not only for what is timed."""

from __future__ import annotations

from pathlib import Path
import threading

import pytest

pytest.importorskip("rclpy", reason="rclpy is not importable: no ROS 2 here")

from demo_runs import HEIGHT, WIDTH
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image

from zeroco_ros.bag.reader import BagReader
from zeroco_ros.bag.writer import BagWriter
from zeroco_ros.demo.nodes import NAMESPACE, NodeSpec
from zeroco_ros.demo.session import INPUT, Session
from zeroco_ros.demo.synthetic import write_synthetic_bag
from zeroco_ros.evaluation.bag_camera import find_camera

FRAMES = 4
SPEC = NodeSpec("late_node", "nowhere", ("depth",), {"camera_info": "sensor_msgs/msg/CameraInfo"})


class LateNode(Node):
    """Answers each frame at once, and half a second later on the topic beside it."""

    def __init__(self, context: Context) -> None:
        super().__init__("late_node", namespace=NAMESPACE, context=context)
        self._depth = self.create_publisher(Image, "~/depth", 10)
        self._info = self.create_publisher(CameraInfo, "~/camera_info", 10)
        self._answers: list[threading.Timer] = []
        self.create_subscription(Image, INPUT, self._answer, 10)

    def _answer(self, image: Image) -> None:
        self._depth.publish(image)
        late = CameraInfo(header=image.header)
        self._answers.append(threading.Timer(0.5, self._info.publish, [late]))
        self._answers[-1].start()

    def join(self) -> None:
        for timer in self._answers:
            timer.join()


class Alive:
    """In place of the process that a session watches."""

    log = Path("no.log")

    def check(self) -> None:
        """Say nothing: it runs."""


def test_what_comes_beside_the_last_answer_is_kept(tmp_path: Path) -> None:
    write_synthetic_bag(tmp_path / "in", frames=FRAMES, size=(HEIGHT, WIDTH), progress=False)
    context = Context()
    context.init()
    node = LateNode(context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    thread = threading.Thread(target=executor.spin)
    thread.start()
    try:
        with BagReader(tmp_path / "in") as reader, BagWriter(tmp_path / "out") as keep:
            camera = find_camera(reader, None)
            Session(reader, camera, SPEC, Alive(), keep).run(progress=False)
    finally:
        executor.shutdown()
        thread.join()
        node.join()
        node.destroy_node()
        context.try_shutdown()
    with BagReader(tmp_path / "out") as reader:
        counts = {name: topic.count for name, topic in reader.topics.items()}
    assert counts == {"/late_node/depth": FRAMES, "/late_node/camera_info": FRAMES}
