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

"""FAULTS rows 12, 13, 29 and 31: what depth_node does without calibration, poses or parallax."""

from __future__ import annotations

from collections.abc import Iterator
import re
from types import SimpleNamespace
from typing import Any

import node_process
import node_scenes as scenes
import numpy as np
import pytest
import ros_harness

pytest.importorskip("rclpy", reason="rclpy is not importable: no ROS 2 here")
from depth_scenes import depth_stage, DepthStage, world
from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import RegionOfInterest
from stage import CAMERA

ROOM = (160, 120)


@pytest.fixture(scope="module")
def room() -> Iterator[DepthStage]:
    """
    Yield a node with estimated poses and shipped weights.

    In the rooms of the procedural world.
    """
    with depth_stage("default", ("depth", "depth_sigma"), input_timeout=0.5) as stage:
        yield stage


class Images:
    """Counts what is sent to the node, so that one can wait until it is dealt with."""

    def __init__(self, stage: DepthStage) -> None:
        self.stage = stage
        self.before = int(scenes.status(stage.diagnostics)["in"])
        self.sent = 0
        stage.fresh()

    def show(self, picture: Any, size: int = 1) -> dict[str, str]:
        """Send the next image, `size` times as large; diagnostics when it is dealt with."""
        pixels = picture.image.repeat(size, axis=0).repeat(size, axis=1)
        stage = self.stage
        stage.camera.publish(scenes.image(pixels, stage.stamp(self.sent), "eye"))
        self.sent += 1
        return stage.settled(self.before + self.sent)


@pytest.fixture
def images(room: DepthStage) -> Images:
    """Return a stream that starts anew."""
    return Images(room)


@pytest.mark.fault(12, "depth waits, WARN with the topic; `no_camera_info`", nodes="depth_node")
def test_row_12_without_camera_info_depth_waits_and_diagnostics_warn(images: Images) -> None:
    """Runs first: nobody has said a calibration yet."""
    stage = images.stage
    stage.set(patience=0.05)
    told = images.show(world("walk")[0])
    assert told["no_camera_info"] == "1"
    told = stage.complaint("no camera_info")
    assert told["level"] == "1"
    assert f"on {stage.home}/camera_info (1 publishers): depth waits" in told["message"]
    assert not stage.outputs["depth"].messages
    stage.set(patience=60.0)
    stage.show(1, world("walk")[0])  # waits for the calibration, which comes after it
    images.sent += 1
    stage.calibrate(world("walk")[0])
    stage.settled(images.before + 2)
    images.show(world("walk")[1])
    stage.outputs["depth"].wait_for(1)
    assert stage.outputs["depth"].stamps == [stage.stamp(2)]
    assert "no camera_info" not in scenes.status(stage.diagnostics)["message"]


@pytest.mark.fault(13, "a zero K is an ERROR that names K", nodes="depth_node")
def test_row_13_a_zero_k_is_refused_by_name_until_a_good_one_comes(images: Images) -> None:
    stage, pictures = images.stage, world("walk")
    stage.info.publish(scenes.calibration(ROOM, 0.0))
    stage.set(patience=0.05)
    told = stage.complaint("K has no focal length")
    assert told["level"] == "2"
    before = int(told["no_camera_info"])
    assert int(images.show(pictures[0])["no_camera_info"]) == before + 1
    assert re.search(r"\[ERROR\].*K has no focal length", stage.node.log)
    assert not stage.outputs["depth"].messages
    stage.calibrate(pictures[0])
    stage.set(patience=60.0)
    images.show(pictures[1])
    images.show(pictures[2])
    assert stage.outputs["depth"].stamps == [stage.stamp(2)]


@pytest.mark.fault(13, "another K starts anew; `camera_changes`", nodes="depth_node")
def test_row_13_a_new_calibration_is_taken_over_and_starts_anew(images: Images) -> None:
    stage, pictures = images.stage, world("walk")
    for picture in pictures[:2]:
        images.show(picture)
    changes = int(scenes.status(stage.diagnostics)["camera_changes"])
    info = scenes.calibration(ROOM, 200.0)
    stage.info.publish(info)
    stage.told(camera="160x120 pinhole, fx 200, fy 200", camera_changes=str(changes + 1))
    for picture in pictures[:2]:
        images.show(picture)
    assert stage.outputs["depth"].stamps == [stage.stamp(1), stage.stamp(3)]
    stage.calibrate(pictures[0])


REGION = {"x_offset": 40, "y_offset": 20, "width": 80, "height": 60}


@pytest.mark.fault(13, "binning and region of interest are applied", nodes="depth_node")
@pytest.mark.parametrize(
    ("fields", "region", "window", "scale"),
    [
        ({"binning_x": 2, "binning_y": 2}, {}, np.s_[::2, ::2], 0.5),
        ({}, REGION, np.s_[20:80, 40:120], 1.0),
    ],
    ids=["binning", "region of interest"],
)
def test_row_13_binning_and_regions_of_interest_are_applied(
    images: Images, fields: dict[str, Any], region: dict[str, int], window: Any, scale: float
) -> None:
    stage, pictures = images.stage, world("walk")
    focal = pictures[0].K[0, 0]
    info = scenes.calibration(ROOM, focal, **fields, roi=RegionOfInterest(**region))
    stage.info.publish(info)
    told = f"{focal * scale:g}"
    stage.told(camera=f"80x60 pinhole, fx {told}, fy {told}")
    for picture in pictures[:2]:
        images.show(SimpleNamespace(image=picture.image[window]))
    (depth,) = stage.outputs["depth"].messages
    assert (depth.width, depth.height) == (80, 60)
    stage.calibrate(pictures[0])


