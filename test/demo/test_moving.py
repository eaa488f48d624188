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

"""What moves in the rendered bag, and what that does to the score of depth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from zeroco_ros.bag.images import decode_image
from zeroco_ros.bag.reader import BagReader
from zeroco_ros.bag.writer import BagWriter, message_class
from zeroco_ros.demo.depth_scoring import depth_facts, score_depth
from zeroco_ros.demo.gallery import gallery, view_at
from zeroco_ros.demo.moving import moving_pixels
from zeroco_ros.demo.quads import look
from zeroco_ros.demo.synthetic import DEPTH_TOPIC, FLOW_TOPIC, write_synthetic_bag
from zeroco_ros.evaluation.bag_camera import find_camera

FRAMES, SIZE = 4, (120, 160)


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("moving") / "bag"
    write_synthetic_bag(path, frames=FRAMES, size=SIZE, progress=False)
    return path


def bodies(index: int) -> np.ndarray:
    """(H, W) the body that each pixel of a frame shows, 0 is the room."""
    quads = gallery()
    seen = look(quads, view_at(0.1 * index, SIZE)).hits.quad
    return np.array([*(quad.body for quad in quads), 0])[seen]


def test_the_two_boxes_move_and_nothing_else(bag: Path) -> None:
    with BagReader(bag) as reader:
        camera = find_camera(reader, None)
        masks = dict(moving_pixels(reader, camera, FLOW_TOPIC, DEPTH_TOPIC))
    assert list(masks) == list(camera.possible)
    for index, mask in enumerate(masks.values(), 1):
        moving = bodies(index) > 0
        assert 0.005 < moving.mean() < 0.2
        assert mask[moving].mean() > 0.7
        assert mask[~moving].mean() < 0.1


def answer(bag: Path, path: Path, factor: float, wrong_bodies: bool) -> Path:
    """
    Return a recorded bag of a node that knows the depth up to a factor, but not of what moves.

    Its sigma is the error it makes, everywhere.
    """
    with BagReader(bag) as reader, BagWriter(path) as writer:
        for index, message in enumerate(reader.messages([DEPTH_TOPIC])):
            image = reader.decode(message)
            truth = decode_image(image) / np.float32(1000)
            depth = (truth * factor).astype(np.float32)
            if wrong_bodies:
                depth[bodies(index) > 0] *= 2
            depth[:10] = np.nan
            sigma = np.where(np.isnan(depth), np.nan, np.abs(depth - truth)).astype(np.float32)
            for name, values in (("depth", depth), ("depth_sigma", sigma)):
                writer.write_message(
                    f"/depth_node/{name}",
                    message.stamp_ns,
                    message_class("sensor_msgs/msg/Image")(
                        header=image.header,
                        height=SIZE[0],
                        width=SIZE[1],
                        encoding="32FC1",
                        is_bigendian=0,
                        step=4 * SIZE[1],
                        data=values.view(np.uint8).reshape(-1),
                    ),
                )
    return path


def test_the_score_tells_what_moves_from_what_stands_still(bag: Path, tmp_path: Path) -> None:
    output = answer(bag, tmp_path / "out", 1.1, wrong_bodies=True)
    with BagReader(bag) as reader:
        camera = find_camera(reader, None)
    score = score_depth(output, camera, DEPTH_TOPIC, scaled=False, flow=FLOW_TOPIC, progress=False)
    assert score is not None and score.still is not None and score.moving is not None
    assert score.frames == FRAMES
    assert score.coverage == pytest.approx(110 / 120, abs=1e-3)
    assert 0.1 <= score.still < 0.5 * (score.abs_rel + 0.1) < 0.3
    assert score.surer < score.abs_rel < score.vaguer
    assert 0.01 < score.moving < 0.3
    # without the true flow nobody knows what moves
    blind = score_depth(output, camera, DEPTH_TOPIC, scaled=False, progress=False)
    assert blind is not None and (blind.still, blind.moving) == (None, None)
    assert blind.abs_rel == score.abs_rel


def test_an_unknown_scale_is_undone(bag: Path, tmp_path: Path) -> None:
    output = answer(bag, tmp_path / "out", 0.5, wrong_bodies=False)
    with BagReader(bag) as reader:
        camera = find_camera(reader, None)
    options = {"flow": FLOW_TOPIC, "progress": False}
    unscaled = score_depth(output, camera, DEPTH_TOPIC, scaled=False, **options)
    scaled = score_depth(output, camera, DEPTH_TOPIC, scaled=True, **options)
    assert unscaled is not None and scaled is not None
    assert unscaled.abs_rel == pytest.approx(0.5, abs=1e-6)
    assert scaled.abs_rel < 1e-6 and scaled.still is not None and scaled.still < 1e-6
    facts = depth_facts(output)
    assert facts is not None and facts.frames == FRAMES
    assert facts.coverage == pytest.approx(110 / 120)
    assert facts.relative_sigma == pytest.approx(1.0, abs=1e-3)


def test_no_answers_are_no_score(bag: Path, tmp_path: Path) -> None:
    with BagWriter(tmp_path / "none") as writer:
        for name in ("depth", "depth_sigma"):
            writer.add_topic(f"/depth_node/{name}", "sensor_msgs/msg/Image")
    with BagReader(bag) as reader:
        camera = find_camera(reader, None)
    assert score_depth(tmp_path / "none", camera, DEPTH_TOPIC, scaled=False) is None
    assert depth_facts(tmp_path / "none") is None
