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
A running node with a camera, an audience and its diagnostics, for tests to hurt.

The node subscribes reliably (see `node_scenes.lossless`) and frames are sent one by one, each when
the node is done with the one before: what it then did or did not do is exact.
"""

from __future__ import annotations

from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
import node_process
import node_scenes as scenes
import numpy as np
import ros_harness
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

CAMERA, INFO = "/cam/image", "/cam/camera_info"
MS = 1_000_000
BASE = 1_000 * scenes.SECOND
# Counters of good frames, and those of the depth node that a fault in the stream moves as well.
ORDINARY = ("in", "out", "paired", "started")
ORDINARY += ("keyframes", "restarts", "without_result", "camera_changes")


class Stage:
    """
    One node process, kept for many tests; `open` and `close` bracket each of them.

    compressed: its camera sends CompressedImage.
    """

    def __init__(
        self,
        subject: scenes.Subject,
        node: node_process.NodeProcess,
        probe: ros_harness.Probe,
        compressed: bool = False,
    ) -> None:
        self.subject = subject
        self.node = node
        self.probe = probe
        kind, topic = (CompressedImage, f"{CAMERA}/compressed") if compressed else (Image, CAMERA)
        self.camera = probe.publisher(kind, topic, depth=200)
        self.info = probe.publisher(CameraInfo, INFO, depth=200)
        self.diagnostics = probe.collect(DiagnosticArray, "/diagnostics")
        self.results: ros_harness.Collector
        self.sent = 0
        self._before: dict[str, int] = {}
        self._log_start = 0

    def open(self) -> None:
        """Let an audience arrive: the node subscribes, with empty buffers."""
        self.results = self.probe.collect(Image, self.subject.output)
        scenes.connect(self.probe, self.node, self.camera)
        scenes.wait_status(self.probe, self.diagnostics, state="active")
        if self.subject is scenes.DEPTH:
            self.probe.wait_connected(self.info)
            self.info.publish(scenes.calibration())
            told = {"camera": "128x96 pinhole, fx 100, fy 100"}
            scenes.wait_status(self.probe, self.diagnostics, **told)
        self._before = self.counters()
        self._log_start = len(self.node.log)
        self.sent = 0

    def close(self) -> None:
        """Let the audience leave: the node unsubscribes and forgets its frames."""
        self.results.destroy()
        self.probe.wait_until(
            lambda: self.camera.get_subscription_count() == 0, "the node to unsubscribe"
        )
        assert self.node.process.poll() is None, self.node.log
        assert "Traceback" not in self.log

    def counters(self) -> dict[str, int]:
        """Return the newest diagnostics' counters, since the node started."""
        now = scenes.status(self.diagnostics)
        return {name: int(now[name]) for name in self.subject.counters}

    def counted(self) -> dict[str, int]:
        """Counters of faults that grew since `open`, with their growth."""
        return {name: n for name, n in self.grown().items() if n and name not in ORDINARY}

    def grown(self) -> dict[str, int]:
        """By how much each counter grew since `open`."""
        return {name: now - self._before[name] for name, now in self.counters().items()}

    @property
    def last_error(self) -> str:
        """Return the newest diagnostics' last error."""
        return scenes.status(self.diagnostics)["last error"]

    @property
    def log(self) -> str:
        """Return what the node printed since `open`."""
        return self.node.log[self._log_start :]

    @property
    def output(self) -> list[float]:
        """Stamps of all results since `open`, in ms after BASE."""
        return [(stamp - BASE) / MS for stamp in self.results.stamps]

    def set_parameter(self, name: str, value: Any) -> Any:
        """Set one of the node's parameters; the SetParametersResult."""
        return scenes.set_parameter(self.probe, name, value, self.subject.path)

    def publish(self, message: Any) -> None:
        """Send one message without waiting."""
        self.camera.publish(message)
        self.sent += 1

    def show(self, *milliseconds: float, pixels: np.ndarray | None = None) -> None:
        """Send frames stamped BASE + these times, one by one."""
        for time in milliseconds:
            self.send(frame(time, pixels))

    def send(self, message: Any) -> None:
        """Send one message and wait until the node is done with it."""
        self.publish(message)
        self.settle()

    def settle(self) -> None:
        """Wait until the node has seen all that was sent and works on nothing."""

        def settled() -> bool:
            grown = self.grown()
            ended = sum(grown[name] for name in self.subject.ends)
            done = grown["in"] == self.sent == ended
            idle = scenes.status(self.diagnostics)["waiting"] == "0"
            return done and idle and grown["out"] <= len(self.results)

        self.probe.wait_until(settled, f"{self.sent} frames to be dealt with, {self.counted()}")


def frame(milliseconds: float, pixels: np.ndarray | None = None, frame_id: str = "cam") -> Any:
    """Return an image message stamped BASE + milliseconds, rgb8 unless `pixels` are gray."""
    pixels = scenes.view(int(milliseconds / 50) % 20) if pixels is None else pixels
    encoding = "rgb8" if pixels.ndim == 3 else "mono8"
    return scenes.image(pixels, BASE + round(milliseconds * MS), frame_id, encoding)
