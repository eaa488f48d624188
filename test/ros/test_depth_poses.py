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

"""Poses for depth_node: interpolated from odometry, late, missing, of another frame; estimated."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import node_scenes as scenes
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not importable: no ROS 2 here")
from depth_scenes import depth_stage, DepthStage, world

from zeroco_ros.geometry.transforms import inverse, pose_to_matrix
from zeroco_ros.online.odometry import FORWARD_FROM_OPTICAL

FRAMES = 4
MOUNT = "0.2 0 0.1 -0.5 0.5 -0.5 0.5"  # looks ahead, at the front of a robot
AHEAD = pose_to_matrix((0.2, 0, 0.1), (-0.5, 0.5, -0.5, 0.5))


@pytest.fixture(scope="module")
def stage(tiny_weights: Path) -> Iterator[DepthStage]:
    """Yield a node with odometry of a robot whose camera looks ahead; images wait for good."""
    values = {"pose_source": "odometry", "camera_in_body": MOUNT, "input_timeout": 0.5}
    weights = scenes.shipped_or(tiny_weights)
    with depth_stage(weights, ("depth", "odometry"), **values) as stage:
        stage.calibrate(world("walk", FRAMES)[0])
        yield stage


def body_of(c2w: np.ndarray) -> np.ndarray:
    """Pose of the robot whose camera is there."""
    return c2w @ inverse(AHEAD)


def matrix(message: object) -> np.ndarray:
    """Return the pose of a nav_msgs/Odometry."""
    place, turn = message.pose.pose.position, message.pose.pose.orientation
    return pose_to_matrix((place.x, place.y, place.z), (turn.x, turn.y, turn.z, turn.w))


def test_the_pose_of_an_image_is_interpolated_between_later_odometry(stage: DepthStage) -> None:
    """Odometry half a frame before and after each image, and only when the image is there."""
    frames = world("walk", FRAMES)
    stage.fresh()
    before = int(scenes.status(stage.diagnostics)["in"])
    for index in range(2):
        around = [frames[index].c2w.copy() for _ in range(2)]
        for pose, side in zip(around, (-0.03, 0.03), strict=True):
            pose[:3, 3] += side  # the middle of the two is the image's
        stage.show(index, frames[index])
        stage.told(**{"in": str(before + index + 1)})
        for pose, offset in zip(around, (-0.4, 0.4), strict=True):
            stage.say_odometry(index + offset, body_of(pose), "base_link")
        stage.settled(before + index + 1)
    (message,) = stage.outputs["odometry"].wait_for(1)
    assert stage.outputs["odometry"].stamps == [stage.stamp(1)]
    assert matrix(message) == pytest.approx(frames[1].c2w, abs=1e-6)
    assert message.header.frame_id == "room"
    stage.told(no_pose="0", scale="metric")


@pytest.mark.fault(
    29, "without its pose an image goes on; WARN with the topic; `no_pose`", nodes="depth_node"
)
def test_without_its_pose_an_image_goes_on_and_diagnostics_warn(stage: DepthStage) -> None:
    frames = world("walk", FRAMES)
    stage.fresh()
    stage.set(patience=0.05)
    now = scenes.status(stage.diagnostics)
    seen, before = int(now["in"]), int(now["no_pose"])
    try:
        for index in range(2):
            stage.show(index, frames[index])
            count = str(before + index + 1)
            stage.told(no_pose=count)
        told = stage.complaint("without a pose")
        assert told["level"] == "1"
        assert f"{stage.home}/odom (1 publishers)" in told["message"]
    finally:
        stage.set(patience=60.0)
    for index in (2, 3):
        stage.say_odometry(index, body_of(frames[index].c2w), "base_link")
        stage.show(index, frames[index])
        stage.settled(seen + index + 1)
    said = lambda: "without a pose" in scenes.status(stage.diagnostics)["message"]  # noqa: E731
    stage.probe.wait_until(lambda: not said(), "the complaint to end")
    stage.told(no_pose=str(before + 2), scale="metric")


@pytest.mark.fault(4, "images and odometry start anew in either order", nodes="depth_node")
def test_row_04_a_bag_loop_with_poses_goes_on_at_once(stage: DepthStage) -> None:
    """Images and odometry begin again, in either order; no image goes without its pose."""
    frames = world("walk", FRAMES)
    stage.fresh()
    before = scenes.status(stage.diagnostics)
    sent, expected = int(before["in"]), []
    for first in ("odometry", "image", "odometry"):
        for index, frame in enumerate(frames):
            if first == "image":
                stage.show(index, frame)
            stage.say_odometry(index, body_of(frame.c2w), "base_link")
            if first == "odometry":
                stage.show(index, frame)
            sent += 1
            stage.settled(sent)
        expected += [stage.stamp(index) for index in range(1, FRAMES)]
    stage.outputs["odometry"].wait_for(len(expected))
    assert stage.outputs["odometry"].stamps == expected
    for message, frame in zip(stage.outputs["odometry"].messages, frames[1:] * 3, strict=True):
        assert matrix(message) == pytest.approx(frame.c2w, abs=1e-6)
    stage.told(jumps=str(int(before["jumps"]) + 2), no_pose=before["no_pose"])


def test_poses_of_another_frame_are_not_taken_for_the_cameras(stage: DepthStage) -> None:
    frames = world("walk", FRAMES)
    stage.configure("odometry", camera_in_body="none", patience=0.05)
    scale = stage.scale()
    stage.calibrate(frames[0])
    before = int(scenes.status(stage.diagnostics)["no_pose"])
    for index in range(2):
        stage.say_odometry(index, frames[index].c2w, "base_link")
        stage.show(index, frames[index])
        stage.told(no_pose=str(before + index + 1))
    text = f"{stage.home}/odom gives poses of 'base_link', the images are those of 'eye'"
    stage.complaint(text)
    assert "set camera_in_body" in stage.node.log
    assert [message.data for message in scale.wait_for(1)] == ["relative"]
    scale.destroy()


def test_estimated_poses_begin_with_x_forward_and_z_up(stage: DepthStage) -> None:
    frames = world("walk", 2 * FRAMES)[: FRAMES + 1]
    stage.configure("none", patience=60.0)
    scale = stage.scale()
    stage.calibrate(frames[0])
    before = int(scenes.status(stage.diagnostics)["in"])
    for index, frame in enumerate(frames):
        stage.show(index, frame)
        stage.settled(before + index + 1)
    assert [message.data for message in scale.wait_for(1)] == ["relative"]
    found = [matrix(message) for message in stage.outputs["odometry"].wait_for(FRAMES)]
    assert {m.header.frame_id for m in stage.outputs["odometry"].messages} == {"odom"}
    assert len(found) == FRAMES
    moved = inverse(frames[0].c2w) @ frames[-1].c2w  # in the first camera
    expected = FORWARD_FROM_OPTICAL[:3, :3] @ moved[:3, 3]
    there = found[-1][:3, 3]
    assert there @ expected / np.linalg.norm(there) / np.linalg.norm(expected) > 0.9
    turned = FORWARD_FROM_OPTICAL[:3, :3] @ moved[:3, :3]
    assert np.trace(turned.T @ found[-1][:3, :3]) > 2.99  # within 6 degrees
