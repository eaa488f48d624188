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

"""Parameters and QoS of a running node, through its services, as another node sees them."""

from __future__ import annotations

from collections.abc import Iterator
import math
from pathlib import Path
from types import SimpleNamespace

import node_process
import node_scenes as scenes
import pytest
import ros_harness

pytest.importorskip("rclpy", reason="rclpy is not importable: no ROS 2 here")
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.srv import DescribeParameters, GetParameters, ListParameters
from rclpy.parameter import Parameter, parameter_value_to_python
from sensor_msgs.msg import Image

from zeroco_ros.ros.flow.parameters import TABLE

OVERRIDES = {
    "qos_overrides./image.subscription.reliability": "reliable",
    "qos_overrides./flow_node/flow.publisher.reliability": "best_effort",
}


@pytest.fixture(scope="module")
def stage(tiny_weights: Path) -> Iterator[SimpleNamespace]:
    """Yield a node whose input asks for reliable images and whose flow is best effort."""
    probe = ros_harness.Probe("parameters")
    with scenes.flow_node(str(tiny_weights), **OVERRIDES, max_Dt=3.0) as node:
        diagnostics = probe.collect(DiagnosticArray, "/diagnostics")
        flow = probe.collect(Image, "/flow_node/flow", reliable=False)
        scenes.wait_status(probe, diagnostics, state="active")
        yield SimpleNamespace(probe=probe, node=node, flow=flow, diagnostics=diagnostics)
    probe.close()


def get(stage: SimpleNamespace, names: list[str]) -> list[object]:
    request = GetParameters.Request(names=names)
    answer = stage.probe.call(GetParameters, "/flow_node/get_parameters", request)
    return [parameter_value_to_python(value) for value in answer.values]


def test_every_parameter_is_declared_and_described(stage: SimpleNamespace) -> None:
    listed = stage.probe.call(
        ListParameters, "/flow_node/list_parameters", ListParameters.Request()
    ).result.names
    assert set(TABLE.specs) <= set(listed)
    request = DescribeParameters.Request(names=list(TABLE.specs))
    described = stage.probe.call(
        DescribeParameters, "/flow_node/describe_parameters", request
    ).descriptors
    for spec, descriptor in zip(TABLE, described, strict=True):
        assert descriptor.description == spec.description
        assert spec.allowed_text in descriptor.additional_constraints
        assert descriptor.read_only == (spec.changeable == "start")
        spans = [*descriptor.floating_point_range, *descriptor.integer_range]
        assert [(s.from_value, s.to_value) for s in spans] == (
            [] if spec.minimum is None else [(spec.minimum, spec.maximum)]
        )


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("max_dt", math.nan, "max_dt"),
        ("max_dt", -1.0, "max_dt"),
        ("max_dt", math.inf, "max_dt"),
        ("stride", 0, "100"),
        ("stride", 1.5, "1.5 is a double; allowed is an integer from 1 to 100"),
        ("max_dt", 2, "write 2.0"),
        ("reference", "tomorrow", "previous"),
        ("reference", "left", "temporal"),
        ("min_dt", 2.0, "min_dt <= max_dt"),
        ("autostart", False, "read-only"),
        ("preset", "fast", "unconfigured"),
        ("no_such_parameter", 1, ""),
    ],
)
def test_nonsense_is_refused_and_changes_nothing(
    stage: SimpleNamespace, name: str, value: object, reason: str
) -> None:
    before = get(stage, [name])
    result = scenes.set_parameter(stage.probe, name, value)
    assert not result.successful
    assert reason in result.reason
    assert get(stage, [name]) == before


def test_a_live_change_is_taken_over(stage: SimpleNamespace) -> None:
    for value in (0.75, TABLE["max_dt"].default):
        assert scenes.set_parameter(stage.probe, "max_dt", value).successful
        assert get(stage, ["max_dt"]) == [value]
    stage.node.wait_for_log("parameters changed: max_dt = 0.75", stage.probe)


def test_an_unknown_name_at_start_is_told(stage: SimpleNamespace) -> None:
    assert "parameter max_Dt is unknown and ignored; did you mean max_dt?" in stage.node.log


