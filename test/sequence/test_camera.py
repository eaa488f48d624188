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

"""The camera of a recording: from its bag, from a file beside it, from a file that is given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from pose_bag import write_bag
import pytest

from zeroco_ros.bag.reader import BagReader
from zeroco_ros.bag.writer import BagWriter
from zeroco_ros.demo.gallery import view_at
from zeroco_ros.demo.synthetic import INFO_TOPIC, write_synthetic_bag
from zeroco_ros.errors import ConfigError
from zeroco_ros.media.images import write_image
from zeroco_ros.sequence.frames import open_sequence
from zeroco_ros.sequence.open import open_camera

SIZE = (48, 64)
WH = (64, 48)


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("camera") / "bag"
    write_synthetic_bag(path, frames=2, size=SIZE, progress=False)
    return path


def changed(bag: Path, path: Path, image_topic: str = "/camera/image_raw", **values: Any) -> Path:
    """
    Return a copy of the bag with other values in its camera_info.

    And another name of its images.
    """
    with BagReader(bag) as reader, BagWriter(path) as writer:
        for message in reader:
            decoded = reader.decode(message)
            topic = image_topic if message.topic == "/camera/image_raw" else message.topic
            if message.topic == INFO_TOPIC:
                for name, value in values.items():
                    setattr(decoded, name, value)
            writer.write_message(topic, message.stamp_ns, decoded)
    return path


def calibration(path: Path, **values: float) -> Path:
    content = {"fx": 50, "fy": 51, "cx": 31, "cy": 23, "width": 64, "height": 48, **values}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def test_the_bags_own_camera_info(bag: Path) -> None:
    with open_sequence(bag) as sequence:
        camera, words = open_camera(sequence, None, WH)
    assert words == INFO_TOPIC
    np.testing.assert_allclose(camera.K, view_at(0, SIZE).K)


def test_a_file_that_is_given_counts_more(bag: Path, tmp_path: Path) -> None:
    path = calibration(tmp_path / "cam.json")
    with open_sequence(bag) as sequence:
        camera, words = open_camera(sequence, path, WH)
    assert words == str(path) and camera.K[0, 0] == 50


def test_frames_that_were_reduced_since(bag: Path, tmp_path: Path) -> None:
    path = calibration(tmp_path / "cam.json", width=128, height=96)
    with open_sequence(bag) as sequence:
        camera, _ = open_camera(sequence, path, WH)
        assert (camera.width, camera.height) == WH and camera.K[0, 0] == 25
        with pytest.raises(ConfigError, match="another aspect"):
            open_camera(sequence, calibration(tmp_path / "b.json", height=64), WH)


def test_rectified_images_have_the_camera_of_p(bag: Path, tmp_path: Path) -> None:
    projection = np.array([40.0, 0, 30, 0, 0, 40, 22, 0, 0, 0, 1, 0])
    values = {"d": np.array([0.1, 0.01, 0, 0, 0]), "p": projection}
    raw = changed(bag, tmp_path / "raw", **values)
    with open_sequence(raw) as sequence:
        camera, _ = open_camera(sequence, None, WH)
        assert camera.distorted and camera.K[0, 0] != 40
    rect = changed(bag, tmp_path / "rect", "/camera/image_rect_color", **values)
    with open_sequence(rect) as sequence:
        camera, _ = open_camera(sequence, None, WH)
        assert not camera.distorted and camera.K[0, 0] == 40


def test_a_folder_has_it_beside_or_above(tmp_path: Path) -> None:
    folder = tmp_path / "seq" / "image_0"
    write_image(folder / "0.png", np.zeros((*SIZE, 3), np.uint8))
    with open_sequence(folder) as sequence:
        with pytest.raises(ConfigError, match=r"camera .* is not known: give --camera FILE"):
            open_camera(sequence, None, WH)
        (tmp_path / "seq" / "calib.txt").write_text("P0: 50 0 31 0 0 50 23 0 0 0 1 0\n")
        camera, words = open_camera(sequence, None, WH)
        assert words.endswith("seq/calib.txt") and (camera.width, camera.height) == WH
        calibration(folder / "camera.json", fx=70, fy=70)
        assert open_camera(sequence, None, WH)[0].K[0, 0] == 70


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"k": np.zeros(9)}, "K has no focal length .*--camera FILE"),
        ({"distortion_model": "magic"}, "unknown distortion model 'magic'"),
        ({"height": 96}, "64x96, those on /camera/image_raw are 64x48: give --camera FILE"),
    ],
)
def test_a_camera_info_that_cannot_be_used(
    bag: Path, tmp_path: Path, values: dict[str, Any], words: str
) -> None:
    with (
        open_sequence(changed(bag, tmp_path / "bag", **values)) as sequence,
        pytest.raises(ConfigError, match=words),
    ):
        open_camera(sequence, None, WH)


def test_no_camera_info(tmp_path: Path) -> None:
    with (
        open_sequence(write_bag(tmp_path / "bag")) as sequence,
        pytest.raises(ConfigError, match="no camera_info beside /eye/image: give --camera FILE"),
    ):
        open_camera(sequence, None, (32, 24))
