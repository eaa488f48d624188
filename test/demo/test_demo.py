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

"""The demo from end to end, with the real flow node as a real process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image
import pytest

pytest.importorskip("rclpy", reason="rclpy is not importable: no ROS 2 here")

from demo_runs import compressed_copy, FRAMES, HEIGHT, nodes_alive, WIDTH, zeroco

from zeroco_ros.bag.header import read_header
from zeroco_ros.bag.images import decode_image
from zeroco_ros.bag.reader import BagReader

# each run starts a node that loads PyTorch: half a minute on a busy machine, before it plays
pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def demo(
    tmp_path_factory: pytest.TempPathFactory, tiny_weights: Path
) -> tuple[Path, int, str, str]:
    """One run of `zeroco demo` on a rendered bag: its folder, exit code, stdout, stderr."""
    out = tmp_path_factory.mktemp("demo") / "out"
    size = f"{HEIGHT}x{WIDTH}"
    options = ["--show", "flow", "--frames", FRAMES, "--size", size, "--threads", 1]
    options += ["--weights", tiny_weights]
    return out, *zeroco("demo", "--out", out, *options)


@pytest.fixture(scope="module")
def summary(demo: tuple[Path, int, str, str]) -> dict[str, Any]:
    return dict(json.loads((demo[0] / "summary.json").read_text()))


def test_every_possible_flow_comes(
    demo: tuple[Path, int, str, str], summary: dict[str, Any]
) -> None:
    _, code, out, err = demo
    assert (code, err) == (0, "")
    assert f"flow out  {FRAMES - 1} of {FRAMES - 1} possible (100.0 %)" in out
    assert summary["depth"] is None and summary["skipped"] == []
    flow = summary["flow"]
    assert summary["frames"] == flow["frames_in"] == FRAMES
    assert flow["possible"] == flow["out"] == FRAMES - 1
    assert flow["messages"] == {"flow": FRAMES - 1, "confidence": FRAMES - 1}
    assert flow["wrong_headers"] == 0
    assert flow["node_complaints"] == []
    assert 0 < flow["play_rate"] <= 1
    assert flow["played_hz"] == pytest.approx(10 * flow["play_rate"])
    assert 0 < flow["latency_median_s"] <= flow["latency_p95_s"]
    assert flow["rate_out_hz"] > 0
    assert "tiny.safetensors" in flow["model"]


def test_the_output_bag_holds_it_all_with_the_frames_stamps(
    demo: tuple[Path, int, str, str],
) -> None:
    out = demo[0]
    with BagReader(out / "output_bag") as reader:
        assert reader.complete
        assert {name: topic.count for name, topic in reader.topics.items()} == {
            "/flow_node/flow": FRAMES - 1,
            "/flow_node/confidence": FRAMES - 1,
        }
        for message in reader:
            header = read_header(message.data)
            assert header.stamp_ns == message.stamp_ns
            assert header.frame_id == "camera_optical_frame"
            if message.topic == "/flow_node/flow":
                flow = decode_image(reader.decode(message))
                assert flow.shape == (HEIGHT, WIDTH, 2)
                assert flow.dtype == np.float32
                assert np.isfinite(flow).all()


def test_pictures_and_animation(demo: tuple[Path, int, str, str]) -> None:
    out = demo[0]
    stills = sorted(out.glob("flow_*.png"))
    assert [path.name for path in stills][:: len(stills) - 1] == [
        "flow_000.png",
        f"flow_{FRAMES - 2:03d}.png",
    ]
    assert len(stills) == 6
    for path in stills:
        picture = cv2.imread(str(path))
        assert picture.shape[1] == 3 * WIDTH + 2 * 4
        assert picture.shape[0] > HEIGHT
    with Image.open(out / "flow.gif") as animation:
        assert animation.n_frames == FRAMES - 1
        assert animation.info["duration"] == 100
    # the first panel is the frame itself
    with BagReader(out / "input_bag") as reader:
        frame = decode_image(reader.decode(list(reader.messages(["/camera/image_raw"]))[1]))
    first = cv2.cvtColor(cv2.imread(str(stills[0])), cv2.COLOR_BGR2RGB)
    np.testing.assert_array_equal(first[-HEIGHT:, :WIDTH], frame)


def test_accuracy_is_beside_that_of_simple_methods(
    demo: tuple[Path, int, str, str], summary: dict[str, Any]
) -> None:
    accuracy = summary["flow"]["accuracy"]
    assert list(accuracy) == ["flow_node", "OpenCV DIS", "no motion"]
    assert {score["pairs"] for score in accuracy.values()} == {FRAMES - 1}
    # recorded truth, direction and grid are right: DIS must beat standing still by far
    assert accuracy["OpenCV DIS"]["aepe_px"] < 0.5 * accuracy["no motion"]["aepe_px"]
    assert accuracy["no motion"]["aepe_px"] > accuracy["no motion"]["median_motion_px"] / 2
    # small motion is found even without a trained network; the wrong sign would double the error
    assert accuracy["flow_node"]["aepe_px"] < 1.5 * accuracy["no motion"]["aepe_px"]
    assert "AEPE" in demo[2]


def test_a_second_demo_replaces_the_first_and_nothing_else(
    tiny_weights: Path, tmp_path: Path
) -> None:
    """
    With a bag this time: compressed frames, no truth, a gap, a rate that is given.

    At that rate frames are a second apart: nothing is held back, and the slowest machine follows.
    """
    bag = compressed_copy(tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("keep")
    (out / "summary.json").write_text("{}")
    (out / "flow_999.png").write_text("old")
    options = ["--rate", 0.1, "--weights", tiny_weights, "--threads", 1]
    code, text, err = zeroco("demo", "--bag", bag, "--out", out, *options)
    assert (code, err) == (0, "")
    assert "flow out  6 of 6 possible" in text
    assert "played    at 0.1x = 1.0 Hz" in text
    assert "the bag has no ground truth" in text
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["frames"], summary["encoding"]) == (8, "png")
    flow = summary["flow"]
    assert (flow["held_back"], flow["accuracy"]) == (0, {})
    assert set(flow["brightness_change"]) == {"flow_node", "OpenCV DIS", "no motion"}
    # the bag has no calibration: that is said, and the flow is shown all the same
    assert summary["depth"] is None
    assert summary["skipped"] == ["depth_node: the bag has no camera_info beside /eye/png"]
    assert (out / "mine.txt").read_text() == "keep"
    assert not (out / "flow_999.png").exists()
    assert bag.exists()


def test_no_process_stays(demo: tuple[Path, int, str, str]) -> None:
    assert nodes_alive() == []
