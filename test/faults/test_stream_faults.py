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

"""FAULTS rows 1-11, 15, 16, 26 and 28: what comes in by topic, parameter and QoS."""

from __future__ import annotations

from collections.abc import Iterator
import math
import re
from time import monotonic

import node_scenes as scenes
import numpy as np
import pytest
import ros_harness

pytest.importorskip("rclpy", reason="rclpy is not importable: no ROS 2 here")
from encoded_frames import encoded_frames, raw
from nonsense import BROKEN, NONSENSE
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import Image
from stage import BASE, CAMERA, frame, MS, Stage


@pytest.fixture(scope="module", params=scenes.SUBJECTS.values(), ids=scenes.SUBJECTS)
def running_stage(request: pytest.FixtureRequest, weights: str) -> Iterator[Stage]:
    """
    Yield the node, started once for this file.

    It must leave with exit code 0 after all of it.
    """
    probe = ros_harness.Probe("faults")
    subject, values = request.param, {"diagnostics_period": 0.05}
    with scenes.running(subject, weights, {"image": CAMERA}, **values) as node:
        yield Stage(subject, node, probe)
        assert node.stop() == 0
        assert "Traceback" not in node.log
    probe.close()


@pytest.fixture
def stage(running_stage: Stage) -> Iterator[Stage]:
    """Yield the node with an audience and nothing in its buffers."""
    running_stage.open()
    yield running_stage
    running_stage.close()


@pytest.mark.fault(1, "a pause longer than max_dt starts anew; `gaps`")
def test_row_01_frames_pair_only_within_min_dt_and_max_dt(stage: Stage) -> None:
    stage.show(0, 100, 1400, 1500, 2500)
    assert stage.output == [100, 1500, 2500]  # 1300 ms is a gap, 1000 ms is none
    assert stage.counted() == {"gaps": 1}
    assert "1.300 s between frames, more than 1 s" in stage.log


@pytest.mark.fault(1, "frames closer than min_dt are dropped; `too_close`")
def test_row_01_frames_closer_than_min_dt_wait_for_a_later_one(stage: Stage) -> None:
    assert stage.set_parameter("min_dt", 0.08).successful
    try:
        stage.show(0, 30, 60, 90, 120, 180)
    finally:
        assert stage.set_parameter("min_dt", 0.0).successful
    assert stage.output == [90, 180]
    assert stage.counted() == {"too_close": 3}


@pytest.mark.fault(2, "late frames are dropped, output stamps rise; `out_of_order`")
def test_row_02_out_of_order_stamps_are_dropped(stage: Stage) -> None:
    stage.show(0, 100, 300, 200, 250, 400)
    assert stage.output == [100, 300, 400]
    assert stage.counted() == {"out_of_order": 2}


@pytest.mark.fault(3, "dropped without a word; `duplicates`")
def test_row_03_duplicates_are_dropped_silently(stage: Stage) -> None:
    stage.show(0, 0, 100, 100, 100, 200)
    assert stage.output == [100, 200]
    assert stage.counted() == {"duplicates": 3}
    assert stage.log == ""


@pytest.mark.fault(4, "buffers cleared, first output after two frames, one log line; `jumps`")
def test_row_04_a_bag_loop_costs_one_frame_and_one_log_line(stage: Stage) -> None:
    stage.show(*range(0, 700, 100), *range(0, 300, 100))
    assert stage.output == [100, 200, 300, 400, 500, 600, 100, 200]
    assert stage.counted() == {"jumps": 1}
    assert re.findall("jumped back by .*", stage.log) == [
        "jumped back by 0.600 s: buffers cleared"
    ]


@pytest.mark.fault(5, "as a gap")
def test_row_05_a_forward_jump_is_a_gap(stage: Stage) -> None:
    year = 365 * 24 * 3600 * 1000
    stage.show(0, 100, year, year + 100)
    assert stage.output == [100, year + 100]
    assert stage.counted() == {"gaps": 1}


@pytest.mark.fault(
    6, "taken in order of arrival, told once; frame_id passed through; `zero_stamps`"
)
def test_row_06_zero_stamps_are_taken_in_order_of_arrival(stage: Stage) -> None:
    """Once in the life of a node it is told that there is no clock; an empty frame_id stays."""
    for shift in range(4):
        stage.send(scenes.image(scenes.view(shift), 0, frame_id=""))
    assert stage.results.stamps == [0, 0, 0]
    assert {message.header.frame_id for message in stage.results.messages} == {""}
    assert stage.counted() == {"zero_stamps": 4}
    assert len(re.findall("header.stamp is zero", stage.node.log)) == 1


@pytest.mark.fault(7, "a new pair at the new size; `resolution_changes`")
def test_row_07_a_new_resolution_starts_a_new_pair(stage: Stage) -> None:
    large = scenes.view(0).repeat(2, axis=0).repeat(2, axis=1)
    stage.show(0, 100)
    stage.show(200, 300, pixels=large)
    stage.show(400, 500)
    assert stage.output == [100, 300, 500]
    sizes = [(message.height, message.width) for message in stage.results.messages]
    assert sizes == [(96, 128), (192, 256), (96, 128)]
    assert stage.counted() == {"resolution_changes": 2}


