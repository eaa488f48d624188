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

"""The depth half of the demo, with the real depth node as a real process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image
import pytest

pytest.importorskip("rclpy", reason="rclpy is not importable: no ROS 2 here")

from demo_runs import HEIGHT, nodes_alive, subset, WIDTH, zeroco

from zeroco_ros.bag.images import decode_image
from zeroco_ros.bag.reader import BagReader

# each run starts a node that loads PyTorch: half a minute on a busy machine, before it plays
pytestmark = pytest.mark.timeout(400)

FRAMES = 8


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, str, str]:
    """
    One run of `zeroco demo` with both nodes and the shipped weights.

    A random network says of every pair that it does not overlap.
    """
    out = tmp_path_factory.mktemp("demo") / "out"
    options = ["--frames", FRAMES, "--size", f"{HEIGHT}x{WIDTH}", "--preset", "fast"]
    return out, *zeroco("demo", "--out", out, *options, "--threads", 1)


@pytest.fixture(scope="module")
def depth(demo: tuple[Path, int, str, str]) -> dict[str, Any]:
    return dict(json.loads((demo[0] / "summary.json").read_text())["depth"])


def test_both_nodes_answer_every_frame(
    demo: tuple[Path, int, str, str], depth: dict[str, Any]
) -> None:
    _, code, out, err = demo
    assert (code, err) == (0, "")
    for name in ("flow", "depth"):
        assert f"{name} out" in out and f"{FRAMES - 1} of {FRAMES - 1} possible (100.0 %)" in out
    assert depth["possible"] == depth["out"] == FRAMES - 1
    assert depth["messages"] == {"depth": FRAMES - 1, "depth_sigma": FRAMES - 1}
    assert (depth["wrong_headers"], depth["node_complaints"]) == (0, [])
    assert nodes_alive() == []


def test_poses_of_the_bag_make_it_metric(
    demo: tuple[Path, int, str, str], depth: dict[str, Any]
) -> None:
    assert (depth["poses"], depth["scale"]) == ("/camera/pose", "metric")
    assert depth["said"] == {"scale": ["metric"]}
    assert "given on /camera/pose; scale: metric" in demo[2]


def test_accuracy_against_the_rendered_depth(
    demo: tuple[Path, int, str, str], depth: dict[str, Any]
) -> None:
    score = depth["accuracy"]
    assert depth["truth"] == "/camera/depth/image_raw"
    assert score["frames"] == FRAMES - 1 and not score["scaled"]
    assert 0.3 < score["coverage"] <= 1
    # a wrong scale, pose or grid would be far off; small pictures and the fast preset are rough
    assert score["abs_rel"] < 0.3 and score["delta"] > 0.6
    assert 2 * score["abs_rel"] == pytest.approx(score["surer"] + score["vaguer"], rel=1e-3)
    assert 0 < score["still"] < 1.05 * score["abs_rel"] and 0 < score["moving"] < 0.3
    for words in ("AbsRel", "smaller sigma", "on what stands still"):
        assert words in demo[2]


def test_the_output_bag_has_depth_with_its_camera_and_poses(
    demo: tuple[Path, int, str, str],
) -> None:
    with BagReader(demo[0] / "output_bag") as reader:
        counts = {name: topic.count for name, topic in reader.topics.items()}
        assert counts == dict.fromkeys(
            [
                "/flow_node/flow",
                "/flow_node/confidence",
                "/depth_node/depth",
                "/depth_node/depth_sigma",
                "/depth_node/camera_info",
                "/depth_node/odometry",
            ],
            FRAMES - 1,
        )
        message = reader.decode(next(reader.messages(["/depth_node/depth"])))
        assert message.encoding == "32FC1"
        assert decode_image(message).shape == (HEIGHT, WIDTH)


def test_depth_pictures(demo: tuple[Path, int, str, str]) -> None:
    stills = sorted(demo[0].glob("depth_*.png"))
    assert [path.name for path in stills][:: len(stills) - 1] == ["depth_000.png", "depth_006.png"]
    picture = cv2.imread(str(stills[0]))
    assert picture.shape[1] == 4 * WIDTH + 3 * 4  # frame, depth, sigma, truth
    with Image.open(demo[0] / "depth.gif") as animation:
        assert animation.n_frames == FRAMES - 1
    with BagReader(demo[0] / "input_bag") as reader:
        frame = decode_image(reader.decode(list(reader.messages(["/camera/image_raw"]))[1]))
    first = cv2.cvtColor(cv2.imread(str(stills[0])), cv2.COLOR_BGR2RGB)
    np.testing.assert_array_equal(first[-HEIGHT:, :WIDTH], frame)


@pytest.mark.parametrize(
    ("name", "topic", "frames", "show", "accuracy"),
    [
        (
            "euroc_MH05_80f_sqlite3",
            "/cam0/image_raw",
            4,
            "both",
            "unknown: the bag has no measured depth",
        ),
        (
            "hololens_rgbd_60f_mcap",
            "/camera/color/image_raw/compressed",
            8,  # the first ones hardly move
            "depth",
            "against depth on /camera/depth/image_raw",
        ),
    ],
)
def test_the_real_bags(
    shared_data: Path,
    tmp_path: Path,
    name: str,
    topic: str,
    frames: int,
    show: str,
    accuracy: str,
) -> None:
    """Their first frames: raw and compressed, distorted and not."""
    bag = subset(shared_data / "bags" / name, tmp_path / name, topic, frames)
    options = ["--show", show, "--preset", "fast", "--threads", 1]
    code, text, err = zeroco("demo", "--bag", bag, "--out", tmp_path / "out", *options)
    assert (code, err) == (0, ""), text
    complete = f"{frames - 1} of {frames - 1} possible (100.0 %)"
    assert text.count(complete) == (2 if show == "both" else 1)
    assert topic in text and "gt_pose; scale: metric" in text
    assert f"accuracy  {accuracy}" in text
