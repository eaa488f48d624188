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

"""The managed node: transitions by service, lazy subscriptions, diagnostics, the end by signal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import signal

import node_process
import node_scenes as scenes
import numpy as np
import pytest
import ros_harness

pytest.importorskip("rclpy", reason="rclpy is not importable: no ROS 2 here")
from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import Image


@pytest.fixture(scope="module")
def weights(tiny_weights: Path) -> str:
    """Return a tiny model file, as a node's parameter."""
    return str(tiny_weights)


@pytest.fixture
def diagnostics(probe: ros_harness.Probe) -> Iterator[ros_harness.Collector]:
    """Everything on /diagnostics."""
    collector = probe.collect(DiagnosticArray, "/diagnostics")
    yield collector
    collector.destroy()


def send(camera: object, second: int, count: int) -> None:
    """Publish `count` frames 0.1 s apart from `second` on."""
    for index in range(count):
        stamp = second * scenes.SECOND + index * scenes.SECOND // 10
        camera.publish(scenes.image(scenes.view(index), stamp))


def test_transitions_by_service(
    probe: ros_harness.Probe, diagnostics: ros_harness.Collector, weights: str, tmp_path: Path
) -> None:
    missing = str(tmp_path / "gone.safetensors")
    with scenes.flow_node(missing, autostart=False) as node:
        camera = probe.publisher(Image, "/image")
        flow = probe.collect(Image, "/flow_node/flow")
        scenes.wait_status(probe, diagnostics, state="unconfigured", level="1")

        # A missing file: refused with its path, and the node lives on to be tried again.
        assert not scenes.transition(probe, "configure")
        assert scenes.state(probe) == "unconfigured"
        told = scenes.wait_status(probe, diagnostics, state="unconfigured", level="2")
        assert missing in told["message"]
        assert missing in node.log
        assert "Traceback" not in node.log

        assert scenes.set_parameter(probe, "weights", weights).successful
        assert scenes.transition(probe, "configure")
        assert scenes.state(probe) == "inactive"
        assert camera.get_subscription_count() == 0
        refused = scenes.set_parameter(probe, "weights", "default")
        assert not refused.successful
        assert "unconfigured" in refused.reason

        assert scenes.transition(probe, "activate")
        scenes.connect(probe, node, camera)
        send(camera, 1, 2)
        flow.wait_for(1)

        assert scenes.transition(probe, "deactivate")
        probe.wait_until(lambda: camera.get_subscription_count() == 0, "the node to unsubscribe")
        assert scenes.transition(probe, "activate")
        scenes.connect(probe, node, camera)
        send(camera, 2, 1)  # pairs with nothing from before
        send(camera, 5, 2)
        flow.wait_for(2)
        assert flow.stamps[-1] == 5 * scenes.SECOND + scenes.SECOND // 10
        assert len(flow) == 2

        # From active straight to the end: the process leaves with 0.
        assert scenes.transition(probe, "active_shutdown")
        assert node.wait() == 0
        assert "Traceback" not in node.log


def test_cleanup_and_configure_again(probe: ros_harness.Probe, weights: str) -> None:
    with scenes.flow_node(weights) as node:
        camera = probe.publisher(Image, "/image")
        flow = probe.collect(Image, "/flow_node/flow")
        scenes.connect(probe, node, camera)
        assert scenes.transition(probe, "deactivate")
        assert scenes.transition(probe, "cleanup")
        probe.wait_until(
            lambda: probe.node.count_publishers("/flow_node/flow") == 0, "no publisher"
        )
        assert scenes.set_parameter(probe, "image_transport", "raw").successful
        assert scenes.transition(probe, "configure")
        assert scenes.transition(probe, "activate")
        scenes.connect(probe, node, camera)
        send(camera, 1, 2)
        flow.wait_for(1)
        assert node.stop(signal.SIGTERM) == 0


def test_lazy_subscription_and_diagnostics(
    probe: ros_harness.Probe, diagnostics: ros_harness.Collector, weights: str
) -> None:
    with scenes.flow_node(weights, input_timeout=0.5) as node:
        camera = probe.publisher(Image, "/image")
        idle = scenes.wait_status(probe, diagnostics, state="active", level="0")
        assert idle["message"].startswith("idle")
        assert camera.get_subscription_count() == 0

        flow = probe.collect(Image, "/flow_node/flow")
        scenes.connect(probe, node, camera)
        silent = scenes.wait_status(probe, diagnostics, state="active", level="1")
        assert "/image" in silent["message"]

        send(camera, 1, 3)
        flow.wait_for(1)
        probe.wait_until(
            lambda: len(flow) + int(scenes.status(diagnostics)["dropped"]) == 2, "both pairs"
        )
        told = scenes.wait_status(probe, diagnostics, paired="2", out=str(len(flow)), started="1")
        assert told["in"] == "3"
        assert told["device"] == "cpu"
        assert told["precision"] == "fp32"
        assert told["model"] == "tiny.safetensors"
        assert len(told["model sha256"]) == 64
        assert float(told["latency median (ms)"]) > 0
        assert float(told["latency 95 % (ms)"]) >= float(told["latency median (ms)"])

        flow.destroy()
        probe.wait_until(lambda: camera.get_subscription_count() == 0, "the node to unsubscribe")
        flow = probe.collect(Image, "/flow_node/occluded")
        scenes.connect(probe, node, camera)
        send(camera, 5, 2)
        assert flow.wait_for(1)[0].encoding == "mono8"

        assert node.stop(signal.SIGINT) == 0
        assert "Traceback" not in node.log


@pytest.mark.fault(25, "what waits is dropped", nodes="flow_node")
def test_sigint_during_inference(
    probe: ros_harness.Probe, diagnostics: ros_harness.Collector, weights: str
) -> None:
    """The inference under way ends, what waits is dropped, and the process leaves with 0."""
    values = {"max_side": 320, "zoom": "2 3"}
    with scenes.flow_node(weights, default_qos=True, **values) as node:
        camera = probe.publisher(Image, "/image")
        flow = probe.collect(Image, "/flow_node/flow")
        scenes.connect(probe, node, camera)
        large = np.tile(scenes.view(0), (5, 5, 1))
        sent = 0

        def at_work() -> bool:
            nonlocal sent
            sent = scenes.overload(camera, large, sent)
            return scenes.status(diagnostics).get("queue") == "1"  # so one is being worked on

        probe.wait_until(at_work, "a pair that waits")
        assert node.stop(signal.SIGINT) == 0
        assert "Traceback" not in node.log
        assert "ERROR" not in node.log
        assert len(flow) < sent - 1


@pytest.mark.fault(25, "loading is interrupted", nodes="flow_node")
def test_signal_while_the_model_loads(weights: str, tmp_path: Path) -> None:
    """Loading is interrupted: nothing can be half-done. PyTorch never ends loading here."""
    (tmp_path / "torch.py").write_text("import time\ntime.sleep(3600)\n")
    values = scenes.parameters(weights)
    with node_process.running(
        scenes.FLOW.module, values, environment={"PYTHONPATH": str(tmp_path)}
    ) as node:
        node.wait_for_log("loading")
        assert node.stop(signal.SIGTERM) == 0
        assert "Traceback" not in node.log
        assert "configured" not in node.log