@pytest.mark.fault(8, "every accepted encoding is converted")
def test_row_08_the_encoding_may_change_from_frame_to_frame(stage: Stage) -> None:
    frames = encoded_frames()
    for index, (encoding, pixels) in enumerate(frames.items()):
        stage.send(raw(100 * index, pixels, encoding))
    assert stage.output == [100 * index for index in range(1, len(frames))]
    assert stage.counted() == {}


@pytest.mark.fault(
    8, "others are dropped, with a throttled error that lists the accepted ones; `refused`"
)
def test_row_08_an_unsupported_encoding_is_dropped_and_named(stage: Stage) -> None:
    wrong = raw(50, np.zeros((96, 128, 3), np.uint16), "rgb16")
    stage.show(0)
    stage.send(wrong)
    stage.show(100)
    assert stage.output == [100]
    assert stage.counted() == {"refused": 1}
    told = "encoding 'rgb16' is not supported; accepted are mono8, mono16, rgb8, bgr8, rgba8, "
    assert told in stage.last_error

    def said() -> bool:  # one line in five seconds, shared with other refusals on this topic
        stage.publish(wrong)
        return told in stage.log

    began = monotonic()
    stage.probe.wait_until(said, "the error in the log")
    assert f"{CAMERA}: image dropped: encoding 'rgb16'" in stage.log
    for _ in range(30):
        stage.publish(wrong)
    stage.settle()
    assert stage.counted()["refused"] > 30
    assert stage.log.count("image dropped") <= 2 + (monotonic() - began) / 5


@pytest.mark.fault(9, "dropped with the numbers; `refused`")
@pytest.mark.parametrize(("fields", "told"), BROKEN)
def test_row_09_what_does_not_fit_is_dropped_with_the_numbers(
    stage: Stage, fields: dict[str, object], told: str
) -> None:
    broken = frame(50)
    for name, value in fields.items():
        setattr(broken, name, value)
    stage.show(0)
    stage.send(broken)
    stage.show(100)
    assert stage.output == [100]
    assert stage.counted() == {"refused": 1}
    assert told in stage.last_error


@pytest.mark.fault(9, "padded rows and big-endian data are read")
def test_row_09_padded_rows_and_big_endian_data_are_read_right(stage: Stage) -> None:
    """
    Two views of a texture, 3 pixels apart, one in an odd layout: the flow tells.

    What the depth node makes of them is seen in test_depth_node.
    """
    before, after = (np.ascontiguousarray(scenes.view(x)[..., 1]) for x in (0, 3))
    padded = raw(100, np.pad(after, ((0, 0), (0, 5))), "mono8")
    padded.width -= 5
    swapped = raw(100, (after.astype(np.uint16) * 257).astype(">u2"), "mono16")
    swapped.is_bigendian = 1
    for start, odd in ((0, padded), (1100, swapped)):
        odd.header = ros_harness.make_header(BASE + (start + 100) * MS)
        stage.show(start, pixels=before)
        stage.send(odd)
        if stage.subject is scenes.FLOW:
            flow = scenes.pixels(stage.results.messages[-1])[24:-24, 24:-24]
            assert np.median(flow, axis=(0, 1)) == pytest.approx([-3, 0], abs=0.3)
    assert stage.output == [100, 1100, 1200]
    assert stage.counted() == {}


@pytest.mark.fault(10, "refused above max_pixels; `refused`")
def test_row_10_an_image_above_max_pixels_is_refused(stage: Stage) -> None:
    large = scenes.view(0).repeat(2, axis=0).repeat(2, axis=1)
    assert stage.set_parameter("max_pixels", 20_000).successful
    try:
        stage.show(0)
        stage.show(50, pixels=large)
        stage.show(100)
    finally:
        assert stage.set_parameter("max_pixels", 40_000_000).successful
    assert stage.output == [100]
    assert stage.counted() == {"refused": 1}
    assert "256x192 = 49152 pixels is more than the parameter max_pixels" in stage.last_error


@pytest.mark.fault(11, "images of NaN and Inf are refused by their encoding; `refused`")
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_row_11_an_image_of_nan_or_inf_is_refused(stage: Stage, value: float) -> None:
    stage.show(0)
    stage.send(raw(50, np.full((scenes.HEIGHT, scenes.WIDTH), value, np.float32), "32FC1"))
    stage.show(100)
    assert stage.output == [100]
    assert stage.counted() == {"refused": 1}
    assert "encoding '32FC1' is not supported; accepted are mono8" in stage.last_error


@pytest.mark.fault(11, "flow with confidence 0, depth NaN")
@pytest.mark.parametrize("level", [0, 128, 255], ids=["black", "gray", "saturated"])
def test_row_11_a_blank_image_gives_nothing_that_looks_good(stage: Stage, level: int) -> None:
    confidence = stage.probe.collect(Image, "/flow_node/confidence")
    if stage.subject is scenes.FLOW:
        heard = scenes.listened("flow", "confidence")
        scenes.wait_status(stage.probe, stage.diagnostics, **heard)
    blank = np.full((scenes.HEIGHT, scenes.WIDTH, 3), level, np.uint8)
    stage.show(0, 100, pixels=blank)
    assert stage.output == [100]
    assert stage.counted() == {}
    values = scenes.pixels(stage.results.messages[0])
    if stage.subject is scenes.FLOW:
        assert np.isfinite(values).all()
        assert scenes.pixels(confidence.wait_for(1)[0]).max() == 0
    else:
        assert np.isnan(values).all()
    confidence.destroy()