@pytest.mark.fault(
    13, "another size is rescaled, another aspect refused with the numbers", nodes="depth_node"
)
def test_row_13_images_of_another_size_are_rescaled_or_refused_with_numbers(
    images: Images,
) -> None:
    stage, pictures = images.stage, world("walk")
    for picture in pictures[:2]:
        images.show(picture, size=2)
    (depth,) = stage.outputs["depth"].wait_for(1)
    assert (depth.width, depth.height) == (320, 240)
    stage.set(patience=0.05)
    cropped = scenes.image(pictures[0].image[:, :100].copy(), stage.stamp(images.sent), "eye")
    stage.camera.publish(cropped)
    images.sent += 1
    stage.settled(images.before + images.sent)
    stage.set(patience=60.0)
    told = stage.complaint("100x120 pixels do not fit camera_info's 160x120")
    assert told["level"] == "2"
    images.show(pictures[2])
    images.show(pictures[3])
    assert "do not fit" not in scenes.status(stage.diagnostics)["message"]
    assert stage.outputs["depth"].stamps == [stage.stamp(1), stage.stamp(4)]


def sure_share(stage: DepthStage) -> float:
    """Share of the newest depth image that has a depth with a sigma below a quarter of it."""
    depth, sigma = (scenes.pixels(c.messages[-1]) for c in stage.outputs.values())
    with np.errstate(invalid="ignore"):
        return float((sigma < 0.25 * depth).mean())


@pytest.mark.fault(31, "without parallax hardly a pixel claims to be known", nodes="depth_node")
@pytest.mark.parametrize("kind", ["static", "rotation"])
def test_row_31_without_parallax_no_structure_is_invented(images: Images, kind: str) -> None:
    for picture in world(kind):
        told = images.show(picture)
    images.stage.outputs["depth_sigma"].wait_for(len(world(kind)) - 1)
    assert told["depth state"] == kind
    assert sure_share(images.stage) < 0.05
    assert len(images.stage.outputs["depth"]) == len(world(kind)) - 1


@pytest.mark.fault(31, "a plane is a plane", nodes="depth_node")
def test_row_31_a_plane_is_a_plane(images: Images) -> None:
    """Of estimated scale: along the rows of a wall 1/depth is a straight line."""
    pictures = world("plane")
    for picture in pictures:
        told = images.show(picture)
    assert told["depth state"] == "ok"
    depth = scenes.pixels(images.stage.outputs["depth"].messages[-1])[..., 0]
    known = np.isfinite(depth)
    assert known.mean() > 0.5
    ratio = depth[known] / pictures[-1].depth[known]
    assert np.median(np.abs(ratio / np.median(ratio) - 1)) < 0.05


@pytest.mark.fault(31, "no overlap: state lost, WARN, all NaN", nodes="depth_node")
def test_row_31_a_view_of_something_else_is_lost_and_says_so(images: Images) -> None:
    for picture in world("walk")[:3]:
        images.show(picture)
    noise = np.random.default_rng(1).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    told = images.show(SimpleNamespace(image=noise))
    assert told["depth state"] == "lost"
    stage = images.stage
    stage.complaint("lost: no key frame can be matched")
    assert np.isnan(scenes.pixels(stage.outputs["depth"].messages[-1])).all()


@pytest.mark.fault(29, "WARN, and the node works", nodes="depth_node")
def test_row_29_without_a_clock_the_node_works_and_warns(weights: str) -> None:
    with depth_stage(weights, use_sim_time=True) as stage:
        told = stage.complaint("use_sim_time is set and /clock is silent")
        assert told["level"] == "1"
        stage.calibrate(world("walk")[0])
        for index in range(2):
            stage.show(index, world("walk")[index])
            stage.settled(index + 1)
        assert stage.outputs["depth"].stamps == [stage.stamp(1)]


@pytest.mark.fault(29, "without tf2_ros: FAILURE that says what to install", nodes="depth_node")
def test_row_29_without_tf2_configuring_says_what_to_do(
    probe: ros_harness.Probe, weights: str, tmp_path: Any
) -> None:
    (tmp_path / "tf2_ros.py").write_text("raise ImportError('no tf2 here')\n")
    values = scenes.parameters(weights, scenes.DEPTH, pose_source="tf")
    with node_process.running(
        scenes.DEPTH.module,
        values,
        remap={"image": CAMERA},
        environment={"PYTHONPATH": str(tmp_path)},
    ) as node:
        diagnostics = probe.collect(DiagnosticArray, "/diagnostics")
        told = scenes.wait_status(probe, diagnostics, state="unconfigured", level="2")
        assert "tf2_ros cannot be imported (no tf2 here)" in told["message"]
        assert "use pose_source 'odometry' or 'pose'" in told["message"]
        assert scenes.set_parameter(probe, "pose_source", "none", "/depth_node").successful
        assert scenes.transition(probe, "configure", "/depth_node")
        assert node.stop() == 0
        assert "Traceback" not in node.log
