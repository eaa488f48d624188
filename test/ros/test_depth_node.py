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

"""depth_node as a real process, its poses given: what it publishes, and that it is true."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import node_scenes as scenes
import numpy as np
import pytest
import ros_harness

pytest.importorskip("rclpy", reason="rclpy is not importable: no ROS 2 here")
from depth_scenes import depth_stage, DepthStage, FRAME_ID, OUTPUTS, world

FRAMES = 4


@pytest.fixture(scope="module")
def stage(tiny_weights: Path) -> Iterator[DepthStage]:
    """Yield a node that has seen a short walk, with all its outputs collected."""
    weights = scenes.shipped_or(tiny_weights)
    values = {"pose_source": "pose", "input_timeout": 3600.0}  # the tests between take their time
    with depth_stage(weights, tuple(OUTPUTS), **values) as stage:
        stage.told(
            **scenes.listened("depth", "depth_sigma", "points", "image_rect", "odometry"),
        )
        frames = world("walk", FRAMES)
        stage.calibrate(frames[0])
        for index, frame in enumerate(frames):
            stage.say_pose(index, frame.c2w)
            stage.show(index, frame)
            stage.settled(index + 1)
        for collector in stage.outputs.values():
            collector.wait_for(FRAMES - 1)
        yield stage


def newest(stage: DepthStage, name: str) -> np.ndarray:
    """Return the newest image of an output."""
    return scenes.pixels(stage.outputs[name].messages[-1]).squeeze()


def test_every_output_has_the_stamps_of_its_images(stage: DepthStage) -> None:
    expected = [stage.stamp(index) for index in range(1, FRAMES)]
    for name, collector in stage.outputs.items():
        assert collector.stamps == expected, name
        frame_id = "room" if name == "odometry" else FRAME_ID
        assert {message.header.frame_id for message in collector.messages} == {frame_id}
        if name != "odometry":
            assert {(m.height, m.width) for m in collector.messages} == {(120, 160)}
    encodings = {
        name: stage.outputs[name].messages[0].encoding for name in ("depth", "image_rect")
    }
    assert encodings == {"depth": "32FC1", "image_rect": "rgb8"}


def test_depth_is_true_and_sigma_is_honest(stage: DepthStage) -> None:
    depth, sigma = newest(stage, "depth"), newest(stage, "depth_sigma")
    truth = world("walk", FRAMES)[-1].depth
    known = np.isfinite(depth)
    assert known.mean() > 0.7
    assert np.array_equal(known, np.isfinite(sigma))
    error = np.abs(depth - truth)[known]
    assert np.median(error / truth[known]) < 0.1
    assert (error < 2 * sigma[known]).mean() > 0.6


def test_scale_is_metric_and_latched(stage: DepthStage) -> None:
    late = stage.scale()
    assert [message.data for message in late.wait_for(1)] == ["metric"]
    late.destroy()


def test_points_are_the_depth_image_in_space_and_color(stage: DepthStage) -> None:
    cloud = stage.outputs["points"].messages[-1]
    assert [field.name for field in cloud.fields] == ["x", "y", "z", "rgb"]
    assert (cloud.row_step, cloud.is_dense) == (160 * cloud.point_step, False)
    dtype = np.dtype(
        [("x", "f4"), ("y", "f4"), ("z", "f4"), ("b", "u1"), ("g", "u1"), ("r", "u1")]
    )
    padded = np.dtype({**dict(dtype.fields), "_": ("u1", 15)})
    points = np.frombuffer(cloud.data, padded).reshape(120, 160)
    depth, K = newest(stage, "depth"), world("walk", FRAMES)[-1].K
    assert np.array_equal(points["z"], depth, equal_nan=True)
    known = np.isfinite(depth)
    assert np.isnan(points["x"][~known]).all()
    v, u = np.nonzero(known)
    seen = K @ np.stack([points[axis][known] for axis in "xyz"])
    assert np.allclose(seen[:2] / seen[2], [u, v], atol=1e-2)
    colors = np.stack([points[channel] for channel in "rgb"], axis=-1)
    assert np.array_equal(colors, newest(stage, "image_rect"))


def test_the_rectified_image_and_its_camera(stage: DepthStage) -> None:
    frame = world("walk", FRAMES)[-1]
    assert np.array_equal(newest(stage, "image_rect"), frame.image)  # the camera has no distortion
    info = stage.outputs["camera_info"].messages[-1]
    assert np.allclose(np.reshape(info.k, (3, 3)), frame.K)
    assert np.allclose(np.reshape(info.p, (3, 4))[:, :3], frame.K)
    assert np.allclose(np.reshape(info.r, (3, 3)), np.eye(3))
    assert not np.any(info.d)


def test_odometry_passes_given_poses_on(stage: DepthStage) -> None:
    message = stage.outputs["odometry"].messages[-1]
    place, c2w = message.pose.pose.position, world("walk", FRAMES)[-1].c2w
    assert [place.x, place.y, place.z] == pytest.approx(list(c2w[:3, 3]))
    assert message.child_frame_id == FRAME_ID
    assert message.twist.covariance[0] == -1


def test_diagnostics_tell_of_depth(stage: DepthStage) -> None:
    told = stage.told(out=str(FRAMES - 1), level="0")
    assert (told["depth state"], told["scale"]) == ("ok", "metric")
    assert (told["without_result"], told["no_pose"]) == ("1", "0")
    assert 0.7 < float(told["coverage"]) <= 1
    assert told["camera"].startswith("160x120 pinhole")
    assert float(told["latency median (ms)"]) > 0


def test_diagnostics_have_every_documented_key(stage: DepthStage) -> None:
    """docs/DIAGNOSTICS.md against what the node says, in its order."""
    (status,) = stage.diagnostics.messages[-1].status
    counters = [k for k in scenes.documented_keys("counters") if k in scenes.DEPTH.counters]
    assert set(counters) == set(scenes.DEPTH.counters)
    after = scenes.documented_keys("model", "depth", "last")
    assert [pair.key for pair in status.values] == [
        *scenes.documented_keys("first"),
        *counters,
        *after,
    ]
    assert (status.name.endswith("depth_node: depth"), status.hardware_id) == (True, "cpu")


def test_far_depth_is_cut_off_at_once(stage: DepthStage) -> None:
    middle = float(np.nanmedian(newest(stage, "depth")))
    frames = world("walk", FRAMES)
    stage.set(max_depth=middle)
    try:
        stage.say_pose(FRAMES, frames[0].c2w)
        stage.show(FRAMES, frames[0])
        messages = stage.outputs["depth"].wait_for(FRAMES)
        stage.outputs["points"].wait_for(FRAMES)
    finally:
        stage.set(max_depth=0.0)
    depth = scenes.pixels(messages[-1])
    assert np.isfinite(depth).any()
    assert np.nanmax(depth) <= middle


def test_distorted_padded_and_big_endian_images_are_rectified(stage: DepthStage) -> None:
    """~/image_rect shows what the node has read: OpenCV undistorts the same."""
    d = [-0.3, 0.1, 0.001, -0.002, 0.0]
    frame = world("walk", FRAMES)[0]
    gray = np.ascontiguousarray(frame.image[..., 1])
    padded = scenes.image(np.pad(gray, ((0, 0), (0, 5))), 0, encoding="mono8")
    padded.width -= 5
    swapped = (gray.astype(np.uint16) * 257).astype(">u2").view(np.uint16)
    odd = scenes.image(swapped, 0, encoding="mono16")
    odd.is_bigendian = 1
    stage.fresh()
    before = int(scenes.status(stage.diagnostics)["in"])
    stage.calibrate(frame, d=d)
    for number, message in enumerate((padded, padded, odd)):
        message.header = ros_harness.make_header(stage.stamp(number))
        stage.say_pose(number, frame.c2w)
        stage.camera.publish(message)
        stage.settled(before + number + 1)
    rectified = stage.outputs["image_rect"].messages
    K = np.reshape(stage.outputs["camera_info"].messages[0].k, (3, 3))
    expected = cv2.undistort(gray, frame.K, np.array(d), None, K)
    assert len(rectified) == 2
    for message in rectified:
        shown = scenes.pixels(message)
        assert np.abs(shown - expected[..., None].astype(int)).max() <= 2
    assert np.abs(expected.astype(int) - gray).mean() > 3  # there was something to do


def test_companions_alone_do_not_make_it_work(stage: DepthStage) -> None:
    """Runs last: the audience leaves, but for ~/camera_info and ~/scale."""
    scale = stage.scale()
    for name in set(stage.outputs) - {"camera_info"}:
        stage.outputs[name].destroy()
    gone = lambda: stage.camera.get_subscription_count() == 0  # noqa: E731
    stage.probe.wait_until(gone, "the node to unsubscribe")
    assert stage.info.get_subscription_count() == stage.pose.get_subscription_count() == 0
    told = stage.told(**{"subscribed outputs": ""})
    assert told["message"].startswith("idle")
    scale.destroy()
    again = stage.collect("points")
    scenes.connect(stage.probe, stage.node, stage.camera)
    again.destroy()
