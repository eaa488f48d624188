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

"""FAULTS rows 7, 9 and 10 for compressed images, whose size and soundness show late."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import node_scenes as scenes
import numpy as np
import pytest
import ros_harness

pytest.importorskip("rclpy", reason="rclpy is not importable: no ROS 2 here")
from sensor_msgs.msg import CompressedImage
from stage import BASE, CAMERA, MS, Stage


@pytest.fixture(scope="module", params=scenes.SUBJECTS.values(), ids=scenes.SUBJECTS)
def running_stage(request: pytest.FixtureRequest, weights: str) -> Iterator[Stage]:
    """
    Yield the node with a camera that compresses.

    It must leave with exit code 0 after all of it.
    """
    probe = ros_harness.Probe("compressed")
    values = {"diagnostics_period": 0.05, "image_transport": "compressed"}
    with scenes.running(request.param, weights, {"image": CAMERA}, **values) as node:
        yield Stage(request.param, node, probe, compressed=True)
        assert node.stop() == 0
        assert "Traceback" not in node.log
    probe.close()


@pytest.fixture
def stage(running_stage: Stage) -> Iterator[Stage]:
    """Yield the node with an audience and nothing in its buffers."""
    running_stage.open()
    yield running_stage
    running_stage.close()


def packed(milliseconds: float, pixels: np.ndarray | None = None) -> CompressedImage:
    """Return a PNG file as a message."""
    pixels = scenes.view(int(milliseconds / 50) % 20) if pixels is None else pixels
    data = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()
    return stamped(milliseconds, data)


def stamped(milliseconds: float, data: bytes) -> CompressedImage:
    header = ros_harness.make_header(BASE + round(milliseconds * MS), "cam")
    return CompressedImage(header=header, format="png", data=data)


def large(height: int, width: int) -> np.ndarray:
    """Return a gray image that packs well."""
    return np.kron(
        np.arange(48, dtype=np.uint8).reshape(6, 8) * 5,
        np.ones((height // 6, width // 8), np.uint8),
    )


@pytest.mark.fault(
    9, "damaged compressed images cost themselves and their pairs; `refused`, `unpaired`"
)
def test_row_09_damaged_files_are_dropped_with_the_numbers(stage: Stage) -> None:
    whole = bytes(packed(200).data)
    stage.send(packed(0))
    stage.send(packed(100))
    stage.send(stamped(200, whole[: len(whole) // 3]))
    stage.send(stamped(300, b""))
    stage.send(stamped(400, b"no picture"))
    stage.send(packed(500))
    stage.send(packed(600))
    flow = stage.subject is scenes.FLOW
    assert stage.output == ([100, 600] if flow else [100, 500, 600])
    # Flow looks into a file when it has a partner for it.
    assert stage.counted() == ({"refused": 2, "unpaired": 2} if flow else {"refused": 3})
    assert "format 'png', 10 bytes" in stage.last_error
    assert "image dropped" in stage.log


@pytest.mark.fault(7, "compressed images too; `resolution_changes`")
def test_row_07_another_size_shows_only_when_decoded(stage: Stage) -> None:
    doubled = scenes.view(0).repeat(2, axis=0).repeat(2, axis=1)
    for time, pixels in ((0, None), (100, None), (200, doubled), (300, doubled), (400, None)):
        stage.send(packed(time, pixels))
    sizes = [(message.height, message.width) for message in stage.results.messages]
    if stage.subject is scenes.FLOW:
        assert stage.output == [100, 300]
        assert sizes == [(96, 128), (192, 256)]
        assert stage.counted() == {"resolution_changes": 2, "unpaired": 2}
    else:  # it is the same camera, which sends another size
        assert set(sizes) <= {(96, 128), (192, 256)}
        assert stage.counted() == {}


@pytest.mark.fault(
    10,
    "a large image is reduced for the network; above max_pixels it is refused; `refused`",
)
def test_row_10_large_images_are_reduced_and_larger_ones_refused(stage: Stage) -> None:
    assert stage.set_parameter("max_pixels", 33_000_000).successful
    try:
        stage.send(packed(0, large(1440, 1920)))
        stage.send(packed(100, large(1440, 1920)))
        stage.send(packed(200, large(4320, 7680)))
        stage.send(packed(300, large(1440, 1920)))
    finally:
        assert stage.set_parameter("max_pixels", 40_000_000).successful
    assert stage.output[0] == 100
    message = stage.results.messages[0]
    assert (message.height, message.width) == (1440, 1920)
    assert stage.counted()["refused"] == 1
    told = "7680x4320 = 33177600 pixels is more than the parameter max_pixels (33000000)"
    assert told in stage.last_error
