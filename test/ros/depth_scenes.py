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

"""A running depth_node in a room of the procedural world, whose depth is known exactly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import count
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry
import node_scenes as scenes
import numpy as np
from rclpy.qos import DurabilityPolicy, QoSProfile
import ros_harness
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import String

from zeroco_ros.geometry.transforms import matrix_to_quaternion

FRAME_ID = "eye"
STEP = scenes.SECOND // 10
_numbers = count()
OUTPUTS = {
    "depth": Image,
    "depth_sigma": Image,
    "points": PointCloud2,
    "image_rect": Image,
    "camera_info": CameraInfo,
    "odometry": Odometry,
}


@lru_cache
def world(kind: str, frames: int = 4) -> Sequence[Any]:
    """Frames of a camera in the procedural world, 120 rows of 160 pixels: see WorldFrame."""
    from zeroco_ros.training.sequences import world_sequence

    return tuple(world_sequence(kind, frames, (120, 160)))


class DepthStage:
    """
    One depth_node with its inputs and, collected, its outputs.

    home: the namespace of the node and of all its topics. second: the time to play.
    """

    def __init__(
        self,
        home: str,
        node: Any,
        probe: ros_harness.Probe,
        outputs: Sequence[str],
        pose_source: str,
    ) -> None:
        self.home = home
        self.node = node
        self.probe = probe
        self.camera = probe.publisher(Image, f"{home}/image", depth=200)
        self.info = probe.publisher(CameraInfo, f"{home}/camera_info")
        self.odom = probe.publisher(Odometry, f"{home}/odom", depth=200)
        self.pose = probe.publisher(PoseStamped, f"{home}/pose", depth=200)
        self.diagnostics = probe.collect(DiagnosticArray, f"{home}/diagnostics")
        self.outputs = {name: self.collect(name) for name in outputs}
        self.second, self._published = 10, 0
        self._connect(pose_source)

    def _connect(self, pose_source: str) -> None:
        poses = {"odometry": [self.odom], "pose": [self.pose]}.get(pose_source, [])
        scenes.connect(self.probe, self.node, self.camera, self.info, *poses)
        self.told(state="active")

    def configure(self, pose_source: str, **values: Any) -> None:
        """Take the node down, set parameters, take it up again; it then stands as if new."""
        path = f"{self.home}/depth_node"
        for label in ("deactivate", "cleanup"):
            assert scenes.transition(self.probe, label, path)
        self.set(pose_source=pose_source, **values)
        for label in ("configure", "activate"):
            assert scenes.transition(self.probe, label, path), self.node.log
        self._connect(pose_source)
        self.fresh()

    def collect(self, output: str) -> ros_harness.Collector:
        """Return an audience of one output."""
        return self.probe.collect(OUTPUTS[output], f"{self.home}/depth_node/{output}")

    def scale(self) -> ros_harness.Collector:
        """~/scale, whose newest message comes to those too who come late."""
        profile = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        topic = f"{self.home}/depth_node/scale"
        return ros_harness.Collector(self.probe, String, topic, profile)

    def set(self, **values: Any) -> None:
        """Set parameters of the node."""
        for name, value in values.items():
            path = f"{self.home}/depth_node"
            result = scenes.set_parameter(self.probe, name, value, path)
            assert result.successful, result.reason

    def told(self, **expected: str) -> dict[str, str]:
        """Wait until diagnostics say this; all that they say."""
        return scenes.wait_status(self.probe, self.diagnostics, **expected)

    def complaint(self, words: str) -> dict[str, str]:
        """Wait until the message of diagnostics has these words; all that they say then."""

        def said() -> bool:
            return words in scenes.status(self.diagnostics)["message"]

        self.probe.wait_until(said, f"diagnostics that say {words!r}", scenes.STARTUP)
        return scenes.status(self.diagnostics)

    def _certain(self) -> list[ros_harness.Collector]:
        """
        Return the outputs that every result has.

        ~/odometry is silent where the place is not known.
        """
        return [c for name, c in self.outputs.items() if name != "odometry"]

    def fresh(self) -> None:
        """Forget what came, and go on at a later time: everything starts anew."""

        def complete() -> bool:  # what was published is told, and here
            out = int(scenes.status(self.diagnostics).get("out", -1))
            return all(len(c) == out - self._published for c in self._certain())

        self.probe.wait_until(complete, "all results", scenes.STARTUP)
        self.second += 10
        self._published = int(scenes.status(self.diagnostics)["out"])
        for collector in self.outputs.values():
            collector.clear()

    def stamp(self, index: float) -> int:
        """Nanoseconds of frame `index`."""
        return self.second * scenes.SECOND + round(index * STEP)

    def calibrate(self, frame: Any, **more: Any) -> None:
        """Publish the camera of a frame of the world and wait until the node has it."""
        height, width = frame.depth.shape
        info = scenes.calibration((width, height), frame.K[0, 0], **more)
        info.k = frame.K.ravel()
        self.info.publish(info)
        model = "plumb_bob" if len(info.d) else "pinhole"
        told = f"{width}x{height} {model}, fx {frame.K[0, 0]:g}, fy {frame.K[1, 1]:g}"
        self.told(camera=told)

    def show(self, index: float, frame: Any, frame_id: str = FRAME_ID) -> None:
        """Publish a frame's image."""
        self.camera.publish(scenes.image(frame.image, self.stamp(index), frame_id))

    def say_pose(self, index: float, c2w: np.ndarray) -> None:
        """Publish the camera's pose."""
        message = PoseStamped(header=ros_harness.make_header(self.stamp(index), "room"))
        message.pose = pose_message(c2w)
        self.pose.publish(message)

    def say_odometry(self, index: float, b2w: np.ndarray, body: str) -> None:
        """Publish the pose of a body."""
        message = Odometry(child_frame_id=body)
        message.header = ros_harness.make_header(self.stamp(index), "room")
        message.pose.pose = pose_message(b2w)
        self.odom.publish(message)

    def settled(self, frames: int) -> dict[str, str]:
        """
        Wait until so many images are done since the node started; return its diagnostics.

        All that it made of them is here then.
        """

        def done() -> bool:
            now = scenes.status(self.diagnostics)
            if not now.get("in"):
                return False
            ended = sum(int(now[name]) for name in scenes.DEPTH.ends)
            results = int(now["out"]) - self._published
            here = all(len(collector) >= results for collector in self._certain())
            return int(now["in"]) == frames and ended == frames and here

        self.probe.wait_until(done, f"{frames} images to be dealt with", scenes.STARTUP)
        return scenes.status(self.diagnostics)


def pose_message(matrix: np.ndarray) -> Any:
    """Return a geometry_msgs/Pose."""
    from geometry_msgs.msg import Point, Pose, Quaternion

    place, turn = matrix[:3, 3], matrix_to_quaternion(matrix[:3, :3])
    return Pose(
        position=Point(**dict(zip("xyz", map(float, place), strict=True))),
        orientation=Quaternion(**dict(zip("xyzw", map(float, turn), strict=True))),
    )


@contextmanager
def depth_stage(weights: str, outputs: Sequence[str] = ("depth",), **more: Any) -> Iterator[Any]:
    """Yield a running depth_node in the world; `more` are its parameters."""
    number = next(_numbers)
    home, probe = f"/rig{number}", ros_harness.Probe(f"depth_{number}")
    # More than one may be running: diagnostics stay apart too.
    remap = {"__ns": home, "/diagnostics": f"{home}/diagnostics"}
    try:
        with scenes.depth_node(weights, remap, **more) as node:
            yield DepthStage(home, node, probe, outputs, more.get("pose_source", "none"))
            assert node.stop() == 0
            assert "Traceback" not in node.log
    finally:
        probe.close()