@pytest.mark.fault(15, "latest wins, queue of one, at most two results late; `dropped`")
def test_row_15_a_slow_node_works_on_the_newest_pair(stage: Stage) -> None:
    large = np.tile(scenes.view(0), (5, 5, 1))
    count = 60
    start = len(stage.diagnostics)
    for index in range(count):
        stage.publish(frame(index * 10, large))
    stage.settle()
    dropped = stage.counted()["dropped"]
    assert dropped > 0
    assert len(stage.output) == count - 1 - dropped
    assert stage.output == sorted(set(stage.output))
    assert stage.output[-1] == 10 * (count - 1)
    # Latency: when the last frame was in, at most the job at work and one more were to come.
    reports = [
        {pair.key: pair.value for pair in message.status[0].values}
        for message in stage.diagnostics.messages[start:]
    ]
    assert {report["queue"] for report in reports} <= {"0", "1"}
    final = reports[-1]
    complete = next(report for report in reports if report["in"] == final["in"])
    assert int(final["out"]) - int(complete["out"]) <= 2


@pytest.mark.fault(15, "a subscriber that takes nothing holds nobody up")
def test_row_15_a_subscriber_that_takes_nothing_holds_nobody_up(stage: Stage) -> None:
    deaf = ros_harness.Probe("deaf")  # never spins
    try:
        asleep = deaf.collect(Image, stage.subject.output, depth=1)
        stage.probe.wait_connected(asleep)
        stage.show(*range(0, 1200, 100))  # more than all queues hold
    finally:
        deaf.close()
    assert stage.output == list(range(100, 1200, 100))
    assert stage.counted() == {}
    assert len(asleep) == 0


@pytest.mark.fault(16, "no subscription, no inference; goes on with the first frames")
def test_row_16_without_an_audience_nothing_is_computed(stage: Stage) -> None:
    stage.show(0, 100)
    before = stage.counters()
    stage.close()
    for time in range(200, 1000, 100):
        stage.camera.publish(frame(time))
    stage.diagnostics.wait_for(len(stage.diagnostics) + 4)
    assert stage.counters() == before
    stage.open()
    stage.show(1000, 1100)
    assert stage.output == [1100]  # the first pair there can be, nothing from before


@pytest.mark.fault(26, "refused with the range, nothing changes")
@pytest.mark.parametrize(("name", "value", "told"), NONSENSE)
def test_row_26_nonsense_is_refused_with_the_range_and_changes_nothing(
    stage: Stage, name: str, value: object, told: str
) -> None:
    before = scenes.parameter_values(stage.probe, stage.subject.path)
    result = stage.set_parameter(name, value)
    assert not result.successful
    assert told in result.reason
    assert scenes.parameter_values(stage.probe, stage.subject.path) == before
    assert scenes.state(stage.probe, stage.subject.path) == "active"


@pytest.mark.fault(26, "the stream goes on")
def test_row_26_the_stream_goes_on_after_nonsense(stage: Stage) -> None:
    stage.show(0)
    for value in (math.nan, -3.0):
        assert not stage.set_parameter("max_dt", value).successful
    stage.show(100, 200)
    assert stage.output == [100, 200]


@pytest.mark.fault(28, "told with topic and policy; `incompatible_qos`")
def test_row_28_an_incompatible_publisher_is_told_with_topic_and_policy(stage: Stage) -> None:
    """The node asks for reliable images here; this camera offers best effort."""
    unfit = stage.probe.publisher(Image, CAMERA, reliable=False)
    try:
        stage.probe.wait_until(lambda: "incompatible QoS" in stage.log, "the log line")
    finally:
        stage.probe.node.destroy_publisher(unfit)
    line = next(line for line in stage.log.splitlines() if "incompatible QoS" in line)
    assert CAMERA in line
    assert "RELIABILITY" in line
    stage.show(0, 100)
    assert stage.output == [100]
    assert stage.counted() == {"incompatible_qos": 1}


@pytest.mark.fault(28, "told with topic and policy; `incompatible_qos`")
def test_row_28_an_incompatible_subscriber_is_told_with_topic_and_policy(stage: Stage) -> None:
    profile = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    unfit = stage.probe.node.create_subscription(
        Image, stage.subject.output, lambda message: None, profile
    )
    try:
        stage.probe.wait_until(lambda: "incompatible QoS" in stage.log, "the log line")
    finally:
        stage.probe.node.destroy_subscription(unfit)
    line = next(line for line in stage.log.splitlines() if "incompatible QoS" in line)
    assert stage.subject.output in line
    assert "DURABILITY" in line
    stage.show(0, 100)
    assert stage.output == [100]
    assert stage.counted() == {"incompatible_qos": 1}
