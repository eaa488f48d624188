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

"""flow_node as a real process: what it publishes, with which header, in which direction."""

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
from sensor_msgs.msg import CompressedImage, Image

STEP = 3  # pixels that the texture moves to the left from frame to frame
OUTPUTS = {"flow": "32FC2", "flow_color": "bgr8", "confidence": "32FC1", "occluded": "mono8"}


@pytest.fixture(scope="module")
def stage(tiny_weights: Path) -> Iterator[SimpleNamespace]:
    """One node with shipped weights, all its outputs collected, its camera connected."""
    weights = scenes.shipped_or(tiny_weights)
    probe = ros_harness.Probe("topics")
    with scenes.flow_node(weights, remap={"image": "/robot/cam/image_raw"}) as node:
        outputs = {name: probe.collect(Image, f"/flow_node/{name}") for name in OUTPUTS}
        camera = probe.publisher(Image, "/robot/cam/image_raw")
        scenes.connect(probe, node, camera)
        diagnostics = probe.collect(DiagnosticArray, "/diagnostics")
        scenes.wait_status(probe, diagnostics, **scenes.listened(*OUTPUTS))
        yield SimpleNamespace(
            probe=probe,
            node=node,
            camera=camera,
            outputs=outputs,
            second=10,
            diagnostics=diagnostics,
        )
    probe.close()


@pytest.fixture
def fresh(stage: SimpleNamespace) -> SimpleNamespace:
    """Return the stage with nothing collected, a time of its own and nothing to pair with."""
    stage.second += 10
    for collector in stage.outputs.values():
        collector.clear()
    return stage


def play(stage: SimpleNamespace, count: int, step: int = STEP) -> None:
    """Publish frames 0.1 s apart, each after the flow of the one before has come."""
    for index in range(count):
        stamp = stage.second * scenes.SECOND + index * scenes.SECOND // 10
        stage.camera.publish(scenes.image(scenes.view(index * step), stamp, f"cam{index}"))
        if index:
            for collector in stage.outputs.values():
                collector.wait_for(index)


def center(message: Image) -> np.ndarray:
    """Median flow away from the border, where the partner pixel is in the image."""
    return np.median(scenes.pixels(message)[24:-24, 24:-24], axis=(0, 1))


def test_every_output_has_the_size_and_header_of_the_newest_frame(fresh: SimpleNamespace) -> None:
    play(fresh, 3)
    for name, encoding in OUTPUTS.items():
        messages = fresh.outputs[name].messages
        assert [m.header.frame_id for m in messages] == ["cam1", "cam2"]
        start = fresh.second * scenes.SECOND
        assert fresh.outputs[name].stamps == [start + 10**8, start + 2 * 10**8]
        assert {(m.encoding, m.height, m.width) for m in messages} == {
            (encoding, scenes.HEIGHT, scenes.WIDTH)
        }
        assert all(m.is_bigendian == 0 for m in messages)


def test_flow_is_the_motion_from_previous_to_current(fresh: SimpleNamespace) -> None:
    play(fresh, 3)
    for message in fresh.outputs["flow"].messages:
        assert center(message) == pytest.approx([-STEP, 0], abs=0.3)


def test_values_are_in_their_ranges(fresh: SimpleNamespace) -> None:
    play(fresh, 2)
    newest = {name: scenes.pixels(c.messages[-1]) for name, c in fresh.outputs.items()}
    assert np.isfinite(newest["flow"]).all()
    assert newest["confidence"].min() >= 0
    assert newest["confidence"].max() <= 1
    assert newest["confidence"].max() > newest["confidence"].min()
    assert set(np.unique(newest["occluded"])) <= {0, 255}
    # What leaves the image on the left has been seen before; what enters on the right has not.
    gone = newest["occluded"][:, -1].mean(), newest["occluded"][24:-24, 24:-24].mean()
    assert gone[0] > gone[1]


def test_diagnostics_have_every_documented_key(fresh: SimpleNamespace) -> None:
    """docs/DIAGNOSTICS.md against what the node says, in its order."""
    play(fresh, 2)
    latency = lambda: scenes.status(fresh.diagnostics)["latency median (ms)"]  # noqa: E731
    fresh.probe.wait_until(latency, "diagnostics with a latency")
    (status,) = fresh.diagnostics.messages[-1].status
    told = {pair.key: pair.value for pair in status.values}
    counters = [k for k in scenes.documented_keys("counters") if k in scenes.FLOW.counters]
    first, model, last = (scenes.documented_keys(name) for name in ("first", "model", "last"))
    assert [pair.key for pair in status.values] == [*first, *counters, *model, *last]
    assert set(counters) == set(scenes.FLOW.counters)
    assert status.name == "flow_node: flow"
    assert status.hardware_id == told["device"] == "cpu"
    named = ("state", "backend", "precision", "model", "model sha256", "latency median (ms)")
    assert all(told[name] for name in (*named, "latency 95 % (ms)", "input rate (Hz)"))