def test_qos_overrides_hold_and_a_mismatch_is_told(stage: SimpleNamespace) -> None:
    unfit = stage.probe.publisher(Image, "/image", reliable=False)
    listener = stage.probe.collect(Image, "/flow_node/flow", reliable=True)
    try:
        stage.node.wait_for_log(
            "incompatible QoS: /image: a publisher offers .*RELIABILITY", stage.probe
        )
        stage.node.wait_for_log(
            "incompatible QoS: /flow_node/flow: a subscriber asks .*RELIABILITY", stage.probe
        )
        told = scenes.wait_status(stage.probe, stage.diagnostics, incompatible_qos="2", level="1")
        assert "RELIABILITY" in told["message"]
    finally:
        stage.probe.node.destroy_publisher(unfit)
        listener.destroy()
    fitting = stage.probe.publisher(Image, "/image", reliable=True)
    stage.probe.wait_connected(fitting, stage.flow)
    sent = 0

    def answered() -> bool:  # the flow is best effort
        nonlocal sent
        fitting.publish(scenes.image(scenes.view(sent % 2), scenes.SECOND + sent * 10**8))
        sent += 1
        return len(stage.flow) > 0

    stage.probe.wait_until(answered, "flow")


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"max_dt": 2}, "parameter max_dt: 2 is an integer (write 2.0); allowed is a double"),
        ({"device": "tpu"}, "parameter device: 'tpu' is unknown; allowed is one of auto, cpu"),
        ({"max_side": 7}, "parameter max_side: 7 is out of range; allowed is 0"),
    ],
)
def test_nonsense_at_start_is_one_line_and_exit_code_2(
    parameters: dict[str, object], sentence: str
) -> None:
    with node_process.running(scenes.FLOW.module, parameters) as node:
        assert node.wait() == 2
    assert sentence in node.log
    assert len(node.log.strip().splitlines()) == 1


def test_nonsense_qos_fails_to_configure() -> None:
    name = "qos_overrides./image.subscription.reliability"
    with scenes.flow_node("default", **{name: "perhaps"}) as node:
        node.wait_for_log(f"cannot configure: parameter {name} is 'perhaps'")
        assert "best_effort, reliable" in node.log
        assert node.stop() == 0


def test_changes_apply_without_the_post_set_callback(
    probe: ros_harness.Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Humble has no such callback: the change is applied when the executor comes round again."""
    from rclpy.node import Node

    from zeroco_ros.ros.parameter_server import ParameterServer

    monkeypatch.delattr(Node, "add_post_set_parameters_callback", raising=False)
    applied: list[set[str]] = []
    server = ParameterServer(probe.node, TABLE, state=lambda: "active", applied=applied.append)
    assert not probe.node.set_parameters([Parameter("stride", value=0)])[0].successful
    assert probe.node.set_parameters([Parameter("stride", value=3)])[0].successful
    probe.wait_until(lambda: applied, "the change to be applied")
    assert applied == [{"stride"}]
    assert server.values["stride"] == 3


def test_subscribers_are_noticed_without_matched_events(
    probe: ros_harness.Probe, monkeypatch: pytest.MonkeyPatch, tiny_weights: Path
) -> None:
    """Humble's publishers do not tell that somebody subscribed: the node looks for itself."""
    from zeroco_ros.ros import qos
    from zeroco_ros.ros.flow.node import FlowNode

    real = qos.PublisherEventCallbacks
    asked: list[str] = []

    def humble(*, deadline=None, liveliness=None, incompatible_qos=None):
        asked.append("publisher")
        return real(deadline=deadline, liveliness=liveliness, incompatible_qos=incompatible_qos)

    monkeypatch.setattr(qos, "PublisherEventCallbacks", humble)
    values = scenes.parameters(str(tiny_weights))
    values |= scenes.lossless({"image": "/lone/image"}, values)
    overrides = [Parameter(name, value=value) for name, value in values.items()]
    # Names of its own: the other node of this module's process may still be about.
    node = FlowNode(
        "lone_node",
        context=probe.context,
        parameter_overrides=overrides,
        cli_args=["--ros-args", "-r", "image:=/lone/image"],
    )
    probe.executor.add_node(node)
    try:
        camera = probe.publisher(Image, "/lone/image")
        probe.wait_until(lambda: node.state == "active", "autostart", scenes.STARTUP)
        assert len(asked) == 4
        assert camera.get_subscription_count() == 0
        flow = probe.collect(Image, "/lone_node/flow")
        probe.wait_connected(camera, flow)
        for index in range(2):
            camera.publish(scenes.image(scenes.view(index), scenes.SECOND + index * 10**8))
        flow.wait_for(1)
        flow.destroy()
        probe.wait_until(lambda: camera.get_subscription_count() == 0, "the node to unsubscribe")
    finally:
        probe.executor.remove_node(node)
        node.close()
        node.destroy_node()
