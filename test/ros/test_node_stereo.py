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

"""Two cameras, paired by stamp through message_filters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import node_scenes as scenes
import numpy as np
import pytest
import ros_harness

pytest.importorskip("rclpy", reason="rclpy is not importable: no ROS 2 here")
from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import Image

DISPARITY = 4  # pixels that the right camera sees the texture further to the left
LATE = 3_000_000  # ns that the right camera lags


@pytest.fixture(scope="module")
def stage(tiny_weights: Path) -> Iterator[SimpleNamespace]:
    """Yield a node with two cameras."""
    weights = scenes.shipped_or(tiny_weights)
    probe = ros_harness.Probe("stereo")
    remap = {"left/image": "/l", "right/image": "/r", "__ns": "/robot"}
    with scenes.flow_node(weights, remap, pairing="synchronized", slop=0.005) as node:
        flow = probe.collect(Image, "/robot/flow_node/flow")
        cameras = [probe.publisher(Image, name) for name in ("/l", "/r")]
        scenes.connect(probe, node, *cameras)
        diagnostics = probe.collect(DiagnosticArray, "/diagnostics")
        yield SimpleNamespace(
            probe=probe, node=node, cameras=cameras, flow=flow, diagnostics=diagnostics
        )
    probe.close()


def send(stage: SimpleNamespace, left_stamp: int, right_stamp: int | None = None) -> None:
    """One frame of each camera, the right one LATE by default."""
    right = left_stamp + LATE if right_stamp is None else right_stamp
    for camera, stamp, name, x in zip(
        stage.cameras, (left_stamp, right), "lr", (0, DISPARITY), strict=True
    ):
        camera.publish(scenes.image(scenes.view(x), stamp, f"eye_{name}"))


def set_here(stage: SimpleNamespace, name: str, value: object) -> None:
    result = scenes.set_parameter(stage.probe, name, value, "/robot/flow_node")
    assert result.successful, result.reason


def newest(stage: SimpleNamespace) -> tuple[Image, np.ndarray]:
    """Return the newest flow message and its median away from the border."""
    message = stage.flow.messages[-1]
    return message, np.median(scenes.pixels(message)[24:-24, 24:-24], axis=(0, 1))


def test_left_is_the_reference_by_default(stage: SimpleNamespace) -> None:
    stage.flow.clear()
    send(stage, 10 * scenes.SECOND)
    stage.flow.wait_for(1)
    message, motion = newest(stage)
    assert message.header.frame_id == "eye_l"
    assert stage.flow.stamps == [10 * scenes.SECOND]
    assert motion == pytest.approx([-DISPARITY, 0], abs=0.3)


def test_right_reference_has_the_same_sign(stage: SimpleNamespace) -> None:
    stage.flow.clear()
    set_here(stage, "reference", "right")
    try:
        send(stage, 20 * scenes.SECOND)
        stage.flow.wait_for(1)
    finally:
        set_here(stage, "reference", "auto")
    message, motion = newest(stage)
    assert message.header.frame_id == "eye_r"
    assert stage.flow.stamps == [20 * scenes.SECOND + LATE]
    assert motion == pytest.approx([-DISPARITY, 0], abs=0.3)


def test_exact_stamps_with_slop_zero(stage: SimpleNamespace) -> None:
    stage.flow.clear()
    set_here(stage, "slop", 0.0)
    try:
        send(stage, 30 * scenes.SECOND)  # 3 ms apart: no pair any more
        send(stage, 31 * scenes.SECOND, 31 * scenes.SECOND)
        stage.flow.wait_for(1)
    finally:
        set_here(stage, "slop", 0.005)
    assert stage.flow.stamps == [31 * scenes.SECOND]


def test_goes_on_at_once_after_a_jump_back(stage: SimpleNamespace) -> None:
    for round_trip in range(2):
        stage.flow.clear()
        for index in range(12):  # more than the synchronizer's queue holds
            send(stage, (40 + index) * scenes.SECOND)
            stage.flow.wait_for(index + 1)
        assert stage.flow.stamps[0] == 40 * scenes.SECOND, f"pass {round_trip}"
    stage.probe.wait_until(
        lambda: int(scenes.status(stage.diagnostics).get("jumps", 0)) >= 1, "jumps in diagnostics"
    )
    assert "jumped back" in stage.node.log


def test_the_counters_of_two_cameras_add_up(stage: SimpleNamespace) -> None:
    """Runs last. Images: in no pair, or two in each; pairs: see docs/DIAGNOSTICS.md."""
    taken = int(scenes.status(stage.diagnostics)["in"])
    for index in range(3):
        stamp = (60 + index) * scenes.SECOND
        stage.cameras[0].publish(scenes.image(scenes.view(0), stamp, "eye_l"))
    ended = ("out", "dropped", "unpaired", "unwanted", "non_finite", "failed")

    def add_up() -> bool:
        now = scenes.status(stage.diagnostics)
        told = {name: int(now[name]) for name in (*scenes.FLOW.counters, "waiting")}
        kept = told["in"] - told["out_of_order"] - told["duplicates"] - told["refused"]
        pairs = told["paired"] == sum(told[name] for name in ended) + told["waiting"] > 0
        images = kept == told["unmatched"] + 2 * told["paired"] and told["unmatched"] >= 3
        return told["in"] >= taken + 3 and pairs and images

    stage.probe.wait_until(add_up, "counters that add up")
