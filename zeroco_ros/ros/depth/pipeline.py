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

"""Everything a configured depth node has: posed images -> worker -> depth topics."""

from __future__ import annotations

from collections.abc import Mapping
import time
from typing import Any, TYPE_CHECKING

from zeroco_ros.online.camera_latch import described
from zeroco_ros.online.depth_intake import DepthItem
from zeroco_ros.ros.depth.inputs import DepthInput
from zeroco_ros.ros.depth.job import DepthJob
from zeroco_ros.ros.depth.model import load_model
from zeroco_ros.ros.depth.outputs import DepthOutputs
from zeroco_ros.ros.diagnostics import Complaint, ERROR, WARN
from zeroco_ros.ros.journal import Journal
from zeroco_ros.ros.metrics import Metrics
from zeroco_ros.ros.parameter_server import ParameterServer
from zeroco_ros.ros.pipeline import Pipeline

if TYPE_CHECKING:
    from zeroco_ros.ros.managed_node import ManagedNode


class DepthPipeline(Pipeline[DepthItem]):
    """See the module and `Pipeline`."""

    def __init__(
        self, node: ManagedNode, parameters: ParameterServer, journal: Journal, metrics: Metrics
    ) -> None:
        super().__init__("depth", journal, metrics)
        self._parameters = parameters
        values = parameters.values
        self._images = DepthInput(node, values, journal, metrics, self._submit)
        self.model = load_model(values, node.progress)
        poses, fallback = self._images.poses, str(values["world_frame"])
        outputs = DepthOutputs(
            node,
            journal.incompatible,
            self.follow_subscribers,
            world=lambda: poses.world or fallback,
            optical_world=not poses.topics,
        )
        job = DepthJob(self.model, outputs, journal, metrics, lambda: parameters.values, node)
        self._outfit(self._images, outputs, job)

    def reconfigure(self, values: dict[str, Any]) -> None:
        """Take over parameters that may change while images come in."""
        self._images.reconfigure(values)

    def poll(self) -> None:
        """Images that have waited long enough go on, even when nothing else comes."""
        super().poll()
        self._images.advance()

    @property
    def waiting(self) -> int:
        """Images that are in the node, also those that wait for a pose or a camera_info."""
        return super().waiting + self._images.waiting

    def complaints(self) -> list[Complaint]:
        """Return what is wrong with calibration, poses and tracking."""
        found = [*self._camera_complaints(), *self._pose_complaints()]
        newest = self._job.newest
        listening = self.listening_for is not None
        if listening and newest is not None and newest.state == "lost":
            found.append((WARN, "lost: no key frame can be matched, depth is unknown"))
        return found

    def facts(self) -> Mapping[str, str]:
        """Camera and newest result."""
        camera, newest = self._images.latch.camera, self._job.newest
        return {
            "camera": "" if camera is None else described(camera),
            "depth state": newest.state if newest else "",
            "scale": newest.scale if newest else "",
            "coverage": f"{newest.coverage:.3f}" if newest else "",
            "parallax (px)": f"{newest.parallax_px:.1f}" if newest else "",
        }

    def _camera_complaints(self) -> list[Complaint]:
        latch, topic, waited = self._images.latch, self._images.info, self.listening_for
        if latch.refusal:
            return [(ERROR, latch.refusal)]
        if self._images.misfit:
            return [(ERROR, self._images.misfit)]
        if latch.camera is None and waited is not None and waited >= self._timeout:
            text = f"no camera_info for {waited:.0f} s on {topic.topic}"
            return [(WARN, f"{text} ({topic.publishers} publishers): depth waits for it")]
        return []

    def _pose_complaints(self) -> list[Complaint]:
        poses, since = self._images.poses, self._images.pose_missing_since
        if since is None or (waited := time.monotonic() - since) < self._timeout:
            return []
        topics = ", ".join(
            f"{topic.topic} ({topic.publishers} publishers)" for topic in poses.topics
        )
        problem = f": {poses.problem}" if poses.problem else ""
        return [(WARN, f"images without a pose for {waited:.0f} s, from {topics}{problem}")]

    @property
    def _timeout(self) -> float:
        return float(self._parameters.values["input_timeout"])