@pytest.mark.fault(31, "a static camera: no motion", nodes="flow_node")
def test_row_31_a_camera_that_stands_still_sees_no_motion(fresh: SimpleNamespace) -> None:
    play(fresh, 2, step=0)
    assert np.abs(scenes.pixels(fresh.outputs["flow"].messages[0])).max() < 0.1


@pytest.mark.fault(31, "no overlap: no confidence, nearly all occluded", nodes="flow_node")
def test_row_31_views_of_something_else_get_no_confidence(fresh: SimpleNamespace) -> None:
    noise = np.random.default_rng(0).integers(0, 256, scenes.view(0).shape, dtype=np.uint8)
    for index, pixels in enumerate((noise, scenes.view(0))):
        stamp = fresh.second * scenes.SECOND + index * scenes.SECOND // 10
        fresh.camera.publish(scenes.image(pixels, stamp))
    confidence, occluded = (fresh.outputs[n].wait_for(1)[0] for n in ("confidence", "occluded"))
    assert scenes.pixels(confidence).mean() < 0.1
    assert scenes.pixels(occluded).mean() > 0.8 * 255


def test_colors_show_the_flow(fresh: SimpleNamespace) -> None:
    play(fresh, 2)
    colors = scenes.pixels(fresh.outputs["flow_color"].messages[-1])
    blue, green, red = np.median(colors[24:-24, 24:-24], axis=(0, 1))
    assert red < green  # to the left is cyan, to the right would be red
    assert red < blue


def test_reference_previous_changes_grid_and_header_not_the_sign(fresh: SimpleNamespace) -> None:
    assert scenes.set_parameter(fresh.probe, "reference", "previous").successful
    try:
        play(fresh, 3)
    finally:
        assert scenes.set_parameter(fresh.probe, "reference", "auto").successful
    messages = fresh.outputs["flow"].messages
    assert [m.header.frame_id for m in messages] == ["cam0", "cam1"]
    for message in messages:
        assert center(message) == pytest.approx([-STEP, 0], abs=0.3)


def test_stride_pairs_over_a_distance(fresh: SimpleNamespace) -> None:
    assert scenes.set_parameter(fresh.probe, "stride", 2).successful
    try:
        start = fresh.second * scenes.SECOND
        for index in range(3):
            message = scenes.image(scenes.view(2 * index), start + index * scenes.SECOND // 10)
            fresh.camera.publish(message)
        flow = fresh.outputs["flow"].wait_for(1)
    finally:
        assert scenes.set_parameter(fresh.probe, "stride", 1).successful
    assert center(flow[0]) == pytest.approx([-4, 0], abs=0.4)
    assert fresh.outputs["flow"].stamps == [start + 2 * 10**8]


def test_a_gray_camera_works_too(fresh: SimpleNamespace) -> None:
    start = fresh.second * scenes.SECOND
    for index in range(2):
        gray = np.ascontiguousarray(scenes.view(index * STEP)[..., 1])
        stamp = start + index * scenes.SECOND // 10
        fresh.camera.publish(scenes.image(gray, stamp, encoding="mono8"))
    message = fresh.outputs["flow"].wait_for(1)[0]
    assert center(message) == pytest.approx([-STEP, 0], abs=0.3)


def test_compressed_images_by_transport_from_a_best_effort_camera(
    tiny_weights: Path,
) -> None:
    """With the node's own QoS, and a camera that drops what does not get through at once."""
    cv2 = pytest.importorskip("cv2")
    probe = ros_harness.Probe("compressed")
    remap, values = {"image": "/cam"}, {"image_transport": "compressed"}
    try:
        with scenes.flow_node(str(tiny_weights), remap, default_qos=True, **values) as node:
            flow = probe.collect(Image, "/flow_node/flow")
            camera = probe.publisher(CompressedImage, "/cam/compressed", reliable=False)
            scenes.connect(probe, node, camera)
            sent = 0

            def answered() -> bool:
                nonlocal sent
                _, data = cv2.imencode(".png", scenes.view(sent % 2 * STEP)[..., ::-1])
                header = ros_harness.make_header(scenes.SECOND + sent * 10**8, str(sent))
                camera.publish(CompressedImage(header=header, format="png", data=data.tobytes()))
                sent += 1
                return len(flow) > 0

            probe.wait_until(answered, "flow")
            message = flow.messages[0]
    finally:
        probe.close()
    newest = int(message.header.frame_id)
    assert ros_harness.stamp_ns(message.header.stamp) == scenes.SECOND + newest * 10**8
    # Back and forth; two frames of the same place are a pair where one between them was lost.
    assert min(abs(abs(center(message)[0]) - motion) for motion in (0, STEP)) < 0.3
